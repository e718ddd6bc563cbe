"""Decoding of uploads in threads: an image's bytes -> pixels in the size of the net, within a budget of pixels."""

from __future__ import annotations

import asyncio
import contextlib
import io
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, final

from PIL import Image

from vitcli.images.decode import heif
from vitcli.images.decode.encoded import FORMATS, EncodedPicture, check_size, reasons
from vitcli.images.decode.picture import UnreadableImage
from vitcli.images.decode.pixels import Rgb, Way
from vitcli.machine.malloc import return_freed_blocks
from vitcli.machine.threads import cores
from vitcli.preprocess import Preprocess, Region
from vitcli.serve.budget import Budget

# whose header does not tell the size of the picture that is decoded
LYING = ("ICO",)
# pixels of a picture whose memory is not worth the milliseconds that it takes to return it to the system
SMALL = 8_000_000


class Decoded(NamedTuple):
    """An image in the size of the net; or why it cannot be read.

    Args:
        pixels: uint8 (3, height, width); None for one that cannot be read.
        height: Of the upright picture, in pixels.
        width: Of the upright picture, in pixels.
        region: What of it the pixels show.
        reason: Why it cannot be read.
    """

    pixels: Rgb | None
    height: int = 0
    width: int = 0
    region: Region = Region(0, 0, 0, 0)
    reason: str = ""


@final
class Decoder:
    """Threads that decode; all pictures that are being decoded at a time have at most ``max_pixels`` pixels together.

    The caller has Pillow's settings entered by ``strict`` for as long.

    Args:
        preprocess: How an image is brought into the size of the net.
        max_pixels: Of an image, and of all at a time.
    """

    def __init__(self, preprocess: Preprocess, max_pixels: int) -> None:
        self._preprocess = preprocess
        self._way = Way.of(preprocess)
        self._max_pixels = max_pixels
        self._budget = Budget(max_pixels)
        self._pool = ThreadPoolExecutor(cores(), thread_name_prefix="decode")

    async def decode(self, content: bytes) -> Decoded:
        """An image in the size of the net, or why it cannot be read.

        Args:
            content: The bytes of its file.
        """
        loop = asyncio.get_running_loop()
        try:
            # in a thread too: a header may be made of a million parts
            weight = await loop.run_in_executor(self._pool, header_pixels, content, self._max_pixels)
        except UnreadableImage as error:
            return Decoded(None, reason=str(error))
        await self._budget.take(weight)
        work = self._pool.submit(self._work, content, weight)

        def give_back(_: Future[Decoded]) -> None:
            # the loop is closed where the end of the server has cut this off
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._budget.give, weight)

        # whoever waits may be gone before a thread has come to its end, and only then its memory is free
        work.add_done_callback(give_back)
        return await asyncio.wrap_future(work)

    def close(self) -> None:
        """End the threads, once they have come to the end of what they do."""
        self._pool.shutdown(cancel_futures=True)

    def _work(self, content: bytes, weight: int) -> Decoded:
        decoded = self._decode(content)
        if weight > SMALL:
            # malloc would keep it: nets run faster with memory that they have had already (machine/malloc.py)
            return_freed_blocks()
        return decoded

    def _decode(self, content: bytes) -> Decoded:
        try:
            picture = EncodedPicture(content, self._max_pixels)
            height, width = picture.height, picture.width
            region = self._preprocess.region(height, width)
            return Decoded(picture.crop(region, self._way), height, width, region)
        except UnreadableImage as error:
            return Decoded(None, reason=str(error))


def header_pixels(content: bytes, max_pixels: int) -> int:
    """How many pixels an image has by its header, at least 1; ``max_pixels`` where the header does not tell.

    Args:
        content: The bytes of its file.
        max_pixels: Larger ones are not decoded.

    Raises:
        UnreadableImage: No image, or a larger one.
    """
    if not content:
        raise UnreadableImage("empty file")
    with reasons(max_pixels):
        formats = (heif.register(),) if heif.is_heif(content) else FORMATS
        image = Image.open(io.BytesIO(content), formats=formats)
        check_size(image, max_pixels)
        return max_pixels if image.format in LYING else image.width * image.height
