"""How much does each way to a classifier reach on so many photos, and what does it cost?

    .venv/bin/python benchmarks/choosing.py --photos FOLDER --weights FILE     # FOLDER/{cat,dog}
    .venv/bin/python benchmarks/choosing.py --photos FOLDER --weights FILE --plot docs/pictures/choosing.svg

The photos that ``benchmarks/scratch.py`` holds out are held out here too. Of the others, sets of 100, 500, 2,000 and
all are taken, each inside the next. ``vitcli fit`` is started on each as a user starts it, and holds out a part of it
itself, to choose best.ckpt; then ``vitcli test`` scores on the hold-out, which is not counted. The cost is the CPU time
of the process and its children, in minutes of a core: it is nearly the same beside other programs. Two cores take
somewhat more than half of it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from net import keep
from scratch import CLASSES, HERE, divide

OUT = Path("runs", "bench", "choosing")
SIZES = (100, 500, 2000)
# epochs by way and least number of photos; between two numbers the lower one's count
EPOCHS: dict[str, dict[int, int]] = {
    "probe": {0: 0},
    "finetune": {0: 30, 400: 15, 1500: 5, 6000: 3},
    "scratch": {0: 100, 400: 60, 1500: 40, 6000: 20},
}


class Reached(NamedTuple):
    """A training: what it reached on the hold-out, and what it cost."""

    way: str
    photos: int
    seed: int
    accuracy: float
    # of a core
    minutes: float
    wall_minutes: float


def part(root: Path, count: int) -> Path:
    """A folder with links to so many photos of train, the first of a seeded order, and to all of test."""
    folder = root.parent / f"photos-{count}"
    for name in CLASSES:
        files = sorted((root / "train" / name).iterdir())
        random.Random(f"order {name}").shuffle(files)
        for path in files[: count // len(CLASSES)]:
            link = folder / "train" / name / path.name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path.resolve())
    (folder / "test").symlink_to((root / "test").resolve())
    return folder


def fit(way: str, root: Path, count: int, seed: int, words: Sequence[str]) -> Reached:
    """One training, and its score on the hold-out."""
    program, name = str(Path(sys.executable).with_name("vitcli")), f"{way}-{count}-{seed}"
    config = HERE.parent / "configs" / f"{'cats_dogs' if way == 'scratch' else way}.yaml"
    links = ["--data.root", str(root), "--data.follow_links", "true"]
    epochs = next(epochs for least, epochs in sorted(EPOCHS[way].items(), reverse=True) if count >= least)
    command = [program, "fit", "--config", str(config), *links, "--trainer.max_epochs", str(epochs), *words]
    command += ["--seed_everything", str(seed), "--run.dir", str(OUT), "--run.name", name, "--report.write", "false"]
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    call(command)
    wall, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    call([program, "test", str(OUT / name), *links])
    scores = json.loads((OUT / name / "metrics.test.json").read_text())
    return Reached(way, count, seed, float(scores["test/accuracy"]), busy / 60, wall / 60)


def call(command: Sequence[str]) -> None:
    """Run a command; what it says is shown only if it fails."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: code {done.returncode}\n{done.stderr[-2000:]}")


def draw(file: Path, reached: Sequence[Reached]) -> None:
    """Draw accuracy against minutes of a core, a line a way, a point a number of photos."""
    from matplotlib.figure import Figure

    axes = (figure := Figure((7, 4), layout="constrained")).add_subplot()
    for way in dict.fromkeys(one.way for one in reached):
        means = [mean(reached, way, count) for count in sorted({one.photos for one in reached if one.way == way})]
        axes.plot([one.minutes for one in means], [one.accuracy for one in means], label=way, linewidth=1.4, marker="o")
        for one in means:
            axes.annotate(f"{one.photos:,}", (one.minutes, one.accuracy), textcoords="offset points", xytext=(4, -10))
    axes.set(xlabel="minutes of a core", ylabel="accuracy on the hold-out", xscale="log")
    axes.legend(frameon=False, title="by number of photos")
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)


def mean(reached: Sequence[Reached], way: str, count: int) -> Reached:
    """The mean of all seeds of a way and a number of photos."""
    each = [one for one in reached if (one.way, one.photos) == (way, count)]
    costs = [(one.accuracy, one.minutes, one.wall_minutes) for one in each]
    accuracy, minutes, wall = map(statistics.mean, zip(*costs, strict=True))
    return Reached(way, count, len(each), accuracy, minutes, wall)


def main() -> None:
    """Run all, the small sets first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--photos", type=Path, required=True, help="folder with cat/ and dog/")
    add("--weights", required=True, help="for probe and finetune, as vitcli fit --weights takes them")
    add("--ways", nargs="+", choices=list(EPOCHS), default=list(EPOCHS))
    add("--sizes", type=int, nargs="+", default=list(SIZES), help="numbers of photos; all of them come last")
    add("--not-all", action="store_true", help="leave out the set of all photos")
    add("--seeds", type=int, nargs="+", default=[0])
    add("--plot", type=Path, metavar="FILE", help="draw the curves here, e.g. an .svg")
    add("--json", type=Path, metavar="FILE", help="write all figures here")
    add("--fit", nargs=argparse.REMAINDER, default=[], help="the rest are words for vitcli fit")
    args = parser.parse_args()
    shutil.rmtree(OUT, ignore_errors=True)
    root = OUT / "photos"
    divide(args.photos, root, None)
    every = sum(1 for _ in (root / "train").rglob("*.*"))
    reached: list[Reached] = []
    for count in [*args.sizes, *([] if args.not_all else [every])]:
        folder = part(root, count)
        for way in args.ways:
            words = [] if way == "scratch" else ["--weights", args.weights]
            for seed in args.seeds:
                reached.append(one := fit(way, folder, count, seed, [*words, *args.fit]))
                print(
                    f"{way:9} {count:6,} photos, seed {seed}: {one.accuracy:.4f} in {one.minutes:5.1f} minutes of a "
                    f"core ({one.wall_minutes:.1f} by the clock)",
                    flush=True,
                )
                keep(args.json, {"reached": [each._asdict() for each in reached]})
    if args.plot is not None:
        draw(args.plot, reached)


if __name__ == "__main__":
    main()
