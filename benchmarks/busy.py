"""Has the GPU something to do at all times of a training, or does it wait for images?

    .venv/bin/python benchmarks/busy.py --root photos                           # photos/{train,val}/<class>/...
    .venv/bin/python benchmarks/busy.py --root photos -- --model.compile true   # words for vitcli fit

A ViT-B/16 in bf16, fed from data.cache ram. The photos are taken again and again until an epoch has so many, so that
it lasts. nvidia-smi says five times a second in which share of the time before it something ran on the GPU. An epoch
is counted from the line that ends the one before it: its validation and its checkpoints are in it; the first one, which
may compile, is left out.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

from fit import run
from net import keep

OUT = Path("runs", "bench", "busy")
BASE = "--model.net.dim 768 --model.net.patch_size 16 --model.net.backend.depth 12 --model.net.backend.heads 12"
SMI = "nvidia-smi --query-gpu=utilization.gpu --format=csv,noheader,nounits --loop-ms=200 --id=0"


def lay_out(root: Path, to: Path, images: int) -> None:
    """root's photos; those of train as often as it takes, each time under another name."""
    shutil.rmtree(to, ignore_errors=True)
    for split, wanted in (("train", images), ("val", 0)):
        photos = sorted(path for path in (root / split).glob("*/*") if path.is_file())
        if not photos:
            raise SystemExit(f"--root {root}: no photos in {root / split}/<class>/")
        for number, photo in enumerate(itertools.islice(itertools.cycle(photos), max(wanted, len(photos)))):
            folder, time_round = to / split / photo.parent.name, number // len(photos)
            folder.mkdir(parents=True, exist_ok=True)
            if time_round:
                (folder / f"{time_round:04d}_{photo.name}").hardlink_to(folder / f"0000_{photo.name}")
            else:
                shutil.copyfile(photo, folder / f"0000_{photo.name}")


def watch(samples: list[tuple[float, int]], smi: subprocess.Popen[str], start: float) -> None:
    """Note what nvidia-smi says, and how many seconds after the start."""
    assert smi.stdout is not None
    for line in smi.stdout:
        samples.append((time.monotonic() - start, int(line)))


def main() -> None:
    """Train, watch, and say how busy each epoch was."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--images", type=int, default=60_000, help="an epoch (60,000)")
    parser.add_argument("--epochs", type=int, default=4, help="the first of which is left out (4)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where all samples are kept")
    parser.add_argument("words", nargs="*", help="more words for vitcli fit, behind --")
    args = parser.parse_args()
    data = OUT / "photos"
    lay_out(args.root, data, args.images)
    program = str(Path(sys.executable).with_name("vitcli"))
    command = [program, "fit", "--data.root", str(data), "--data.cache", "ram", "--data.cache_size", "256"]
    command += ["--data.batch_size", "128", "--trainer.precision", "bf16-mixed", "--trainer.devices", "1"]
    command += [*BASE.split(), "--trainer.max_epochs", str(args.epochs), "--run.dir", str(OUT / "runs"), *args.words]
    samples: list[tuple[float, int]] = []
    with subprocess.Popen(SMI.split(), stdout=subprocess.PIPE, text=True) as smi:
        start = time.monotonic()
        threading.Thread(target=watch, args=(samples, smi, start), daemon=True).start()
        try:
            _, ends = run(command, "epoch ")
        finally:
            smi.terminate()
    for number, (begin, end) in enumerate(itertools.pairwise(ends), 2):
        busy = [share for moment, share in samples if begin < moment <= end]
        still = (end - begin) * sum(share == 0 for share in busy) / len(busy)
        print(
            f"epoch {number}: {args.images / (end - begin):,.0f} images/s in {end - begin:.1f} s; the GPU was busy "
            f"{statistics.mean(busy):.0f} % of the time, median sample {statistics.median(busy):.0f} %, "
            f"and stood still for {still:.1f} s"
        )
    keep(args.json, {"ends": ends, "samples": samples})


if __name__ == "__main__":
    main()
