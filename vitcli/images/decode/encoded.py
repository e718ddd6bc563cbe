"""EncodedPicture: any image file decoded to one upright RGB picture, or the reason why it cannot be read."""

from __future__ import annotations

import io
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from vitcli.images.decode import heif, jpeg
from vitcli.images.decode.colours import to_rgb
from vitcli.images.decode.deep import DeepColours
from vitcli.images.decode.grey import DEEP_GREY
from vitcli.images.decode.picture import Picture, UnreadableImage, scaled
from vitcli.images.decode.pixels import Rgb, Way, resample
from vitcli.images.decode.said import NOTHING_SAID, said
from vitcli.images.decode.strips import crop_in_strips, grey_in_strips, has_strips
from vitcli.preprocess import Region

# Formats of pictures only: EPS runs another program, PDF and FITS have no size limit. MPO is opened by JPEG, and HEIF
# by another package.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "DIB", "TIFF", "GIF", "PPM", "ICO", "PSD", "AVIF", "JPEG2000")
MAX_PIXELS = 100_000_000

EXIF_ORIENTATION = 0x0112
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@final
class EncodedPicture(Picture):
    """A picture in the bytes of a file; a JPEG's header is read now and its pixels when they are asked for.

    EXIF orientation is applied. Transparent pixels are shown on white. Values of more than 8 bits are scaled to 8, not
    clipped. CMYK, LAB, palettes, grey and black-and-white are converted. Of several frames the first is taken.
    The ending of the name does not matter, the content does.

    Args:
        content: The bytes.
        max_pixels: Images of more pixels are not decoded.

    Raises:
        UnreadableImage: Empty, damaged, of a format that is neither in ``FORMATS`` nor HEIF, or of more than
            ``max_pixels`` pixels.
    """

    def __init__(self, content: bytes, max_pixels: int = MAX_PIXELS) -> None:
        if not content:
            raise UnreadableImage("empty file")
        self.content = content
        self.max_pixels = max_pixels
        with reasons(max_pixels):
            formats = (heif.register(),) if heif.is_heif(content) else FORMATS
            self._image = Image.open(io.BytesIO(content), formats=formats)
            check_size(self._image, max_pixels)
            self.format = self._image.format or ""
            self._is_jpeg = jpeg.is_plain(self._image)
            self._deep = None if self._is_jpeg else DeepColours.of(self._image, content)
            if not self._is_jpeg:
                # now, because PNG may hold EXIF after its pixels, and Pillow turns TIFF upright while decoding
                self._image.load()
                check_size(self._image, max_pixels)
            # now, because a picture that is turned forgets its file
            is_deep = self._deep is not None or self._image.mode in DEEP_GREY
            self._said = said(self._image, content) if is_deep else NOTHING_SAID
            self._orientation = orientation(self._image)
            width, height = self._image.size
            super().__init__(*((width, height) if self._orientation >= 5 else (height, width)))

    def crop(self, region: Region, way: Way, *, to_the_end: bool = True) -> Rgb:
        """A region in the size of the net: uint8 (3, height, width).

        A JPEG is decoded at a half, a quarter or an eighth where that leaves two or three pixels for each one wanted.

        Args:
            region: What of the picture is wanted.
            way: How it is resampled.
            to_the_end: Whether a JPEG is decoded below the region too, to see that it is not cut off.

        Raises:
            UnreadableImage: Damaged, cut off, or floating-point values, whose white is unknown.
        """
        if self._is_jpeg:
            turn = jpeg.Turn.of(self._orientation)
            lying = turn.back(region, self.height, self.width)
            size = turn.size(way.size)
            pixels = jpeg.decode(self.content, self._image.size, lying, size, to_the_end=to_the_end)
            if pixels is not None:
                lying = scaled(lying, self._image.size[::-1], pixels)
                return turn.upright(resample(pixels, lying, way._replace(size=size)))
        if self._has_strips:
            with reasons(self.max_pixels):
                return crop_in_strips(self._upright(self._image), region, way)
        return resample(np.array(self.image(way.white)), region, way)

    def glance(self, white: int | None = None) -> tuple[NDArray[np.uint8], str]:
        """A small upright grey copy, uint8 (height, width), and the decoder's warning; empty if it has none.

        Args:
            white: The value of white in pictures of more than 8 bits; None for what the file says.

        Raises:
            UnreadableImage: As crop raises it.
        """
        if self._is_jpeg:
            stored, complaint = jpeg.glance(self.content, self._image.size)
            if stored is not None:
                return jpeg.Turn.of(self._orientation).upright(stored[None])[0], complaint
        if self._has_strips:
            with reasons(self.max_pixels):
                return grey_in_strips(self._upright(self._image)), ""
        return np.array(self.image(white).convert("L")), ""

    def image(self, white: int | None = None) -> Image.Image:
        """The whole picture, upright and RGB, as Pillow decodes it.

        Args:
            white: The value of white in pictures of more than 8 bits; None for what the file says.

        Raises:
            UnreadableImage: Damaged, cut off, or floating-point values, whose white is unknown.
        """
        with reasons(self.max_pixels):
            if self._is_jpeg:
                jpeg.glance(self.content, self._image.size)
                self._image.load()
            stored = self._image if self._deep is None else self._deep.scaled(self._image, self._said, white)
            return to_rgb(self._upright(stored), self._said, white)

    @property
    def _has_strips(self) -> bool:
        return not self._is_jpeg and self._deep is None and has_strips(self._image)

    def _upright(self, stored: Image.Image) -> Image.Image:
        method = UPRIGHT.get(self._orientation)
        return stored if method is None else turned(stored, method)


def open_image(path: str | os.PathLike[str], max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The upright RGB picture of any image file, whole.

    Args:
        path: The file.
        max_pixels: Images of more pixels are not decoded.

    Raises:
        UnreadableImage: As EncodedPicture raises it, or there is no such file.
    """
    with strict(max_pixels):
        return EncodedPicture(read_file(path), max_pixels).image()


def read_file(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a regular file.

    Raises:
        UnreadableImage: It is missing, not a regular file, or may not be read.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise UnreadableImage("not a regular file")
        return Path(path).read_bytes()
    except OSError as error:
        raise UnreadableImage(_reason(error, MAX_PIXELS)) from error


@contextmanager
def strict(max_pixels: int = MAX_PIXELS) -> Iterator[None]:
    """Pillow's global settings, entered once for many images: no warnings, and no grey in place of missing pixels.

    Args:
        max_pixels: Limit of pictures inside of pictures, such as an icon's; Pillow refuses above twice as many.
    """
    allowed, most = ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    Image.MAX_IMAGE_PIXELS = max_pixels
    try:
        with warnings.catch_warnings():
            # About odd metadata, which changes no pixel.
            warnings.simplefilter("ignore")
            # This one is the reason why a picture is not identified.
            warnings.filterwarnings("error", message="image file could not be identified because")
            yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS = allowed, most


@contextmanager
def reasons(max_pixels: int) -> Iterator[None]:
    """Whatever a decoder raises, as the reason why an image cannot be read."""
    try:
        yield
    except UnreadableImage:
        raise
    except Exception as error:
        # Decoders raise nearly every kind of error on damaged files, and each costs one file, not the run.
        raise UnreadableImage(_reason(error, max_pixels)) from error


def check_size(image: Image.Image, max_pixels: int) -> None:
    """Check that a picture has pixels, and not too many.

    Raises:
        UnreadableImage: It has none, or more than that.
    """
    # Once on the header, before any memory is taken, and once decoded: an icon's header may lie.
    if image.width < 1 or image.height < 1:
        raise UnreadableImage("has no pixels")
    if image.width * image.height > max_pixels:
        raise UnreadableImage(
            f"too large ({image.width} x {image.height} pixels, at most {max_pixels / 10**6:g} million)"
        )


def orientation(image: Image.Image) -> int:
    """What EXIF says of how a picture is turned, 1 to 8; 1, upright, where it says nothing."""
    try:
        told = image.getexif().get(EXIF_ORIENTATION, 1)
    except Exception:
        # Metadata that cannot be parsed says nothing about the pixels.
        return 1
    return told if isinstance(told, int) and told in UPRIGHT else 1


def turned(image: Image.Image, method: Image.Transpose) -> Image.Image:
    """A picture turned, with what its file says."""
    upright = image.transpose(method)
    upright.info = dict(image.info)
    return upright


def _reason(error: Exception, max_pixels: int) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "not an image (cannot identify)"
    if isinstance(error, Warning):
        return f"not readable by this Pillow ({str(error).rpartition('because ')[2]})"
    if isinstance(error, Image.DecompressionBombError):
        return f"too large (at most {max_pixels / 10**6:g} million pixels)"
    if isinstance(error, MemoryError):
        return "does not fit into memory"
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, PermissionError):
        return "permission denied"
    if "truncated" in str(error).lower():
        return "truncated"
    lines = str(error).splitlines()
    return f"damaged ({lines[0][:80] if lines else type(error).__name__})"
