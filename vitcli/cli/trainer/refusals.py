"""Errors that libraries raise for a user's setting before the first step, as one line that names the setting."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from lightning.fabric.utilities.exceptions import MisconfigurationException

import vitcli
from vitcli.cli.parser_errors import known
from vitcli.cli.words import pairs

OURS = str(Path(vitcli.__file__).parent)
LONGEST = 300
# of what a library raises, the ones that tell of a fault of a program rather than of a setting
FAULTS = (AssertionError, NameError, IndexError, UnboundLocalError, RecursionError)
# what errors that concern the Trainer do not speak of
ELSEWHERE = ("config", "data", "data.root")
REMEDY = "choose another value, or leave it out (VITCLI_TRACEBACK=1 shows where it comes from)"


def refusal(error: Exception, words: Sequence[str]) -> str | None:
    """What to tell of an error before the first step; None for one that our own code raised.

    Args:
        error: What was raised.
        words: The words after the verb.
    """
    text = _first_sentence(error)
    if isinstance(error, MisconfigurationException):
        return f"{_setting(text, words)}: {text}"
    if (told := known(error)) is not None:
        return told
    if isinstance(error, FAULTS) or _is_ours(error):
        return None
    if isinstance(error, ImportError) and (package := _missing(error)):
        return f"{_setting(text, words)}: needs {package}, which is not installed; pip install {package}"
    return f"{_setting(text, words)}: {text}; {REMEDY}"


def _is_ours(error: Exception) -> bool:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is None or trace.tb_frame.f_code.co_filename.startswith(OURS)


def _first_sentence(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    short = re.split(r"(?<=[a-z)'`\"])[.] (?=[A-Z])", text)[0].rstrip(".")
    return short if len(short) <= LONGEST else f"{short[:LONGEST]}..."


def _missing(error: ImportError) -> str:
    found = re.search(r"'?\b(?:DistributionNotFound: The '|No module named '|pip install )([\w-]+)", str(error))
    return found[1] if found else (error.name or "").partition(".")[0]


def _setting(text: str, words: Sequence[str]) -> str:
    """The option whose name or value an error speaks of, as it was typed; else the section of most of them."""
    typed = [pair for pair in pairs(words) if pair[0] not in ELSEWHERE]
    for key, value in reversed(typed):
        if re.search(rf"\b{re.escape(key.rpartition('.')[2])}\b", text):
            return f"{key} {value}".strip()
    for key, value in reversed(typed):
        if value and len(value) > 1 and re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text):
            return f"{key} {value}"
    return "trainer"
