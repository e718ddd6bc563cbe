"""Split folders: which folders of a root are train, val and test, by their names or as data.splits says."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from vitcli.errors import ConfigError, DataError
from vitcli.images.division.shares import PARTS
from vitcli.images.division.split_words import split_like
from vitcli.images.division.splits import SPLIT_NAMES
from vitcli.images.source.source import Source
from vitcli.images.source.walk import IMAGE_EXTENSIONS
from vitcli.names import first_of, printable


@final
@dataclass(frozen=True)
class SplitFolders:
    """The split folders of a root.

    Args:
        inside: Path of each split's folder in the root; none if the root is not divided.
        notices: What the user should know about how they were found.
    """

    inside: dict[str, str]
    notices: tuple[str, ...] = ()


def find_split_folders(
    source: Source,
    *,
    said: Mapping[str, str] | None = None,
    classes: Collection[str] = (),
    flat: bool = False,
) -> SplitFolders:
    """The folders of train, val and test directly in the root.

    A root counts as divided if train, val or test holds folders of its own: a class may be called *test*. Names such as
    ``training_set``, ``Testing`` or ``dev`` are taken too where each names another split and no other folder holds
    images.

    Args:
        source: Where the files lie.
        said: data.splits: the folder of each split, none for a root that is not divided; None goes by the names.
        classes: Names that the model knows as classes.
        flat: Whether the images may lie in the folders themselves.

    Raises:
        ConfigError: data.splits names no split, or one folder twice.
        DataError: A folder cannot be listed, two folders name the same split, or it is not clear what they are.
    """
    if said is not None:
        return SplitFolders(_said(source, said))
    names = source.folders()
    exact = _exact(source, names)
    divided = flat or any(source.folders(name) for name in exact.values())
    loose = {name: split for name, split in split_like(names).items() if name not in classes}
    if exact and divided:
        return _beside(source, exact, names, loose, flat)
    like = {name: split for name, split in loose.items() if split}
    if not like:
        return SplitFolders({})
    holds = {name for name in like if flat or source.folders(name)}
    others = [name for name in names if name not in loose and _holds_images(source, name)]
    if not holds or (others and len({like[name] for name in holds}) < 2):
        some = ", ".join(f"{printable(name)}/" for name in like)
        told = f"taken as classes, though they are named like splits: {some} (data.splits says which are)"
        return SplitFolders({}, (told,) if others and len(set(like.values())) > 1 else ())
    if others:
        raise DataError(
            f"data.root {source.root}: {_folders(list(like))} are named like splits, but {_folders(others)} beside "
            f"{'them holds' if len(others) == 1 else 'them hold'} images too; say which are splits, {example(like)}, "
            "or that all are classes, data.splits {}"
        )
    for split in PARTS:
        twice = [name for name in like if like[name] == split]
        if len(twice) > 1:
            raise DataError(
                f"data.root {source.root}: {' and '.join(f'{printable(name)}/' for name in twice)} both name {split}; "
                f"say which are splits, {example(like)}, or that all are classes, data.splits {{}}"
            )
    inside = {split: _descended(source, name) for split, name in sorted(_by_split(like).items(), key=_in_order)}
    return SplitFolders(inside, (*_taken(exact, inside), *_unused(source, names, inside)))


def example(like: Mapping[str, str]) -> str:
    """How data.splits would name folders.

    Args:
        like: Split of each folder.
    """
    first = _by_split(dict(reversed(list(like.items()))))
    return f"data.splits {{{', '.join(f'{part}: {printable(first[part])}' for part in PARTS if part in first)}}}"


def _by_split(like: Mapping[str, str]) -> dict[str, str]:
    return {split: name for name, split in like.items() if split}


def _in_order(item: tuple[str, str]) -> int:
    return PARTS.index(item[0])


def _said(source: Source, said: Mapping[str, str]) -> dict[str, str]:
    inside: dict[str, str] = {}
    for split, folder in said.items():
        if split not in PARTS:
            raise ConfigError(f"data.splits {{{split}: {folder}}}: {split!r} is no split; use train, val or test")
        path = folder.strip("/")
        above, _, name = path.rpartition("/")
        if path in inside.values():
            raise ConfigError(f"data.splits {{{split}: {folder}}}: names a folder twice; give each split its own")
        beside = source.folders(above) if not above or _is_folder(source, above) else []
        if name not in beside:
            raise DataError(
                f"data.splits {{{split}: {folder}}}: no such folder in {source.root}; there {_there(source.folders())}"
            )
        inside[split] = _descended(source, path)
    return inside


def _is_folder(source: Source, path: str) -> bool:
    above, _, name = path.rpartition("/")
    return (not above or _is_folder(source, above)) and name in source.folders(above)


def _there(names: Sequence[str]) -> str:
    return f"{'is' if len(names) == 1 else 'are'} {_folders(names)}" if names else "are no folders"


def _exact(source: Source, names: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in names:
        split = SPLIT_NAMES.get(name.lower())
        if split in found:
            raise DataError(f"data.root {source.root}: {found[split]}/ and {name}/ both name {split}; keep one of them")
        if split is not None:
            found[split] = name
    return found


def _beside(
    source: Source, exact: Mapping[str, str], names: Sequence[str], loose: Mapping[str, str], flat: bool
) -> SplitFolders:
    """Folders of the usual names, and those that stand in for one that is missing."""
    taken = dict(exact)
    for part in PARTS:
        stand_in = [name for name, split in loose.items() if split == part and (flat or source.folders(name))]
        if part not in taken and len(stand_in) == 1:
            taken[part] = stand_in[0]
    inside = {split: _descended(source, name) for split, name in sorted(taken.items(), key=_in_order)}
    return SplitFolders(inside, (*_taken(exact, inside), *_unused(source, names, inside)))


def _descended(source: Source, name: str) -> str:
    """The folder itself, or the one folder of the same name inside it, as archives are packed."""
    inner = source.folders(name)
    same = len(inner) == 1 and inner[0].casefold() == name.rpartition("/")[2].casefold()
    return f"{name}/{inner[0]}" if same else name


def _taken(exact: Mapping[str, str], inside: Mapping[str, str]) -> list[str]:
    by_name = [f"{part} is {printable(inside[part])}/" for part in PARTS if part in inside and part not in exact]
    return [f"splits by name: {', '.join(by_name)} (data.splits says otherwise)"] if by_name else []


def _unused(source: Source, names: Sequence[str], inside: Mapping[str, str]) -> list[str]:
    used = dict.fromkeys(path.partition("/")[0] for path in inside.values())
    unused = [name for name in names if name not in used and _holds_images(source, name)]
    return [f"not used: {_folders(unused)} beside {_folders([*used])} (data.splits names splits)"] if unused else []


def _holds_images(source: Source, name: str) -> bool:
    return bool(len(source.files(name, IMAGE_EXTENSIONS)[0]))


def _folders(names: Sequence[str]) -> str:
    return first_of([f"{printable(name)}/" for name in names])
