"""A library of ours that is not installed, told in a line: a machine that only predicts has no torch, and need not."""

from __future__ import annotations

import re

# what is imported, where that is not what is installed
PACKAGES = {"PIL": "pillow", "yaml": "pyyaml", "huggingface_hub": "huggingface-hub", "pillow_heif": "pillow-heif"}


def missing(error: BaseException) -> str | None:
    """What to tell of an import that has failed; None where no library lacks that vitcli needs.

    Args:
        error: Any.
    """
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return None
    from importlib.metadata import PackageNotFoundError, requires

    top = error.name.partition(".")[0]
    package = PACKAGES.get(top, top)
    try:
        ours = {re.split(r"[^\w.-]", line.lower())[0] for line in requires("vitcli") or ()}
    except PackageNotFoundError:
        return None
    if package.lower() not in ours:
        return None
    return (
        f"needs {package}, which is not installed here; pip install {package}, or vitcli with all that it needs: "
        "pip install vitcli (predict --model FILE.onnx needs no torch)"
    )
