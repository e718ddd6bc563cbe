"""Limits: how many bytes, pixels, images, connections and seconds a client may take of the server."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from vitcli.errors import ConfigError

MEBIBYTE = 2**20
# of images in the size of the net that wait for it
WAITING_BYTES = 512 * MEBIBYTE
# a client that has not said within these seconds what it wants is hung up on, and one that takes nothing of its answer
HEADER_SECONDS = 10.0
TAKE_SECONDS = 30.0


@final
@dataclass(frozen=True)
class Limits:
    """What a client may take, each a limit that is checked before the memory is.

    Args:
        max_bytes: Of the body of a request.
        max_pixels: Of an image, by its header. Also of all images together that are being decoded at a time.
        max_images: Of a request.
        max_queue: Images of all requests that wait for their answer; further requests get 429.
        timeout: Seconds that a request may take, from its header to the last byte of its answer.
        max_connections: At a time; further ones get 503.

    Raises:
        ConfigError: One of them is below 1, or a request could never fit into the queue.
    """

    max_bytes: int = 32 * MEBIBYTE
    max_pixels: int = 50_000_000
    max_images: int = 64
    max_queue: int = 256
    timeout: float = 60.0
    max_connections: int = 512

    def __post_init__(self) -> None:
        for name in ("max_bytes", "max_pixels", "max_images", "max_queue", "max_connections"):
            if getattr(self, name) < 1:
                raise ConfigError(f"--{name} {getattr(self, name)}: below 1; nothing could be asked then")
        if not 0 < self.timeout < math.inf:
            raise ConfigError(f"--timeout {self.timeout:g}: must be above 0 seconds; 60 is the default")
        if self.max_images > self.max_queue:
            raise ConfigError(
                f"--max_images {self.max_images}: more than --max_queue {self.max_queue}, so that such a request would "
                "never be taken; lower the one or raise the other"
            )

    @property
    def held_bytes(self) -> int:
        """Bytes of all bodies together that are in memory."""
        return 8 * self.max_bytes

    @property
    def header_seconds(self) -> float:
        """Seconds until a connection has sent the header of a request."""
        return min(HEADER_SECONDS, self.timeout)

    @property
    def take_seconds(self) -> float:
        """Seconds in which a client that takes nothing of its answer may begin to."""
        return min(TAKE_SECONDS, self.timeout)


def queue_for(image_bytes: int) -> int:
    """How many images may wait by default, for a net whose image takes so many bytes: 256, and 32 for large ones."""
    return max(32, min(256, WAITING_BYTES // image_bytes))
