"""Folders of a web server: the files in the pages by which it lists them, page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterable

# a page that lists itself in other words would be followed for ever
MOST_PAGES = 100_000


def linked_files(place: str, links: Callable[[str], Iterable[str]]) -> list[str]:
    """The files below an address, as pages link to them (those of Apache, nginx, Python's http.server and others).

    Args:
        place: The address of the folder.
        links: The addresses to which the page of a folder links.
    """
    root = f"{place}/"
    waiting, seen = [root], {root}
    files: list[str] = []
    while waiting and len(seen) - len(files) < MOST_PAGES:
        for link in links(waiting.pop()):
            # some links sort the page, and some lead out of the folder
            if not link.startswith(root) or link in seen or any(part in link for part in ("?", "#", "/../", "/./")):
                continue
            seen.add(link)
            if link.endswith("/"):
                waiting.append(link)
            else:
                files.append(link)
    return files
