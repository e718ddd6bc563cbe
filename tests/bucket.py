"""A server that speaks S3 (and lists folders as web servers do) on 127.0.0.1, and fails on command.

Ours, as what is tested is what happens when a store stalls, cuts an answer short, or refuses in the middle.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

PAGE = 1000
NS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


@dataclass
class Faults:
    """What goes wrong: each takes the number of a request for an object's bytes, from 1, and says whether it does.

    Args:
        busy: 503, to be asked again.
        cut: Half of the answer, and the connection ends.
        stalls: Nothing comes until `released`.
        denied: 403.
    """

    busy: Callable[[int], bool] = lambda number: False
    cut: Callable[[int], bool] = lambda number: False
    stalls: Callable[[int], bool] = lambda number: False
    denied: Callable[[int], bool] = lambda number: False
    released: threading.Event = field(default_factory=threading.Event)
    # before each answer
    delay_seconds: float = 0.0


class Bucket:
    """The server: each folder below ``root`` is a bucket."""

    def __init__(self, root: Path) -> None:
        self.lock = threading.Lock()
        self.begin(root)
        handler = type("Bound", (Handler,), {"bucket": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def begin(self, root: Path) -> None:
        """From now on other buckets, nothing goes wrong, and nothing was asked."""
        self.root = root
        self.faults = Faults()
        self.has_ranges = True
        # whether it says of what is not there that it is not allowed, as S3 where nothing may be listed
        self.hides_missing = False
        self.asked: Counter[str] = Counter()
        self.objects = self.sent_bytes = 0
        # of requests for objects
        self.at_once = self.most_at_once = 0

    def environment(self) -> dict[str, str]:
        """What a store's own library reads."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": "key-that-nothing-may-show",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


class Handler(BaseHTTPRequestHandler):
    """Answers: lists of a bucket, heads of objects, and ranges of them."""

    bucket: Bucket
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Nothing: what a test shows is its own."""

    def do_HEAD(self) -> None:
        self._answer(head=True)

    def do_GET(self) -> None:
        self._answer(head=False)

    def _answer(self, *, head: bool) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        name, _, key = unquote(parts.path).lstrip("/").partition("/")
        folder = self.bucket.root / name
        is_signed = "Authorization" in self.headers
        with self.bucket.lock:
            self.bucket.asked["HEAD" if head else "list" if "list-type" in query else "GET"] += 1
        time.sleep(self.bucket.faults.delay_seconds)
        if name == "closed":
            self._refuse(403, "AccessDenied", head)
        elif not name or not folder.is_dir():
            self._refuse(404, "NoSuchBucket", head)
        elif "list-type" in query:
            self._list(folder, query)
        elif (path := folder / key).is_dir() and not is_signed:
            self._page(path)
        elif not path.is_file():
            self._refuse(*((403, "AccessDenied") if self.bucket.hides_missing else (404, "NoSuchKey")), head)
        else:
            self._send(path, head)

    def _list(self, folder: Path, query: dict[str, str]) -> None:
        prefix, after = query.get("prefix", ""), query.get("continuation-token", "")
        keys = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        keys = [key for key in keys if key.startswith(prefix) and key > after]
        most = min(PAGE, int(query.get("max-keys", PAGE)))
        page, more = keys[:most], len(keys) > most
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f"<ETag>&quot;{etag(folder / key)}&quot;</ETag><Size>{(folder / key).stat().st_size}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
            for key in page
        )
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        text = (
            f"<ListBucketResult {NS}><Name>{folder.name}</Name><Prefix>{escape(prefix)}</Prefix>"
            f"<KeyCount>{len(page)}</KeyCount><MaxKeys>{most}</MaxKeys><IsTruncated>{str(more).lower()}</IsTruncated>"
            f"{token}{rows}</ListBucketResult>"
        )
        self._whole(200, text.encode(), "application/xml")

    def _page(self, folder: Path) -> None:
        names = sorted(path.name + ("/" if path.is_dir() else "") for path in folder.iterdir())
        links = "".join(f'<li><a href="{quote(name)}">{escape(name)}</a></li>' for name in names)
        page = f'<html><a href="?C=N;O=D">Name</a><a href="../">up</a><ul>{links}</ul></html>'
        self._whole(200, page.encode(), "text/html")

    def _send(self, path: Path, head: bool) -> None:
        with self.bucket.lock:
            self.bucket.at_once += 1
            self.bucket.most_at_once = max(self.bucket.most_at_once, self.bucket.at_once)
        try:
            self._object(path, head)
        except ConnectionError:
            # whoever has asked has given it up
            self.close_connection = True
        finally:
            with self.bucket.lock:
                self.bucket.at_once -= 1

    def _object(self, path: Path, head: bool) -> None:
        content = path.read_bytes()
        faults = self.bucket.faults
        with self.bucket.lock:
            self.bucket.objects += not head
            number = self.bucket.objects
        if not head:
            if faults.stalls(number):
                faults.released.wait(60)
            if faults.denied(number):
                return self._refuse(403, "AccessDenied", head)
            if faults.busy(number):
                return self._refuse(503, "ServiceUnavailable", head)
        wanted = self.headers.get("Range") if self.bucket.has_ranges else None
        status, facts = 200, {"ETag": f'"{etag(path)}"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
        if wanted:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            if int(first) >= len(content):
                return self._refuse(416, "InvalidRange", head)
            end = min(int(last or len(content) - 1), len(content) - 1)
            facts["Content-Range"] = f"bytes {first}-{end}/{len(content)}"
            status, content = 206, content[int(first) : end + 1]
        self._head(status, len(content), "application/octet-stream", facts)
        if head:
            return None
        if faults.cut(number):
            content = content[: len(content) // 2]
            self.close_connection = True
        with self.bucket.lock:
            self.bucket.sent_bytes += len(content)
        self.wfile.write(content)
        return None

    def _refuse(self, status: int, code: str, head: bool) -> None:
        text = f"<Error><Code>{code}</Code><Message>{code} it is</Message></Error>".encode()
        self._whole(status, b"" if head else text, "application/xml")

    def _whole(self, status: int, content: bytes, kind: str) -> None:
        self._head(status, len(content), kind, {})
        self.wfile.write(content)

    def _head(self, status: int, size: int, kind: str, more: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(size), "Content-Type": kind, **more}.items():
            self.send_header(name, value)
        self.end_headers()


def etag(path: Path) -> str:
    """As S3 has it: the MD5 of the content."""
    return hashlib.md5(path.read_bytes()).hexdigest()


@contextmanager
def serving(root: Path) -> Iterator[Bucket]:
    """A server that runs until the block ends."""
    bucket = Bucket(root)
    thread = threading.Thread(target=bucket.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield bucket
    finally:
        bucket.faults.released.set()
        bucket.server.shutdown()
        bucket.server.server_close()
        thread.join()
