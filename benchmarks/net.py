"""How fast is the net, and how much memory does it take, beside its peers?

    make install
    .venv/bin/python benchmarks/net.py                                  # all cells; on two cores about an hour
    .venv/bin/python benchmarks/net.py --quick --cells 224-128-train-bf16   # fewer rounds of two cells
    .venv/bin/python benchmarks/net.py --json net.json                  # and every round's figures

A cell is an image size, a width, a task, a number format and a batch, e.g. ``224-128-train-bf16-b64``: ViTs of depth 12
at 224 pixels / patch 32 / dim 128 / 8 heads / k 64, at 2048 / 32 / 512 / 8 / 256, and on a GPU ViT-B/16. ``forward`` is
inference without gradients, ``train`` forward, cross-entropy and backward, without an optimiser. bf16 is autocast, for
all alike. Its contestants are alive at once and take turns (see interleave.py). Memory is the peak of a step over what
is held between steps: gradients and activations, not weights; resident on a CPU, allocated on a GPU. The machine should
have nothing else to do: rounds in which others burnt more than --limit cores are dropped. On a GPU each contestant also
runs compiled, and compiled into CUDA graphs; they compile side by side, before the first turn.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import warnings
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from interleave import CORES, TURN_SECONDS, Job, Outcome, available_bytes, interleave

DEPTH, CLASSES = 12, 2
COMPILED, GRAPHED, CHECKPOINTED = ", compiled", ", in CUDA graphs", ", checkpointed"


class Cell(NamedTuple):
    """One size, task, number format and batch."""

    image_size: int
    patch_size: int
    dim: int
    heads: int
    k: int
    task: str
    precision: str
    batch: int

    @property
    def name(self) -> str:
        return f"{self.image_size}-{self.dim}-{self.task}-{self.precision}-b{self.batch}"

    @property
    def tokens(self) -> int:
        return (self.image_size // self.patch_size) ** 2 + 1


SMALL, BASE, LARGE = (224, 32, 128, 8, 64), (224, 16, 768, 12, 64), (2048, 32, 512, 8, 256)
SIZES = {
    "cpu": ((*SMALL, 64), (*SMALL, 1), (*LARGE, 1)),
    "cuda": ((*SMALL, 64), (*SMALL, 512), (*BASE, 128), (*LARGE, 8)),
}
CELLS = {
    device: [
        Cell(*size, task, precision, batch)
        for *size, batch in sizes
        for task in ("forward", "train")
        for precision in ("fp32", "bf16")
    ]
    for device, sizes in SIZES.items()
}


def ours(cell: Cell, backend: str, checkpointing: bool = False):
    from vitcli import net

    own = {"k": cell.k} if backend == "Linformer" else {}
    make = partial(getattr(net, backend), depth=DEPTH, heads=cell.heads, activation_checkpointing=checkpointing, **own)
    return net.ViT(cell.image_size, cell.patch_size, dim=cell.dim, classes=CLASSES, backend=make)


def timm(cell: Cell):
    from timm.models.vision_transformer import VisionTransformer

    sizes = {"embed_dim": cell.dim, "depth": DEPTH, "num_heads": cell.heads, "num_classes": CLASSES}
    return VisionTransformer(cell.image_size, cell.patch_size, **sizes)


def torchvision(cell: Cell):
    from torchvision.models import VisionTransformer

    sizes = {"hidden_dim": cell.dim, "mlp_dim": 4 * cell.dim, "num_classes": CLASSES}
    return VisionTransformer(cell.image_size, cell.patch_size, DEPTH, cell.heads, **sizes)


def vit_pytorch(cell: Cell, kind: str):
    import vit_pytorch

    sizes = {"image_size": cell.image_size, "patch_size": cell.patch_size, "dim": cell.dim, "num_classes": CLASSES}
    if kind == "linformer":
        from linformer import Linformer
        from vit_pytorch.efficient import ViT

        return ViT(**sizes, transformer=Linformer(cell.dim, cell.tokens, DEPTH, k=cell.k, heads=cell.heads))
    head = {"dim_head": cell.dim // cell.heads} if kind == "divided" else {}
    return vit_pytorch.ViT(**sizes, depth=DEPTH, heads=cell.heads, mlp_dim=4 * cell.dim, **head)


class Contestant(NamedTuple):
    """A net: how it is made, the packages it needs (none: ours), its kind of attention, the cells it takes part in."""

    make: Callable[[Cell], Any]
    packages: tuple[str, ...] = ()
    kind: str = "full"
    plain: bool = False  # keeps every attention weight for the backward pass
    cells: tuple[str, ...] = ("",)  # how their names begin


VANILLA, LINFORMER = partial(ours, backend="VanillaTransformer"), partial(ours, backend="Linformer")
PEER = ("vit_pytorch",)
CONTESTANTS = {
    "vitcli Vanilla": Contestant(VANILLA),
    "vitcli Vanilla" + CHECKPOINTED: Contestant(partial(VANILLA, checkpointing=True), cells=("2048-512-train",)),
    "timm": Contestant(timm, ("timm",)),
    "torchvision": Contestant(torchvision, ("torchvision",)),
    "vit_pytorch, dim / heads": Contestant(partial(vit_pytorch, kind="divided"), PEER, plain=True),
    # heads of 64 features, which in the larger nets is dim / heads
    "vit_pytorch, default": Contestant(partial(vit_pytorch, kind="default"), PEER, plain=True, cells=("224-128",)),
    "vitcli Linformer": Contestant(LINFORMER, kind="linformer"),
    "vitcli Linformer" + CHECKPOINTED: Contestant(
        partial(LINFORMER, checkpointing=True), kind="linformer", cells=("2048-512-train",)
    ),
    "vit_pytorch + linformer": Contestant(partial(vit_pytorch, kind="linformer"), (*PEER, "linformer"), "linformer"),
}


def known(name: str) -> Contestant:
    return CONTESTANTS[name.removesuffix(way_of(name))]


def way_of(name: str) -> str:
    """How a contestant is compiled, if it is."""
    return next((way for way in (COMPILED, GRAPHED) if name.endswith(way)), "")


def prepare(name: str, cell: Cell, device: str, threads: int) -> Job:
    """In the worker: the net, its images, and a step."""
    import torch

    warnings.simplefilter("ignore")  # Linformer says that k = 64 does not pay for 50 tokens
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    net = known(name).make(cell).to(device).train(cell.task == "train")
    way = way_of(name)
    if way:
        net.compile(mode="reduce-overhead" if way == GRAPHED else None)
    images = torch.randn(cell.batch, 3, cell.image_size, cell.image_size, device=device)
    labels = torch.randint(CLASSES, (cell.batch,), device=device)
    autocast = torch.autocast(device, torch.bfloat16, enabled=cell.precision == "bf16")

    def step() -> None:
        with torch.inference_mode(cell.task == "forward"), autocast:
            logits = net(images)
            loss = torch.nn.functional.cross_entropy(logits, labels) if net.training else None
        if loss is not None:
            loss.backward()
            net.zero_grad(set_to_none=True)

    if way:
        # here, while the others are made; the second step is recorded
        for _ in range(3):
            step()
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    return Job(step, wait, device)


def missing(name: str, cell: Cell, free_bytes: float) -> str | None:
    """Why a contestant cannot take part, if it cannot."""
    if absent := [package for package in known(name).packages if find_spec(package) is None]:
        return f"{', '.join(absent)} is not installed"
    # scores, softmax and dropout of each layer, in float32 under autocast too
    needed = 3 * 4 * DEPTH * cell.heads * cell.batch * cell.tokens**2
    if known(name).plain and cell.task == "train" and needed > free_bytes / 2:
        return f"its attention weights need about {needed / 1e9:.0f} GB; {free_bytes / 1e9:.0f} GB are free"
    return None


def spread(figures: list[float], digits: int = 2) -> str:
    """Median, and from where to where."""
    return f"{statistics.median(figures):.{digits}f} ({min(figures):.{digits}f}-{max(figures):.{digits}f})"


def rivals(name: str, rates: dict[str, list[float]]) -> dict[str, str]:
    """The best peers for one of ours, by median: of all and of the same attention; compiled ones apart."""
    best: dict[str, str] = {}
    for compiled in ("", COMPILED, GRAPHED):
        peers = [peer for peer in rates if known(peer).packages and way_of(peer) == compiled]
        alike = [peer for peer in peers if known(peer).kind == known(name).kind]
        for group, label in ((peers, "best peer"), (alike, f"best {known(name).kind} peer")):
            if group:
                peer = max(group, key=lambda peer: statistics.median(rates[peer]))
                best[peer] = f"{best[peer]}, {label}{compiled}" if peer in best else label + compiled
    return best


def tell(cell: Cell, outcome: Outcome, rounds: int, limit: float) -> None:
    """Print a cell's figures and ratios."""
    for name, reason in outcome.left_out.items():
        print(f"  left out: {name}: {reason}")
    kept = max(map(len, outcome.turns.values()), default=0)
    print(f"  {kept} rounds kept of {rounds} wanted; {outcome.dropped} dropped: others burnt over {limit:g} core")
    if kept < rounds:
        print(f"  TOO FEW QUIET ROUNDS ({kept} of {rounds}): do not trust these figures; free the machine, run again")
    if not kept:
        return
    rates = {name: [cell.batch / turn.seconds for turn in turns] for name, turns in outcome.turns.items()}
    print(f"  {'':38} {'img/s (min-max)':>26} {'memory':>12} {'others':>11}")
    for name, figures in rates.items():
        others = statistics.median(turn.others for turn in outcome.turns[name])
        memory = "in the graph" if way_of(name) == GRAPHED else f"{outcome.memory_bytes[name] / 1e6:,.0f} MB"
        print(f"  {name:38} {spread(figures):>26} {memory:>12} {others:6.2f} core")
    for name in rates:
        for peer, label in ({} if known(name).packages else rivals(name, rates)).items():
            ratios = [mine / theirs for mine, theirs in zip(rates[name], rates[peer], strict=True)]
            print(f"  {name} / {peer} ({label}): speed {spread(ratios)}x{memory_ratio(name, peer, outcome)}")


def memory_ratio(name: str, peer: str, outcome: Outcome) -> str:
    """One's memory over another's; a graph's lies still between steps, where it cannot be told from the weights'."""
    if GRAPHED in (way_of(name), way_of(peer)):
        return ""
    return f", memory {outcome.memory_bytes[name] / max(1, outcome.memory_bytes[peer]):.2f}x"


def keep(file: Path | None, records: Any) -> None:
    """Write what was measured as JSON, in a folder that is made if need be; without a file nothing."""
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(records, indent=1, default=str) + "\n")


def main() -> None:
    """Run the cells asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--cells", nargs="+", default=[""], metavar="PART", help="only cells with one of these in their name")
    add("--only", nargs="+", default=[""], metavar="PART", help="only contestants with one of these in their name")
    add("--quick", action="store_true", help="3 rounds a cell, to see that it runs; no evidence")
    add("--rounds", type=int, help="quiet rounds a cell (21; 7 at 2048 pixels), of at most 4 times as many")
    add("--limit", type=float, help="cores others may burn in a turn (0.15; with a GPU 1)")
    add("--slow", type=float, default=60.0, help="leave out who needs more seconds a step (60)")
    add("--device", choices=("cpu", "cuda"), help="default: cuda where there is one")
    add("--threads", type=int, default=CORES, help=f"torch's threads ({CORES}, the cores)")
    add("--json", type=Path, metavar="FILE", help="write every kept round here, as [seconds a step, others' cores]")
    args = parser.parse_args()

    import torch

    from vitcli.net.kernels.dense import has_bfloat16

    if args.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: torch finds no GPU here; leave it out for the CPU")
    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    cells = [cell for cell in CELLS[device] if any(part in cell.name for part in args.cells)]
    if not cells:
        there = ", ".join(cell.name for cell in CELLS[device])
        parser.error(f"--cells {' '.join(args.cells)}: no such cell; there are {there}")
    limit = args.limit or {"cpu": 0.15, "cuda": 1.0}[device]
    turn_seconds = {"cpu": TURN_SECONDS, "cuda": 0.2}[device]
    machine = torch.cuda.get_device_name() if device == "cuda" else f"{platform.machine()}, {CORES} cores"
    print(f"{device} ({machine}), torch {torch.__version__}, {args.threads} threads", flush=True)
    everyone = list(CONTESTANTS)
    if device == "cuda":
        everyone += [name + way for way in (COMPILED, GRAPHED) for name in CONTESTANTS if CHECKPOINTED not in name]
    everyone = [name for name in everyone if any(part in name for part in args.only)]
    records = []
    if device == "cpu" and not has_bfloat16():
        print("bf16 is left out: this processor has no arithmetic for it, and products take 90 times as long")
        cells = [cell for cell in cells if cell.precision != "bf16"]
    for cell in cells:
        rounds = args.rounds or (3 if args.quick else 7 if cell.image_size == 2048 else 21)
        print(f"\n{cell.name}", flush=True)
        free_bytes = torch.cuda.mem_get_info()[0] if device == "cuda" else available_bytes()
        names = [name for name in everyone if cell.name.startswith(known(name).cells)]
        absent = {name: reason for name in names if (reason := missing(name, cell, free_bytes))}
        present = {name: (name, cell, device, args.threads) for name in names if name not in absent}
        outcome = interleave(present, prepare, rounds, 4 * rounds, limit, args.slow, turn_seconds)
        outcome.left_out.update(absent)
        tell(cell, outcome, rounds, limit)
        records.append({"cell": cell.name, **cell._asdict(), "device": machine, **outcome._asdict()})
        keep(args.json, records)


if __name__ == "__main__":
    main()
