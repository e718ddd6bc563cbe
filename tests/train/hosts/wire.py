"""A slow and lossy cable between two machines: whole IP packets, held back, and some of them dropped.

The kernel's own means (tc netem) is in few kernels of virtual machines. Here each machine has a TUN device, and a
thread carries packets from one to the other.
"""

from __future__ import annotations

import fcntl
import heapq
import os
import random
import select
import struct
import threading
import time
from typing import final

from tests.train.hosts.machines import Machines, _ip

TUNSETIFF = 0x400454CA
# packets without a header before them
IFF_TUN_NO_PI = 0x0001 | 0x1000
PACKET_BYTES = 2048


@final
class Wire:
    """A cable whose packets arrive late, or never.

    Args:
        machines: Built, without a cable.
        delay_seconds: Of each packet.
        loss: Share of packets that are dropped, in [0, 1).
    """

    def __init__(self, machines: Machines, delay_seconds: float, loss: float = 0.0) -> None:
        self.delay_seconds = delay_seconds
        self.loss = loss
        self.carried = self.dropped = 0
        self._rng = random.Random(0)
        self._ends = [os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK) for _ in machines.names]
        for end, (number, name) in zip(self._ends, enumerate(machines.names), strict=True):
            made = f"tun{os.getpid() % 10**6}-{number}"
            fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH22x", made.encode(), IFF_TUN_NO_PI))
            _ip("link", "set", made, "netns", name)
            _ip("-n", name, "link", "set", made, "name", "cable")
        machines.address()
        self._is_closing = False
        self._thread = threading.Thread(target=self._carry, name="wire", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Unplug it."""
        self._is_closing = True
        self._thread.join()
        for end in self._ends:
            os.close(end)

    def _carry(self) -> None:
        late: list[tuple[float, int, int, bytes]] = []
        while not self._is_closing:
            wait = 0.05 if not late else min(0.05, max(0.0, late[0][0] - time.monotonic()))
            ready, _, _ = select.select(self._ends, [], [], wait)
            for end in ready:
                packet = os.read(end, PACKET_BYTES)
                self.carried += 1
                if self._rng.random() < self.loss:
                    self.dropped += 1
                else:
                    other = self._ends[1 - self._ends.index(end)]
                    heapq.heappush(late, (time.monotonic() + self.delay_seconds, self.carried, other, packet))
            while late and late[0][0] <= time.monotonic():
                _, _, other, packet = heapq.heappop(late)
                try:
                    os.write(other, packet)
                except OSError:
                    # the device is down, or its queue is full: the packet is lost, as on any cable
                    self.dropped += 1
