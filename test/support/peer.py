"""The chat in Python, for the tests to compare with and to talk to.

    peer.py server PORT      0: any free port, which is named on stderr
    peer.py client PORT
"""
import socket
import sys

role, port = sys.argv[1], int(sys.argv[2])
here = ("127.0.0.1", port)
sk = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

if role == "server":
    sk.bind(here)
    if port == 0:
        print("listening on port", sk.getsockname()[1], file=sys.stderr)
    while True:
        msg, addr = sk.recvfrom(65535)
        print(f"来自[{addr[0]}:{addr[1]}]的消息: {msg.decode()}")
        sk.sendto(input(">>>").encode(), addr)
else:
    while True:
        sk.sendto(input(">>>").encode(), here)
        print(sk.recv(65535).decode())
