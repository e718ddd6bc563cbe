"""How many photos a second come out of an object store, beside litdata, MosaicML streaming and WebDataset?

    .venv/bin/python benchmarks/streaming.py --peers PEERS/bin/python             # 4,096 drawn photos of 640 x 480
    .venv/bin/python benchmarks/streaming.py --peers PEERS/bin/python --images 1024 --width 2016 --bytes no
    .venv/bin/python benchmarks/streaming.py --peers PEERS/bin/python --root photos --images 8192 --rounds 3

``--peers`` is a Python that has litdata, mosaicml-streaming, webdataset and torchvision. The photos lie in each one's
own format, in shards of equal size; vitcli and WebDataset read the same tars. The server (streaming_server.py) is the
same for all, on 127.0.0.1, and begins each answer 0, 20 and 100 ms after its request. A turn is one epoch in a process
of its own, from an empty local cache, shuffled by each as it does it: vitcli the whole set, in an order that is
checked to be the planned one. The clock runs from the data set, built, to the last batch, and so holds the start of
workers. The index of vitcli's shards lies beside them, as vitcli pack leaves it; those of the others do too. Turns are
interleaved; a round in which other processes burnt too much is given up and run again. Memory as in predict.py.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from interleave import Clock, family_seconds
from net import keep, spread
from predict import draw, link, watch

HERE = Path(__file__).parent
BUCKET = "bench"
LATENCIES = (0, 20, 100)


class Turn(NamedTuple):
    """What a contestant took: photos a second, seconds to build and to the first batch, processor time, peak bytes."""

    rate: float
    build: float
    first: float
    processor: float
    peak_bytes: int
    others: float


@contextmanager
def serving(root: Path, milliseconds: int) -> Iterator[str]:
    """A server that answers so late; its address."""
    command = [sys.executable, str(HERE / "streaming_server.py"), str(root), "--milliseconds", str(milliseconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


def lay_out(args: argparse.Namespace, work: Path) -> dict[str, int]:
    """The photos in each format, as objects of a bucket; the bytes of each."""
    photos, bucket = work / "photos", work / "store" / BUCKET
    link(args.root, photos, args.images) if args.root else draw(photos, args.images, args.width)
    shard_bytes = args.shard_mb * 10**6
    vitcli = Path(sys.executable).with_name("vitcli")
    options = ["--out", str(bucket / "shards"), "--size", f"{args.shard_mb}MB"]
    subprocess.run([vitcli, "pack", str(photos), *options], check=True, stdout=subprocess.DEVNULL, cwd=work)
    for name in ("litdata", "mosaic") if args.peers else ():
        words = ["write", name, "--root", photos, "--out", bucket / name, "--shard_bytes", shard_bytes]
        subprocess.run([args.peers, "-P", HERE / "streaming_peers.py", *map(str, words)], check=True)
    return {
        folder.name: sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        for folder in bucket.iterdir()
    }


def commands(args: argparse.Namespace, work: Path, decode: bool) -> dict[str, list[str]]:
    """Each contestant's command, without the address of the server."""
    # without this folder among its modules: one of the others is called streaming
    peer = ["-P", str(HERE / "streaming_peers.py"), "read"]
    tail = ["--cache", str(work / "cache"), "--workers", str(args.workers), *(["--decode"] if decode else [])]
    own = [*tail, "--index", str(work / "index")]
    found = {
        "vitcli": [sys.executable, *peer, "vitcli", *own],
        "vitcli, nothing kept": [sys.executable, *peer, "vitcli", *own, "--cache_gb", "0"],
    }
    if args.peers:
        found["litdata"] = [args.peers, *peer, "litdata", *tail]
        found["MosaicML streaming"] = [args.peers, *peer, "mosaic", *tail]
        shards = sorted(path.name for path in (work / "store" / BUCKET / "shards").glob("*.tar"))
        found["WebDataset"] = [args.peers, *peer, "webdataset", *tail, "--shards", *shards]
    return {name: command for name, command in found.items() if any(part in name for part in args.only)}


def run(command: list[str], url: str, work: Path, images: int) -> Turn:
    """One process from its start to its end."""
    shutil.rmtree(work / "cache", ignore_errors=True)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment |= {
        "AWS_ENDPOINT_URL": url, "S3_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "nobody", "AWS_REGION": "us-east-1",
        "AWS_SECRET_ACCESS_KEY": "nothing", "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
        "OMP_NUM_THREADS": "1", "TMPDIR": str(work),
    }  # fmt: skip
    clock, own = Clock(), family_seconds()
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as wrong:
        process = subprocess.Popen([*command, "--url", url], stdout=said, stderr=wrong, env=environment, cwd=work)
        over, peak = threading.Event(), [0]
        watcher = threading.Thread(target=watch, args=(process.pid, over, peak))
        watcher.start()
        code = process.wait()
        passed, burnt = clock.burnt()
        own = family_seconds() - own
        over.set()
        watcher.join()
        said.seek(0)
        wrong.seek(0)
        lines = said.read().strip().splitlines()
        if code or not lines:
            raise SystemExit(f"{' '.join(command)}: code {code}\n{wrong.read()[-3000:]}")
    told = json.loads(lines[-1])
    if told["samples"] != images:
        print(f"{told['samples']} of {images} photos came", flush=True)
    others = (burnt - own - told["left"]) / passed
    return Turn(told["samples"] / told["epoch"], told["build"], told["first"], told["processor"], peak[0], others)


def measure(args: argparse.Namespace, work: Path, decode: bool, milliseconds: int) -> dict[str, list[Turn]]:
    """Run all in turns, and print what came of it."""
    chosen = commands(args, work, decode)
    turns: dict[str, list[Turn]] = {name: [] for name in chosen}
    with serving(work / "store", milliseconds) as url:
        print(f"\n{milliseconds} ms, {'decoded and cropped' if decode else 'bytes alone'}", flush=True)
        print(f"  the server alone: {bare(url, work):,.0f} MB/s to 8 connections", flush=True)
        dropped = 0
        for number in itertools.count():
            if len(turns[next(iter(chosen))]) == args.rounds or dropped > args.patience:
                break
            found = {}
            for name, command in chosen.items():
                found[name] = run(command, url, work, args.images)
                if found[name].others > args.limit:
                    break
            if any(turn.others > args.limit for turn in found.values()):
                dropped += 1
                print("  others were busy: the round is given up", flush=True)
                continue
            # the first one fills the page cache and compiles
            for name, turn in found.items() if number - dropped or args.rounds == 1 else ():
                turns[name].append(turn)
    for name, own in turns.items():
        if own:
            rates, peaks = [turn.rate for turn in own], [turn.peak_bytes / 2**20 for turn in own]
            firsts, builds, burnt = (
                statistics.median(getattr(turn, kind) for turn in own) for kind in ("first", "build", "processor")
            )
            print(
                f"  {name:22} {spread(rates, 0):>18} photos/s, {burnt:5.2f} s of processor, first batch {firsts:.2f} "
                f"s, built in {builds:5.2f} s, peak {spread(peaks, 0)} MiB"
            )
    told(turns)
    return turns


def told(turns: dict[str, list[Turn]]) -> None:
    """Print how much faster vitcli is than the fastest of the others, round by round."""
    peers = [name for name in turns if not name.startswith("vitcli")]
    for mine in (name for name in turns if name.startswith("vitcli") and turns[name] and peers):
        best = max(peers, key=lambda name: statistics.median([turn.rate for turn in turns[name]] or [0]))
        ratios = [own.rate / theirs.rate for own, theirs in zip(turns[mine], turns[best], strict=True)]
        print(f"  {mine} is {spread(ratios)} times as fast as {best}, the fastest of the others")


def bare(url: str, work: Path) -> float:
    """MB a second that the server sends to eight connections which throw them away."""
    shards = sorted((work / "store" / BUCKET / "shards").glob("*.tar"))

    def fetch(shard: Path) -> int:
        connection = http.client.HTTPConnection(url.removeprefix("http://"))
        connection.request("GET", f"/{BUCKET}/shards/{shard.name}")
        answer, count = connection.getresponse(), 0
        while content := answer.read(2**20):
            count += len(content)
        return count

    begin = time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        total = sum(pool.map(fetch, shards))
    return total / 1e6 / (time.perf_counter() - begin)


def main() -> None:
    """Lay out the photos and run the contestants."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", metavar="PYTHON", help="that has litdata, mosaicml-streaming and webdataset")
    parser.add_argument("--root", type=Path, help="a folder of JPEGs; without it some are drawn")
    parser.add_argument("--images", type=int, default=4096)
    parser.add_argument("--width", type=int, default=640, help="of drawn photos, which are three quarters as high")
    parser.add_argument("--shard_mb", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--latencies", type=int, nargs="+", default=LATENCIES, metavar="MS")
    parser.add_argument("--bytes", choices=("no", "too", "only"), default="too", help="epochs without decoding")
    parser.add_argument("--limit", type=float, default=0.2, help="cores that others may burn (0.2)")
    parser.add_argument("--patience", type=int, default=10, help="rounds that may be given up (10)")
    parser.add_argument("--only", nargs="+", default=[""], metavar="PART")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        work, cells = Path(made), {}
        for name, size in lay_out(args, work).items():
            print(f"{name}: {size / 1e6:,.0f} MB")
        kinds = {"no": (True,), "too": (True, False), "only": (False,)}[args.bytes]
        for decode, milliseconds in itertools.product(kinds, args.latencies):
            turns = measure(args, work, decode, milliseconds)
            cells[f"{milliseconds} ms, {'decoded' if decode else 'bytes'}"] = {
                name: [turn._asdict() for turn in own] for name, own in turns.items()
            }
            # after each, as all of them take long
            keep(args.json, {"images": args.images, "workers": args.workers, "cells": cells})


if __name__ == "__main__":
    main()
