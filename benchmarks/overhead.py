"""What does all that vitcli fit does around a training step cost? Beside a bare loop of PyTorch's, and plain Lightning.

    .venv/bin/python benchmarks/overhead.py                         # the example net, batches of 64; half an hour
    .venv/bin/python benchmarks/overhead.py --quick --batch 8       # to see that it runs; no evidence
    .venv/bin/python benchmarks/overhead.py --json overhead.json    # and every round's figures

All contestants train the same ViT (224 px, 32 px patches, dim 128, depth 12, 8 heads, 2 classes) on the same batches of
uint8 in memory, by fused AdamW with clipped gradients and a learning rate of its own for each step:

- bare: forward, cross-entropy, backward, clip, step, and nothing else
- plain Lightning: a module that logs loss and accuracy, its default checkpoint and CSVLogger
- vitcli: the real ``vitcli fit``, of which the data loader alone is replaced: metrics, metrics.csv, the guard against
  nan, last.ckpt at the end of each epoch and every few seconds, reseeding
- vitcli, EMA: the same with ``--ema.decay 0.999``

They are alive at once, each in a process of its own, and take turns (interleave.py). A turn is a whole epoch, so that
each has what an epoch's end costs. The ratio of vitcli is that of the sums of all rounds; beside it, the median round
and from where to where. Rounds in which other processes burnt more than --limit cores are dropped. Aims: vitcli at
least 0.97 of the bare loop, EMA at most 0.02 less.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from interleave import CORES, Job, Outcome, interleave
from net import keep, spread

CLASSES, RATE = ("cat", "dog"), 1e-3
BARE, LIGHTNING, OURS, AVERAGED = "bare loop", "plain Lightning", "vitcli", "vitcli, EMA"
# about once a turn; vitcli itself saves every ten minutes
SAVE_MINUTES = 0.5
# a step, and the program whose loop it belongs to, if that has one
Training = tuple[Callable[[], None], Callable[[], None] | None]


class Setting(NamedTuple):
    """What all contestants have in common."""

    batch: int
    steps: int  # of an epoch, and of a turn
    device: str
    precision: str
    threads: int
    folder: str


def batches(setting: Setting) -> list[dict[str, Any]]:
    """A few batches as vitcli's loader makes them, which then come again and again."""
    import torch

    draw = torch.Generator().manual_seed(0)
    return [
        {
            "image": torch.randint(0, 256, (setting.batch, 3, 224, 224), dtype=torch.uint8, generator=draw),
            "label": torch.randint(0, len(CLASSES), (setting.batch,), generator=draw),
            "index": torch.arange(setting.batch),
            "size": torch.full((setting.batch, 2), 224),
            "errors": [],
        }
        for _ in range(4)
    ]


class InMemory:
    """An epoch of batches that lie in memory; they look like a loader that can be resumed."""

    def __init__(self, held: list[dict[str, Any]], steps: int) -> None:
        self.held, self.steps = held, steps

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for number in range(self.steps):
            yield dict(self.held[number % len(self.held)])

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


def build() -> Any:
    """The example net."""
    from functools import partial

    from vitcli import net

    backend = partial(net.VanillaTransformer, depth=12, heads=8)
    return net.ViT(224, 32, dim=128, pool="mean", classes=len(CLASSES), backend=backend)


def bare(setting: Setting) -> Training:
    """A step of the loop that one writes by hand."""
    import torch
    from torch.nn import functional as F

    from vitcli.answers.answer import logits_of
    from vitcli.preprocess import Preprocess
    from vitcli.train.optimizer import AdamW, WarmupCosine, build_optimizer

    net, preprocess, schedule = build().to(setting.device).train(), Preprocess(size=(224, 224)), WarmupCosine()
    optimizer = build_optimizer(net, AdamW(lr=RATE))
    held, done = batches(setting), 0
    autocast = torch.autocast(setting.device, torch.bfloat16, enabled=setting.precision == "bf16-mixed")

    def step() -> None:
        nonlocal done
        batch = held[done % len(held)]
        images, labels = (batch[key].to(setting.device, non_blocking=True) for key in ("image", "label"))
        for group in optimizer.param_groups:
            group["lr"] = RATE * schedule.factor(done, 1_000_000)
        with autocast:
            logits = logits_of(net, preprocess, images)
        loss = F.cross_entropy(logits.float(), labels)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        done += 1

    return step, None


class Gate:
    """Lets a training, which runs in another thread, go on for one step at a time."""

    def __init__(self) -> None:
        self.go, self.there = threading.Semaphore(0), threading.Semaphore(0)
        self.failed: BaseException | None = None
        self.has_begun = False

    def wait(self) -> None:
        """In the training: say that a step begins, and wait until it may."""
        self.there.release()
        self.go.acquire()

    def step(self) -> None:
        """From where a step begins to where the next one does, with all that lies between."""
        if not self.has_begun:
            self._arrive()
            self.has_begun = True
        self.go.release()
        self._arrive()

    def run(self, train: Callable[[], Any]) -> None:
        """In the training: train until the process is ended."""
        try:
            train()
            raise RuntimeError("the training has ended")
        except BaseException as error:
            self.failed = error
            self.there.release()
            raise

    def _arrive(self) -> None:
        self.there.acquire()
        if self.failed is not None:
            raise RuntimeError(repr(self.failed))


def gate_callback(gate: Gate) -> Any:
    from lightning.pytorch.callbacks import Callback

    class AtGate(Callback):
        def on_train_batch_start(self, *_: Any) -> None:
            gate.wait()

    return AtGate()


def lightning(setting: Setting) -> Training:
    """A step of a training with Lightning as in its tutorials."""
    import lightning.pytorch as pl
    import torch
    from lightning.pytorch.loggers import CSVLogger
    from torch.nn import functional as F
    from torchmetrics.classification import MulticlassAccuracy

    from vitcli.answers.answer import logits_of
    from vitcli.preprocess import Preprocess
    from vitcli.train.optimizer import AdamW, StepSchedule, WarmupCosine, build_optimizer

    class Plain(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.preprocess = build(), Preprocess(size=(224, 224))
            self.accuracy = MulticlassAccuracy(len(CLASSES))

        def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
            logits = logits_of(self.net, self.preprocess, batch["image"]).float()
            loss = F.cross_entropy(logits, batch["label"])
            self.accuracy(logits, batch["label"])
            self.log("train/loss", loss, on_step=True, on_epoch=True, batch_size=setting.batch)
            self.log("train/accuracy", self.accuracy, on_step=False, on_epoch=True, batch_size=setting.batch)
            return loss

        def configure_optimizers(self) -> Any:
            optimizer = build_optimizer(self.net, AdamW(lr=RATE))
            schedule = StepSchedule(optimizer, AdamW(lr=RATE), WarmupCosine(), 1_000_000)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    gate = Gate()
    trainer = pl.Trainer(
        max_epochs=100_000,
        accelerator="gpu" if setting.device == "cuda" else "cpu",
        devices=1,
        precision=setting.precision,
        gradient_clip_val=1.0,
        log_every_n_steps=10,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[gate_callback(gate)],
        logger=CSVLogger(setting.folder, "lightning"),
    )
    loader = InMemory(batches(setting), setting.steps)
    return gate.step, lambda: gate.run(lambda: trainer.fit(Plain(), loader))


def ours(setting: Setting, *words: str) -> Training:
    """A step of ``vitcli fit``, whose batches lie in memory."""
    from PIL import Image

    from vitcli.cli.trainer.cli import Cli
    from vitcli.cli.trainer.quiet import quieten

    root = Path(setting.folder, f"photos{len(words)}")
    for name in CLASSES:
        (root / name).mkdir(parents=True)
        for number in range(4):
            Image.new("RGB", (224, 224), (number, 10 * len(name), 0)).save(root / name / f"{name}{number}.png")
    quieten()
    net = ["--model.net.image_size=224", "--model.net.patch_size=32", "--model.net.dim=128", "--model.net.pool=mean"]
    net += ["--model.net.backend.depth=12", "--model.net.backend.heads=8", f"--model.optimizer.lr={RATE}"]
    data = [f"--data.root={root}", "--data.val_fraction=0", "--data.test_fraction=0", "--trainer.max_epochs=100000"]
    data += [f"--data.batch_size={setting.batch}", f"--run.dir={setting.folder}/runs{len(words)}"]
    accelerator = "gpu" if setting.device == "cuda" else "cpu"
    machine = [
        f"--trainer.accelerator={accelerator}",
        "--trainer.devices=1",
        f"--trainer.precision={setting.precision}",
    ]
    cli = Cli("fit", [*net, *data, *machine, *timed(), "--report.write=false", *words])
    loader, gate = InMemory(batches(setting), setting.steps), Gate()
    cli.datamodule.train_dataloader = lambda: loader  # type: ignore[method-assign]
    cli.trainer.callbacks.insert(0, gate_callback(gate))
    return gate.step, lambda: gate.run(cli.execute)


def timed() -> list[str]:
    """What lets vitcli save by time as well, where it can."""
    from dataclasses import fields

    from vitcli.run import RunOptions

    names = {field.name for field in fields(RunOptions)}
    return [f"--run.save_minutes={SAVE_MINUTES}"] if "save_minutes" in names else []


CONTESTANTS: dict[str, Callable[[Setting], Training]] = {
    BARE: bare,
    LIGHTNING: lightning,
    OURS: ours,
    AVERAGED: lambda setting: ours(setting, "--ema.decay=0.999"),
}


def prepare(name: str, setting: Setting) -> Job:
    """In the worker: a training, ready to go on for an epoch at a time."""
    from vitcli.machine.openmp import spin_briefly

    spin_briefly()
    import torch

    torch.set_num_threads(setting.threads)
    torch.manual_seed(0)
    # the table of figures is the parent's alone
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    step, main_loop = CONTESTANTS[name](setting)

    def epoch() -> None:
        for _ in range(setting.steps):
            step()

    def wait() -> None:
        if setting.device == "cuda":
            torch.cuda.synchronize()

    return Job(epoch, wait, setting.device, main_loop)


def tell(outcome: Outcome, setting: Setting) -> None:
    """Print steps a second of each, and the ratios."""
    for name, reason in outcome.left_out.items():
        print(f"  left out: {name}: {reason}")
    kept = max(map(len, outcome.turns.values()), default=0)
    print(f"  {kept} rounds of {setting.steps} steps, {outcome.dropped} dropped")
    seconds = {name: [turn.seconds / setting.steps for turn in turns] for name, turns in outcome.turns.items() if turns}
    for name, figures in seconds.items():
        others = statistics.median(turn.others for turn in outcome.turns[name])
        print(f"  {name:16} {spread([1 / figure for figure in figures]):>22} steps/s, others {others:.2f} cores")
    for mine, theirs in ((LIGHTNING, BARE), (OURS, BARE), (AVERAGED, BARE), (AVERAGED, OURS), (OURS, LIGHTNING)):
        if mine in seconds and theirs in seconds:
            whole = sum(seconds[theirs]) / sum(seconds[mine])
            rounds = [their / own for own, their in zip(seconds[mine], seconds[theirs], strict=True)]
            print(f"  {mine} / {theirs}: {whole:.3f} of its speed; by round {spread(rounds, 3)}")


def main() -> None:
    """Run all in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--batch", type=int, default=64, help="images a step (64)")
    add("--steps", type=int, help="of an epoch, which is a turn (50; on a GPU 500)")
    add("--rounds", type=int, help="quiet rounds (9), of at most 4 times as many")
    add("--quick", action="store_true", help="3 rounds of 4 steps, to see that it runs; no evidence")
    add("--limit", type=float, help="cores others may burn in a turn (0.15; with a GPU 1)")
    add("--only", nargs="+", default=[""], metavar="PART", help="only contestants with one of these in their name")
    add("--device", choices=("cpu", "cuda"), default="cpu")
    add("--precision", choices=("32-true", "bf16-mixed"), default="32-true")
    add("--threads", type=int, default=CORES, help=f"torch's threads ({CORES}, the cores)")
    add("--json", type=Path, metavar="FILE", help="write every kept round here, as [seconds an epoch, others' cores]")
    args = parser.parse_args()
    rounds = args.rounds or (3 if args.quick else 9)
    steps = args.steps or (4 if args.quick else 500 if args.device == "cuda" else 50)
    limit = args.limit or {"cpu": 0.15, "cuda": 1.0}[args.device]
    folder = tempfile.mkdtemp(prefix="overhead-")
    setting = Setting(args.batch, steps, args.device, args.precision, args.threads, folder)
    print(
        f"{args.device} ({platform.machine()}, {CORES} cores), {setting.precision}, batches of {args.batch}", flush=True
    )
    names = [name for name in CONTESTANTS if any(part in name for part in args.only)]
    try:
        # a turn is one job, and so one epoch
        outcome = interleave(
            {name: (name, setting) for name in names}, prepare, rounds, 4 * rounds, limit, 3600.0, turn_seconds=1e-9
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    tell(outcome, setting)
    keep(args.json, {"setting": setting._asdict(), **outcome._asdict()})


if __name__ == "__main__":
    main()
