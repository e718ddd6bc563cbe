"""Groups in several splits: photos of one animal or patient in train and in val or test, which is a leak."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from vitcli.images.check.health import Finding, Image
from vitcli.images.division.groups import Groups
from vitcli.names import counted, printable


def torn_groups(images: Sequence[Image], groups: Groups | None) -> list[Finding]:
    """One finding, or none; the images are sound, so that none of them is for quarantine.

    Args:
        images: Of all splits.
        groups: Of the images that belong together, if there are some.
    """
    held: dict[str, list[Image]] = defaultdict(list)
    if groups is not None:
        for image in images:
            if name := groups.of(image.path):
                held[name].append(image)
    torn = {name: group for name, group in held.items() if len({image.split for image in group}) > 1}
    if not torn:
        return []
    name, group = next(iter(torn.items()))
    other = next(image for image in group if image.split != group[0].split)
    what = (
        f"{counted(len(torn), 'group')} in several splits, such as '{printable(name)}': {printable(group[0].path)}, "
        f"{printable(other.path)}; move each into one split"
    )
    listed = [[{"split": image.split, "path": image.path} for image in group] for group in torn.values()]
    return [Finding("group leak", what, listed)]
