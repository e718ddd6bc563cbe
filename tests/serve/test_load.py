"""Under load: no accepted request is lost by SIGTERM, memory is bounded whatever is uploaded, odd files as predict."""

from __future__ import annotations

import http.client
import io
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import picture_bytes
from tests.serve.client import form
from tests.serve.conftest import Serve, bomb
from vitcli import Predictor

pytestmark = pytest.mark.slow

PHOTO = picture_bytes()
MEBIBYTE = 2**20


def until(met: Callable[[], bool]) -> None:
    last = time.monotonic() + 120
    while not met():
        assert time.monotonic() < last
        time.sleep(0.02)


@pytest.mark.parametrize("keeps", [False, True], ids=["a connection each", "kept connections"])
def test_sigterm_under_load_loses_no_request_that_was_accepted(serve: Serve, keeps: bool):
    server = serve()
    answered: Counter[int] = Counter()
    lost: list[str] = []
    stopping = threading.Event()

    def ask() -> None:
        connection: http.client.HTTPConnection | None = None
        while True:
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", server.client.port, timeout=60)
                try:
                    connection.connect()
                except OSError:
                    # refused at the door
                    return
            try:
                connection.request("POST", "/predict", PHOTO)
                response = connection.getresponse()
                closes = response.headers.get("connection") == "close"
                response.read()
            except (OSError, http.client.HTTPException) as error:
                # once it is asked to stop, a connection may be reset that the system has taken and the server has not,
                # or an idle one on which a request is just coming (RFC 9112, 9.3.1). Neither request was accepted:
                # a server that cuts off one that was ends with another code
                if not (stopping.is_set() and isinstance(error, ConnectionError)):
                    lost.append(repr(error))
                return
            answered[response.status] += 1
            if closes or not keeps:
                connection.close()
                connection = None

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    until(lambda: answered[200] >= 64)
    stopping.set()
    server.program.send(signal.SIGTERM)
    for thread in threads:
        thread.join(60)
    done = server.program.done()
    assert (lost, list(answered)) == ([], [200])
    assert (done.returncode, done.stderr) == (0, "")
    told = re.search(r"ended by SIGTERM: ([\d,]+) requests, ([\d,]+) images", done.stdout)
    assert told is not None
    assert [int(number.replace(",", "")) for number in told.groups()] == [answered.total()] * 2


def resident(pid: int, name: str) -> int:
    """Bytes of a process: VmRSS now, VmHWM at its highest."""
    found = re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def noise(side: int, kind: str = "JPEG") -> bytes:
    """A picture of side x side pixels."""
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (side // 8, side // 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((side, side)).save(buffer, kind)
    return buffer.getvalue()


def endless(blocks: int) -> Iterator[bytes]:
    for _ in range(blocks):
        yield bytes(MEBIBYTE)


def test_memory_is_bounded_with_many_large_uploads_and_bombs_at_a_time(serve: Serve):
    server = serve("--max_pixels", "20000000", "--max_bytes", str(8 * MEBIBYTE))
    client, pid = server.client, server.program.pid
    client.ask("/predict?map=true", PHOTO)
    before = resident(pid, "VmRSS")
    within, beyond = bomb(4_400), bomb(30_000)
    assert len(beyond) < MEBIBYTE
    large, deep = noise(4_000), noise(4_000, "WEBP")
    several = form(*[(f"{number}.png", within) for number in range(6)])
    multipart = "multipart/form-data; boundary=8f4c1b6e"
    kinds: list[tuple[Callable[[], int], set[int]]] = [
        (lambda: client.ask(body=within).code, {200}),
        (lambda: client.ask(body=beyond).code, {422}),
        (lambda: client.ask(body=large).code, {200}),
        (lambda: client.ask(body=deep).code, {200}),
        (lambda: client.ask(body=large[: len(large) // 2]).code, {422}),
        (lambda: client.ask(body=several, content_type=multipart).code, {200}),
        (lambda: client.ask(body=bytes(7 * MEBIBYTE)).code, {422, 429}),
        (lambda: client.ask(body=b"\x89PNG\r\n\x1a\n" + bytes(7 * MEBIBYTE)).code, {422, 429}),
    ]
    with ThreadPoolExecutor(16) as pool:
        asked = [(kinds[number % len(kinds)], number) for number in range(32)]
        for (_, expected), code in zip(
            [kind for kind, _ in asked], pool.map(lambda one: one[0][0](), asked), strict=True
        ):
            assert code in {*expected, 429}
    # all bodies together may hold 64 MiB, twice while their parts are joined, and what is decoded 20 million pixels,
    # of which WebP takes 16 bytes each; and some goes back to the system only when it is idle
    assert resident(pid, "VmHWM") - before < 500 * MEBIBYTE
    last = client.ask(body=within)
    assert last.code == 200
    assert resident(pid, "VmRSS") - before < 150 * MEBIBYTE
    assert client.ask(body=PHOTO).code == 200
    assert client.metric("vitcli_queue_images") == 0


def test_a_stream_of_a_gigabyte_is_refused_on_its_way_and_takes_no_memory(serve: Serve):
    server = serve()
    before = resident(server.program.pid, "VmRSS")

    def stream() -> int | None:
        try:
            return server.client.ask(body=endless(1024)).code
        except OSError:
            # hung up on, while it was still sending
            return None

    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(lambda _: stream(), range(4)))
    assert set(codes) <= {413, 429, None}
    # a body of 32 MiB each, and its copies on their way
    assert resident(server.program.pid, "VmHWM") - before < 300 * MEBIBYTE
    told = server.client.ask("/metrics").content.decode()
    assert re.search(r'path="/predict",code="413"} [1-4]', told)
    assert server.client.ask(body=PHOTO).code == 200


@pytest.mark.shared_data
def test_odd_images_have_the_verdicts_and_sizes_of_predict(serve: Serve, shared_data: Path):
    files = sorted(path for path in (shared_data / "odd_images").rglob("*") if path.is_file())
    server = serve("--max_pixels", "100000000", "--max_bytes", str(256 * MEBIBYTE))
    rows = Predictor(server.run, device="cpu").predict(files)
    for file, row in zip(files, rows, strict=True):
        content = file.read_bytes()
        answer = server.client.ask(body=content)
        if not content:
            assert (answer.code, row.status) == (400, "error")
            continue
        (said,) = answer.json["images"]
        assert (said["status"], said["error"]) == (row.status, row.error), file
        assert (said["width"], said["height"], said["predicted"]) == (row.width, row.height, row.predicted), file
        assert answer.code == (200 if row.status == "ok" else 422)


def test_a_client_that_takes_no_answer_is_hung_up_on(serve: Serve):
    server = serve("--timeout", "2", "--max_queue", "64", "--max_images", "64")
    body = form(*[(str(number) * 1000, PHOTO) for number in range(64)])
    head = (
        "POST /predict?map=true HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=8f4c1b6e\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    ).encode()
    # far more than the buffers of both sides hold; a server that waited for ever would end this by a TimeoutError
    with server.client.raw() as connection:
        # a busy machine takes a minute to make as many answers as the buffers hold
        connection.settimeout(300)
        with pytest.raises(ConnectionError):
            connection.sendall((head + body) * 500)
    assert server.client.ask(body=PHOTO).code == 200
