"""Google's, Azure's and the hub's stores, each by its own library against a server that answers as they do."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest

from vitcli.errors import StoreError
from vitcli.images.source.open import open_source
from vitcli.images.source.remote.options import Remote

# their libraries take seconds to import
pytestmark = pytest.mark.slow
FILES = {f"set/{'ab'[number % 2]}/{number} ü.jpg": bytes([number]) * (900 + number) for number in range(6)}
TIME = "2026-01-01T00:00:00.000Z"
COMMIT = "0" * 40


class Store(BaseHTTPRequestHandler):
    """``photos`` as a bucket of Google's, a container of Azure's account ``acc``, and a data set ``me/photos``."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Nothing."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        path, query = parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()}
        if path.startswith("/acc/"):
            self._azure(path.removeprefix("/acc/"), query)
        elif path.startswith(("/api/datasets/", "/datasets/")):
            self._hub(path)
        else:
            self._google(path, query)

    def _google(self, path: str, query: dict[str, str]) -> None:
        bucket, _, key = path.partition("/b/")[2].partition("/o")
        key = unquote(key.lstrip("/"))
        if bucket != "photos":
            self._json(404, {"error": {"code": 404, "message": "The specified bucket does not exist."}})
        elif path.startswith("/download/"):
            self._content(FILES.get(key))
        elif key:
            self._json(200 if key in FILES else 404, google(key) if key in FILES else {"error": {"code": 404}})
        else:
            self._json(200, {"items": [google(key) for key in FILES if key.startswith(query.get("prefix", ""))]})

    def _azure(self, path: str, query: dict[str, str]) -> None:
        container, _, key = unquote(path).partition("/")
        if container != "photos":
            return self._send(
                404, b"<Error><Code>ContainerNotFound</Code></Error>", {"x-ms-error-code": "ContainerNotFound"}
            )
        if query.get("comp") != "list":
            return (
                self._content(FILES.get(key))
                if key
                else self._send(200, b"", {"ETag": '"c"', "Last-Modified": HTTP_TIME})
            )
        prefix, mark = query.get("prefix", ""), query.get("delimiter", "")
        keys = [key for key in FILES if key.startswith(prefix)]
        inner = {key[len(prefix) :].split("/")[0] for key in keys if "/" in key[len(prefix) :]} if mark else set()
        blobs = "".join(azure(key) for key in keys if not mark or "/" not in key[len(prefix) :])
        blobs += "".join(f"<BlobPrefix><Name>{prefix}{name}/</Name></BlobPrefix>" for name in sorted(inner))
        inside = f'<EnumerationResults ContainerName="photos"><Blobs>{blobs}</Blobs><NextMarker/></EnumerationResults>'
        text = f'<?xml version="1.0"?>{inside}'
        return self._send(200, text.encode(), {"Content-Type": "application/xml"})

    def _hub(self, path: str) -> None:
        if not path.removeprefix("/api").startswith("/datasets/me/photos"):
            self._send(404, b"", {"X-Error-Code": "RepoNotFound"})
        elif "/resolve/" in path:
            self._content(FILES.get(unquote(path.split("/", 6)[6])))
        elif "/tree/" in path:
            start = unquote(path.partition("/tree/")[2].partition("/")[2])
            self._json(200, [hub(key) for key in FILES if key.startswith(f"{start}/" if start else "")])
        elif "/paths-info/" in path:
            self._json(200, [])
        else:
            self._json(200, {"id": "me/photos", "sha": COMMIT, "siblings": [], "private": False})

    def do_POST(self) -> None:
        asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        names = asked.get("paths", [])
        folders = [{"type": "directory", "path": name, "oid": "1"} for name in names if f"{name}/" in str(list(FILES))]
        self._json(200, [hub(name) for name in names if name in FILES] + folders)

    def _content(self, content: bytes | None) -> None:
        if content is None:
            return self._send(404, b"", {"x-ms-error-code": "BlobNotFound"})
        wanted = self.headers.get("x-ms-range") or self.headers.get("Range")
        more = {"ETag": f'"{digest(content)}"', "Last-Modified": HTTP_TIME, "x-ms-blob-type": "BlockBlob",
                "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}  # fmt: skip
        if not wanted:
            return self._send(200, content, more)
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        end = min(int(last or len(content) - 1), len(content) - 1)
        more["Content-Range"] = f"bytes {first}-{end}/{len(content)}"
        return self._send(206, content[int(first) : end + 1], more)

    def _json(self, status: int, told: object) -> None:
        self._send(status, json.dumps(told).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, content: bytes, more: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **more}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


HTTP_TIME = "Thu, 01 Jan 2026 00:00:00 GMT"


def digest(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def google(key: str) -> dict[str, str]:
    md5 = base64.b64encode(hashlib.md5(FILES[key]).digest()).decode()
    size = str(len(FILES[key]))
    return {"name": key, "bucket": "photos", "size": size, "md5Hash": md5, "updated": TIME, "timeCreated": TIME}


def azure(key: str) -> str:
    return (
        f"<Blob><Name>{escape(key)}</Name><Properties><Content-Length>{len(FILES[key])}</Content-Length>"
        f"<Etag>{digest(FILES[key])}</Etag><Last-Modified>{HTTP_TIME}</Last-Modified><BlobType>BlockBlob</BlobType>"
        "</Properties></Blob>"
    )


def hub(key: str) -> dict[str, object]:
    return {"type": "file", "path": key, "size": len(FILES[key]), "oid": digest(FILES[key])}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Store)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def remote(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> Remote:
    account = f"DefaultEndpointsProtocol=http;AccountName=acc;AccountKey=aHVzaA==;BlobEndpoint={url}/acc;"
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", account)
    # as HF_ENDPOINT sets it where the library is imported
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", url)
    template = url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    return Remote(cache_dir=str(tmp_path / "cache"), retries=1, timeout_seconds=5)


@pytest.mark.parametrize(
    ("package", "root"),
    [("gcsfs", "gs://photos/set"), ("adlfs", "az://photos/set"), ("huggingface_hub", "hf://datasets/me/photos/set")],
)
def test_a_folder_is_listed_with_versions_and_its_files_are_read(remote: Remote, package: str, root: str) -> None:
    pytest.importorskip(package)
    source = open_source(root, remote=remote)
    assert source.folders() == ["a", "b"]
    entries = {f"set/{entry.path}": entry for entry in source.files()[0]}
    assert {path: entry.size for path, entry in entries.items()} == {path: len(held) for path, held in FILES.items()}
    assert len({entry.version for entry in entries.values()} - {0}) == len(FILES)
    source.ahead([path.removeprefix("set/") for path in FILES])
    assert {path: source.read(path.removeprefix("set/")) for path in FILES} == FILES


@pytest.mark.parametrize(
    ("package", "root"),
    [("gcsfs", "gs://nobody/set"), ("adlfs", "az://nobody/set"), ("huggingface_hub", "hf://datasets/me/none/set")],
)
def test_what_is_not_there_is_one_line(remote: Remote, package: str, root: str) -> None:
    pytest.importorskip(package)
    with pytest.raises(StoreError, match=rf"data.root {root}: no such bucket, folder or object; check the address"):
        open_source(root, remote=remote)
