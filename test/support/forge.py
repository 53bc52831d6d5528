"""Send datagrams under another's address and port, as an attacker can.

A line of input is: the port it claims to come from, the port it goes to (both
on 127.0.0.1), and the datagram in base64. "done" is answered when all is sent.
It needs the right to open raw sockets, as a namespace of one's own gives it.
"""

import base64
import socket
import struct
import sys

raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
for line in sys.stdin:
    if line == "done\n":
        print("done", flush=True)
        continue
    source, target, data = line.split(" ")
    payload = base64.b64decode(data)
    # Ports, length, and no checksum (RFC 768).
    header = struct.pack("!4H", int(source), int(target), 8 + len(payload), 0)
    raw.sendto(header + payload, ("127.0.0.1", 0))
