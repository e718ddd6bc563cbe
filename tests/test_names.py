"""Names are compared as people compare them."""

from __future__ import annotations

import os
import random
import subprocess

import pytest

from vitcli.names import natural_bytes, natural_order, printable, quoted


def test_digits_compare_as_numbers_folder_by_folder() -> None:
    paths = ["b/1.jpg", "a10.jpg", "A2.jpg", "a/10/x.jpg", "a/9/x.jpg", "a02.jpg", "a.jpg", "10.jpg", "9.jpg"]
    expected = ["9.jpg", "10.jpg", "a/9/x.jpg", "a/10/x.jpg", "A2.jpg", "a02.jpg", "a10.jpg", "a.jpg", "b/1.jpg"]
    assert sorted(paths, key=natural_order) == expected
    paths.reverse()
    assert sorted(paths, key=natural_order) == expected


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("caf\u00e9 \u732b \U0001f431.jpg", "caf\u00e9 \u732b \U0001f431.jpg"),
        ("red\x1b[31m.jpg", "red\\x1b[31m.jpg"),
        ("two\nlines\r\t\x07.jpg", "two\\nlines\\r\\t\\x07.jpg"),
        ("clear\x9b2J", "clear\\x9b2J"),
        ("photo\u202egpj.exe", "photo\\u202egpj.exe"),
        ("\u2066left\u2069\u200e", "\\u2066left\\u2069\\u200e"),
        ("zero\u200bwidth\ufeff\u00ad", "zero\\u200bwidth\\ufeff\\xad"),
        ("a\u2028b\u2029c", "a\\u2028b\\u2029c"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("caf\udce9", "caf\\udce9"),
        ("C:\\photos", "C:\\photos"),
    ],
)
def test_what_a_terminal_would_act_upon_is_escaped(name: str, shown: str) -> None:
    assert printable(name) == shown
    assert printable(shown) == shown


@pytest.mark.parametrize(
    "name", ["plain", "with space", "it's", "a\nb", "\x1b[2J'\\", "\u202eabc \u732b", "caf\udce9", "$HOME"]
)
def test_a_quoted_path_is_pasted_as_it_is_and_does_nothing_to_a_terminal(name: str) -> None:
    word = quoted(name)
    assert printable(word) == word
    told = subprocess.run(["bash", "-c", f"printf %s {word}"], capture_output=True, check=True)
    assert told.stdout == os.fsencode(name)


def test_the_small_key_sorts_as_the_large_one() -> None:
    draw = random.Random(0)
    letters = "aAbB01239_. -/\udc80\N{LATIN SMALL LETTER SHARP S}\x01\uffff\N{GRINNING FACE}"
    paths = ["".join(draw.choice(letters) for _ in range(draw.randrange(9))) for _ in range(3000)]
    assert sorted(paths, key=natural_bytes) == sorted(paths, key=natural_order)
