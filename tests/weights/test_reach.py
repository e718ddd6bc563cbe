"""A host that weights come from is asked once, and what keeps it from answering is said."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from vitcli.errors import WeightsError
from vitcli.weights.reach import expect_answer


def test_a_host_that_does_not_answer_is_not_awaited():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(WeightsError) as caught:
            expect_answer("timm:vit", f"http://{host}/a.pth", Path("cache"), seconds=0.2)
    assert str(caught.value) == (
        f"--weights timm:vit: {host} cannot be reached (no answer within 0.2 s), and cache does not hold them; give a "
        "file with --weights FILE, or copy that folder from a machine that has fetched them"
    )


@pytest.mark.parametrize(("status", "is_there"), [(200, True), (404, True), (407, True), (503, False)])
def test_any_answer_but_a_failure_of_the_host_will_do(status: int, is_there: bool):
    class Answer(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as served:
        threading.Thread(target=served.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{served.server_port}/a.pth"
        if is_there:
            expect_answer("timm:vit", url, Path("cache"))
        else:
            with pytest.raises(WeightsError, match=r"cannot be reached \(status 503\)"):
                expect_answer("timm:vit", url, Path("cache"))
        served.shutdown()
