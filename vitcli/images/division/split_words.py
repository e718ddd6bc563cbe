"""Split words: which of train, val and test the name of a folder or a value in a table means."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from vitcli.images.division.splits import SPLIT_NAMES

SPLIT_WORDS = {
    "train": "train", "training": "train", "trn": "train",
    "val": "val", "valid": "val", "validation": "val", "validate": "val", "dev": "val", "eval": "val",
    "evaluation": "val", "test": "test", "testing": "test", "tst": "test", "holdout": "test",
    # without labels: no split of them all, and no class
    "pred": "", "predict": "", "prediction": "", "predictions": "", "unlabeled": "", "unlabelled": "",
}  # fmt: skip
# words beside them that say nothing: training_set, train_images, seg_train
PLAIN_WORDS = frozenset({
    *("a", "cropped", "data", "dataset", "final", "folder", "full", "images", "imgs", "image", "img", "jpeg", "jpg"),
    *("new", "of", "photo", "photos", "pictures", "png", "raw", "resized", "seg", "set", "sets", "split", "the"),
})  # fmt: skip
WORDS = re.compile("[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\\W\\d_]+")
GLUED = re.compile(f"({'|'.join(sorted(SPLIT_WORDS, key=len, reverse=True))})(set|sets|data|images|imgs)")


def split_like(names: Sequence[str]) -> dict[str, str]:
    """Folders that are named like splits, and which one each is; empty for what is to be predicted only.

    One word of a name says it: ``seg_train``, ``TestImages``, ``val2017``. Other words have to say nothing, or be the
    same in another split's name (``birds_train``, ``birds_test``): a *test tube* and a *train station* are classes.

    Args:
        names: Of all folders that lie beside each other.
    """
    read = {name: found for name in names if (found := _read(name)) is not None}
    return {
        name: split
        for name, (split, rest) in read.items()
        if not rest or any(other[1] == rest and other[0] != split for other in read.values())
    }


@functools.cache
def split_named(value: str) -> str:
    """The split that a value in a table names, such as *Train*, *validation* or *dev*; empty if it names none.

    Args:
        value: Of a column of splits.
    """
    if value.lower() in SPLIT_NAMES:
        return SPLIT_NAMES[value.lower()]
    split, rest = _read(value) or ("", frozenset())
    return "" if rest else split


def _read(name: str) -> tuple[str, frozenset[str]] | None:
    words = []
    for word in WORDS.findall(name):
        glued = GLUED.fullmatch(word.casefold())
        words += list(glued.groups()) if glued else [word.casefold()]
    named = [word for word in words if word in SPLIT_WORDS]
    if len(named) != 1:
        return None
    return SPLIT_WORDS[named[0]], frozenset(words) - PLAIN_WORDS - {named[0]}
