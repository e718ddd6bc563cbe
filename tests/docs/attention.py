"""Writes the numbers of docs/attention.md between their marks, and its pictures.

    make docs

tests/docs/test_attention.py computes the same, and compares.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs.numbers import told
from tests.docs.pictures import drawn

PAGE = Path(__file__).parents[2] / "docs" / "attention.md"
PICTURES = PAGE.with_name("pictures")
# <!-- name -->what is computed<!-- / -->
MARKED = re.compile(r"(<!-- ([a-z_ -]+) -->)(.*?)(<!-- / -->)", re.DOTALL)


def filled(page: str, numbers: dict[str, str]) -> str:
    """The page with these numbers between its marks.

    Args:
        page: Its text.
        numbers: The text of each mark.

    Raises:
        KeyError: The page has a mark of which nothing is known.
    """
    return MARKED.sub(lambda mark: f"{mark[1]}{numbers[mark[2]]}{mark[4]}", page)


def main() -> None:
    """Write the page and its pictures."""
    page = filled(PAGE.read_text(encoding="utf-8"), told())
    PAGE.write_text(page, encoding="utf-8")
    PICTURES.mkdir(exist_ok=True)
    for name, content in drawn().items():
        (PICTURES / name).write_bytes(content)


if __name__ == "__main__":
    main()
