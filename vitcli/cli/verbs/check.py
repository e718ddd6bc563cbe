"""``vitcli check``: look at every image of a set once, and say what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from jsonargparse import ArgumentParser

import vitcli
from vitcli.cli.exit import DONE, FINDINGS, ended
from vitcli.cli.idle import refuse_unused
from vitcli.cli.parser_errors import known
from vitcli.cli.place import place_of_quarantine
from vitcli.cli.verbs.layout import parsed
from vitcli.cli.words import about_folders, values
from vitcli.data import FolderData, ImageData, UnlabelledData
from vitcli.data.layouts.labelled import LabelledFiles
from vitcli.data.sheet import write_sheet
from vitcli.errors import ConfigError, DataError
from vitcli.images.check.findings import examine
from vitcli.images.check.health import Finding, Health
from vitcli.images.index.quarantine import write_quarantine
from vitcli.images.source.archive import ARCHIVES
from vitcli.images.source.shards.shards import Shards
from vitcli.machine.atomic import write_json
from vitcli.names import at_home, counted, extension, is_url, printable
from vitcli.run import RunOptions

# of a table on screen, and of a class in a summary, in characters
WIDTH = 120
LONGEST = 24


def run(verb: str, words: Sequence[str]) -> int:
    """Do the check.

    Args:
        verb: check.
        words: The words after it.

    Returns:
        Exit code: 0 nothing found, 2 a mistake of the user's, told in one line, 3 findings.
    """
    stopped = "stopped; what was seen is kept, and is not looked at again"
    return ended(verb, lambda: _check(words), known=known, stopped=stopped)


def _check(words: Sequence[str]) -> int:
    config = parsed("check", words, _parser())
    data: ImageData = config.data
    if not isinstance(data, LabelledFiles | UnlabelledData):
        raise ConfigError(f"--data {type(data).__name__}: there are no files to look at")
    root = data.root
    quarantine = place_of_quarantine(config.quarantine)
    name = (Path(root).stem or "here") if is_url(root) or Path(root).exists() else "several"
    out = Path(at_home(config.out)) if config.out else Path(RunOptions().dir) / f"check-{name}"
    white = config.model.preprocess.white
    if white is not None:
        data.preprocess = replace(data.preprocess, white=white)
    parts = data.look_at_all()
    refuse_unused(words, data.unused)
    groups, passed_over, notices = None, None, data.notices
    if isinstance(data, LabelledFiles):
        groups, notices = data.groups, data.other_notices
        passed_over = sum(data.passed_over.values(), Counter()) if data.passed_over else None
    health = examine(parts, data.source, data.max_pixels, data.preprocess.white, groups, passed_over)
    health.notes += [Finding("data", text) for text in notices]
    if isinstance(data, UnlabelledData) and (why := _why_no_classes(words, data.roots)):
        health.notes.append(Finding("no classes", f"of no use to fit: {why}"))
    if isinstance(data.source, Shards) and (found := data.source.changed()):
        what = f"{counted(len(found), 'shard')}, such as {found[0][0]}: {found[0][1]}"
        health.findings.insert(0, Finding("changed since packing", what, found))
    out.mkdir(parents=True, exist_ok=True)
    written = [_write_json(out / "check.json", root, health)]
    if isinstance(data, LabelledFiles) and _write_sheet(data, out / "samples.png"):
        written.append(out / "samples.png")
    if quarantine:
        write_quarantine(str(quarantine), health.quarantine)
    lines = [*_told(root, health), f"check: {', '.join(map(str, written))}"]
    if quarantine:
        lines.append(f"quarantine: {quarantine} ({counted(len(health.quarantine), 'image')}), for --data.quarantine")
    # names of files may hold anything
    print("\n".join(map(printable, lines)))
    return FINDINGS if health.findings else DONE


def _why_no_classes(words: Sequence[str], roots: Sequence[str]) -> str:
    """Why a folder or archive was not taken for one of classes, as fit would say; empty where others were asked for."""
    (root, *others) = roots
    if others or values(words, "--data") or not (Path(root).is_dir() or extension(root) in ARCHIVES):
        return ""
    try:
        FolderData(root, **about_folders(words)).find_classes()
    except DataError as error:
        return str(error)
    return ""


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="vitcli check", exit_on_error=False, allow_abbrev=False)
    parser.add_argument("--out", type=str | None, help="Folder for check.json and samples.png.")
    parser.add_argument("--quarantine", type=str | None, help="A list of images to leave out, to be written.")
    parser.add_argument("--model.preprocess.white", type=int | None, help="Value of white above 8 bits.")
    parser.add_subclass_arguments(ImageData, "data")
    return parser


def _write_sheet(data: LabelledFiles, file: Path) -> bool:
    try:
        data.classes = data.classes or data.find_classes()
        return write_sheet(data, file)
    except DataError:
        # told among the findings
        return False


def _write_json(path: Path, root: str, health: Health) -> Path:
    content = {"root": root, "vitcli_version": vitcli.__version__, **asdict(health)}
    write_json(path, content)
    return path


def _told(root: str, health: Health) -> list[str]:
    total = sum(sum(counts.values()) for counts in health.counts.values())
    lines = [f"{root}: {counted(total, 'image')}", *_table(health.counts)]
    for title, found in (("findings", health.findings), ("notes", health.notes)):
        if found:
            lines += ["", f"{title}:", *map(_line, found)]
    if not health.findings:
        lines += ["", "nothing found that needs correcting"]
    return lines


def _line(finding: Finding) -> str:
    return f"  {finding.kind:<24} {finding.what}"


def _table(counts: dict[str, dict[str, int]]) -> list[str]:
    """Images by split and class, a row for each split; where the classes are too many for a line, a summary of each."""
    names = list(dict.fromkeys(name for held in counts.values() for name in held))
    if not names or names == [""]:
        return []
    rows = [["", *map(printable, names), "all"]]
    for split, held in counts.items():
        rows.append([split, *(f"{held.get(name, 0):,}" for name in names), f"{sum(held.values()):,}"])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    if sum(widths) + 2 * (len(widths) - 1) <= WIDTH:
        return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return [*(_summary(split, held, names) for split, held in counts.items()), "check.json counts each class"]


def _summary(split: str, held: dict[str, int], names: list[str]) -> str:
    some = {name: held[name] for name in names if held.get(name)}
    if not some:
        return f"  {split}: no images"
    ends = [min(some, key=some.__getitem__), max(some, key=some.__getitem__)]
    few, many = (f"{some[name]:,} ({_short(printable(name))})" for name in ends)
    of = f"{len(some):,} of {len(names):,} classes" if len(some) < len(names) else f"{len(names):,} classes"
    return f"  {split}: {counted(sum(some.values()), 'image')} of {of}, {few} to {many} each"


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 3]}..."
