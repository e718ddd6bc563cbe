"""The average of the weights is that of its formula, and is what is scored, kept and used; a resume has both sets."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import EMAWeightAveraging, ModelCheckpoint, WeightAveraging
from torch import Tensor, nn

from tests.conftest import CPU, TINY
from vitcli import Predictor
from vitcli.__main__ import main
from vitcli.cli.trainer.settings import trainer_settings
from vitcli.errors import ConfigError, WeightsError
from vitcli.train import Classifier
from vitcli.train.ema import EmaOptions, WeightAverage, changes, from_checkpoint
from vitcli.train.safety.last import KeepLast
from vitcli.weights.open import open_pretrained

# a rate at which the average lies far from the weights
FIT = ["fit", "--data.root", "photos", "--data.batch_size", "8", "--model.optimizer.lr", "0.01", *TINY, *CPU]
AVERAGED = [*FIT, "--ema.decay", "0.8"]
SHARED = ["--model.net.backend", "Linformer", "--model.net.backend.k", "2", "--model.net.backend.sharing", "layerwise"]
FROZEN = ["--model.freeze", "[patches.*,pos_embed]"]
Steps = list[dict[str, Tensor]]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    """The weights after each step of the optimizer, as a training goes on."""
    seen: Steps = []
    end = KeepLast.on_train_batch_end

    def look(self: KeepLast, trainer: Trainer, module: Classifier, *rest: Any) -> None:
        if trainer.global_step > len(seen):
            seen.append({name: tensor.clone() for name, tensor in module.state_dict().items()})
        end(self, trainer, module, *rest)

    monkeypatch.setattr(KeepLast, "on_train_batch_end", look)
    return seen


def load(run: str, name: str = "last") -> dict[str, Any]:
    content: dict[str, Any] = torch.load(f"runs/{run}/checkpoints/{name}.ckpt", weights_only=True)
    return content


def check_both(checkpoint: dict[str, Any], steps: Steps, decay: float) -> None:
    """The weights of a checkpoint are Adam's corrected average, in double precision; the raw ones are the last."""
    steps = steps[: checkpoint["global_step"]]
    assert checkpoint["ema"] == {"decay": decay, "updates": len(steps)}
    shares = [
        (1 - decay) * decay ** (len(steps) - 1 - number) / (1 - decay ** len(steps)) for number in range(len(steps))
    ]
    for name, average in checkpoint["state_dict"].items():
        expected = sum(share * step[name].double() for share, step in zip(shares, steps, strict=True))
        torch.testing.assert_close(average.double(), expected, rtol=1e-6, atol=1e-7)
        assert torch.equal(checkpoint["raw_state_dict"].get(name, average), steps[-1][name])


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize(
    "words",
    [[], [*SHARED, *FROZEN, "--trainer.accumulate_grad_batches", "2", "--model.net.backend.dropout", "0.2"]],
    ids=["plain", "shared, frozen and accumulated"],
)
def test_the_average_is_that_of_the_formula_in_double_precision(words: list[str], steps: Steps) -> None:
    assert main([*AVERAGED, *words, "--trainer.max_epochs", "3", "--run.name", "r"]) == 0
    last = load("r")
    check_both(last, steps, 0.8)
    check_both(load("r", "best"), steps, 0.8)
    trained = {name for name, tensor in last["state_dict"].items() if not torch.equal(tensor, steps[0][name])}
    assert trained == last["raw_state_dict"].keys()
    assert ("net.pos_embed" in trained) is (not words)


def test_the_average_is_what_is_scored_chosen_tested_and_used(photos: Path, steps: Steps) -> None:
    words = ["--checkpoint.monitor", "val/loss", "--trainer.max_epochs", "4", "--run.name", "r"]
    assert main([*AVERAGED, *words]) == 0
    best = load("r", "best")
    check_both(best, steps, 0.8)
    with Path("runs/r/metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["val/loss"]]
    scored = min(rows, key=lambda row: float(row["val/loss"]))
    assert int(scored["step"]) + 1 == best["global_step"]
    # the same images once more: at the end of fit, and as those of a test
    after = json.loads(Path("runs/r/metrics.val.json").read_text())
    shutil.rmtree(photos / "test")
    shutil.copytree(photos / "val", photos / "test")
    assert main(["test", "--ckpt_path", "runs/r", "--report.write", "false"]) == 0
    tested = json.loads(Path("runs/r/metrics.test.json").read_text())
    for key in ("loss", "accuracy", "auroc"):
        assert float(scored[f"val/{key}"]) == pytest.approx(after[f"val/{key}"], rel=1e-6)
        assert after[f"val/{key}"] == pytest.approx(tested[f"test/{key}"], rel=1e-6)
    # and whoever opens the file has the average; the weights themselves would answer otherwise
    nets = [Classifier.load_from_checkpoint("runs/r").net, open_pretrained("runs/r/checkpoints/best.ckpt").net]
    for net in nets:
        assert all(torch.equal(best["state_dict"][f"net.{name}"], tensor) for name, tensor in net.state_dict().items())
    with torch.no_grad():
        files = sorted((photos / "val").rglob("*.png"))
        averaged = [row.probabilities for row in Predictor("runs/r", device="cpu").predict(files)]
        torch.save({**best, "state_dict": {**best["state_dict"], **best["raw_state_dict"]}}, "raw.ckpt")
        raw = [row.probabilities for row in Predictor("raw.ckpt", device="cpu").predict(files)]
    labels = [("circle", "square").index(file.parent.name) for file in files]
    losses = [
        -np.mean([np.log(row[label]) for row, label in zip(rows, labels, strict=True)]) for rows in (averaged, raw)
    ]
    assert losses[0] == pytest.approx(after["val/loss"], rel=1e-5)
    assert losses[1] != pytest.approx(after["val/loss"], rel=1e-4)


@pytest.mark.usefixtures("photos")
def test_a_validation_that_fails_confuses_nothing(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    validate, calls = Classifier.validation_step, []

    def fail(self: Classifier, batch: Any, batch_idx: int) -> Any:
        calls.append(batch_idx)
        if len(calls) == 2:
            # what a stop within a validation does, or a save by time
            self.trainer.save_checkpoint("runs/r/checkpoints/within.ckpt")
            raise LookupError("a fault")
        return validate(self, batch, batch_idx)

    monkeypatch.setattr(Classifier, "validation_step", fail)
    words = ["--trainer.max_epochs", "3", "--run.name", "r", "--checkpoint.save_on_exception", "true"]
    with pytest.raises(LookupError):
        main([*AVERAGED, *words])
    files = sorted(path.stem for path in Path("runs/r/checkpoints").iterdir())
    assert "within" in files
    for name in files:
        check_both(load("r", name), steps, 0.8)


@pytest.mark.slow
@pytest.mark.usefixtures("photos")
def test_an_average_begins_ends_and_changes_where_a_run_is_resumed(
    steps: Steps, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*FIT, "--trainer.max_epochs", "1", "--run.name", "r"]) == 0
    assert "raw_state_dict" not in load("r")
    before = len(steps)
    assert main(["fit", "--ckpt_path", "runs/r", "--trainer.max_epochs", "2", "--ema.decay", "0.5"]) == 0
    assert f"ema.decay 0.5: the run had no average so far; it begins at step {before}\n" in capsys.readouterr().out
    begun = load("r")
    check_both({**begun, "global_step": len(steps) - before}, steps[before:], 0.5)
    # on its own, without its config, the file still says it
    shutil.copy("runs/r/checkpoints/last.ckpt", "alone.ckpt")
    alone = ["fit", "--ckpt_path", "alone.ckpt", *FIT[1:], "--trainer.max_epochs", "3", "--run.name", "alone"]
    assert main(alone) == 0
    assert load("alone")["ema"] == {"decay": 0.5, "updates": len(steps) - before}
    capsys.readouterr()
    assert main(["fit", "--ckpt_path", "runs/r", "--trainer.max_epochs", "3", "--ema.decay", "null"]) == 0
    assert "changed: ema.decay 0.5 -> null; going on without the average" in capsys.readouterr().out
    ended, averaged = load("r"), load("alone")
    assert "ema" not in ended
    # trained from the weights themselves, as the averaged run was
    assert all(torch.equal(ended["state_dict"][name], raw) for name, raw in averaged["raw_state_dict"].items())
    assert changes({"ema": {"decay": 0.5}}, EmaOptions(0.9)) == ["changed: ema.decay 0.5 -> 0.9"]
    assert changes({"ema": {"decay": 0.5}}, EmaOptions(0.5)) == []


class Half(nn.Module):
    """A weight in half precision, and one that is not trained."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1000, dtype=torch.bfloat16))
        self.still = nn.Parameter(torch.ones(3), requires_grad=False)


def test_weights_in_half_precision_are_averaged_in_single() -> None:
    module, average = Half(), WeightAverage(0.999)
    optimizer = torch.optim.SGD([module.weight], lr=0.0)
    strategy = SimpleNamespace(restore_checkpoint_after_setup=False)
    trainer = SimpleNamespace(strategy=strategy, optimizers=[optimizer], state=SimpleNamespace(fn="fit"))
    average.on_fit_start(trainer, module)  # type: ignore[arg-type]
    for value in [1.0] * 2000 + [2.0]:
        module.weight.data.fill_(value)
        module.weight.grad = torch.zeros_like(module.weight)
        optimizer.step()
    checkpoint: dict[str, Any] = {"state_dict": module.state_dict(), "optimizer_states": []}
    average.save(checkpoint)
    kept = checkpoint["state_dict"]["weight"]
    assert kept.dtype == torch.float32
    # bfloat16 has no number between 1 and 1.0078
    torch.testing.assert_close(kept, torch.full((1000,), 1 + 0.001 / (1 - 0.999**2001)), rtol=0, atol=1e-6)
    average.on_validation_start(trainer, module)  # type: ignore[arg-type]
    assert bool((module.weight == 1.0).all())
    average.on_validation_end(trainer, module)  # type: ignore[arg-type]
    assert bool((module.weight == 2.0).all())
    assert checkpoint["raw_state_dict"].keys() == {"weight"}


def test_weights_that_no_process_holds_whole_are_refused() -> None:
    strategy = type("FSDPStrategy", (), {"restore_checkpoint_after_setup": True})()
    with pytest.raises(ConfigError, match=r"^ema\.decay 0\.9: trainer\.strategy FSDPStrategy splits the weights"):
        WeightAverage(0.9).on_fit_start(SimpleNamespace(strategy=strategy), Half())  # type: ignore[arg-type]


@pytest.mark.parametrize("decay", [0.0, 1.0, -0.5, 1.5, float("nan")])
def test_a_decay_outside_0_and_1_is_refused(decay: float) -> None:
    with pytest.raises(ConfigError, match=rf"^ema\.decay {decay}: must lie in \(0, 1\), e\.g\. 0\.999; null is no "):
        EmaOptions(decay)


SOUND = {
    "state_dict": {"a": torch.ones(2)},
    "raw_state_dict": {"a": torch.ones(2)},
    "ema": {"decay": 0.9, "updates": 1},
}


@pytest.mark.parametrize(
    "damage",
    [
        {"ema": None},
        {"raw_state_dict": None},
        {"ema": {"decay": 0.9}},
        {"ema": {"decay": 2.0, "updates": 1}},
        {"ema": {"decay": "0.9", "updates": 1}},
        {"ema": {"decay": 0.9, "updates": -1}},
        {"raw_state_dict": {"b": torch.ones(2)}},
        {"raw_state_dict": {"a": torch.ones(3)}},
        {"raw_state_dict": {"a": 1}},
    ],
    ids=str,
)
def test_a_damaged_average_is_one_line(damage: dict[str, Any]) -> None:
    assert from_checkpoint(SOUND, Path("x.ckpt")) == {"ema": {"decay": 0.9}}
    assert from_checkpoint({"state_dict": {}}, None) == {}
    with pytest.raises(WeightsError, match=r"^--ckpt_path x\.ckpt: its average of the weights .* is damaged; [^\n]*$"):
        from_checkpoint(SOUND | damage, Path("x.ckpt"))


class Subclass(EMAWeightAveraging):
    """Somebody's own."""


@pytest.mark.parametrize("callback", [EMAWeightAveraging(), Subclass(), WeightAveraging()])
def test_an_average_of_lightnings_is_refused(callback: WeightAveraging) -> None:
    trainer = SimpleNamespace(
        use_distributed_sampler=False,
        max_epochs=1,
        max_steps=-1,
        max_time=None,
        accumulate_grad_batches=1,
        callbacks=[callback],
    )
    told = rf"^trainer\.callbacks {type(callback).__name__}: .*; say --ema\.decay 0\.999 instead$"
    with pytest.raises(ConfigError, match=told):
        trainer_settings(trainer, Half(), "runs", [], ModelCheckpoint())  # type: ignore[arg-type]


@pytest.mark.usefixtures("photos")
def test_a_decay_that_cannot_be_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*FIT, "--ema.decay", "1"]) == 2
    said = capsys.readouterr().err
    assert said == "vitcli fit: error: ema.decay 1.0: must lie in (0, 1), e.g. 0.999; null is no average\n"
