"""How far data-parallel training goes: a model of a step on 1 to 1,024 GPUs, and its check on two machines here.

    python -m benchmarks.scaling                      prints the tables of docs/scaling.md; arithmetic, nothing is run
    python -m benchmarks.scaling measure [--rates 50 100 200 400] [--delays 0.005 0.02] [--steps 6]

``measure`` needs root: two network namespaces, joined by a cable of limited rate (tc tbf) or by one whose packets come
late, and a gloo process on each that trains a ViT by DDP. It prints what the model predicts and what a step took.

The model. A step is forward, backward and the mean of all gradients; DDP sends them in buckets while backward still
runs, but for the last one. A ring of N ranks has each send 2 (N - 1) / N of the gradients in 2 (N - 1) rounds
(Patarasuk and Yuan 2009, doi 10.1016/j.jpdc.2008.09.002); two trees send twice the gradients in 2 log2(N) rounds
(Sanders et al. 2009, doi 10.1016/j.parco.2009.09.001), which NCCL takes where that is faster.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

GPUS = (1, 2, 8, 16, 32, 64, 128, 256, 512, 1024)
GPUS_A_MACHINE = 8
MIB = 2**20
# of torch.nn.parallel.DistributedDataParallel: the first bucket, and all others
FIRST_BUCKET, BUCKET = MIB, 25 * MIB
# two of three products of a layer belong to its backward pass
BACKWARD = 2 / 3
# requests a second that S3 answers for names with one beginning, says its manual
STORE_LIMIT = 5_500


class Work(NamedTuple):
    """What a rank does in a step.

    Args:
        images: In its batch.
        seconds: Forward and backward of a batch.
        parameters: Of the net, whose gradients are float32.
        image_bytes: Of a file in the store.
        summed: Batches that a step sums up; gradients are sent once.
    """

    images: int
    seconds: float
    parameters: int
    image_bytes: int = 0
    summed: int = 1

    @property
    def gradient_bytes(self) -> int:
        return 4 * self.parameters

    @property
    def buckets(self) -> int:
        return 1 + math.ceil(max(0, self.gradient_bytes - FIRST_BUCKET) / BUCKET)


class Link(NamedTuple):
    """Between ranks.

    Args:
        name: For tables.
        bytes_a_second: That a rank sends, at the slowest place of the ring.
        latency: Seconds of a round.
    """

    name: str
    bytes_a_second: float
    latency: float


# measured: 3,142 and 3,358 images a second by `vitcli fit` on one H100 (docs/results.md, 2026-11-26); the lower one
VIT_B16 = Work(images=128, seconds=128 / 3142, parameters=86_567_656, image_bytes=110_000)
# nominal: of an H100's NVLink in one direction; latencies are of the usual size
NVLINK = Link("NVLink", 450e9, 3e-6)
LINKS = (
    Link("25 Gb/s", 25e9 / 8, 20e-6),
    Link("100 Gb/s", 100e9 / 8, 10e-6),
    Link("8 x 400 Gb/s", 8 * 400e9 / 8, 10e-6),
)


def ring_bytes(gradient_bytes: float, ranks: int) -> float:
    """What each rank sends in a step."""
    return 2 * (ranks - 1) / ranks * gradient_bytes


def ring_seconds(gradient_bytes: float, ranks: int, link: Link) -> float:
    """Of the mean over a ring."""
    return ring_bytes(gradient_bytes, ranks) / link.bytes_a_second + 2 * (ranks - 1) * link.latency


def tree_seconds(gradient_bytes: float, ranks: int, link: Link) -> float:
    """Of the mean over two trees."""
    return 2 * gradient_bytes / link.bytes_a_second + 2 * math.log2(ranks) * link.latency


def reduce_seconds(work: Work, ranks: int, link: Link, *, trees: bool = True) -> float:
    """Of the mean of all gradients, bucket by bucket."""
    if ranks == 1:
        return 0.0
    each = work.gradient_bytes / work.buckets
    ways = [ring_seconds, tree_seconds] if trees else [ring_seconds]
    return work.buckets * min(way(each, ranks, link) for way in ways)


def step_seconds(work: Work, ranks: int, link: Link, *, trees: bool = True) -> float:
    """Of a step: what is computed, and what of sending does not hide behind the backward pass.

    All but the last bucket are sent while backward still runs; the last is only there when it ends.
    """
    sending = reduce_seconds(work, ranks, link, trees=trees)
    last = sending / work.buckets
    hidden = min(sending - last, work.seconds * BACKWARD * (1 - 1 / work.buckets))
    return work.summed * work.seconds + sending - hidden


def between(ranks: int, link: Link) -> Link:
    """The slowest link of a ring: within a machine that is not the network."""
    return NVLINK if ranks <= GPUS_A_MACHINE else link


def images_a_second(work: Work, ranks: int, link: Link) -> float:
    return ranks * work.images * work.summed / step_seconds(work, ranks, between(ranks, link))


def efficiency(work: Work, ranks: int, link: Link) -> float:
    """Of so many times one GPU that sums up nothing."""
    alone = work.images / work.seconds
    return images_a_second(work, ranks, link) / (ranks * alone)


def rows_of_loads(work: Work) -> Iterator[list[str]]:
    """GPUs; images, bytes sent by each and store requests a step; requests and bytes a second at full speed."""
    for ranks in GPUS:
        a_second = ranks * work.images / work.seconds
        of_machine = min(ranks, GPUS_A_MACHINE) * work.images / work.seconds * work.image_bytes
        yield [
            f"{ranks:,}",
            f"{ranks * work.images:,}",
            f"{ring_bytes(work.gradient_bytes, ranks) / 1e6:,.0f}",
            f"{ranks * work.images:,}",
            f"{a_second:,.0f}",
            f"{a_second / STORE_LIMIT:,.1f}",
            f"{of_machine / 1e9:.2f}",
        ]


def rows_of_speed(work: Work, links: Sequence[Link] = LINKS) -> Iterator[list[str]]:
    """GPUs; images a second and share of the ideal over each link."""
    for ranks in GPUS:
        cells = [f"{images_a_second(work, ranks, link):,.0f} ({efficiency(work, ranks, link):.2f})" for link in links]
        yield [f"{ranks:,}", *cells]


def rows_of_fixed(work: Work, together: int, links: Sequence[Link] = LINKS) -> Iterator[list[str]]:
    """The same where a step sees as many images whatever the machines: as batches summed up, or smaller ones."""
    for ranks in GPUS:
        share = together // ranks
        summed = max(1, share // work.images)
        size = share // summed
        dealt = work._replace(images=size, seconds=work.seconds * size / work.images, summed=summed)
        cells = [f"{images_a_second(dealt, ranks, link):,.0f} ({efficiency(dealt, ranks, link):.2f})" for link in links]
        yield [f"{ranks:,}", f"{summed} x {size}", *cells]


def table(head: Sequence[str], rows: Iterator[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def tables() -> list[str]:
    """The tables of docs/scaling.md, in its order."""
    names = [link.name for link in LINKS]
    loads = ["GPUs", "images a step", "MB sent by each", "requests a step", "requests a second", "over S3's 5,500"]
    return [
        table([*loads, "GB/s into a machine"], rows_of_loads(VIT_B16)),
        table(["GPUs", *(f"{name}: images/s" for name in names)], rows_of_speed(VIT_B16)),
        table(["GPUs", "batches of each", *(f"{name}: images/s" for name in names)], rows_of_fixed(VIT_B16, 4096)),
    ]


# what each of two processes does: phase by phase, as the file of a phase appears
RANK = """
import os, sys, time
from pathlib import Path
import torch
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel
from vitcli.net import ViT

rank, folder, steps, dim = int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
torch.set_num_threads(1)
os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "machine0", "MASTER_PORT": "29411"}
torch.distributed.init_process_group("gloo")
torch.manual_seed(0)
net = ViT(classes=10, image_size=32, patch_size=16, dim=dim)
several = DistributedDataParallel(net)
images, labels = torch.randn(2, 3, 32, 32), torch.zeros(2, dtype=torch.long)
print(sum(one.numel() for one in net.parameters()), flush=True)

def step(alone):
    begun = time.perf_counter()
    if alone:
        with several.no_sync():
            cross_entropy(several(images), labels).backward()
    else:
        cross_entropy(several(images), labels).backward()
    took = time.perf_counter() - begun
    net.zero_grad()
    return took

phase = 0
while True:
    while not (folder / f"phase-{phase}").exists():
        time.sleep(0.02)
    if (folder / f"phase-{phase}").read_text() == "end":
        break
    torch.distributed.barrier()
    step(False)
    # in turns, so that what else the machine does falls on both
    pairs = [(step(True), step(False)) for _ in range(steps)]
    (folder / f"took-{phase}-{rank}.part").write_text(repr(pairs))
    (folder / f"took-{phase}-{rank}.part").rename(folder / f"took-{phase}-{rank}")
    phase += 1
"""


class Measured(NamedTuple):
    """Of a phase: medians of both ranks, in seconds, and bytes that rank 0 has put on the cable a step."""

    alone: float
    together: float
    sent: float


def phases(hosts: object, folder: Path, steps: int, dim: int) -> Iterator[object]:
    """Two ranks on two machines; yields a function that runs one phase of theirs."""
    import time

    from tests.train.hosts.machines import Machines

    assert isinstance(hosts, Machines)
    (folder / "rank.py").write_text(RANK)
    command = [sys.executable, folder / "rank.py"]
    told = {"PYTHONPATH": str(Path(__file__).parents[1])}
    told_by = [folder / f"rank{i}.txt" for i in (0, 1)]
    ranks = [hosts.start(i, [*command, i, folder, steps, dim], told, file) for i, file in enumerate(told_by)]
    count = 0

    def run() -> tuple[Measured, int]:
        nonlocal count
        before = hosts.sent(0)
        (folder / f"phase-{count}").write_text("go")
        files = [folder / f"took-{count}-{rank}" for rank in (0, 1)]
        while not all(file.exists() for file in files):
            assert all(rank.poll() is None for rank in ranks), "".join(file.read_text() for file in told_by)
            time.sleep(0.05)
        sent = (hosts.sent(0) - before) / (steps + 1)
        count += 1
        pairs = [pair for file in files for pair in eval(file.read_text())]
        alone, together = (statistics.median(one) for one in zip(*pairs, strict=True))
        parameters = next(int(line) for line in told_by[0].read_text().splitlines() if line.isdecimal())
        return Measured(alone, together, sent), parameters

    try:
        yield run
    finally:
        for rank in ranks:
            rank.kill()


def measure(rates: Sequence[float], delays: Sequence[float], steps: int) -> None:
    """Print predicted and measured times of a step, for each rate and each delay of the cable."""
    import tempfile

    from tests.train.hosts.machines import machines
    from tests.train.hosts.wire import Wire

    head = [
        "cable",
        "compute, ms",
        "gradients, MB",
        "sent, MB a step",
        "predicted, ms",
        "measured, ms",
        "ratio",
    ]
    print(table(head, iter(())), flush=True)
    with tempfile.TemporaryDirectory() as name, machines(Path(name)) as hosts:
        hosts.plug()
        for run in phases(hosts, Path(name), steps, 192):
            for rate in rates:
                hosts.limit(rate)
                _print(f"{rate:g} Mbit/s", *run(), Link("", rate * 1e6 / 8, 0.0))  # type: ignore[operator]
    for delay in delays:
        with tempfile.TemporaryDirectory() as name, machines(Path(name)) as hosts:
            wire = Wire(hosts, delay)
            for run in phases(hosts, Path(name), steps, 32):
                _print(f"{1000 * delay:g} ms one way", *run(), Link("", math.inf, delay))  # type: ignore[operator]
            wire.close()


def _print(cable: str, found: Measured, parameters: int, link: Link) -> None:
    work = Work(images=2, seconds=found.alone, parameters=parameters)
    predicted = step_seconds(work, 2, link, trees=False)
    cells = [cable, f"{1000 * found.alone:.0f}", f"{work.gradient_bytes / 1e6:.1f}", f"{found.sent / 1e6:.1f}"]
    cells += [f"{1000 * predicted:.0f}", f"{1000 * found.together:.0f}", f"{found.together / predicted:.2f}"]
    print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["tables", "measure"], default="tables")
    parser.add_argument("--rates", nargs="*", type=float, default=[50.0, 100.0, 200.0, 400.0], help="Mbit/s")
    parser.add_argument("--delays", nargs="*", type=float, default=[0.005, 0.02], help="seconds, one way")
    parser.add_argument("--steps", type=int, default=6, help="with and without the other rank, for each")
    options = parser.parse_args()
    if options.what == "tables":
        print("\n\n".join(tables()))
    else:
        measure(options.rates, options.delays, options.steps)


if __name__ == "__main__":
    main()
