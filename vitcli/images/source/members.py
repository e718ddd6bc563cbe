"""Members: files that are all known at once, by path, as an archive and an object store have them; its folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from vitcli.images.source.entries import Entries, Entry
from vitcli.images.source.walk import unwanted
from vitcli.names import is_hidden, natural_order


def folders_of(paths: Iterable[str], inside: str = "") -> list[str]:
    """Names of the visible folders directly in a folder, in natural order.

    Args:
        paths: Of all files.
        inside: The folder.
    """
    prefix = f"{inside}/" if inside else ""
    names = {
        rest.partition("/")[0] for path in paths if path.startswith(prefix) and "/" in (rest := path[len(prefix) :])
    }
    return sorted((name for name in names if not is_hidden(name)), key=natural_order)


def files_of(
    members: Mapping[str, Entry],
    inside: str,
    extensions: Collection[str] | None,
    deep: bool,
    before: Mapping[str, int],
) -> tuple[Entries, Counter[str]]:
    """The files below a folder, and how many entries were left out, by reason.

    Args:
        members: All files, by path.
        inside: The folder.
        extensions: Lower-case endings to look for; None takes every file, hidden ones too.
        deep: Whether folders in the folder are entered.
        before: What was left out before.
    """
    prefix = f"{inside}/" if inside else ""
    found = Entries()
    left_out = Counter(before)
    for path, entry in members.items():
        if not path.startswith(prefix):
            continue
        *above, name = path[len(prefix) :].split("/")
        if above and not deep:
            continue
        if any(map(is_hidden, above)):
            left_out["hidden or system folder"] += 1
        elif reason := unwanted(name, extensions):
            left_out[reason] += 1
        else:
            found.add(path, entry.size, entry.version)
    return found, left_out
