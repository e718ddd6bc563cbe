"""vitcli serve beside LitServe and a plain FastAPI handler: images a second, and how long a client waits.

    python benchmarks/serve.py --weights FILE --photos FOLDER --peers PYTHON

PYTHON is that of an environment with torch, torchvision, vitcli, fastapi and litserve. Servers take turns, and those
whose turn it is not are stopped (SIGSTOP), in several rounds; each client asks again as soon as it is answered, on one
connection. A round in which other processes burnt more than half a core says so.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

CLIENTS = (1, 32)
BOUNDARY = "8f4c1b6e"
ENDINGS = (".jpg", ".jpeg")


class Round(NamedTuple):
    """One server's turn: seconds that each request waited, seconds of all, and cores that other processes burnt."""

    waits: list[float]
    seconds: float
    others: float


def request(photo: bytes) -> bytes:
    body = (
        f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="content"; filename="photo.jpg"\r\n'
        "content-type: image/jpeg\r\n\r\n"
    ).encode()
    body += photo + f"\r\n--{BOUNDARY}--\r\n".encode()
    head = (
        "POST /predict HTTP/1.1\r\nhost: 127.0.0.1\r\n"
        f"content-type: multipart/form-data; boundary={BOUNDARY}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def client(port: int, requests: list[bytes], until: float, waits: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for sent in itertools.cycle(requests):
        started = time.perf_counter()
        if started > until:
            break
        writer.write(sent)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        assert " 200 " in head.splitlines()[0], head
        length = next(int(line.partition(":")[2]) for line in head.splitlines() if line.startswith("content-length"))
        await reader.readexactly(length)
        waits.append(time.perf_counter() - started)
    writer.close()


async def load(port: int, requests: list[bytes], clients: int, seconds: float) -> list[float]:
    waits: list[float] = []
    until = time.perf_counter() + seconds
    turned = [requests[first % len(requests) :] + requests[: first % len(requests)] for first in range(clients)]
    await asyncio.gather(*(client(port, each, until, waits) for each in turned))
    return waits


def busy() -> float:
    """Seconds that all cores have worked."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def of_group(group: int) -> float:
    """Seconds that the processes of a group have worked."""
    found = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group:
            found += int(fields[11]) + int(fields[12])
    return found / os.sysconf("SC_CLK_TCK")


def turn(server: subprocess.Popen[bytes], port: int, requests: list[bytes], clients: int, seconds: float) -> Round:
    os.killpg(server.pid, signal.SIGCONT)
    try:
        asyncio.run(load(port, requests, clients, 1))
        before, all_before = of_group(server.pid) + time.process_time(), busy()
        started = time.perf_counter()
        waits = asyncio.run(load(port, requests, clients, seconds))
        took = time.perf_counter() - started
        others = busy() - all_before - (of_group(server.pid) + time.process_time() - before)
        return Round(waits, took, others / took)
    finally:
        os.killpg(server.pid, signal.SIGSTOP)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def end(server: subprocess.Popen[bytes]) -> None:
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def until_open(server: subprocess.Popen[bytes], port: int) -> None:
    last = time.monotonic() + 180
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            assert server.poll() is None, f"the server for {port} has ended"
            assert time.monotonic() < last, f"nothing listens at {port}"
            time.sleep(0.2)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights", required=True)
    parser.add_argument("--photos", required=True, type=Path)
    parser.add_argument("--peers", required=True)
    parser.add_argument("--onnx", help="the same net, exported")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8)
    told = parser.parse_args()
    photos = sorted(path for path in told.photos.rglob("*") if path.suffix.lower() in ENDINGS)[:64]
    requests = [request(path.read_bytes()) for path in photos]
    here = Path(__file__).parent
    vitcli = [sys.executable, "-m", "vitcli", "serve"]
    commands = {"vitcli": (vitcli, told.weights)}
    if told.onnx:
        commands["vitcli, onnx"] = (vitcli, told.onnx)
    peers = str(here / "serve_peers.py")
    with ExitStack() as stack:
        servers = {}
        ports = {name: free_port() for name in (*commands, "FastAPI", "LitServe")}
        words = {name: [*start, model, "--port", str(ports[name])] for name, (start, model) in commands.items()}
        words |= {
            name: [told.peers, peers, name.lower(), str(ports[name]), told.weights] for name in ("FastAPI", "LitServe")
        }
        for name, command in words.items():
            started = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)
            stack.callback(end, started)
            servers[name] = started
            until_open(started, ports[name])
            os.killpg(started.pid, signal.SIGSTOP)
        done: dict[tuple[str, int], list[Round]] = {}
        for number in range(told.rounds):
            # each time another one first
            order = list(servers)[number % len(servers) :] + list(servers)[: number % len(servers)]
            for clients in CLIENTS:
                for name in order:
                    found = turn(servers[name], ports[name], requests, clients, told.seconds)
                    done.setdefault((name, clients), []).append(found)
                    if found.others > 0.5:
                        print(f"round {number + 1}, {name}, {clients}: others burnt {found.others:.1f} cores")
    print(f"{len(photos)} photos, {told.rounds} rounds of {told.seconds:g} s, {len(os.sched_getaffinity(0))} cores")
    print("| server | clients | images/s | lowest to highest round | p50 ms | p99 ms |\n|---|---|---|---|---|---|")
    for clients, name in itertools.product(CLIENTS, servers):
        rounds = done[name, clients]
        rates = [len(one.waits) / one.seconds for one in rounds]
        waits = sorted(wait for one in rounds for wait in one.waits)
        p50, p99 = (1000 * waits[min(len(waits) - 1, int(len(waits) * share))] for share in (0.5, 0.99))
        spread = f"{min(rates):.1f} to {max(rates):.1f}"
        print(f"| {name} | {clients} | {statistics.median(rates):.1f} | {spread} | {p50:.0f} | {p99:.0f} |")


if __name__ == "__main__":
    main()
