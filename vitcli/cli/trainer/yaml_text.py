"""YAML that reads back as the same values: strings that a YAML reader could take for something else are quoted."""

from __future__ import annotations

import enum
import json
import re
from pathlib import PurePath
from typing import Any, final

import yaml

# a word that no reader takes for a number, a date or a time
PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./ -]*[A-Za-z0-9_./-]|[A-Za-z/]")
# behind an even number of backslashes
PAIR = re.compile(r"(?<!\\)((?:\\\\)*)(\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2})")
# jsonargparse puts it before a word that was given where a function may stand, as ModelPruning's
UNKNOWN = "Unable to serialize instance "
# of YAML 1.1, in any case
MEANT_OTHERWISE = frozenset(("null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf"))


@final
class _Dumper(yaml.SafeDumper):
    """Plain values only, and quotes around every string that is not clearly a word."""


def to_yaml(content: Any) -> str:
    """Plain values as YAML.

    Readers differ in what they take for a number: ``1e3`` is a word to one that keeps to YAML 1.1, and a float to
    jsonargparse. Names of classes and folders may be anything.

    Args:
        content: Mappings, lists, strings, numbers; paths, enumerations and devices are written as their names.
    """
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=1000)


def to_word(content: Any) -> str:
    """Plain values in one line that JSON's and YAML's rules read as the same, for a command line.

    JSON writes a character beyond 16 bits, such as an emoji, as two surrogates, and DEL as it is; YAML refuses both.

    Args:
        content: Mappings, lists, strings, numbers.
    """
    return PAIR.sub(_in_32_bits, json.dumps(content)).replace("\x7f", "\\u007f")


def _in_32_bits(pair: re.Match[str]) -> str:
    (character,) = json.loads(f'"{pair[2]}"')
    return f"{pair[1]}\\U{ord(character):08x}"


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    while text.startswith(UNKNOWN):
        text = text.removeprefix(UNKNOWN)
    is_word = PLAIN.fullmatch(text) and text.lower() not in MEANT_OTHERWISE and ": " not in text
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if is_word else '"')


def _named(dumper: yaml.SafeDumper, value: object) -> yaml.ScalarNode:
    return _string(dumper, str(value.value if isinstance(value, enum.Enum) else value))


def _tuple(dumper: yaml.SafeDumper, values: tuple[Any, ...]) -> yaml.SequenceNode:
    return dumper.represent_list(list(values))


_Dumper.add_representer(str, _string)
_Dumper.add_representer(tuple, _tuple)
for _kind in (enum.Enum, PurePath):
    _Dumper.add_multi_representer(_kind, _named)
