"""Is accuracy paid for speed? The same training with the fast decoding and with Pillow's, whole and exact.

    .venv/bin/python benchmarks/decoding.py fast   fit --config configs/finetune.yaml --weights FILE --data.root photos
    .venv/bin/python benchmarks/decoding.py pillow fit --config configs/finetune.yaml --weights FILE --data.root photos
    .venv/bin/python benchmarks/decoding.py enlarge photos larger      # every photo four times as long and wide

The rest of the line is vitcli's. With "pillow" every picture is decoded whole by Pillow, and Pillow resamples the
region between its exact edges; nothing else differs. Photos of a few hundred pixels are never decoded at a
smaller scale, so enlarge them for that.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

ENLARGED = 4
RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def by_pillow() -> None:
    """Put Pillow in the place of the fast decoding."""
    from vitcli.images.decode.encoded import EncodedPicture
    from vitcli.images.decode.pixels import Rgb, Way
    from vitcli.preprocess import Region

    def crop(self: EncodedPicture, region: Region, way: Way, *, to_the_end: bool = True) -> Rgb:
        height, width = way.size
        crop = self.image().resize((width, height), RESAMPLING[way.interpolation], box=region)
        return np.array(crop).transpose(2, 0, 1)

    EncodedPicture.crop = crop  # type: ignore[method-assign]


def enlarge(source: Path, target: Path) -> None:
    """Every photo, enlarged, as JPEG of quality 90."""
    for path in sorted(source.rglob("*")):
        if path.is_file():
            file = target / path.relative_to(source)
            file.parent.mkdir(parents=True, exist_ok=True)
            with Image.open(path) as opened:
                size = (opened.width * ENLARGED, opened.height * ENLARGED)
                opened.convert("RGB").resize(size, Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)


def main() -> int:
    """Enlarge, or train."""
    if len(sys.argv) < 3 or sys.argv[1] not in ("fast", "pillow", "enlarge"):
        print(__doc__)
        return 2
    if sys.argv[1] == "enlarge":
        enlarge(Path(sys.argv[2]), Path(sys.argv[3]))
        return 0
    if sys.argv[1] == "pillow":
        by_pillow()
    from vitcli.__main__ import main as vitcli

    return vitcli(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
