"""fsdp2: a split net learns what a whole one learns, and its checkpoints are those of any number of processes."""

from __future__ import annotations

import csv
import json
import signal
from pathlib import Path

import pytest
import torch
from packaging.version import Version
from torch import Tensor

from tests.train.sharding import measure
from tests.train.sharding.several import FIT, NET, run, start
from tests.warm import Warm
from vitcli.__main__ import main
from vitcli.errors import WeightsError
from vitcli.train.sharding.memory import held
from vitcli.weights.checkpoint import read_checkpoint

# the same sums in another order: of float32, and a few steps
TOLERANCE = 2e-5
LAST = "checkpoints/last.ckpt"


def fit(programs: Warm, name: str, processes: int, strategy: str, epochs: int, *words: str) -> None:
    """A training of 3 steps an epoch, of 8 pictures each, however many processes there are."""
    words = (f"--run.name={name}", f"--data.batch_size={8 // processes}", f"--trainer.max_epochs={epochs}", *words)
    strategies = [f"--trainer.strategy={strategy}", f"--trainer.devices={processes}"]
    for ended in run(programs, processes, *FIT, *strategies, *words):
        assert ended.returncode == 0, ended.stdout + ended.stderr


def curves(name: str) -> list[float]:
    """All numbers of metrics.csv."""
    with Path(f"runs/{name}/metrics.csv").open() as file:
        return [float(value) for row in csv.DictReader(file) for value in row.values() if value]


def weights(name: str, of: str = LAST) -> dict[str, Tensor]:
    found: dict[str, Tensor] = read_checkpoint(f"runs/{name}/{of}")["state_dict"]
    return found


def are_same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def are_close(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    # AdamW divides by the gradient's size: where that is next to nothing, another order of sums makes another step
    return one.keys() == other.keys() and all(torch.allclose(one[name], other[name], rtol=0, atol=2e-4) for name in one)


@pytest.mark.skipif(
    Version(torch.__version__) < Version("2.11"),
    reason="what counts messages fails on checkpointed blocks in torch 2.10",
)
def test_each_process_holds_what_is_predicted_and_sums_gradients_once_a_step(programs: Warm, here: Path):
    ranks = run(programs, 2, script=measure.__file__)
    for ended in ranks:
        assert ended.returncode == 0, ended.stderr
    told = [json.loads(ended.stdout) for ended in ranks]
    net = measure.net()
    predicted = held(net, 2)
    assert (told[0]["weights"], told[0]["gradients"], told[0]["moments"]) == predicted
    for key in ("weights", "moments"):
        # and both together hold the net once
        assert sum(one[key] for one in told) == getattr(held(net, 1), key)
    blocks_and_rest = len(net.backend.blocks) + 1
    for one in told:
        assert one["scattered"] == [blocks_and_rest, blocks_and_rest]
        assert one["sent"] == [held(net, 1).gradients] * 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--ema.decay=0.8"],
        ["--model.optimizer.matrices=muon"],
        ["--model.net.backend.activation_checkpointing=true", "--trainer.gradient_clip_val=0.5"],
        ["--distill.weights=runs/teacher", "--distill.tokens=1"],
    ],
    ids=["alone", "ema", "muon", "activation_checkpointing", "taught"],
)
def test_several_processes_learn_what_one_does(words: list[str], programs: Warm, photos: Path):
    if "--distill.weights=runs/teacher" in words:
        fit(programs, "teacher", 1, "auto", 1)
    fit(programs, "one", 1, "auto", 2, *words)
    for strategy in ("ddp", "fsdp2"):
        fit(programs, strategy, 2, strategy, 2, *words)
        assert curves(strategy) == pytest.approx(curves("one"), abs=TOLERANCE)
        assert are_close(weights(strategy), weights("one"))


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "fsdp2"])
def test_batches_that_are_summed_up_learn_what_one_batch_does(strategy: str, programs: Warm, photos: Path):
    fit(programs, "one", 1, "auto", 1)
    fit(programs, "summed", 2, strategy, 1, "--data.batch_size=2", "--trainer.accumulate_grad_batches=2")
    assert are_close(weights("summed"), weights("one"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "then"),
    [
        pytest.param((2, "fsdp2"), (2, "fsdp2"), id="2 to 2"),
        pytest.param((2, "fsdp2"), (1, "auto"), id="2 to 1"),
        pytest.param((1, "auto"), (2, "fsdp2"), id="1 to 2"),
        pytest.param((2, "fsdp2"), (4, "fsdp2"), id="2 to 4"),
        pytest.param((2, "ddp"), (2, "fsdp2"), id="ddp to fsdp2"),
    ],
)
def test_a_run_goes_on_with_any_number_of_processes(
    first: tuple[int, str], then: tuple[int, str], programs: Warm, photos: Path
):
    # a rate that does not depend on how long the run is to be
    with_average = ["--ema.decay=0.8", "--model.schedule.warmup_fraction=0", "--model.schedule.final_fraction=1"]
    fit(programs, "straight", *then, 2, *with_average)
    fit(programs, "resumed", *first, 1, *with_average)
    fit(programs, "resumed", *then, 2, "--ckpt_path=runs/resumed", *with_average)
    alike = are_same if first == then else are_close
    assert alike(weights("resumed"), weights("straight"))
    assert curves("resumed") == pytest.approx(curves("straight"), abs=0 if first == then else TOLERANCE)
    folders = list(Path("runs/resumed/checkpoints").glob("*.shards"))
    # of what was there before, nothing is left
    assert len(folders) == (1 if then[1] == "fsdp2" else 0)


@pytest.mark.slow
def test_a_checkpoint_in_shards_is_used_as_any_other(programs: Warm, photos: Path, capsys: pytest.CaptureFixture[str]):
    fit(programs, "split", 2, "fsdp2", 1)
    # the only epoch is also the best
    assert are_same(weights("split"), weights("split", "checkpoints/best.ckpt"))
    assert read_checkpoint("runs/split/checkpoints/best.ckpt")["optimizer_states"][0]["state"]
    tables = []
    for of in ("last", "best"):
        words = [f"--ckpt_path=runs/split/checkpoints/{of}.ckpt", "--data.root=photos/test", f"--run.name={of}"]
        assert main(["predict", *words, "--trainer.accelerator=cpu"]) == 0, capsys.readouterr().err
        tables.append(Path(f"runs/{of}/predictions.csv").read_text())
    assert tables[0] == tables[1]
    next(Path("runs/split/checkpoints").glob("*.shards")).rename("elsewhere")
    with pytest.raises(WeightsError, match=r"its tensors lie in step-3\.shards, which is not beside it"):
        read_checkpoint("runs/split/checkpoints/last.ckpt")


@pytest.mark.slow
def test_a_changed_byte_is_refused_by_all_processes_or_passed_over_for_another_checkpoint(programs: Warm, photos: Path):
    fit(programs, "split", 2, "fsdp2", 1)
    shard = max(Path("runs/split/checkpoints").glob("*.shards/*"))
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    words = ["--trainer.strategy=fsdp2", "--data.batch_size=4", "--trainer.max_epochs=2", "--run.name=split"]
    both = run(programs, 2, *FIT, *words, f"--ckpt_path=runs/split/{LAST}")
    assert [ended.returncode for ended in both] == [2, 2]
    said = [line for ended in both for line in ended.stderr.splitlines()]
    assert 1 <= len(said) <= 2
    assert all(f"{shard} is damaged, its bytes are not those that were written; use another" in line for line in said)
    for ended in run(programs, 2, *FIT, *words, "--ckpt_path=runs/split"):
        assert ended.returncode == 0, ended.stderr
    assert read_checkpoint(f"runs/split/{LAST}")["global_step"] == 6


@pytest.mark.slow
def test_a_signal_to_one_process_ends_all_with_a_checkpoint_to_go_on_from(programs: Warm, photos: Path):
    words = ["--run.name=long", "--data.batch_size=4", "--trainer.max_epochs=100000", "--trainer.strategy=fsdp2"]
    ranks = start(programs, 2, *FIT, *words)
    ranks[0].until("epoch 2/")
    ranks[1].send(signal.SIGTERM)
    assert {rank.done(60).returncode for rank in ranks} == {128 + signal.SIGTERM}
    reached = read_checkpoint(f"runs/long/{LAST}")
    assert reached["global_step"] > 3
    assert len(reached["optimizer_states"][0]["state"]) == len(reached["state_dict"])


@pytest.mark.parametrize(
    ("verb", "words", "told"),
    [
        ("fit", ["--trainer.strategy=fsdp"], "trainer.strategy fsdp: writes checkpoints that nothing else reads"),
        ("fit", ["--trainer.strategy=fsdp2", "--trainer.precision=16-mixed"], "trainer.precision 16-mixed: not with"),
        ("validate", ["--trainer.strategy=fsdp2"], "trainer.strategy fsdp2: splits a net that is trained"),
    ],
)
def test_what_a_split_net_does_not_do_is_told_in_a_line(
    verb: str, words: list[str], told: str, copied: Path, capsys: pytest.CaptureFixture[str]
):
    of = FIT[1:] if verb == "fit" else [f"--ckpt_path={copied}", "--trainer.accelerator=cpu"]
    assert main([verb, *of, *words]) == 2
    assert capsys.readouterr().err.startswith(f"vitcli {verb}: error: {told}")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU")
@pytest.mark.parametrize("compiles", [False, True])
def test_a_gpu_trains_a_split_net_in_mixed_precision(compiles: bool, photos: Path):
    words = ["--data.root=photos", "--data.batch_size=8", *NET, "--report.write=false", "--trainer.accelerator=gpu"]
    words += ["--trainer.devices=1", "--trainer.precision=bf16-mixed", f"--model.compile={str(compiles).lower()}"]
    split = ["fit", *words, "--trainer.strategy=fsdp2", "--ema.decay=0.8"]
    assert main(["fit", *words, "--ema.decay=0.8", "--run.name=one", "--trainer.max_epochs=2"]) == 0
    assert main([*split, "--run.name=straight", "--trainer.max_epochs=2"]) == 0
    assert main([*split, "--run.name=resumed", "--trainer.max_epochs=1"]) == 0
    assert main([*split, "--run.name=resumed", "--trainer.max_epochs=2", "--ckpt_path=runs/resumed"]) == 0
    assert are_same(weights("resumed"), weights("straight"))
    # biases and norms of the blocks are rounded to bfloat16, which has 8 bits
    assert curves("straight") == pytest.approx(curves("one"), abs=0.02)
