"""Rows with names that break tables: of spreadsheets, of lines, of quotes, of encodings."""

from __future__ import annotations

import random

from vitcli.table.columns import Columns
from vitcli.table.row import Row

NASTY = (
    *("=1+1.jpg", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "'=1", "''=1", "'", "''", "'quoted'.jpg", "'a"),
    *("a'=1", "a=1", "a\rb", "a\r\nb", '"=1"', '=HYPERLINK("http://evil","x")', " =1", "a,b;c", "\\", "\\udce9", ""),
    *('{"a": 1}', "[1]", "NaN", "null", "1.5", "\ufeff", "a\u2028b", "\x85", "\x1b[31m", "\x0b\x0c\x1c", "\U0001f600"),
    *('b, "c"\n.jpg', "caf\udce9.jpg", "\udcff\udcfe", "label", "prob_", "features", "top1_probability"),
)
LETTERS = "\r\n\t\"'=+-@,;\\ aé/.{}[]:\u2028\udce9\U0001f600"


def name(rng: random.Random) -> str:
    """A name, as likely nasty as composed of nasty letters."""
    return rng.choice(NASTY) if rng.random() < 0.5 else "".join(rng.choices(LETTERS, k=rng.randrange(12)))


def columns(rng: random.Random, top: int = 0) -> Columns:
    """Columns of classes with such names, each another one."""
    return Columns(tuple(f"{number}{name(rng)}" for number in range(rng.randrange(2, 6))), top)


def row(rng: random.Random, columns: Columns) -> Row:
    """A row under these columns; of a file that could not be read, every third time."""
    if rng.random() < 1 / 3:
        return Row(name(rng), rng.choice(("", *columns.classes)), status="error", error=name(rng))
    shares = [rng.random() ** rng.choice((1, 20)) for _ in columns.classes]
    best = sorted(zip(shares, columns.classes, strict=True), reverse=True)
    label = rng.choice(("", *columns.classes))
    known = Row(name(rng), label, best[0][1], best[0][0], width=rng.randrange(1, 10**5), height=1, error=name(rng))
    if not columns.top:
        return Row(
            *(getattr(known, field) for field in ("path", "label", "predicted", "confidence")), tuple(shares), 7, 9
        )
    return Row(
        known.path,
        label,
        known.predicted,
        known.confidence,
        width=3,
        height=4,
        top=tuple((named, share) for share, named in best[: columns.top]),
        label_probability=0.125 if label else None,
        label_rank=2 if label else None,
    )
