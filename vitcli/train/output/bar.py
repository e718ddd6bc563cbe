"""A progress bar (tqdm) that counts images where Lightning counts batches; lines above it; a time in words."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, TextIO, final

from lightning.pytorch.callbacks.progress.tqdm_progress import Tqdm
from tqdm import tqdm

MINUTE, HOUR, DAY = 60, 3600, 86400


@final
class ImageBar(Tqdm):
    """Lightning's bar, which is told batches and shows images.

    Args:
        batch: Images in a batch of all processes.
        images: How many there are in all; the last batch may be smaller.
        options: tqdm's.
    """

    def __init__(self, *, batch: int, images: int, **options: Any) -> None:
        self.batch = batch
        self.images = images
        # a rate without a unit, as the images stand before it
        super().__init__(**options, unit="")

    def set_description(self, desc: str | None = None, refresh: bool | None = True) -> None:
        """Set what stands before the bar, without Lightning's number of a loader, of which there is one."""
        super().set_description(desc and desc.removesuffix(" DataLoader 0").lower(), bool(refresh))

    @property
    def format_dict(self) -> MutableMapping[str, Any]:
        """What the bar shows, in images."""
        told = dict(super().format_dict)
        for name in ("n", "total", "initial"):
            told[name] = None if told[name] is None else min(told[name] * self.batch, self.images)
        told["rate"] = None if told["rate"] is None else told["rate"] * self.batch
        return told


def say(line: str, file: TextIO, *, typed: bool = False) -> None:
    """Print a line, above the bars if there are any, instead of behind one.

    Args:
        line: The line.
        file: sys.stdout or sys.stderr.
        typed: Whether a key was pressed, which the terminal has shown as ^C where the line would begin.
    """
    if any(not bar.disable for bar in getattr(tqdm, "_instances", ())):
        try:
            tqdm.write(line, file=file)
            return
        except RuntimeError:
            # in the handler of a signal that came while a bar was being written
            typed = True
    print(f"\n{line}" if typed else line, file=file, flush=True)


def in_words(seconds: float) -> str:
    """A time in the two largest units that matter: ``40 s``, ``12 min``, ``3 h 20 min``, ``2 d 4 h``."""
    if seconds < MINUTE:
        return f"{seconds:.0f} s"
    if seconds < HOUR:
        return f"{seconds / MINUTE:.0f} min"
    if seconds < DAY:
        return f"{seconds // HOUR:.0f} h {seconds % HOUR // MINUTE:.0f} min"
    return f"{seconds // DAY:.0f} d {seconds % DAY // HOUR:.0f} h"
