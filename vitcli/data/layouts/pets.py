"""Oxford-IIIT Pet: the photos downloaded once, by torchvision, as cats and dogs."""

from __future__ import annotations

import os

from vitcli.errors import DataError
from vitcli.names import natural_order

LABELS = ("cat", "dog")
IMAGES = "oxford-iiit-pet/images"


def download_pets(root: str) -> dict[str, dict[str, list[str]]]:
    """The cats and the dogs of the train and of the test list, in natural order; downloaded once.

    Args:
        root: Folder that receives ``oxford-iiit-pet/``, about 800 MB; made where it does not exist.

    Raises:
        DataError: The download fails, or an earlier download is incomplete.
    """
    # Here, because torchvision takes a second to import and only a download needs it.
    from torchvision.datasets import OxfordIIITPet  # type: ignore[import-untyped]

    pools: dict[str, dict[str, list[str]]] = {}
    try:
        os.makedirs(root, exist_ok=True)
        for part, listed in (("train", "trainval"), ("test", "test")):
            pets = OxfordIIITPet(root, split=listed, target_types="binary-category", download=True)
            pool: dict[str, list[str]] = {label: [] for label in LABELS}
            for image, label in zip(pets._images, pets._bin_labels, strict=True):
                pool[LABELS[label]].append(os.path.relpath(image, root).replace(os.sep, "/"))
            pools[part] = {label: sorted(paths, key=natural_order) for label, paths in pool.items()}
    except (OSError, RuntimeError, ValueError, EOFError) as error:
        lines = str(error).splitlines()
        raise DataError(
            f"data.download true: the Oxford-IIIT Pet photos could not be downloaded to {root} "
            f"({lines[0] if lines else type(error).__name__}); check the network, delete "
            f"{os.path.join(root, 'oxford-iiit-pet')} and try again"
        ) from error
    return pools
