"""A checkpoint in shards is whole whenever its processes are killed, and what is damaged or missing is told."""

from __future__ import annotations

import random
import shutil
import signal
import time
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.train.sharding import saver
from tests.train.sharding.several import run, start
from tests.warm import Warm
from vitcli.errors import WeightsError
from vitcli.weights.shards import check_shards, filled, read_rest

LAST = Path("last.ckpt")


def held(path: Path = LAST) -> dict[str, Any]:
    """The content of a checkpoint that is as it was written."""
    content = read_rest(path)
    assert check_shards(path, content) > 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return filled(path, content)


def check(content: dict[str, Any]) -> None:
    step = content["global_step"]
    assert content["whole"] == step
    for name, shape in saver.SHAPES.items():
        assert torch.equal(content["state_dict"][name], torch.full(shape, float(step)))


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 3])
def test_what_several_have_written_one_reads(processes: int, programs: Warm, here: Path):
    for ended in run(programs, processes, 2, script=saver.__file__, launched=True):
        assert ended.returncode == 0, ended.stderr
    check(held())
    # of the step before, nothing is left
    assert [folder.name for folder in here.glob("*.shards")] == ["step-2.shards"]

    content = read_rest(LAST)
    shard = next(Path("step-2.shards").glob("*.safetensors"))
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(WeightsError, match="is damaged, its bytes are not those that were written; use another"):
        check_shards(LAST, content)
    shard.unlink()
    with pytest.raises(WeightsError, match="lacks files"):
        check_shards(LAST, content)
    shutil.rmtree("step-2.shards")
    with pytest.raises(WeightsError, match=r"lie in step-2\.shards, which is not beside it; copy it too"):
        check_shards(LAST, content)
    content["shards"]["folder"] = "../elsewhere"
    with pytest.raises(ValueError, match="damaged"):
        check_shards(LAST, content)


@pytest.mark.slow
def test_whenever_processes_are_killed_the_checkpoint_is_whole(programs: Warm, here: Path):
    chance = random.Random(0)
    for saved in (1, 2, 3, 1, 2):
        ranks = start(programs, 2, 10_000, script=saver.__file__)
        ranks[0].until(f"saved {saved}")
        time.sleep(chance.random() / 10)
        for rank in chance.sample(ranks, 2):
            rank.send(signal.SIGKILL)
        for rank in ranks:
            assert rank.done(60).returncode == -signal.SIGKILL
        content = held()
        check(content)
        assert content["global_step"] >= saved


@pytest.mark.slow
def test_what_one_cannot_write_none_has_written(programs: Warm, here: Path):
    run(programs, 2, 1, script=saver.__file__)
    before = LAST.read_bytes()
    for ended in run(programs, 2, 1, script=saver.__file__, most=300):
        assert ended.returncode == 1
        assert "failed: File too large (rank 0)" in ended.stderr
    assert LAST.read_bytes() == before
    check(held())
    assert [folder.name for folder in here.glob("*.shards")] == ["step-1.shards"]
