"""Container of a torch file: a zip archive of records that are neither compressed nor lie over each other."""

from __future__ import annotations

import zipfile
from pathlib import Path

# a checkpoint of 20,000 classes has some 2 MB beside its tensors, which torch reads at a megabyte a second
MOST_PICKLED = 8_000_000


def check_container(path: Path) -> None:
    """Check that the records of a torch file take no more room than the file does.

    torch writes them uncompressed, but reads others too: a compressed pickle of 10 MB may be one of 10 GB.

    Args:
        path: The file; one that is no zip archive passes, as torch's oldest files are none.

    Raises:
        ValueError: They take more.
        OSError: It cannot be read.
    """
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            records = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise ValueError(str(error)) from error
    if any(record.compress_type != zipfile.ZIP_STORED for record in records):
        raise ValueError("its records are compressed")
    if any(record.file_size > MOST_PICKLED and record.filename.endswith("data.pkl") for record in records):
        raise ValueError(f"more than {MOST_PICKLED:,} bytes beside its tensors")
    if sum(record.file_size for record in records) > path.stat().st_size:
        raise ValueError("its records lie over each other")
