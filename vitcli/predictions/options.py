"""Options of a prediction table: whether it can be written where and as it is wished, before anything is predicted."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, final

from vitcli.answers.asked import Asked, Tta
from vitcli.errors import ConfigError
from vitcli.names import existing_above, extension
from vitcli.table.columns import BEST, NARROW, Columns
from vitcli.table.formats import FORMATS

Probabilities = Literal["auto", "all", "top"]


@final
@dataclass(frozen=True)
class TableOptions:
    """What a table holds, and how the net is asked for it.

    Args:
        escape_formulas: Whether no cell of CSV shall be a formula.
        probabilities: all, top, or auto.
        top_k: How many of the best classes; None: 5.
        features: Whether the pooled features are written too.
        threshold: Of two classes, the probability from which on predict says the second one.
        temperature: By which predict divides the logits; auto until it is known which run's it is.
        tta: none or flip.

    Raises:
        ConfigError: A number out of range.
    """

    escape_formulas: bool = False
    probabilities: Probabilities = "auto"
    top_k: int | None = None
    features: bool = False
    threshold: float | None = None
    temperature: float | Literal["auto"] = 1.0
    tta: Tta = "none"

    def __post_init__(self) -> None:
        if self.top_k is not None and self.top_k < 1:
            raise ConfigError(f"predictions.top_k {self.top_k}: below 1; {BEST} is usual")
        try:
            self.asked("predict")
        except ConfigError as error:
            raise ConfigError(f"predictions.{error}") from error

    def asked(self, verb: str) -> Asked:
        """How a verb asks the net; scores are of the likelier class, and of probabilities as the net gives them.

        Args:
            verb: validate, test or predict.
        """
        if verb != "predict":
            return Asked(tta=self.tta, features=self.features)
        temperature = 1.0 if self.temperature == "auto" else self.temperature
        return Asked(temperature, self.tta, self.threshold, self.features)

    def columns(self, classes: tuple[str, ...]) -> Columns:
        """The columns of a table of these classes.

        Raises:
            ConfigError: ``top_k`` is given for a table that has all probabilities.
        """
        if self.probabilities == "all" or (self.probabilities == "auto" and len(classes) <= NARROW):
            if self.top_k is not None:
                raise ConfigError(
                    f"predictions.top_k {self.top_k}: the table has the probabilities of all {len(classes)} classes; "
                    "say --predictions.probabilities top too, or leave it out"
                )
            return Columns(classes)
        return Columns(classes, min(self.top_k or BEST, len(classes)))

    def plan(self, table: Path, classes: tuple[str, ...], verb: str) -> dict[str, Any]:
        """What of this a table depends on, in plain values, under names that a message can use.

        Args:
            table: Its path.
            classes: Names of the classes.
            verb: validate, test or predict.
        """
        asked = self.asked(verb)
        return {
            "predictions.temperature": asked.temperature,
            "predictions.tta": asked.tta,
            "predictions.threshold": asked.threshold,
            "predictions.path": extension(str(table)),
            "predictions.top_k": self.columns(classes).top,
            "predictions.features": self.features,
            "predictions.escape_formulas": self.escape_formulas,
        }


def check_table(path: str, *, escape_formulas: bool = False) -> None:
    """Check that a table can be written at a path.

    Args:
        path: Of the table.
        escape_formulas: Whether its cells shall be no formulas.

    Raises:
        ConfigError: It is a folder, asks for an unknown format, lies where nothing can be written, shall be escaped
            and is no CSV, or is Parquet where pyarrow is not installed.
    """
    table = Path(path)
    if table.is_dir():
        raise ConfigError(
            f"predictions.path {path}: is a folder; name a file in it, such as {table / 'predictions.csv'}"
        )
    ending = extension(path)
    if ending not in FORMATS:
        *first, last = FORMATS
        raise ConfigError(
            f"predictions.path {path}: its ending {ending or '(none)'} is no format of a table; let the name end in "
            f"{', '.join(first)} or {last}"
        )
    if escape_formulas and ending != ".csv":
        raise ConfigError(
            f"predictions.escape_formulas true: no spreadsheet finds formulas in {ending}; leave it out, or let "
            f"predictions.path {path} end in .csv"
        )
    if ending == ".parquet" and find_spec("pyarrow") is None:
        raise ConfigError(
            f"predictions.path {path}: needs pyarrow, which is not installed here; pip install pyarrow, or let the "
            "name end in .csv or .jsonl"
        )
    parent = existing_above(table)
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise ConfigError(f"predictions.path {path}: nothing can be written in {parent}; name another place")
