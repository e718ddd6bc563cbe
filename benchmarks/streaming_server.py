"""An object server on 127.0.0.1 that answers late: ranges of files, their heads, and lists of a bucket, as S3 has them.

    python benchmarks/streaming_server.py FOLDER --milliseconds 20      # prints its port

Each folder in FOLDER is a bucket. Every answer begins so many milliseconds after its request is there, as an object
store takes them before the first byte; others are answered meanwhile, however many, and bytes then come as fast as the
machine copies them. One process, whose time is spent in sendfile.
"""

from __future__ import annotations

import argparse
import asyncio
from email.utils import formatdate
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

MOST_KEYS = 1000


class Server:
    """The files below a folder."""

    def __init__(self, root: Path, seconds: float) -> None:
        self.root = root
        self.seconds = seconds

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, request after request."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(self.seconds)
                first, *lines = head.decode("latin-1").splitlines()
                method, target, _ = first.split(" ")
                fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                await self.answer(writer, method, target, fields)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def answer(self, writer: asyncio.StreamWriter, method: str, target: str, fields: dict[str, str]) -> None:
        """One request."""
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        file = self.root / bucket / key
        if not key and (self.root / bucket).is_dir():
            self.whole(writer, 200, self.listed(self.root / bucket, query).encode())
        elif not file.is_file():
            self.whole(writer, 404, b"" if method == "HEAD" else b"<Error><Code>NoSuchKey</Code></Error>")
        else:
            await self.send(writer, file, fields.get("range"), method == "HEAD")

    async def send(self, writer: asyncio.StreamWriter, file: Path, wanted: str | None, head: bool) -> None:
        """A file, or a range of it."""
        status = file.stat()
        first, last, code = 0, status.st_size - 1, 200
        more = {
            "ETag": f'"{status.st_size:x}-{status.st_mtime_ns:x}"',
            "Last-Modified": formatdate(status.st_mtime, usegmt=True),
            "Accept-Ranges": "bytes",
        }
        if wanted:
            start, _, end = wanted.removeprefix("bytes=").partition("-")
            first = int(start) if start else max(0, status.st_size - int(end))
            last = min(last, int(end)) if start and end else last
            code, more["Content-Range"] = 206, f"bytes {first}-{last}/{status.st_size}"
        self.head(writer, code, last - first + 1, more)
        if not head and last >= first:
            await writer.drain()
            with file.open("rb") as opened:
                await asyncio.get_running_loop().sendfile(writer.transport, opened, first, last - first + 1)

    def listed(self, folder: Path, query: dict[str, str]) -> str:
        """A page of a bucket's keys."""
        prefix, after = query.get("prefix", ""), query.get("continuation-token", "")
        keys = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        keys = [key for key in keys if key.startswith(prefix) and key > after]
        most = min(MOST_KEYS, int(query.get("max-keys", MOST_KEYS)))
        page, more = keys[:most], len(keys) > most
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f'<ETag>"{(folder / key).stat().st_size:x}-{(folder / key).stat().st_mtime_ns:x}"</ETag>'
            f"<Size>{(folder / key).stat().st_size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            for key in page
        )
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        return (
            f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>{folder.name}</Name>'
            f"<Prefix>{escape(prefix)}</Prefix><KeyCount>{len(page)}</KeyCount><MaxKeys>{most}</MaxKeys>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{rows}</ListBucketResult>"
        )

    def whole(self, writer: asyncio.StreamWriter, code: int, content: bytes) -> None:
        self.head(writer, code, len(content), {"Content-Type": "application/xml"})
        writer.write(content)

    def head(self, writer: asyncio.StreamWriter, code: int, size: int, more: dict[str, str]) -> None:
        lines = {"Content-Length": str(size), "Content-Type": "application/octet-stream", **more}
        fields = [f"{name}: {value}" for name, value in lines.items()]
        writer.write("\r\n".join([f"HTTP/1.1 {code} X", *fields, "", ""]).encode())


async def run(root: Path, milliseconds: float) -> None:
    """Serve until the process is ended."""
    server = await asyncio.start_server(Server(root, milliseconds / 1000).serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    """Serve a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--milliseconds", type=float, default=0.0)
    args = parser.parse_args()
    asyncio.run(run(args.root, args.milliseconds))


if __name__ == "__main__":
    main()
