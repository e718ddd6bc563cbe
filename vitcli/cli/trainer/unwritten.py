"""Ending of a fit whose files could not all be written: one line that says where they are, and exit code 2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vitcli.errors import DataError
from vitcli.train.output.csv_log import MetricsCsv
from vitcli.train.safety.signals import Interrupted
from vitcli.train.safety.write import CheckpointFiles

if TYPE_CHECKING:
    import lightning.pytorch as pl


@contextmanager
def unwritten_is_told(trainer: pl.Trainer) -> Iterator[None]:
    """Ends what is done inside with an error if checkpoints or curves could not be written.

    It takes the place of what ends it otherwise: a signal, or a table for which there is no room either.

    Args:
        trainer: That trains.

    Raises:
        DataError: Some could not.
    """
    try:
        yield
    except (OSError, Interrupted) as error:
        if (told := _told(trainer)) is not None:
            raise DataError(told) from error
        raise
    if (told := _told(trainer)) is not None:
        raise DataError(told)


def _told(trainer: pl.Trainer) -> str | None:
    files = trainer.strategy.checkpoint_io
    if isinstance(files, CheckpointFiles) and files.mistake is not None:
        return files.mistake
    for curves in trainer.loggers:
        if isinstance(curves, MetricsCsv) and curves.lacks_rows:
            return f"{curves.path}: the last rows could not be written: {curves.lacks_rows}; make room"
    return None
