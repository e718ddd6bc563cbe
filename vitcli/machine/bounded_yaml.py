"""YAML as plain values, within limits of size, depth and aliases that are checked before any value is made."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import yaml

# the config of a net of 20,000 classes, whose names it lists twice, has 60,000 values in 2 MB
MOST_BYTES = 8_000_000
MOST_VALUES = 200_000
DEEPEST = 50
# more digits than a number of 64 bits, or a float, is ever written with
MOST_DIGITS = 400
# a long text counts as several values, for an alias repeats it
ONE_VALUE = 64
TAGS = ("!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map")
NUMBER = re.compile(r"[-+.]?[0-9][0-9a-fA-FxXoO_:.+-]*")
# what a text has to hold to be more than one value
SEVERAL = re.compile(r"[\[{*&!\n:?]|- ")
# as jsonargparse reads them: 1e3 is a number, and a date is a word
FLOAT = re.compile(
    r"[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class UnboundedError(yaml.YAMLError):
    """A text that would take too much to read."""


class AmbiguousError(yaml.YAMLError):
    """A text that says two things of one key, or more than plain values."""


@final
class _Loader(_Base):  # type: ignore[misc]
    """Plain values: words, numbers, true, false, null, lists and mappings."""


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, found) for tag, found in known if not tag.endswith((":timestamp", ":float"))]
    for letter, known in _Base.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(f"^(?:{FLOAT.pattern})$"), list("-+0123456789."))


@final
@dataclass(slots=True)
class _Inside:
    """A list or a mapping that is being read.

    Args:
        anchor: Its name for aliases, if it has one.
        is_mapping: Whether it has keys.
        before: How many values came before it.
        height: Levels below it so far.
        keys: Those of a mapping.
        is_key: Whether a key comes next.
    """

    anchor: str | None
    is_mapping: bool
    before: int
    height: int = 0
    keys: set[str] = field(default_factory=set)
    is_key: bool = True


def from_yaml(text: str) -> Any:
    """The plain values of a YAML text.

    Raises:
        UnboundedError: As ``check_yaml`` raises it.
        AmbiguousError: Likewise.
        yaml.YAMLError: It is no YAML.
    """
    check_yaml(text)
    try:
        return yaml.load(text, _Loader)
    except (ValueError, RecursionError, OverflowError) as error:
        raise UnboundedError(" ".join(str(error).split())[:200]) from error


def read_yaml(file: Path) -> Any:
    """The plain values of a YAML file, of which no more than the limit is read.

    Raises:
        OSError: It cannot be read.
        UnicodeDecodeError: It is not UTF-8.
        yaml.YAMLError: As ``from_yaml`` raises it.
    """
    with file.open("rb") as opened:
        content = opened.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise UnboundedError(f"more than {MOST_BYTES:,} bytes")
    return from_yaml(content.decode("utf-8"))


def check_yaml(text: str) -> None:
    """Check that a YAML text stays within the limits, with all that its aliases repeat, and names no key twice.

    Args:
        text: YAML, or JSON, which is YAML too.

    Raises:
        UnboundedError: It does not; the message says what and in which line.
        AmbiguousError: It names a key twice, has a key that is no word, or a tag of anything but plain values.
        yaml.YAMLError: It is no YAML.
    """
    if len(text) > MOST_BYTES:
        raise UnboundedError(f"{len(text):,} characters, at most {MOST_BYTES:,} are read")
    if not SEVERAL.search(text):
        _check_scalar(text, 1)
        return
    values = 0
    open_: list[_Inside] = []
    # values and levels below each anchor; None while it is being read
    known: dict[str, tuple[int, int] | None] = {}
    for event in yaml.parse(text, _Base):
        line = event.start_mark.line + 1 if event.start_mark is not None else 1
        if isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            inside = open_.pop()
            _close(open_, known, inside, values)
            continue
        if not isinstance(event, yaml.NodeEvent):
            continue
        tag = getattr(event, "tag", None)
        if tag is not None and tag not in TAGS:
            raise AmbiguousError(f"line {line}: the tag {tag[:60]!r}; only plain values are read")
        size, height = 1, 0
        if isinstance(event, yaml.AliasEvent):
            name = str(event.anchor)
            meant = known.get(name, (1, 0))
            if meant is None:
                raise UnboundedError(f"line {line}: *{name[:60]} stands inside of what it repeats")
            size, height = meant
        elif isinstance(event, yaml.ScalarEvent):
            if not event.style:
                _check_scalar(event.value, line)
            size += len(event.value) // ONE_VALUE
            if event.anchor is not None:
                known[event.anchor] = (size, 0)
        _place(open_, event, line)
        if isinstance(event, yaml.CollectionStartEvent):
            if event.anchor is not None:
                known[event.anchor] = None
            open_.append(_Inside(event.anchor, isinstance(event, yaml.MappingStartEvent), values))
        elif open_:
            open_[-1].height = max(open_[-1].height, height)
        values += size
        if values > MOST_VALUES:
            raise UnboundedError(f"line {line}: more than {MOST_VALUES:,} values, with what is repeated by aliases")
        if len(open_) + height > DEEPEST:
            raise UnboundedError(f"line {line}: more than {DEEPEST} levels")


def _check_scalar(text: str, line: int) -> None:
    if len(text) > MOST_DIGITS and NUMBER.fullmatch(text.strip()):
        raise UnboundedError(f"line {line}: a number of {len(text):,} digits")


def _close(open_: list[_Inside], known: dict[str, tuple[int, int] | None], inside: _Inside, values: int) -> None:
    if inside.anchor is not None:
        known[inside.anchor] = (values - inside.before, inside.height + 1)
    if open_:
        open_[-1].height = max(open_[-1].height, inside.height + 1)


def _place(open_: list[_Inside], event: yaml.NodeEvent, line: int) -> None:
    """Tell a mapping of its next key or value."""
    if not open_ or not open_[-1].is_mapping:
        return
    inside = open_[-1]
    if inside.is_key:
        if not isinstance(event, yaml.ScalarEvent):
            raise AmbiguousError(f"line {line}: a key that is no word")
        if event.value in inside.keys:
            raise AmbiguousError(f"line {line}: {event.value[:60]} stands there twice; keep one of them")
        inside.keys.add(event.value)
    inside.is_key = not inside.is_key
