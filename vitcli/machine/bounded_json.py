"""JSON from elsewhere, within limits of size and depth: json itself takes all memory, or ends in a RecursionError."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

MOST_BYTES = 32_000_000
DEEPEST = 50
# brackets, and strings as a whole, for the brackets in them count for nothing
BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{\]}]', re.DOTALL)
LEVELS = {"[": 1, "{": 1, "]": -1, "}": -1}


def from_json(text: str | bytes) -> Any:
    """The values of a JSON text of at most ``MOST_BYTES`` and ``DEEPEST`` levels.

    Raises:
        ValueError: It is no JSON, or larger or deeper.
    """
    if len(text) > MOST_BYTES:
        raise ValueError(f"{len(text):,} characters of JSON, at most {MOST_BYTES:,} are read")
    text = text if isinstance(text, str) else text.decode("utf-8", "surrogateescape")
    level = 0
    # few brackets cannot be deep, and counting them takes no time
    for found in BRACKETS.finditer(text) if text.count("[") + text.count("{") > DEEPEST else ():
        level += LEVELS.get(found[0], 0)
        if level > DEEPEST:
            raise ValueError(f"more than {DEEPEST} levels of JSON")
    return json.loads(text)


def read_json(file: Path) -> Any:
    """The values of a JSON file, of which no more than the limit is read.

    Raises:
        OSError: It cannot be read.
        ValueError: As ``from_json`` raises it, or it is not UTF-8.
    """
    with file.open("rb") as opened:
        content = opened.read(MOST_BYTES + 1)
    return from_json(content.decode("utf-8"))
