"""HEIC and HEIF, the photos of iPhones: read by pillow-heif where it is installed, and named where it is not."""

from __future__ import annotations

import functools
import importlib.util

from vitcli.images.decode.picture import UnreadableImage

ENDINGS = (".heic", ".heif", ".hif")
NEEDS = "HEIC needs pillow-heif; pip install pillow-heif"
# ISO/IEC 23008-12: pictures and bursts of HEVC, and those of any codec, AVIF among them
BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"))
ANY_CODEC = frozenset((b"mif1", b"msf1"))
FIRST_COMPATIBLE = 16


def is_heif(content: bytes) -> bool:
    """Whether a file's first bytes are those of HEIF, and not of AVIF, which Pillow reads by itself."""
    if content[4:8] != b"ftyp":
        return False
    brand, end = content[8:12], min(int.from_bytes(content[:4], "big"), 256)
    compatible = {content[start : start + 4] for start in range(FIRST_COMPATIBLE, end, 4)}
    return brand in BRANDS or (brand in ANY_CODEC and not compatible & {b"avif", b"avis"})


@functools.cache
def is_installed() -> bool:
    """Whether pillow-heif is there; it is not imported for that."""
    return importlib.util.find_spec("pillow_heif") is not None


def register() -> str:
    """Teach Pillow the format, whose name is returned.

    Raises:
        UnreadableImage: pillow-heif is not installed.
    """
    try:
        from pillow_heif import register_heif_opener  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError as error:
        raise UnreadableImage(NEEDS) from error
    register_heif_opener()
    return "HEIF"
