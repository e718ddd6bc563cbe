"""Overlays: of some pictures of a page, a small one that shows where in them the answer comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, final

from PIL import Image

from vitcli.report.pictures import QUALITY, Open, address


class Explains(Protocol):
    """What makes the overlays. It needs the net, which a report does without, so that it is handed in from above."""

    @property
    def method(self) -> str:
        """How the maps are made, in a word or two."""

    def __call__(self, wanted: Sequence[tuple[str, str]], opens: Open) -> Sequence[Image.Image | None]:
        """A small picture of each image; None where there is none.

        Args:
            wanted: Path and predicted class of each.
            opens: The picture of a path.
        """


@final
class Overlays:
    """Small pictures with maps, made once each.

    Args:
        explains: What makes them; None: there are none.
        opens: The picture of a path; None where the pictures are gone.
    """

    def __init__(self, explains: Explains | None, opens: Open | None) -> None:
        self._explains = explains
        self._opens = opens
        self._made: dict[str, str | None] = {}

    def make(self, wanted: Sequence[tuple[str, str]]) -> None:
        """Make those of some images.

        Args:
            wanted: Path and predicted class of each.
        """
        if self._explains is None or self._opens is None:
            return
        missing = [one for one in dict(wanted).items() if one[0] not in self._made]
        found = self._explains(missing, self._opens) if missing else []
        self._made |= {
            path: None if image is None else address(image, QUALITY)
            for (path, _), image in zip(missing, found, strict=True)
        }

    def __getitem__(self, path: str) -> str | None:
        """A ``data:`` address; None if there is no map of this path."""
        return self._made.get(path)

    @property
    def told(self) -> str:
        """How many there are, and how they are to be read; empty where there are none."""
        shown = sum(address is not None for address in self._made.values())
        if self._explains is None or not shown:
            return ""
        has = "One of them has a map beside it" if shown == 1 else f"{shown} of them have a map beside them"
        return (
            f"{has} ({self._explains.method}): what of the picture enters the net, and in yellow where in it the "
            "predicted class comes from. In a map of red and blue, red speaks for the class and blue against it."
        )
