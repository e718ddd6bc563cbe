"""What is left out of a folder: links and formats that are not read, and what to do about each."""

from __future__ import annotations

from collections import Counter

from vitcli.names import counted

REMEDIES = {"link": "; data.follow_links true follows them"}
# pictures that are not read, by their extensions, and what is to be done
UNREAD = {
    **dict.fromkeys(
        (".dng", ".cr2", ".cr3", ".nef", ".arw", ".raw", ".orf", ".rw2"), "raw photos: convert them to JPEG"
    ),
    **dict.fromkeys((".jxl", ".svg", ".dcm", ".nii", ".npy", ".mat", ".hdr", ".exr", ".pdf"), "convert them to PNG"),
}


def what_to_do(left_out: Counter[str]) -> str:
    """What to do about entries that were left out although they may be pictures; empty if there are none.

    Args:
        left_out: How many, by reason.
    """
    said = []
    if links := left_out["link"]:
        said.append(f"{counted(links, 'link')} {'was' if links == 1 else 'were'} left out{REMEDIES['link']}")
    for reason, count in left_out.most_common():
        ending = reason.rpartition(" ")[2].strip("'")
        if ending in UNREAD:
            said.append(f"{counted(count, 'file')} {'ends' if count == 1 else 'end'} in {ending}; {UNREAD[ending]}")
    return "; ".join(said)
