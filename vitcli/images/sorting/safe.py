"""Safe names: classes as folders and paths as files, on any disk, however hostile; each a function of its own text."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence

from vitcli.names import UNSEEN
from vitcli.table.columns import writable

# most bytes of a name: file systems take 255, and some of those that encrypt 143
MOST_BYTES = 140
# what stands between the folders of a path in the name of its file
BETWEEN = "__"
# what a path would be read by, or Windows refuses
FORBIDDEN = re.compile(r'[/\\:*?"<>|]')
DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)([.].*)?", re.IGNORECASE)


def folder_names(classes: Sequence[str], reserved: Sequence[str] = ()) -> dict[str, str]:
    """A folder's name for each class; no two are alike, also where upper and lower case are one.

    A name that is safe stays as it is. Any other, and the second of two that differ in case only, is cleaned and ends
    with a hash of the class's name.

    Args:
        classes: Their names, in the model's order.
        reserved: Names that no class may have.
    """
    taken = {_key(name) for name in reserved}
    found = {}
    for name in classes:
        folder = _cleaned(name)
        number = 0
        while (folder != name and not number) or _key(folder) in taken:
            folder = _marked(_cleaned(name), f"{name}{number or ''}", "")
            number += 1
        taken.add(_key(folder))
        found[name] = folder
    return found


def file_names(path: str) -> tuple[str, str]:
    """The name of a path's file in a flat folder, and another one for where that is taken.

    ``a/b.jpg`` is ``a__b.jpg``. Where that would not say which path it was, the name has a hash of the path in it, and
    the second one always has.

    Args:
        path: Of an image, separated by ``/``.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    joined = BETWEEN.join(parts)
    stem, dot, ending = joined.rpartition(".")
    if not stem or BETWEEN in ending or len(ending) > 10:
        stem, dot, ending = joined, "", ""
    marked = _marked(_cleaned(stem), path, _cleaned(ending) if dot else "")
    # only of one path can the name be read back
    is_told = bool(joined) and not path.startswith("/") and ".." not in parts and joined.split(BETWEEN) == parts
    return (joined if is_told and _cleaned(joined) == joined else marked), marked


def _cleaned(name: str) -> str:
    text = unicodedata.normalize("NFC", writable(name))
    text = "".join("_" if unicodedata.category(char) in UNSEEN else char for char in text)
    text = FORBIDDEN.sub("_", text).strip(" ").rstrip(". ")
    if not text or text.startswith(".") or DEVICES.fullmatch(text):
        text = f"_{text}"
    # of a path, its end says most
    return _last(text, MOST_BYTES)


def _last(text: str, most: int) -> str:
    return text.encode()[-most:].decode(errors="ignore")


def _marked(stem: str, text: str, ending: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    end = f"-{digest}{'.' if ending else ''}{ending}"
    return _last(stem, MOST_BYTES - len(end.encode())) + end


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
