"""Addresses of object stores (URLs): which are known, what they need, and none that holds a password or a key."""

from __future__ import annotations

import re
from typing import NamedTuple, Self, final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from vitcli.errors import DataError
from vitcli.names import extension

# the extra of vitcli that brings what fsspec needs for a scheme; none where vitcli brings it itself
EXTRAS = {"s3": "s3", "gs": "gs", "az": "az", "https": "", "http": "", "hf": ""}
WEB = ("https", "http")
# words in the query of an address that grants access: signed ones of S3, Google and Azure, and tokens of others
SECRET = re.compile(r"(?i)(signature|credential|token|secret|password|passwd|api[-_]?key|^key$|^sig$|^auth)")


@final
class Address(NamedTuple):
    """Where a root lies in a store.

    Args:
        root: As it was named.
        scheme: s3, gs, az, https, http or hf.
        place: As fsspec names it there, without a slash at its end: ``bucket/photos``, or the whole address of a page.
        query: What stands behind a question mark, with it; only of ``https`` and ``http``.
    """

    root: str
    scheme: str
    place: str
    query: str = ""

    @classmethod
    def of(cls, root: str, key: str = "data.root") -> Self:
        """The address that a root is.

        Args:
            root: As it was named.
            key: The setting that names it, for messages.

        Raises:
            DataError: Its scheme is unknown, it holds a password or a key, or it names no bucket.
        """
        scheme, _, rest = root.partition("://")
        scheme = scheme.lower()
        shown = f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"
        if scheme not in EXTRAS:
            known = ", ".join(f"{name}://" for name in EXTRAS)
            raise DataError(f"{key} {shown}: {scheme}:// is no store that is read; {known} are")
        parts = urlsplit(root) if scheme in WEB else None
        # a revision of the hub stands behind an @ too, though never in front of the first slash
        named = rest.partition("/")[0] if parts is None else parts.netloc
        if "@" in named:
            raise DataError(
                f"{key} {shown}: a name or password in an address would be written into configs and logs; leave it "
                "out, and give it to the store's own environment (docs/stores.md)"
            )
        query = "" if parts is None or not parts.query else f"?{parts.query}"
        if any(SECRET.search(name) for name, _ in parse_qsl(query[1:], keep_blank_values=True)):
            raise DataError(
                f"{key} {shown}: a signed address is a key, and would be written into configs and logs; name the "
                "object by its bucket, and give the key to the store's own environment (docs/stores.md)"
            )
        place = f"{scheme}://{parts.netloc}{parts.path}" if parts is not None else rest
        place = place.rstrip("/")
        if not named:
            what, where = ("server", "SERVER") if scheme in WEB else ("bucket", "BUCKET")
            raise DataError(f"{key} {root}: names no {what}; say {scheme}://{where}/FOLDER")
        return cls(root, scheme, place, query)

    @property
    def name(self) -> str:
        """The last part of the place, as a person reads it."""
        last = self.place.rpartition("/")[2]
        return unquote(last) if self.scheme in WEB else last

    @property
    def ending(self) -> str:
        """Its extension, in lower case and with its dot."""
        return extension(self.place)

    @property
    def above(self) -> Self:
        """The folder that it lies in."""
        folder = self.place.rpartition("/")[0]
        start = "" if self.scheme in WEB else f"{self.scheme}://"
        return self._replace(root=start + folder, place=folder, query="")

    def inside(self, path: str) -> str:
        """The place of an object below it, as fsspec names it."""
        return f"{self.place}/{quote(path)}" if self.scheme in WEB else f"{self.place}/{path}"

    def path(self, place: str) -> str | None:
        """The path of an object below it; None for one that lies elsewhere."""
        if not place.startswith(f"{self.place}/"):
            return None
        path = place[len(self.place) + 1 :]
        return unquote(path) if self.scheme in WEB else path
