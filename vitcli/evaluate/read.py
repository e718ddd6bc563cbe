"""read_scored: a prediction table, vitcli's own or another tool's, as arrays, after a look at whether it is sound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitcli.errors import ConfigError, DataError
from vitcli.evaluate.load import Kind, Loaded, load_columns
from vitcli.evaluate.scored import Scored
from vitcli.evaluate.sound import look_at
from vitcli.names import first_of, natural_order
from vitcli.table.columns import PROBABILITY, TOP
from vitcli.table.csv_rows import from_cell

Floats = NDArray[np.float64]
WORDS = ("path", "label", "predicted", "status", "error")
NUMBERS = ("confidence", "width", "height", "label_probability", "label_rank")
# what --columns may name; prob is what the names of many columns begin with
ROLES = (*WORDS, "confidence", "prob", "width", "height")
# by these a table is one of vitcli's
OWN = frozenset(("path", "label", "predicted", "confidence", "status"))
LONGEST_SIDE = 10**9
NO_REASON = "the table has no prediction for it"


def read_scored(file: Path, columns: Mapping[str, str] | None = None, classes: Sequence[str] | None = None) -> Scored:
    """A prediction table as arrays.

    A table of vitcli's needs nothing more. Of another tool's, a column of predicted classes is enough, or columns of
    probabilities: the likeliest class is then the prediction, the first of those that tie. Rows without a path are
    called by their numbers.

    Args:
        file: A .csv, .tsv, .jsonl or .parquet.
        columns: Names of the columns in the table by ROLES, where they differ; ``prob`` is what the names of the
            columns of probabilities begin with, before the name of the class.
        classes: Names of the classes, where the table does not show them all.

    Raises:
        ConfigError: ``columns`` has a key that is none of ROLES.
        DataError: The table cannot be read, lacks a column, or holds what cannot be.
    """
    names = {role: role for role in (*WORDS, *NUMBERS)} | {"prob": PROBABILITY} | dict(columns or {})
    if unknown := [role for role in columns or {} if role not in ROLES]:
        raise ConfigError(
            f"--columns {unknown[0]}={names[unknown[0]]}: is none of {', '.join(ROLES)}; name one of them"
        )

    def choose(there: Sequence[str]) -> dict[str, Kind]:
        return _choose(file, names, set(columns or {}), there)

    found = load_columns(file, choose)
    count = len(found)
    if not count:
        raise DataError(f"{file}: has no rows; name a table with a row for each image")
    words, numbers = _words(file, found, names), found.numbers
    paths = tuple(words.get("path") or map(str, range(1, count + 1)))
    if len(set(paths)) < count:
        path, times = Counter(paths).most_common(1)[0]
        raise DataError(f"{file}: path {path} stands there {times} times; keep a row for each image")
    among, matrix = _matrix(found, names)
    if classes is not None and among and sorted(among) != sorted(classes):
        raise DataError(f"{file}: has probabilities of {first_of(among)}, but the classes are {first_of(classes)}")
    among = among or list(classes or _occurring(words))
    predicted = _predicted(file, words, matrix, among, count)
    is_predicted = predicted >= 0
    if matrix is not None:
        matrix[~is_predicted] = np.nan
    nan = np.full(count, np.nan)
    confidence = numbers.get(names["confidence"])
    if confidence is None:
        confidence = nan if matrix is None else matrix[np.arange(count), np.maximum(predicted, 0)]
    is_wide = "label_probability" in numbers and "label_rank" in numbers
    # of another tool's table they may be anything
    found_sides = (np.nan_to_num(numbers.get(names[side], nan)) for side in ("width", "height"))
    sides = [np.clip(side, 0, LONGEST_SIDE).astype(np.int64) for side in found_sides]
    reasons = words.get("error") or [""] * count
    return look_at(
        file,
        Scored(
            paths=paths,
            classes=tuple(among),
            labels=_positions(file, "label", words.get("label") or [""] * count, among),
            predicted=predicted,
            confidence=np.where(is_predicted, confidence, np.nan),
            probabilities=matrix,
            label_probability=numbers["label_probability"] if is_wide else None,
            label_rank=np.nan_to_num(numbers["label_rank"]).astype(np.int64) if is_wide else None,
            sizes=np.column_stack(sides),
            errors=tuple("" if ok else why or NO_REASON for ok, why in zip(is_predicted, reasons, strict=True)),
        ),
    )


def _choose(file: Path, names: Mapping[str, str], typed: set[str], there: Sequence[str]) -> dict[str, Kind]:
    """Which columns are wanted, and as what."""
    probabilities = _of_classes(there, names)
    wanted: dict[str, Kind] = {names[role]: "words" for role in WORDS if names[role] in there}
    wanted |= {names[role]: "numbers" for role in NUMBERS if names[role] in there}
    wanted |= dict.fromkeys(probabilities, "numbers")
    wanted |= {name: "words" for name in there if TOP.fullmatch(name)}
    missing = [role for role in ROLES if role in typed - {"prob"} and names[role] not in there]
    if "prob" in typed and not probabilities:
        missing.append("prob")
    columns = f"its columns are {first_of(there, 12)}"
    if missing:
        raise DataError(f"{file}: has no column {names[missing[0]]} (--columns {missing[0]}=...); {columns}")
    if names["predicted"] not in there and not probabilities:
        raise DataError(f"{file}: has no column of predictions; name it by --columns predicted=NAME; {columns}")
    return wanted


def _of_classes(there: Sequence[str], names: Mapping[str, str]) -> list[str]:
    """The columns of probabilities: those that begin as they shall, and are no others."""
    others = {name for role, name in names.items() if role != "prob"}
    return [name for name in there if name.startswith(names["prob"]) and name not in others]


def _words(file: Path, found: Loaded, names: Mapping[str, str]) -> dict[str, list[str]]:
    """The words of a table by ROLES, and those of top1, top2, ... by their own names."""
    words = {role: found.words[names[role]] for role in WORDS if names[role] in found.words}
    words |= {name: cells for name, cells in found.words.items() if TOP.fullmatch(name)}
    if file.suffix.lower() != ".csv" or not set(found.names) >= OWN:
        return words
    with file.open("rb") as opened:
        opened.seek(-1, 2)
        if opened.read() != b"\n":
            raise DataError(
                f"{file}: has no line break at its end, as if its last row were cut off; predict again, or add one if "
                "that row is whole"
            )
    return {role: [_unescaped(cell) if cell[:1] == "'" else cell for cell in cells] for role, cells in words.items()}


def _unescaped(cell: str) -> str:
    return str(from_cell("path", cell))


def _matrix(found: Loaded, names: Mapping[str, str]) -> tuple[list[str], Floats | None]:
    """Names of the classes and their probabilities (images, classes); nothing and None if the table has none."""
    columns = _of_classes(found.names, names)
    classes = [name.removeprefix(names["prob"]) for name in columns]
    return classes, np.column_stack([found.numbers[name] for name in columns]) if columns else None


def _occurring(words: Mapping[str, list[str]]) -> list[str]:
    """The classes that a table without columns for them names anywhere."""
    roles = [role for role in words if role in ("label", "predicted") or TOP.fullmatch(role)]
    return sorted({word for role in roles for word in words[role]} - {""}, key=natural_order)


def _predicted(
    file: Path, words: Mapping[str, list[str]], matrix: Floats | None, classes: Sequence[str], count: int
) -> NDArray[np.int64]:
    """The predicted class of each image, (images,); -1 where there is none."""
    if "predicted" in words:
        predicted = _positions(file, "predicted", words["predicted"], classes)
    else:
        assert matrix is not None
        predicted = np.where(np.isnan(matrix).all(axis=1), -1, np.nan_to_num(matrix, nan=-1.0).argmax(axis=1))
    is_error = np.array([word == "error" for word in words.get("status") or [""] * count])
    return np.where(is_error, -1, predicted)


def _positions(file: Path, role: str, words: Sequence[str], classes: Sequence[str]) -> NDArray[np.int64]:
    """Where each word stands among the classes, (images,); -1 for an empty one."""
    position = {name: number for number, name in enumerate(classes)} | {"": -1}
    try:
        return np.array([position[word] for word in words], dtype=np.int64)
    except KeyError as error:
        raise DataError(
            f"{file}: {role} {error.args[0]} is none of the classes of its probabilities, {first_of(classes)}; "
            "correct it, or name the columns by --columns"
        ) from error
