"""Roots: several paths as one word of the command line, and back."""

from __future__ import annotations

import re
from collections.abc import Sequence

from vitcli.errors import ConfigError
from vitcli.names import at_home, first_of

# ends each of several paths, as no path can hold it
END = "\0"
# letters by which YAML reads a word as something else
READ = re.compile("[\\[\\]{}:&!#'\"\udc80-\udcff]")
# as the system hands on bytes that are no UTF-8
NO_UTF8 = re.compile("\\\\|[\udc80-\udcff]")
ESCAPED = re.compile(r"\\(?:\\|x([0-9a-f]{2}))")


def as_one(paths: Sequence[str]) -> str:
    """Paths of any letters as one word: NUL ends each of them, unless it is a plain one alone.

    Against a list in YAML: thousands of paths, as a shell makes them of a pattern, would be parsed for seconds, and
    bytes that are no UTF-8 cannot be told in it. Before a NUL they are escaped with backslashes.
    """
    if len(paths) == 1 and not READ.search(paths[0]):
        return paths[0]
    return "".join(NO_UTF8.sub(_escaped, path) + END for path in paths)


def roots_of(root: str | Sequence[str]) -> tuple[str, ...]:
    """The paths of a root: of a word that as_one has made, of any other word, or of a list of these; ``~`` is home."""
    words = [root] if isinstance(root, str) else root
    return tuple(at_home(path) for word in words for path in _split(word) if path)


def one_path(root: str, taker: str) -> str:
    """The path of a root that has to be a single one.

    Args:
        root: As the command line hands it on.
        taker: What takes no more than one, for the message.

    Raises:
        ConfigError: It names several.
    """
    paths = _split(root)
    if len(paths) > 1:
        named = first_of(paths, between=" ")
        raise ConfigError(f"data.root {named}: {taker} takes one path; only UnlabelledData takes several")
    return at_home(paths[0])


def _split(word: str) -> list[str]:
    return [ESCAPED.sub(_read, path) for path in word.split(END)[:-1]] if END in word else [word]


def _escaped(found: re.Match[str]) -> str:
    return "\\\\" if found[0] == "\\" else f"\\x{ord(found[0]) - 0xDC00:02x}"


def _read(found: re.Match[str]) -> str:
    return chr(0xDC00 + int(found[1], 16)) if found[1] else "\\"
