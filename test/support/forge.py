"""Send datagrams under another's address and port, as an attacker can.

A line of input is: the address and the port it claims to come from, the port
of 127.0.0.1 it goes to, and the datagram in base64. "done" is answered when all
is sent. It needs the right to open raw sockets, as a namespace of one's own
gives it.
"""

import base64
import socket
import struct
import sys

TARGET = "127.0.0.1"

raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
for line in sys.stdin:
    if line == "done\n":
        print("done", flush=True)
        continue
    address, source, target, data = line.split(" ")
    payload = base64.b64decode(data)
    # Ports, length, and no checksum (RFC 768).
    length = 8 + len(payload)
    udp = struct.pack("!4H", int(source), int(target), length, 0)
    # Linux fills in the length, the checksum and the identification.
    ip = struct.pack("!2B3H2BH", 0x45, 0, 0, 0, 0, 64, socket.IPPROTO_UDP, 0)
    addresses = socket.inet_aton(address) + socket.inet_aton(TARGET)
    raw.sendto(ip + addresses + udp + payload, (TARGET, 0))
