"""A stand-in for wandb's server, which answers until it is told to fall silent: then it accepts, and never answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PROJECT = {"id": "p", "name": "vitcli", "entity": {"id": "e", "name": "somebody"}}
BUCKET = {
    "id": "b", "name": "abcd1234", "displayName": "r", "description": "", "config": "{}", "sweepName": "",
    "project": PROJECT, "historyLineCount": 0, "summaryMetrics": "{}", "logLineCount": 0, "eventsLineCount": 0,
    "historyTail": "[]", "eventsTail": "[]", "tags": [],
}  # fmt: skip
# to all questions at once
ANSWERS = {
    "viewer": {"id": "v", "username": "u", "entity": "somebody", "flags": "{}", "teams": {"edges": []}},
    "serverInfo": {"cliVersionInfo": {"max_cli_version": "9.9.9"}, "latestLocalVersionInfo": None, "features": []},
    "upsertBucket": {"bucket": BUCKET, "inserted": True, "configValidationErrors": []},
    "model": {"bucket": BUCKET},
    "createRunFiles": {"runID": "b", "uploadHeaders": [], "files": []},
}


class Server(ThreadingHTTPServer):
    """The server."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.is_silent = threading.Event()
        self.asked_in_vain = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """An answer."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.server.is_silent.is_set():
            self.server.asked_in_vain += 1
            threading.Event().wait()
        answer = json.dumps({"data": ANSWERS}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_PUT = do_POST  # noqa: N815 -- as the library calls them

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def server() -> Iterator[Server]:
    """A server on a free port."""
    with Server() as started:
        threading.Thread(target=started.serve_forever, daemon=True).start()
        yield started
        started.shutdown()
