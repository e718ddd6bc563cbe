"""ReportMaps: what a report's pictures are explained by, where it is asked for; without a net there are no maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import final

from PIL import Image

from vitcli.errors import UserError
from vitcli.explain.images import Subject
from vitcli.explain.methods import SHOWN
from vitcli.explain.small import small_overlays
from vitcli.machine.bounded_json import read_json
from vitcli.predictor import Predictor
from vitcli.report.pictures import Open
from vitcli.run import Run


@final
class ReportMaps:
    """Explains pictures with the net that made a table, by the method that is shown first.

    Args:
        checkpoint: A file, a run's folder, or weights.
    """

    def __init__(self, checkpoint: Path | str) -> None:
        self._checkpoint = str(checkpoint)
        self._why = "the pictures are not where they were"
        self._made = 0

    @property
    def method(self) -> str:
        """The one that is shown first."""
        return SHOWN[0]

    @classmethod
    def of_run(cls, run: Run, split: str) -> ReportMaps:
        """For the table of a run: with the checkpoint that was scored, else with the run's best one.

        Args:
            run: The run.
            split: Of the table.
        """
        try:
            scored = Path(str(read_json(run.scores(split))["checkpoint"])) if split in ("val", "test") else None
        except (OSError, ValueError, LookupError, TypeError):
            scored = None
        return cls(scored if scored is not None and scored.is_file() else run.folder)

    def __call__(self, wanted: Sequence[tuple[str, str]], opens: Open) -> list[Image.Image | None]:
        """Small overlays, as far as there are any."""
        try:
            predictor = Predictor(self._checkpoint)
            subject = Subject(predictor.net, predictor.preprocess, predictor.classes, predictor.max_pixels)
            found = small_overlays(subject, wanted, opens, self.method)
        except UserError as error:
            self._why = str(error)
            return [None] * len(wanted)
        self._made += sum(one is not None for one in found)
        return found

    @property
    def lines(self) -> list[str]:
        """What the user is told, once the report is written: nothing, unless there are no maps."""
        return [] if self._made else [f"maps: none in the report: {self._why}"]
