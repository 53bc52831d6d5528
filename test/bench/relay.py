"""A plain relay: it passes each datagram on to all that ever wrote to it.

An empty datagram makes its sender one of them, and goes to nobody else.
"""
import socket
import sys

sk = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sk.bind(("127.0.0.1", 0))
print("listening on port", sk.getsockname()[1], file=sys.stderr)
members = {}
while True:
    text, sender = sk.recvfrom(65535)
    if not text:
        members[sender] = f"m{sender[1]}: ".encode()
        sk.sendto(b"", sender)
        continue
    line = members[sender] + text
    for member in members:
        sk.sendto(line, member)
