"""Images that a verb without a Trainer is given: ROOT as its first words, else --data.root, and --data or a guess."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from vitcli.cli.built import built
from vitcli.cli.idle import refuse_idle
from vitcli.cli.parser_errors import one_line
from vitcli.cli.words import about_folders, in_front, split_off
from vitcli.data import UnlabelledData
from vitcli.data.layouts.guess import guess
from vitcli.errors import ConfigError
from vitcli.images.source.pattern import is_pattern
from vitcli.images.source.roots import as_one
from vitcli.names import at_home

ROOT, LAYOUT = "--data.root", "--data"


def parsed(verb: str, words: Sequence[str], parser: ArgumentParser) -> Any:
    """The settings of a verb, its images built; their layout is guessed where it is not said.

    Args:
        verb: Its name.
        words: The words after it.
        parser: Of the verb, with ``data``.

    Raises:
        ConfigError: A mistake in the words, or no root.
        DataError: The layout cannot be guessed.
    """
    front = in_front(words)
    # what decides on the other settings comes first, wherever it was typed
    told, rest = split_off(words[len(front) :], (ROOT, LAYOUT))
    roots = [as_one(front)] if len(front) > 1 else front or [value for name, value, _ in told if name == ROOT and value]
    if not roots:
        raise ConfigError("ROOT is missing: name a folder of images, a zip or tar of one, or a table that lists them")
    root = roots[-1]
    layouts = [value for name, value, _ in told if name == LAYOUT and value]
    if not layouts:
        several = len(front) > 1 or is_pattern(at_home(root))
        layouts = [UnlabelledData.__name__ if several else guess(root, **about_folders(rest))]
    try:
        # braces, and other letters by which YAML would read it as something else
        root = as_one(front) if front else root
        config: Namespace = parser.parse_args([LAYOUT, layouts[-1], ROOT, root, *rest])
        refuse_idle(verb, words[len(front) :], config)
        return built(parser, config)
    except argparse.ArgumentError as error:
        raise ConfigError(one_line(str(error), parser, words)) from error
