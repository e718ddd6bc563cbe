"""Names of classes: spellings that differ in spaces around them or in Unicode form (NFC, NFD) name one class."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import final

from vitcli.errors import DataError
from vitcli.names import first_of, printable


@final
class ClassNames:
    """What a label on disk or in a table names: a class of the model, or a name without spaces around it, in NFC.

    Args:
        known: The model's classes, which keep their names.
    """

    def __init__(self, known: Sequence[str]) -> None:
        self._plain = {plain(name): name for name in known}
        self._names = {name: name for name in known}
        self._spellings: dict[str, list[str]] = {}

    def __call__(self, label: str) -> str:
        """The class that a label names."""
        name = self._names.get(label)
        if name is None:
            name = self._names[label] = self._plain.get(plain(label), plain(label))
        spellings = self._spellings.setdefault(name, [])
        if label not in spellings:
            spellings.append(label)
        return name

    @property
    def notices(self) -> list[str]:
        """Which spellings were taken for one class, a line for all."""
        several = [found for found in self._spellings.values() if len(found) > 1]
        if not several:
            return []
        more = f", and {len(several) - 3} more" if len(several) > 3 else ""
        shown = ", ".join(" = ".join(map(ascii, found)) for found in several[:3])
        return [f"one class, though spelled in several ways (spaces, or accents of another system): {shown}{more}"]


def plain(label: str) -> str:
    """A label without spaces around its folders, its letters composed."""
    if label.isascii() and label == label.strip() and "/" not in label:
        return label
    return unicodedata.normalize("NFC", "/".join(part.strip() for part in label.split("/")))


class UnusableNameError(DataError):
    """The name of a class cannot be shown, or written to a file."""


def check_class_names(names: Iterable[str], key: str) -> None:
    """Check that all names can be shown, and written to any file.

    Args:
        names: Of classes.
        key: The setting that leads to them and its value, as typed.

    Raises:
        UnusableNameError: One is empty, not valid UTF-8, or holds control characters.
    """
    wrong = {name: why for name in names if (why := _why_unusable(name))}
    if wrong:
        name, why = next(iter(wrong.items()))
        which = f"the name of the class '{printable(name)}'" if name.strip("/") else "the name of a class"
        others = [f"'{printable(other)}'" for other in wrong if other != name]
        also = f" (and {first_of(others)})" if others else ""
        raise UnusableNameError(f"{key}: {which} {why}; rename it{also}")


def _why_unusable(name: str) -> str:
    kinds = {unicodedata.category(letter) for letter in name}
    why = "is not valid UTF-8" if "Cs" in kinds else "holds control characters" if "Cc" in kinds else ""
    return why or ("" if name.strip("/") else "is empty but for spaces")
