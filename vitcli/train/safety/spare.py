"""Spare folder: where a run's checkpoints go at its end if its own folder takes none, as a run to go on with."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, final

from vitcli.errors import ConfigError
from vitcli.names import at_home
from vitcli.run import Run, claim
from vitcli.train.safety.put import put


@final
class Spare:
    """A folder elsewhere, in which a run of the same name is made once something has to go there.

    Args:
        folder: ``run.spare_dir``; None: the system's folder for temporary files.
        run: The run whose folder cannot be written to; what else is in it is copied, as far as a resumed run reads it.
    """

    def __init__(self, folder: str | None, run: Run) -> None:
        self.folder = Path(at_home(folder) if folder else tempfile.gettempdir())
        self._run = run
        self._made: Run | None = None

    def __str__(self) -> str:
        return str(self.folder)

    def take(self, known: Mapping[str, Any] | Path, path: Path) -> Path:
        """Write a checkpoint.

        Args:
            known: Its tensors and plain values, or a file that holds them.
            path: Where it belongs.

        Returns:
            Where it is.

        Raises:
            OSError: It cannot be written here either.
        """
        if self._made is None:
            try:
                self._made = claim(self.folder, self._run.name)
            except ConfigError as error:
                # its own words name another option
                raise OSError(getattr(error.__cause__, "strerror", None) or "is no folder") from error
            for file in (self._run.config("fit"), self._run.metrics, self._run.division, self._run.wandb_id):
                with suppress(OSError):
                    shutil.copyfile(file, self._made.folder / file.name)
        where = self._made.checkpoints / path.name
        put(known, where)
        return where
