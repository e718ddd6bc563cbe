"""How long does it take to predict a folder of photos, from the command to the end of the process, beside others?

    .venv/bin/python benchmarks/predict.py                              # 2,000 drawn photos of 640 x 480
    .venv/bin/python benchmarks/predict.py --images 20000 --rounds 3
    .venv/bin/python benchmarks/predict.py --images 1                   # how long until the first row?
    .venv/bin/python benchmarks/predict.py --root photos --peers PEERS/bin/python --timm FOLDER/inference.py

``--peers`` is a Python that has timm, pandas, transformers and ultralytics, not all of which vitcli installs, and
``--timm`` the script of a checkout of timm. The net is a ViT of 224 px, 32 px patches, dim 128, depth 12 and 8 heads,
of two classes, in float32; Ultralytics has no ViT, and takes its smallest classifier. Contestants are run in turns,
each a process of its own, and each once before that counts. A round in which other processes burnt too much is given
up and run again. Memory is the largest sum over a contestant's processes, of what they share each its part (PSS),
looked at four times a second.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from interleave import Clock
from net import keep, spread

HERE = Path(__file__).parent
OUT = Path("runs", "bench", "predict")
# so many different photos are drawn; the others are links to them
DRAWN = 500
LOOK_SECONDS = 0.25
CLASSES = ("cat", "dog")
TIMM = "img_size=224 patch_size=32 embed_dim=128 depth=12 num_heads=8"


class Turn(NamedTuple):
    """What a contestant took: seconds, bytes at its peak, and cores that others burnt meanwhile."""

    seconds: float
    peak_bytes: int
    others: float


def draw(folder: Path, count: int, width: int = 640) -> None:
    """Photos with soft shapes and some noise, as JPEG of quality 90, in two folders, as timm wants them."""
    from PIL import Image

    height = width * 3 // 4

    for number in range(count):
        file = folder / CLASSES[number % 2] / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        if number >= DRAWN:
            file.hardlink_to(folder / CLASSES[number % 2] / f"{number % DRAWN}.jpg")
            continue
        rng = np.random.default_rng(number)
        soft = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize((width, height), 3)
        pixels = np.asarray(soft, dtype=np.int16) + rng.integers(-6, 7, (height, width, 1), dtype=np.int16)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, quality=90)


def link(root: Path, folder: Path, count: int) -> None:
    """The first photos below a folder, in two folders of links."""
    found = sorted(path for path in root.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    if len(found) < count:
        raise SystemExit(f"{root} holds {len(found)} photos; ask for fewer with --images")
    for number, path in enumerate(found[:count]):
        file = folder / CLASSES[number % 2] / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            file.hardlink_to(path)
        except OSError:
            shutil.copyfile(path, file)


def weights(file: Path) -> None:
    """A file of vitcli's with the net in it."""
    from vitcli.net import ViT
    from vitcli.weights import save_tensors

    net = ViT(image_size=224, patch_size=32, dim=128, classes=len(CLASSES), pool="mean")
    save_tensors(net, file, classes=list(CLASSES), preprocess={})


def timm_weights(file: Path) -> None:
    """The net as a checkpoint of timm's, whose script takes published weights otherwise."""
    import timm
    import torch

    net = timm.create_model("vit_tiny_patch16_224", num_classes=len(CLASSES), **dict(map(_pair, TIMM.split())))
    torch.save(net.state_dict(), file)


def _pair(word: str) -> tuple[str, int]:
    name, _, value = word.partition("=")
    return name, int(value)


def commands(args: argparse.Namespace, root: Path, net: Path) -> dict[str, list[str]]:
    """Each contestant's command."""
    one = root if args.images > 1 else next(root.rglob("*.jpg"))
    program = str(Path(sys.executable).with_name("vitcli"))
    accelerator = "gpu" if args.device == "cuda" else "cpu"
    ours = [program, "predict", "--weights", str(net), "--data.root", str(one), "--run.dir", str(OUT / "ours")]
    ours += ["--trainer.accelerator", accelerator, "--trainer.devices", "1"]
    peer = [str(HERE / "predict_peers.py"), "--root", str(one), "--device", args.device]
    workers = (0, args.workers) if args.images > 1 else (0,)
    found = {"vitcli": ours}
    if args.python:
        script = "import sys, vitcli; print(vitcli.Predictor(sys.argv[1]).predict(sys.argv[2])[0])"
        found["vitcli.Predictor"] = [sys.executable, "-c", script, str(net), str(one)]
    for count in workers:
        tail = ["--workers", str(count), "--out", str(OUT / "table.csv")]
        found[f"plain Lightning, {count} workers"] = [sys.executable, *peer, "lightning", *tail]
        if args.peers is not None:
            found[f"transformers pipeline, {count} workers"] = [str(args.peers), *peer, "transformers", *tail]
        if args.timm is not None:
            words = f"--model vit_tiny_patch16_224 --num-classes 2 --device {args.device} -b 64 -j {count}"
            words += f" --checkpoint {net.with_name('timm.pth')} --model-kwargs {TIMM}"
            python = str(args.peers or sys.executable)
            line = [python, str(args.timm), "--data-dir", str(root), "--results-dir", str(OUT / "timm")]
            found[f"timm inference.py, {count} workers"] = [*line, *words.split()]
    if args.peers is not None:
        found["ultralytics classify"] = [str(args.peers), *peer, "ultralytics", "--out", str(OUT / "table.csv")]
    return found


def run(command: list[str]) -> Turn:
    """One process from its start to its end."""
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    before, clock, own = os.times(), Clock(), time.process_time()
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, env=environment)
        over, peak = threading.Event(), [0]
        watcher = threading.Thread(target=watch, args=(process.pid, over, peak))
        watcher.start()
        code = process.wait()
        passed, burnt = clock.burnt()
        over.set()
        watcher.join()
        if code:
            said.seek(0)
            raise SystemExit(f"{' '.join(command)}: code {code}\n{said.read()[-2000:]}")
    after = os.times()
    children = sum(after[2:4]) - sum(before[2:4])
    return Turn(passed, peak[0], (burnt - children - (time.process_time() - own)) / passed)


def watch(pid: int, over: threading.Event, peak: list[int]) -> None:
    """Note the largest sum of memory of a process and those below it, until it is over."""
    while not over.wait(LOOK_SECONDS):
        peak[0] = max(peak[0], sum(map(_shared_out, _family(pid))))


def _family(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for one in found:
        try:
            for children in Path(f"/proc/{one}/task").glob("*/children"):
                found += map(int, children.read_text().split())
        except OSError:
            continue  # it has just ended
    return found


def _shared_out(pid: int) -> int:
    """Bytes of a process, of those shared its part."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def measure(args: argparse.Namespace, chosen: dict[str, list[str]]) -> None:
    """Run all in turns, and print the ratios of each round."""
    for name, command in {} if args.no_warm_up else chosen.items():
        print(f"once before it counts: {name}: {run(command).seconds:.1f} s", flush=True)
    turns: dict[str, list[Turn]] = {name: [] for name in chosen}
    dropped = 0
    while len(turns["vitcli"]) < args.rounds and dropped <= args.patience:
        found = {}
        for name, command in chosen.items():
            found[name] = turn = run(command)
            print(f"{name}: {turn.seconds:.1f} s, others {turn.others:.2f} cores", flush=True)
            if turn.others > args.limit:
                break
        if any(turn.others > args.limit for turn in found.values()):
            dropped += 1
            print("others were busy: the round is given up", flush=True)
            continue
        for name, turn in found.items():
            turns[name].append(turn)
    if not turns["vitcli"]:
        raise SystemExit(f"no round in which others burnt at most --limit {args.limit:g} cores; {dropped} given up")
    print(f"{args.images} photos, {len(turns['vitcli'])} rounds, {dropped} given up")
    for name, own in turns.items():
        seconds = [turn.seconds for turn in own]
        rate = f"{args.images / sorted(seconds)[len(seconds) // 2]:7.0f} photos/s" if args.images > 1 else ""
        peak = spread([turn.peak_bytes / 2**20 for turn in own], 0)
        print(f"{name:34} {spread(seconds, 2):>22} s {rate}   peak {peak} MiB")
    for name in list(chosen)[1:]:
        ratios = [theirs.seconds / mine.seconds for mine, theirs in zip(turns["vitcli"], turns[name], strict=True)]
        print(f"vitcli is {spread(ratios)} times as fast as {name}")
    keep(args.json, {"images": args.images, "turns": {name: [*map(Turn._asdict, own)] for name, own in turns.items()}})


def main() -> None:
    """Lay out the photos and run the contestants."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="a folder of JPEGs; without it some are drawn")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--timm", type=Path, help="inference.py of a checkout of timm")
    parser.add_argument("--peers", type=Path, metavar="PYTHON", help="that has transformers and ultralytics")
    parser.add_argument("--python", action="store_true", help="vitcli.Predictor too")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--workers", type=int, default=2, help="of the others' loaders, who also run without")
    parser.add_argument("--limit", type=float, default=0.2, help="cores that others may burn (0.2)")
    parser.add_argument("--patience", type=int, default=10, help="rounds that may be given up (10)")
    parser.add_argument("--no-warm-up", action="store_true", help="where all have just run")
    parser.add_argument("--only", nargs="+", default=[""], metavar="PART")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder, net = Path(made, "photos"), Path(made, "net.safetensors")
        link(args.root, folder, args.images) if args.root else draw(folder, args.images)
        weights(net)
        if args.timm is not None:
            timm_weights(net.with_name("timm.pth"))
        known = commands(args, folder, net)
        wanted = {name: command for name, command in known.items() if any(part in name for part in args.only)}
        measure(args, {"vitcli": known["vitcli"], **wanted})


if __name__ == "__main__":
    main()
