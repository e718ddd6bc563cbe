"""What does a net reach from scratch on few photos, in the time that the notebook's recipe takes on the same machine?

    .venv/bin/python benchmarks/scratch.py --photos FOLDER            # FOLDER/{cat,dog}; three seeds, both backends
    .venv/bin/python benchmarks/scratch.py --photos FOLDER --curves --plot scratch.svg --timm FOLDER/train.py
    .venv/bin/python benchmarks/scratch.py --photos FOLDER --quick    # to see that it runs; no evidence

Of the photos, 600 of each class are held out for the end, by a seeded rule that depends on their names alone; all
contestants train on the others and are scored on these.

- vitcli: ``vitcli fit --config cats_dogs`` as a user starts it, from the command to the end of the process; of its
  photos it holds out a tenth itself, to choose best.ckpt. Then ``vitcli test``, which is not counted.
- notebook: the recipe of vit-pytorch's cats_and_dogs.ipynb: its ViT with linformer's Linformer, Adam 3e-5, batches of
  64, RandomResizedCrop and flip by torchvision with two workers, here in bf16. One epoch of it is run before each of
  ours, and the median taken 20 times, without its imports and without any scoring.
- timm: train.py of a checkout, with DeiT's recipe and as many epochs as the notebook's time allows.

With --curves the notebook's recipe is trained to its end, all of them are scored after every epoch, and the accuracy
that each had after so many minutes is printed, and drawn.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from interleave import CORES
from net import keep, spread

HERE = Path(__file__).resolve().parent
OUT = Path("runs", "bench", "scratch")
CLASSES, HELD_OUT, EPOCHS = ("cat", "dog"), 600, 20
BACKENDS = ("VanillaTransformer", "Linformer")
NOTEBOOK, TIMM = "notebook's recipe", "timm, DeiT's recipe"
# of the points of a curve that are printed
SHARES = (0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
# of timm's line at the end of an epoch
MARK = "Current checkpoints"
# minutes from the start, and the accuracy on the hold-out
Curve = list[tuple[float, float]]


class Reached(NamedTuple):
    """A training of ours: minutes of the whole process, accuracy on the hold-out, and how it got there."""

    backend: str
    seed: int
    minutes: float
    accuracy: float
    curve: Curve


def divide(photos: Path, root: Path, most: int | None) -> None:
    """Lay links to the photos into train and test, class by class.

    Args:
        photos: Folder with a folder for each class.
        root: Folder to make.
        most: Of each class, how many are used at all; None: all.
    """
    for name in CLASSES:
        files = sorted(path for path in (photos / name).iterdir() if path.is_file())[:most]
        count = min(HELD_OUT, len(files) // 4)
        held = set(random.Random(f"hold-out {name}").sample([path.name for path in files], count))
        for path in files:
            link = root / ("test" if path.name in held else "train") / name / path.name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path.resolve())


def run(command: Sequence[str], log: Path, mark: str = "") -> list[float]:
    """Seconds until a process printed each line with a mark, and until its end; its output goes into a file."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    begun, seconds = time.monotonic(), []
    with (
        log.open("w", encoding="utf-8") as written,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            written.write(line)
            if mark and mark in line:
                seconds.append(time.monotonic() - begun)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: code {process.returncode}\n{log.read_text()[-2000:]}")
    return [*seconds, time.monotonic() - begun]


def ours(backend: str, seed: int, root: Path, words: list[str], curves: bool) -> Reached:
    """Train as a user does, then score on the hold-out; with curves, what lay there after each epoch as well."""
    program = [str(Path(sys.executable).with_name("vitcli"))]
    name = f"{backend}-{seed}"
    links = ["--data.root", str(root), "--data.follow_links", "true"]
    fit = [*program, "fit", "--config", str(HERE.parent / "configs" / "cats_dogs.yaml"), *links, *words]
    fit += ["--model.net.backend", backend, "--seed_everything", str(seed), "--run.dir", str(OUT), "--run.name", name]
    fit += ["--checkpoint.save_top_k", "-1", "--checkpoint.filename", "{epoch}"] if curves else []
    begun = time.time()
    minutes = run(fit, OUT / f"{name}.log")[-1] / 60
    folder = OUT / name / "checkpoints"
    curve = [
        ((path.stat().st_mtime - begun) / 60, score(program, path, links))
        for path in sorted(folder.glob("epoch*.ckpt"), key=lambda path: path.stat().st_mtime)
    ]
    # of several of them, last.ckpt: which is the best one was not asked of the hold-out
    return Reached(backend, seed, minutes, score(program, folder / "last.ckpt" if curves else OUT / name, links), curve)


def score(program: list[str], checkpoint: Path, links: list[str]) -> float:
    """The accuracy of a checkpoint on the hold-out."""
    run([*program, "test", str(checkpoint), *links], OUT / "test.log")
    folder = checkpoint if checkpoint.is_dir() else checkpoint.parents[1]
    return float(json.loads((folder / "metrics.test.json").read_text())["test/accuracy"])


def notebook(root: Path, python: str, epochs: int, is_scored: bool) -> list[tuple[float, float | None]]:
    """Seconds of each epoch of the notebook's recipe, and the accuracy after it, if it is scored."""
    log = OUT / "notebook.log"
    command = [python, __file__, "--photos", str(root), "--notebook-epochs", str(epochs)]
    run([*command, "--curves"] if is_scored else command, log)
    lines = [line.split() for line in log.read_text().splitlines() if line.startswith("epoch ")]
    return [(float(seconds), None if right == "-" else float(right)) for _, seconds, right in lines]


def train_notebook(root: Path, epochs: int, is_scored: bool) -> None:
    """In a process of its own: the notebook's recipe; a line for each epoch."""
    import torch
    from linformer import Linformer
    from torch.utils.data import DataLoader
    from torchvision import transforms
    from torchvision.datasets import ImageFolder
    from vit_pytorch.efficient import ViT

    torch.manual_seed(42)
    changed = transforms.Compose(
        [transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
    )
    whole = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor()])
    train, test = ImageFolder(str(root / "train"), changed), ImageFolder(str(root / "test"), whole)
    batches = DataLoader(train, 64, shuffle=True, num_workers=2)
    transformer = Linformer(dim=128, seq_len=50, depth=12, heads=8, k=64)
    net = ViT(dim=128, image_size=224, patch_size=32, num_classes=2, transformer=transformer, channels=3)
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-5)
    for _ in range(epochs):
        begun = time.monotonic()
        for images, labels in batches:
            with torch.autocast("cpu", torch.bfloat16):
                logits = net(images)
            loss = torch.nn.functional.cross_entropy(logits.float(), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        seconds, right = time.monotonic() - begun, "-"
        if is_scored:
            net.eval()
            with torch.no_grad():
                hits = [(net(images).argmax(dim=1) == labels).sum() for images, labels in DataLoader(test, 64)]
            right = f"{float(sum(hits)) / len(test):.4f}"
            net.train()
        print("epoch", f"{seconds:.2f}", right, flush=True)


def timm(script: Path, python: str, root: Path, minutes: float) -> Curve:
    """The curve of timm's train.py with DeiT's recipe (Touvron et al. 2021, table 9), in as many minutes."""
    words = "--model vit_tiny_patch16_224 --gp avg --num-classes 2 --device cpu -b 64 -j 2 --amp --amp-dtype bfloat16"
    words += " --model-kwargs img_size=224 patch_size=32 embed_dim=128 depth=12 num_heads=8"
    words += (
        " --opt adamw --lr 5e-4 --weight-decay 0.05 --sched cosine --warmup-lr 1e-6 --min-lr 1e-5 --cooldown-epochs 0"
    )
    words += " --aa rand-m9-mstd0.5-inc1 --mixup 0.8 --cutmix 1.0 --reprob 0.25 --smoothing 0.1 --drop-path 0.1"
    words += " --train-split train --val-split test --seed 0"
    command = [python, str(script), "--data-dir", str(root), "--output", str(OUT / "timm"), *words.split()]
    shutil.rmtree(OUT / "timm", ignore_errors=True)
    # how long is an epoch? the second of two
    trial = run([*command, "--epochs", "2", "--warmup-epochs", "0", "--experiment", "trial"], OUT / "timm.log", MARK)
    epochs = max(2, round(60 * minutes / (trial[1] - trial[0])))
    warmup = ["--warmup-epochs", str(max(1, epochs // 20))]
    whole = run([*command, "--epochs", str(epochs), *warmup, "--experiment", "whole"], OUT / "timm.log", MARK)
    with (OUT / "timm" / "whole" / "summary.csv").open(encoding="utf-8") as read:
        right = [float(row["eval_top1"]) / 100 for row in csv.DictReader(read)]
    return [(one / 60, accuracy) for one, accuracy in zip(whole[:-1], right, strict=True)]


def at(curve: Curve, minutes: float) -> str:
    """The accuracy that was there after so many minutes."""
    place = bisect_right([when for when, _ in curve], minutes)
    return f".{round(1e4 * curve[place - 1][1]):04d}" if place else "-"


def tell(curves: dict[str, Curve], minutes: float) -> None:
    """Print what each had reached after shares of the notebook's time."""
    stops = [share * minutes for share in SHARES]
    print("accuracy on the hold-out after minutes: " + "  ".join(f"{stop:5.1f}" for stop in stops))
    for name, curve in curves.items():
        print(f"  {name:36} " + "  ".join(f"{at(curve, stop):>5}" for stop in stops))


def draw(file: Path, curves: dict[str, Curve], minutes: float) -> None:
    """Draw the curves as SVG, PNG or what the file's name says."""
    from matplotlib.figure import Figure

    axes = (figure := Figure((7, 4), layout="constrained")).add_subplot()
    for name, curve in curves.items():
        axes.plot(*zip(*curve, strict=True), label=name, linewidth=1.4)
    axes.axvline(minutes, color="0.6", linewidth=0.8, linestyle=":")
    axes.set(xlabel="minutes", ylabel="accuracy on the hold-out", xlim=(0, None))
    axes.legend(frameon=False)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)


def main() -> None:
    """Run all in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--photos", type=Path, required=True, help="folder with cat/ and dog/")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of our trainings (0 1 2)")
    add("--backends", nargs="+", choices=BACKENDS, default=list(BACKENDS))
    add("--curves", action="store_true", help="score after every epoch, and train the notebook's recipe to its end")
    add("--timm", type=Path, help="train.py of a checkout of timm, for its curve")
    add("--peers", default=sys.executable, metavar="PYTHON", help="that has vit-pytorch, linformer and timm (this one)")
    add("--quick", action="store_true", help="120 photos of each class, two epochs; no evidence")
    add("--fit", nargs=argparse.REMAINDER, default=[], help="the rest are words for vitcli fit")
    add("--plot", type=Path, metavar="FILE", help="draw the curves here, e.g. an .svg")
    add("--json", type=Path, metavar="FILE", help="write all figures here")
    add("--notebook-epochs", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.notebook_epochs:
        train_notebook(args.photos, args.notebook_epochs, args.curves)
        return
    shutil.rmtree(OUT, ignore_errors=True)
    root = OUT / "photos"
    divide(args.photos, root, 120 if args.quick else None)
    epochs = 2 if args.quick else EPOCHS
    words = [*(["--trainer.max_epochs", "2"] if args.quick else []), *args.fit]
    seconds: list[float] = []
    reached: list[Reached] = []
    for seed in args.seeds[:1] if args.quick else args.seeds:
        for backend in args.backends:
            seconds += [one for one, _ in notebook(root, args.peers, 1, is_scored=False)]
            reached.append(found := ours(backend, seed, root, words, args.curves))
            print(
                f"{backend}, seed {seed}: {found.accuracy:.4f} in {found.minutes:.1f} minutes; "
                f"an epoch of the notebook's recipe {seconds[-1]:.1f} s",
                flush=True,
            )
    minutes = epochs * statistics.median(seconds) / 60
    print(
        f"{CORES} cores; {epochs} epochs of the notebook's recipe: {minutes:.1f} minutes, epochs {spread(seconds, 1)} s"
    )
    for backend in args.backends:
        each = [one for one in reached if one.backend == backend]
        right, share = [one.accuracy for one in each], [one.minutes / minutes for one in each]
        mean = statistics.mean(right)
        print(f"{backend}: mean {mean:.4f} of {len(each)}, {spread(right, 4)}; {spread(share)} of its time")
    curves = {f"vitcli, {one.backend}, seed {one.seed}": one.curve for one in reached if one.curve}
    if args.curves:
        whole, passed = notebook(root, args.peers, epochs, is_scored=True), 0.0
        curves[NOTEBOOK] = []
        for one, right in whole:
            passed += one / 60
            curves[NOTEBOOK].append((passed, right or 0.0))
    if args.timm is not None:
        curves[TIMM] = timm(args.timm, args.peers, root, minutes)
    if curves:
        tell(curves, minutes)
    if curves and args.plot is not None:
        draw(args.plot, curves, minutes)
    keep(args.json, {"notebook_seconds": seconds, "reached": [one._asdict() for one in reached], "curves": curves})


if __name__ == "__main__":
    main()
