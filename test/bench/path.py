"""A long and bad path for some programs: a network of their own, on Linux.

    unshare --user --map-root-user --net path.py DROP DELAY SEED

In it 10.0.0.1 is this end, and 10.0.0.2 is the same end seen over the path, on
which each packet, there or back, gets lost with a probability of DROP percent,
or takes DELAY ms. SIGUSR1 begins the losses and the count of packets and bytes,
SIGTERM ends it and prints the count.
"""
import fcntl
import os
import random
import select
import signal
import struct
import subprocess
import sys
from collections import deque
from time import monotonic

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000

drop, delay, seed = map(float, sys.argv[1:])
dice = random.Random(seed)
tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH", b"path", IFF_TUN | IFF_NO_PI))
for command in (
    "link set lo up",
    "link set path up txqueuelen 10000",
    "address add 10.0.0.1/24 dev path",
):
    subprocess.run(["ip", *command.split()], check=True)

packets = size = 0
losing = False


def begin(*_):
    global packets, size, losing
    packets = size = 0
    losing = True


def summary(*_):
    print(packets, size)
    sys.exit()


signal.signal(signal.SIGUSR1, begin)
signal.signal(signal.SIGTERM, summary)
print("ready", file=sys.stderr, flush=True)
under_way = deque()  # when it arrives, and the packet
while True:
    wait = max(under_way[0][0] - monotonic(), 0) if under_way else None
    if select.select([tun], [], [], wait)[0]:
        packet = os.read(tun, 65536)
        if packet[0] >> 4 == 4:  # IPv4
            packets += 1
            size += len(packet)
            if not losing or dice.random() * 100 >= drop:
                # From 10.0.0.1 to 10.0.0.2 becomes the other way round, which
                # leaves the checksums as they are.
                there = packet[:12] + packet[16:20] + packet[12:16] + packet[20:]
                under_way.append((monotonic() + delay / 1000, there))
    while under_way and under_way[0][0] <= monotonic():
        os.write(tun, under_way.popleft()[1])
