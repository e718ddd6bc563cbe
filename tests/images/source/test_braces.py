"""Braces stand for the words for which they stand in bash."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from vitcli.errors import DataError
from vitcli.images.source.braces import spelled_braces

WORDS = [
    "photos/{000..012}.tar", "{train,val}-{0..3}.tar", "a{b,c{1..2}}d", "{3..1}", "{08..11}", "{a}", "{}", "plain",
    "{,x}.tar", "{a,b}{1..2}", "{1..1}", "x{2..1}y",
]  # fmt: skip


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash to compare with")
def test_braces_are_those_of_bash() -> None:
    for word in WORDS:
        told = subprocess.run(["bash", "-c", f"printf '%s\\n' {word}"], capture_output=True, text=True, check=True)
        assert spelled_braces(word) == list(dict.fromkeys(told.stdout.splitlines())), word


@pytest.mark.parametrize("word", ["{0..99999999999}.tar", "{0..999}{0..999}"])
def test_braces_of_too_many_words_are_refused_at_once(word: str) -> None:
    with pytest.raises(DataError, match="stands for more than 100,000 files; name a folder, or use"):
        spelled_braces(word)
