"""Findings about a set of images: unreadable files, duplicates, leaks between splits, imbalance, odd sizes."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Mapping

import numpy as np

from vitcli.images.check.class_spellings import spelled_alike
from vitcli.images.check.health import Finding, Health, Image
from vitcli.images.check.near_duplicates import alike_pairs, joined
from vitcli.images.check.torn_groups import torn_groups
from vitcli.images.division.groups import Groups
from vitcli.images.division.splits import Pool
from vitcli.images.index.facts import SOUND, SUSPICIOUS, UNREADABLE
from vitcli.images.index.index import Index
from vitcli.images.index.left_out import what_to_do
from vitcli.images.index.tone import blank, told
from vitcli.images.source.source import Source
from vitcli.names import counted, extension, printable

ORDER = {"train": 0, "val": 1, "test": 2}
IMBALANCED = 10
SMALL_SIDE = 16
LONG_SIDES = 10
# the usual extensions of each format; others are noted
ENDINGS = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"), "MPO": (".jpg", ".jpeg", ".mpo"), "PNG": (".png",),
    "WEBP": (".webp",), "GIF": (".gif",), "BMP": (".bmp",), "TIFF": (".tif", ".tiff"), "ICO": (".ico",),
    "AVIF": (".avif",), "PSD": (".psd",), "JPEG2000": (".jp2", ".j2k"), "PPM": (".pbm", ".pgm", ".ppm", ".pnm"),
    "HEIF": (".heic", ".heif", ".hif"),
}  # fmt: skip


def examine(
    parts: Mapping[str, Pool],
    source: Source,
    max_pixels: int,
    white: int | None = None,
    groups: Groups | None = None,
    passed_over: Counter[str] | None = None,
) -> Health:
    """Everything that is wrong with a set of images which have been inspected.

    Args:
        parts: Its splits.
        source: Where the files lie.
        max_pixels: Images of more pixels are not decoded.
        white: The value of white in pictures of more than 8 bits; None for what the file says.
        groups: Of the images that belong together, if there are some.
        passed_over: How much of what lies there is none of these images, by reason; None: what was no file of an image.
    """
    images = [image for split, pool in parts.items() for image in _images(split, pool)]
    health = Health({split: {name: len(rows) for name, rows in pool.rows.items()} for split, pool in parts.items()})
    _unsound(health, images)
    _duplicates(health, images)
    _look_alikes(health, images, source, max_pixels, white)
    health.findings += torn_groups(images, groups)
    _blank(health, images)
    _classes(health)
    _spellings(health)
    _extremes(health, images)
    _endings(health, images)
    _missed(health, parts, passed_over)
    return health


def _missed(health: Health, parts: Mapping[str, Pool], passed_over: Counter[str] | None) -> None:
    indices = {id(pool.index): pool.index for pool in parts.values()}.values()
    left_out = sum((index.left_out for index in indices), Counter()) if passed_over is None else passed_over
    for reason, count in left_out.most_common():
        health.notes.append(Finding("ignored", f"{count:,} {'entries' if count > 1 else 'entry'}: {reason}"))
    if not any(map(len, parts.values())):
        remedy = what_to_do(left_out) or "name a folder, an archive or a table of images"
        health.findings.append(Finding("empty", f"no images; {remedy}"))


def _images(split: str, pool: Pool) -> list[Image]:
    index: Index = pool.index
    return [
        Image(split, name, index.paths[row], index.facts(row))
        for name, rows in pool.rows.items()
        for row in rows.tolist()
    ]


def _unsound(health: Health, images: list[Image]) -> None:
    kinds: dict[str, list[Image]] = defaultdict(list)
    for image in images:
        if image.facts.verdict == UNREADABLE:
            kinds["truncated" if image.facts.reason == "truncated" else "unreadable"].append(image)
            health.quarantine[image.path] = image.facts.reason
        elif image.facts.verdict == SUSPICIOUS:
            kinds["suspicious"].append(image)
            health.quarantine[image.path] = f"suspicious: {image.facts.reason}"
    for kind in ("unreadable", "truncated", "suspicious"):
        if found := kinds[kind]:
            listed = [{"path": image.path, "reason": image.facts.reason} for image in found]
            named = f"{printable(found[0].path)}: {found[0].facts.reason}"
            health.findings.append(Finding(kind, f"{counted(len(found), 'image')}, such as {named}", listed))


def _duplicates(health: Health, images: list[Image]) -> None:
    same: dict[bytes, list[Image]] = defaultdict(list)
    for image in images:
        # empty files are all equal, and named as unreadable
        if image.facts.height:
            same[image.facts.digest].append(image)
    groups = [group for group in same.values() if len(group) > 1]
    _tell_groups(health, groups, "the same file")


def _tell_groups(health: Health, groups: list[list[Image]], what: str) -> None:
    kinds: dict[str, list[list[Image]]] = defaultdict(list)
    near = "near-duplicate " if what != "the same file" else ""
    for group in groups:
        across = len({image.split for image in group}) > 1
        labels = len({image.label for image in group}) > 1
        kind = "conflict" if labels else "leak" if across else "duplicate"
        kinds[kind].append(group)
        for image in _superfluous(group, everything=labels):
            kept = next((other for other in group if other is not image), image)
            health.quarantine.setdefault(image.path, f"{near}{kind}: {what} as {printable(kept.path)}")
    told = {
        "leak": f"{what} in several splits",
        "conflict": f"{what} in several classes",
        "duplicate": f"{what} more than once",
    }
    for kind, words in told.items():
        if found := kinds[kind]:
            named = " = ".join(printable(image.path) for image in found[0][:3])
            listed = [[{"split": image.split, "path": image.path} for image in group] for group in found]
            health.findings.append(
                Finding(
                    f"{near}{kind}".removesuffix(" duplicate"),
                    f"{len(found):,} time{'s' if len(found) > 1 else ''} {words}, such as {named}",
                    listed,
                )
            )


def _superfluous(group: list[Image], *, everything: bool) -> list[Image]:
    """Of equal images, those to leave out: all if their labels differ, else all but the best to keep.

    Images of val and test stay: leaving the copy out of train makes the score honest.
    """
    if everything:
        return group
    worth = {"test": 0, "val": 1, "train": 2}
    return sorted(group, key=lambda image: worth.get(image.split, 3))[1:]


def _look_alikes(health: Health, images: list[Image], source: Source, max_pixels: int, white: int | None) -> None:
    named = {image.path for image in images if image.path in health.quarantine}
    sound = [image for image in images if image.facts.height and image.path not in named]
    splits = sorted({image.split for image in sound}, key=lambda split: ORDER.get(split, len(ORDER)))
    sides = {split: [image for image in sound if image.split == split] for split in splits}
    looks = {
        split: np.array([list(image.facts.looks) for image in side], dtype=np.uint8) for split, side in sides.items()
    }
    paths = {split: [image.path for image in side] for split, side in sides.items()}
    groups = []
    for place, first in enumerate(splits):
        for second in splits[place + 1 :]:
            pairs = alike_pairs(looks[first], looks[second], [paths[first], paths[second]], source, max_pixels, white)
            groups += [[sides[first][a], sides[second][b]] for a, b in pairs]
    for split, side in sides.items():
        pairs = alike_pairs(looks[split], None, [paths[split]], source, max_pixels, white)
        groups += [[side[place] for place in group] for group in joined(pairs)]
    _tell_groups(health, groups, "the same picture")


def _blank(health: Health, images: list[Image]) -> None:
    sound = [image for image in images if image.facts.verdict in (SOUND, SUSPICIOUS)]
    low, high = (np.array([getattr(image.facts, name) for image in sound], dtype=np.uint8) for name in ("low", "high"))
    for kind, positions in blank(low, high, [image.label for image in sound]).items():
        paths = [sound[position].path for position in positions.tolist()]
        health.findings.append(Finding(kind, told(kind, len(paths), len(sound), paths[0]), paths))


def _classes(health: Health) -> None:
    counts = health.counts
    names = {name for split in counts.values() for name in split}
    for split, held in counts.items():
        empty = sorted(name for name in names if not held.get(name))
        if empty and len(counts) > 1:
            shown = ", ".join(map(printable, empty[:5])) + (" and more" if len(empty) > 5 else "")
            health.findings.append(Finding("missing class", f"no images of {shown} in {split}", empty))
    trained = counts.get("train") or next(iter(counts.values()), {})
    held = {name: count for name, count in trained.items() if count}
    if len(held) > 1:
        most, least = max(held, key=held.__getitem__), min(held, key=held.__getitem__)
        ratio = held[most] / held[least]
        words = (
            f"{counted(held[most], 'image')} of {printable(most)}, but {held[least]:,} of {printable(least)}; "
            "data.sampler balanced and model.class_weights auto even that out"
        )
        if ratio >= IMBALANCED:
            health.findings.append(Finding("imbalance", words, [held]))
        elif ratio >= 3:
            health.notes.append(Finding("imbalance", words, [held]))


def _spellings(health: Health) -> None:
    for group in spelled_alike({name for split in health.counts.values() for name in split}):
        shown = " and ".join(f"'{printable(name)}'" for name in group)
        health.notes.append(Finding("spelling", f"{shown} may be one class; rename what is misspelt", [list(group)]))


def _extremes(health: Health, images: list[Image]) -> None:
    sized = [image for image in images if image.facts.height]
    if not sized:
        return
    small = [image for image in sized if min(_size(image)) < SMALL_SIDE]
    long = [image for image in sized if max(_size(image)) > LONG_SIDES * min(_size(image))]
    for kind, found, words in (
        ("tiny", small, f"with a side below {SMALL_SIDE} pixels"),
        ("stretched", long, f"more than {LONG_SIDES} times as long as wide"),
    ):
        if found:
            listed = [{"path": image.path, "height": image.facts.height, "width": image.facts.width} for image in found]
            named = f"{printable(found[0].path)} ({_shown(found[0])})"
            health.findings.append(Finding(kind, f"{counted(len(found), 'image')} {words}, such as {named}", listed))
    by_area = sorted(sized, key=lambda image: image.facts.height * image.facts.width)
    first, middle, last = by_area[0], by_area[len(by_area) // 2], by_area[-1]
    health.notes.append(Finding("sizes", f"{_shown(first)} to {_shown(last)} pixels, {_shown(middle)} in the middle"))


def _endings(health: Health, images: list[Image]) -> None:
    wrong = [
        image
        for image in images
        # a row of a table has none
        if image.facts.format in ENDINGS and extension(image.path) not in ("", *ENDINGS[image.facts.format])
    ]
    if wrong:
        listed = [{"path": image.path, "format": image.facts.format} for image in wrong]
        named = f"{printable(os.path.basename(wrong[0].path))}, which is {wrong[0].facts.format}"
        health.notes.append(
            Finding("endings", f"{counted(len(wrong), 'image')} with the extension of another format: {named}", listed)
        )


def _size(image: Image) -> tuple[int, int]:
    return image.facts.height, image.facts.width


def _shown(image: Image) -> str:
    return f"{image.facts.width} x {image.facts.height}"
