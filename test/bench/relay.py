"""A plain relay: what one member says, it passes on to all of them.

    relay.py udp HOST    in datagrams; who sends an empty one is a member
    relay.py tcp HOST    in lines; who connects is a member
"""
import asyncio
import socket
import sys


def relay_datagrams(host):
    sk = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sk.bind((host, 0))
    print("listening on port", sk.getsockname()[1], file=sys.stderr)
    members = set()
    while True:
        line, sender = sk.recvfrom(65535)
        if not line:
            members.add(sender)
            sk.sendto(b"", sender)
            continue
        for member in members:
            sk.sendto(line, member)


async def relay_lines(host):
    members = set()

    async def serve(reader, writer):
        members.add(writer)
        async for line in reader:
            for member in members:
                member.write(line)

    server = await asyncio.start_server(serve, host, 0)
    port = server.sockets[0].getsockname()[1]
    print("listening on port", port, file=sys.stderr)
    await server.serve_forever()


protocol, host = sys.argv[1:]
if protocol == "udp":
    relay_datagrams(host)
else:
    asyncio.run(relay_lines(host))
