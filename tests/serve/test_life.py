"""A server's life: limits under load, slow clients, an end that loses nothing, and mistakes as a line each."""

from __future__ import annotations

import http.client
import io
import re
import signal
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import picture_bytes
from tests.serve.client import Client, until_closed
from tests.serve.conftest import FAILING, HELD, Serve, Served, go
from vitcli import Predictor
from vitcli.__main__ import main

PHOTO = picture_bytes()


def until_waiting(client: Client, images: int) -> None:
    last = time.monotonic() + 60
    while client.metric("vitcli_queue_images") < images:
        assert time.monotonic() < last
        time.sleep(0.005)


def test_a_full_queue_refuses_with_429_and_all_that_it_holds_is_answered_after_sigterm(serve: Serve):
    server = serve("--max_queue", "4", "--max_images", "4", code=HELD)
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(server.client.ask, body=PHOTO) for _ in range(4)]
        until_waiting(server.client, 4)
        refused = server.client.ask(body=PHOTO)
        assert refused.code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert "4 images are waiting" in refused.json["error"]
        server.program.send(signal.SIGTERM)
        while server.client.ask("/healthz").code == 200:
            time.sleep(0.01)
        # no longer listens, and still has what it has taken
        while True:
            try:
                server.client.ask("/healthz")
            except OSError:
                break
        assert server.program.runs()
        go()
        assert [one.result().code for one in waiting] == [200] * 4
        assert {one.result().headers["connection"] for one in waiting} == {"close"}
    done = server.program.done()
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"ended by SIGTERM: [\d,]+ requests, 4 images", done.stdout.splitlines()[-1])


def test_ctrl_c_ends_an_idle_server_with_0_and_a_second_signal_ends_a_busy_one_at_once(serve: Serve):
    idle, busy = serve(), serve(code=HELD)
    idle.program.send(signal.SIGINT)
    with ThreadPoolExecutor(1) as pool:
        lost = pool.submit(busy.client.ask, body=PHOTO)
        until_waiting(busy.client, 1)
        busy.program.send(signal.SIGTERM)
        time.sleep(0.7)
        busy.program.send(signal.SIGTERM)
        assert busy.program.done().returncode == 143
        with pytest.raises((OSError, http.client.HTTPException)):
            lost.result()
    done = idle.program.done()
    assert (done.returncode, done.stderr, done.stdout.splitlines()[-1]) == (
        0,
        "",
        "ended by SIGINT: 0 requests, 0 images",
    )


def test_a_net_that_does_not_answer_in_time_is_a_503_and_the_next_one_is_answered(serve: Serve):
    server = serve("--timeout", "0.5", code=HELD)
    late = server.client.ask(body=PHOTO)
    assert late.code == 503
    assert "0.5 seconds" in late.json["error"]
    assert server.client.metric("vitcli_queue_images") == 0
    go()
    assert server.client.ask(body=PHOTO).code == 200


def test_an_image_of_a_client_that_has_left_gives_its_place_back(serve: Serve):
    server = serve("--max_queue", "1", "--max_images", "1", code=HELD)
    head = f"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: {len(PHOTO)}\r\n\r\n".encode()
    with server.client.raw() as leaving:
        leaving.sendall(head + PHOTO)
        until_waiting(server.client, 1)
        assert server.client.ask(body=PHOTO).code == 429
    last = time.monotonic() + 60
    while server.client.metric("vitcli_queue_images"):
        assert time.monotonic() < last
    go()
    assert server.client.ask(body=PHOTO).code == 200
    assert server.client.metric('vitcli_requests_total{path="/predict",code="499"}') == 1


def test_a_fault_of_the_net_is_a_500_with_its_traceback_for_who_runs_it_and_the_next_batch_is_answered(serve: Serve):
    server = serve(code=FAILING)
    failed = server.client.ask(body=PHOTO)
    assert failed.code == 500
    assert failed.json == {"error": "the server has failed; why, it has written to its standard error"}
    assert server.client.ask(body=PHOTO).code == 200
    assert "RuntimeError: the first batch" in server.program.err
    assert server.client.metric("vitcli_queue_images") == 0


SLOW = {
    "a header": b"POST /predict HTTP/1.1\r\nhost: x\r\nx-",
    "nothing": b"",
    "a body": b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nx",
    "a chunk": b"POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
}


@pytest.mark.slow
def test_slow_clients_get_408_and_are_hung_up_on_while_others_are_answered(served: Served):
    opened = [served.client.raw() for _ in SLOW]
    for connection, sent in zip(opened, SLOW.values(), strict=True):
        connection.sendall(sent)
    assert served.client.ask(body=PHOTO).code == 200
    for connection in opened:
        with connection:
            assert until_closed(connection).startswith(b"HTTP/1.1 408 ")


def test_what_is_no_http_gets_400_and_a_header_of_a_megabyte_too(served: Served):
    for sent in (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"GET / HTTP/1.1\r\nx: " + b"y" * 100_000):
        with served.client.raw() as connection:
            try:
                connection.sendall(sent)
                assert until_closed(connection).startswith(b"HTTP/1.1 400 ")
            except ConnectionResetError:
                # it has hung up with some of it unread
                pass
    assert served.client.ask("/healthz").code == 200


def test_a_client_reads_why_its_endless_upload_was_refused(served: Served):
    with served.client.raw() as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        block = b"10000\r\n" + bytes(65536) + b"\r\n"
        for _ in range(64):
            connection.sendall(block)
        connection.sendall(b"0\r\n\r\n")
        answered = until_closed(connection)
    assert answered.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answered
    assert b"200,000 bytes" in answered


def test_one_connection_asks_again_and_again(served: Served):
    connection = http.client.HTTPConnection("127.0.0.1", served.client.port, timeout=60)
    opened = set()
    for _ in range(3):
        connection.request("POST", "/predict", PHOTO)
        response = connection.getresponse()
        assert response.status == 200
        response.read()
        assert connection.sock is not None
        opened.add(connection.sock.fileno())
    connection.close()
    assert len(opened) == 1


@pytest.mark.slow
def test_a_connection_that_asks_again_and_again_outlives_the_time_for_a_header(served: Served):
    connection = http.client.HTTPConnection("127.0.0.1", served.client.port, timeout=60)
    connection.connect()
    opened = connection.sock
    last = time.monotonic() + 5
    while time.monotonic() < last:
        connection.request("GET", "/health")
        connection.getresponse().read()
        time.sleep(0.3)
    assert connection.sock is opened
    connection.close()


def test_only_this_machine_is_listened_to_unless_a_line_says_otherwise(serve: Serve, served: Served):
    assert "--host" not in served.program.out
    assert served.program.out.startswith("http://127.0.0.1:")
    everywhere = serve("--host", "0.0.0.0")
    warning, start = everywhere.program.out.splitlines()
    assert warning.startswith("--host 0.0.0.0: anyone who reaches this machine")
    assert start.startswith("http://0.0.0.0:")
    assert everywhere.client.ask("/healthz").code == 200


def large() -> bytes:
    """A picture of 3,600 pixels."""
    buffer = io.BytesIO()
    Image.new("RGB", (60, 60)).save(buffer, "PNG")
    return buffer.getvalue()


def test_how_the_net_is_asked_is_typed(serve: Serve, served: Served):
    words = ["--device", "cpu", "--batch_size", "2", "--map", "rollout", "--max_pixels", "2500"]
    server = serve(*words, "--temperature", "3", "--threshold", "0.999", "--tta", "flip")
    predictor = Predictor(server.run, device="cpu", temperature=3, threshold=0.999, tta="flip")
    (row,) = predictor.predict([Image.open(io.BytesIO(PHOTO))])
    answer = server.client.files(*[("photo.png", PHOTO)] * 5, path="/predict?map=true").json["images"]
    for said in answer:
        assert (said["predicted"], said["map"]["method"]) == (row.predicted, "rollout")
        assert list(said["probabilities"].values()) == pytest.approx(row.probabilities, abs=1e-6)
    plain = served.client.ask(body=PHOTO).json["images"][0]["probabilities"]
    assert answer[0]["probabilities"] != pytest.approx(plain, abs=1e-4)
    # five images in batches of at most two
    assert server.client.metric("vitcli_batch_images_count") >= 3
    assert "too large" in server.client.ask(body=large()).json["images"][0]["error"]


RUN = "runs/photos"
MISTAKES: dict[str, tuple[list[str], str]] = {
    "no run": (["nowhere"], "error: nowhere: no such file"),
    "no port": ([RUN, "--port", "70000"], "--port 70000: outside 0 to 65535"),
    "no number": ([RUN, "--port", "http"], "--port: invalid int value: 'http'"),
    "no host": ([RUN, "--host", "no such host"], "--host no such host: is no name or address"),
    "another's host": ([RUN, "--host", "192.0.2.1"], "--host 192.0.2.1: is not an address of this machine"),
    "no device": ([RUN, "--device", "abacus"], "device abacus"),
    "no method": ([RUN, "--map", "magic"], "--map magic: there is attention, rollout"),
    "no batch": ([RUN, "--batch_size", "0"], "--batch_size 0: below 1"),
    "no bytes": ([RUN, "--max_bytes", "0"], "--max_bytes 0: below 1"),
    "no pixels": ([RUN, "--max_pixels", "-1"], "--max_pixels -1: below 1"),
    "no time": ([RUN, "--timeout", "0"], "--timeout 0: must be above 0"),
    "no place": ([RUN, "--max_queue", "3"], "--max_images 64: more than --max_queue 3"),
    "no temperature": ([RUN, "--temperature", "-1"], "temperature -1: must be above 0"),
    "temperature 0": ([RUN, "--temperature", "0"], "temperature 0: must be above 0"),
    "a temperature in words": ([RUN, "--temperature", "warm"], "--temperature: warm is no number; say auto"),
    "a queue of none": ([RUN, "--max_queue", "0"], "--max_queue 0: below 1"),
    "no threshold": ([RUN, "--threshold", "2"], "threshold 2: outside [0, 1]"),
    "a device for an exported net": (["a.onnx", "--device", "cpu"], "--device cpu: is not for an exported net"),
    "a map of an exported net": (["a.onnx", "--map", "rollout"], "--map rollout: is not for an exported net"),
    "no exported net": (["a.onnx"], "a.onnx"),
}


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_is_one_line(copied: Path, what: str, capsys: pytest.CaptureFixture[str]):
    words, reason = MISTAKES[what]
    # a mistake in the address is told for a port that is given
    words = words if "--port" in words else [*words, "--port", "0"]
    assert main(["serve", *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("vitcli serve: error: ")
    assert reason in captured.err
    assert captured.err.count("\n") == 1


def test_a_port_in_use_is_one_line_before_the_net_is_opened(here: Path, capsys: pytest.CaptureFixture[str]):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "nowhere", "--port", str(port)]) == 2
    assert f"--port {port}: is in use by another program at 127.0.0.1" in capsys.readouterr().err


def test_without_the_extra_a_line_says_what_to_install(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["serve", RUN]) == 2
    told = capsys.readouterr().err
    assert told == 'vitcli serve: error: serve: needs uvicorn, which is not installed; pip install "vitcli[serve]"\n'


def own_threads() -> list[threading.Thread]:
    """Threads of Python's that run; the one that hears signals ends a moment after each command."""
    return [thread for thread in threading.enumerate() if thread.name != "signals"]


def test_nothing_that_is_typed_keeps_threads_or_the_port(copied: Path):
    before = own_threads()
    for _ in range(2):
        assert main(["serve", RUN, "--map", "magic", "--port", "0"]) == 2
    assert own_threads() == before
