"""How long does a whole training take, beside what others would start? From the command to the end of the process.

    .venv/bin/python benchmarks/fit.py --root photos                          # photos/{train,val}/<class>/...
    .venv/bin/python benchmarks/fit.py --root photos --timm FOLDER/train.py   # of a checkout of timm
    .venv/bin/python benchmarks/fit.py --root photos --device cuda --workers 8

Two epochs of configs/cats_dogs.yaml: a ViT of 224 px, 32 px patches, dim 128, depth 12 and 8 heads, batches of 64, in
bf16. Contestants are run in turns; each command is a process of its own, and its epochs are timed by the lines that it
prints at their end, so the first one has the start-up in it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from net import keep, spread

from vitcli.net.kernels.dense import has_bfloat16

HERE = Path(__file__).parent
OUT = Path("runs", "bench", "fit")


def commands(root: Path, timm: Path | None, device: str, workers: int) -> dict[str, tuple[list[str], str]]:
    """Each contestant's command, and how its lines at the end of an epoch begin."""
    program = str(Path(sys.executable).with_name("vitcli"))
    ours = [program, "fit", "--config", str(HERE.parent / "configs" / "cats_dogs.yaml"), "--data.root", str(root)]
    ours += ["--trainer.max_epochs", "2", "--trainer.precision", "bf16-mixed", "--run.dir", str(OUT)]
    accelerator = "gpu" if device == "cuda" else "cpu"
    ours += ["--trainer.accelerator", accelerator, "--trainer.devices", "1"]
    plain = [sys.executable, str(HERE / "plain.py"), "--root", str(root), "--accelerator", accelerator]
    several = [*plain, "--workers", str(workers)]
    found = {
        "vitcli": (ours, "epoch "),
        "vitcli, cached in memory": ([*ours, "--data.cache", "ram"], "epoch "),
        "vitcli, Linformer": ([*ours, "--model.net.backend", "Linformer"], "epoch "),
        f"plain Lightning, bf16, {workers} workers": (several, "epoch "),
        "plain Lightning, bf16, 0 workers": ([*plain, "--workers", "0"], "epoch "),
        f"plain Lightning, fp32, {workers} workers": ([*several, "--precision", "32-true"], "epoch "),
    }
    if timm is not None:
        words = (
            f"--model vit_tiny_patch16_224 --num-classes 2 --device {device} -b 64 --opt adamw --lr 1e-3 -j {workers}"
        )
        words += " --warmup-epochs 0 --epochs 2 --cooldown-epochs 0 --sched cosine --val-split val --train-split train"
        words += " --model-kwargs img_size=224 patch_size=32 embed_dim=128 depth=12 num_heads=8"
        line = [sys.executable, str(timm), "--data-dir", str(root), "--output", str(OUT / "timm"), *words.split()]
        found["timm train.py, fp32"] = (line, "Current checkpoints")
        found["timm train.py, bf16"] = ([*line, "--amp", "--amp-dtype", "bfloat16"], "Current checkpoints")
    return found


def run(command: list[str], mark: str) -> tuple[float, list[float]]:
    """Seconds of the whole process, and when, after its start, each epoch was over."""
    begin, ends = time.monotonic(), []
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        tail: list[str] = []
        for line in process.stdout:
            tail = [*tail[-20:], line]
            if line.lstrip().startswith(mark) or f" {mark}" in line:
                ends.append(time.monotonic() - begin)
    if process.returncode or len(ends) < 2:
        raise SystemExit(f"{' '.join(command)}: code {process.returncode}, {len(ends)} epochs\n{''.join(tail)}")
    return time.monotonic() - begin, ends


def main() -> None:
    """Run all in turns and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--timm", type=Path, help="train.py of a checkout of timm")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--workers", type=int, default=2, help="of the others' loaders (2); vitcli chooses its own")
    parser.add_argument("--only", nargs="+", default=[""], metavar="PART")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    known = commands(args.root, args.timm, args.device, args.workers)
    if args.device == "cpu" and not has_bfloat16():
        print("plain bf16 is left out: this processor has no arithmetic for it, and vitcli computes in fp32 itself")
        known = {name: command for name, command in known.items() if "bf16" not in name}
    chosen = {name: command for name, command in known.items() if any(part in name for part in args.only)}
    # not counted: in a fresh checkout the first process compiles the modules that all import, which takes it seconds
    command, mark = known["vitcli"]
    run([*command, "--trainer.limit_train_batches", "1", "--trainer.limit_val_batches", "1"], mark)
    walls: dict[str, list[float]] = {name: [] for name in chosen}
    seconds: dict[str, list[float]] = {name: [] for name in chosen}
    for number in range(args.rounds):
        for name, (command, mark) in chosen.items():
            shutil.rmtree(OUT, ignore_errors=True)
            wall, ends = run(command, mark)
            walls[name].append(wall)
            seconds[name].append(ends[1] - ends[0])
            print(f"round {number + 1}: {name}: {wall:.1f} s, second epoch {seconds[name][-1]:.1f} s", flush=True)
    for name in chosen:
        print(f"{name:34} whole {spread(walls[name], 1):>20} s   second epoch {spread(seconds[name], 1):>20} s")
    for mine in (name for name in chosen if name.startswith("vitcli")):
        for theirs in (name for name in chosen if not name.startswith("vitcli")):
            whole = [a / b for a, b in zip(walls[mine], walls[theirs], strict=True)]
            second = [a / b for a, b in zip(seconds[mine], seconds[theirs], strict=True)]
            print(f"{mine} / {theirs}: whole {spread(whole)}, second epoch {spread(second)}")
    keep(args.json, {"whole": walls, "second": seconds})


if __name__ == "__main__":
    main()
