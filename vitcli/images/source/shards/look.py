"""Look at a shard once: its pictures, where each lies, and the labels beside it (``key.cls``, ``.json``, ``.txt``)."""

from __future__ import annotations

from collections import Counter
from typing import Any

from vitcli.errors import DataError
from vitcli.images.source.entries import Entry
from vitcli.images.source.inner import inner_path, too_large
from vitcli.images.source.ranges import Ranges
from vitcli.images.source.shards.headers import Member, Window, members
from vitcli.images.source.shards.table import KINDS, Table
from vitcli.images.source.walk import IMAGE_EXTENSIONS, unwanted
from vitcli.machine.bounded_json import from_json
from vitcli.names import extension, is_hidden, printable

# in which JSON has the label, if no other is named
FIELDS = ("label", "class", "cls")
# in which vitcli pack has the path of a picture that it could not keep as the name of its member
PATH_FIELD = "vitcli_path"
ENDINGS = {f".{kind}": kind for kind in KINDS}
# of a label beside a picture, and of it as the name of a class
MOST_BYTES = {"cls": 2**12, "txt": 2**12, "json": 2**18}
LONGEST_LABEL = 200


def look(ranges: Ranges, entry: Entry, field: str) -> Table:
    """The table of a shard.

    Args:
        ranges: Where it lies.
        entry: The shard.
        field: In which JSON has the label; empty for any of FIELDS.

    Raises:
        DataError: It cannot be read, is damaged, compressed or truncated, a name in it points outside, or two members
            have one name.
    """
    try:
        return _look(ranges, entry, field)
    except (OSError, EOFError, ValueError) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:120]
        remedy = "unpack it, as only in a plain tar one file can be read" if "compressed" in reason else "replace it"
        raise DataError(f"data.root {ranges.root}: {ranges.where(entry.path)}: {reason}; {remedy}") from error


def _look(ranges: Ranges, entry: Entry, field: str) -> Table:
    window = Window(ranges, entry.path, entry.size)
    left_out: Counter[str] = Counter()
    seen: set[str] = set()
    pictures: list[tuple[str, str]] = []
    starts, sizes = [], []
    # by what stands before the ending, the label, and with JSON the path too
    beside: dict[str, dict[str, str | None]] = {kind: {} for kind in KINDS}
    told: dict[str, str] = {}
    for member in members(window):
        if member.kind == "folder":
            continue
        path = inner_path(ranges.root, member.name)
        if path in seen:
            raise ValueError(f"it holds {printable(path)!r} twice")
        seen.add(path)
        ending = extension(path)
        stem = path[: len(path) - len(ending)]
        if reason := _unwanted(member, path, ending):
            left_out[reason] += 1
        elif (kind := ENDINGS.get(ending)) is None:
            pictures.append((stem, path))
            starts.append(member.start)
            sizes.append(member.size)
        else:
            content = window.take(member.start, member.size)
            if kind == "json":
                beside[kind][stem], own = _of_json(content, field)
                if own:
                    told[stem] = inner_path(ranges.root, own)
            else:
                beside[kind][stem] = _text(content)
    keys = {stem: _key(stem) for stem, _ in pictures}
    keyed = {*keys, *keys.values()}
    labels = [[of.get(stem, of.get(keys[stem])) for stem, _ in pictures] for of in beside.values()]
    without = sum(stem not in keyed for stem in {stem for of in beside.values() for stem in of})
    left_out["key without a picture"] += without
    paths = [told.get(stem, path) for stem, path in pictures]
    return Table.of(entry, dict(+left_out), paths, starts, sizes, labels)


def _unwanted(member: Member, path: str, ending: str) -> str:
    """Why a member is neither a picture nor a label."""
    *above, name = path.split("/")
    if any(map(is_hidden, above)):
        return "hidden or system folder"
    if member.kind != "file":
        return "link" if member.kind == "link" else "not a regular file"
    kind = ENDINGS.get(ending)
    if kind is None:
        return unwanted(name, IMAGE_EXTENSIONS) or too_large(member.size)
    if is_hidden(name):
        return "hidden file"
    return f"{ending} larger than {MOST_BYTES[kind] >> 10} kB" if member.size > MOST_BYTES[kind] else ""


def _key(stem: str) -> str:
    """The key of a sample as WebDataset has it: what stands before the first dot of a name."""
    folder, slash, name = stem.rpartition("/")
    return folder + slash + name.split(".", 1)[0]


def _text(content: bytes) -> str | None:
    """A label of one short line; None for anything else."""
    try:
        text = content.decode("utf-8").strip()
    except UnicodeDecodeError:
        return None
    return text if text and len(text) <= LONGEST_LABEL and "\n" not in text else None


def _of_json(content: bytes, field: str) -> tuple[str | None, str]:
    """The label and the path that a JSON object has."""
    try:
        held = from_json(content)
    except (ValueError, RecursionError):
        return None, ""
    if not isinstance(held, dict):
        return None, ""
    own = held.get(PATH_FIELD)
    values = (held[name] for name in ((field,) if field else FIELDS) if name in held)
    return next(map(_label, values), None), own if isinstance(own, str) else ""


def _label(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return _text(str(value).encode("utf-8", "replace")) if isinstance(value, int | str) else None
