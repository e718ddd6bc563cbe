"""The largest batch that fits is found within a tenth, recorded as a number, and not searched for again."""

from __future__ import annotations

import math
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from tests.conftest import CPU, TINY
from tests.warm import Warm
from vitcli.__main__ import main
from vitcli.errors import ConfigError
from vitcli.train.sizes.batch_size import rounded, search, split

MIB = 2**20
FIT = ["fit", "--data.root", "photos", "--trainer.max_epochs", "1", *TINY, *CPU]


# an image takes 3 MiB, and a step 40 beside
SEARCH = """
import torch
from vitcli.machine import memory
from vitcli.machine.memory import Bound
from vitcli.train.sizes.batch_size import search

MIB, most = 2**20, {most}
peaks = []


def attempt(size):
    held = torch.ones((40 + 3 * size) * MIB, dtype=torch.uint8)
    peaks.append(memory.size("resident", highest=True) or 0)
    return bool(held[-1])


# what the first use of torch takes for ever is in it
attempt(1)
memory.forget_highest()
peaks.clear()
limit = Bound("the test", "resident", memory.size("resident") + most * MIB)
found = search(attempt, 4096, [limit])
fits = (most - 40) // 3
assert 0.8 * fits <= found.size <= 1.05 * fits, found
assert max(peaks) < limit.most_bytes + 8 * MIB, peaks
assert found.why == "memory of the test would run out with more", found
"""


@pytest.mark.parametrize("most", [100, 300])
def test_a_search_by_growth_comes_near_a_limit_and_never_over_it(most: int, programs: Warm) -> None:
    # in a process of its own: what other tests have left of this one's memory would be counted
    ended = programs.run(code=SEARCH.format(most=most))
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("largest", [1, 2, 3, 63, 64, 65, 1000, 4096])
def test_a_search_by_failures_is_exact_to_a_thirtieth(largest: int) -> None:
    found = search(lambda size: size <= largest, 4096, [])
    assert largest - largest // 32 - 1 <= found.size <= largest
    assert found.trials < 20


def test_large_sizes_are_multiples_of_eight() -> None:
    assert [rounded(size) for size in (1, 7, 100, 127, 128, 135, 1001)] == [1, 7, 100, 127, 128, 128, 1000]


@pytest.mark.parametrize(
    ("together", "largest", "processes", "expected"),
    [(256, 300, 1, (256, 1)), (256, 100, 1, (64, 4)), (256, 100, 2, (64, 2)), (96, 40, 1, (32, 3)), (7, 3, 1, (1, 7))],
)
def test_a_global_batch_is_summed_up_from_even_parts(
    together: int, largest: int, processes: int, expected: tuple[int, int]
) -> None:
    size, summed = split(together, largest, processes)
    assert (size, summed) == expected
    assert size * summed * processes == together


def test_a_global_batch_that_cannot_be_dealt_out_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"data\.global_batch 9: cannot be dealt out evenly to 2 processes"):
        split(9, 4, 2)


def config(run: str = "photos") -> dict[str, dict[str, object]]:
    content = yaml.safe_load(Path(f"runs/{run}/config.yaml").read_text())
    return {"data": content["data"]["init_args"], "trainer": content["trainer"]}


@pytest.mark.usefixtures("photos")
def test_auto_batch_size_and_its_global_batch_become_numbers_that_a_resume_keeps(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [*FIT, "--data.batch_size", "auto", "--data.global_batch", "48"]
    assert main(words) == 0
    # of 24 images, no more than all
    assert "\ndata.batch_size 24, 48 images a step: all images are in it (" in capsys.readouterr().out
    assert config()["data"]["batch_size"] == 24
    assert config()["trainer"]["accumulate_grad_batches"] == 2
    assert main([*words, "--ckpt_path", "runs/photos", "--trainer.max_epochs", "2"]) == 0
    told = capsys.readouterr()
    assert "data.batch_size" not in told.out
    assert "changed: " not in told.out
    assert config()["data"]["batch_size"] == 24


@pytest.mark.slow
@pytest.mark.usefixtures("photos")
def test_the_search_changes_no_bit_of_the_run() -> None:
    assert main([*FIT, "--data.batch_size", "auto", "--run.name", "found"]) == 0
    assert main([*FIT, "--data.batch_size", "24", "--run.name", "given"]) == 0
    found, given = (
        torch.load(f"runs/{name}/checkpoints/last.ckpt", weights_only=True)["state_dict"] for name in ("found", "given")
    )
    assert all(torch.equal(found[name], given[name]) for name in given)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["test", "--ckpt_path", "runs/photos", "--data.batch_size", "auto"], None),
        (
            ["predict", "--ckpt_path", "runs/photos", "--data.root", "photos", "--data.batch_size", "auto"],
            "data.batch_size auto: is searched for by fit alone",
        ),
        (["check", "photos", "--data.batch_size", "auto"], "data.batch_size auto: is searched for by vitcli fit alone"),
        (
            ["fit", "--data.root", "photos", "--data.global_batch", "64", "--trainer.accumulate_grad_batches", "2"],
            "trainer.accumulate_grad_batches 2: follows from data.global_batch 64",
        ),
        (
            [
                "fit",
                "--data.root",
                "photos",
                "--data.batch_size",
                "auto",
                "--data.global_batch",
                "64",
                "--trainer.accumulate_grad_batches",
                "2",
            ],
            "trainer.accumulate_grad_batches 2: follows from data.global_batch 64",
        ),
        (
            ["fit", "--data.root", "photos", "--data.batch_size", "auto", "--data.global_batch", "0"],
            "data.global_batch 0: below 1",
        ),
        (["fit", "--data.root", "photos", "--data.batch_size", "most"], "data.batch_size most: "),
    ],
)
@pytest.mark.usefixtures("copied")
def test_auto_is_of_fit_alone_and_a_run_that_is_scored_has_its_number(
    words: list[str], named: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    words = words if words[0] == "check" else [*words, *CPU]
    assert main(words) == (0 if named is None else 2)
    assert named is None or f"error: {named}" in capsys.readouterr().err


LIMITED = """
import resource, sys
from vitcli.machine import memory
resource.setrlimit(resource.RLIMIT_AS, (memory.size("virtual") + {room}, resource.RLIM_INFINITY))
from vitcli.__main__ import command
sys.exit(command())
"""
ROOM = 1200 * MIB
# of which an image takes some MiB in training
LARGER = [
    "--model.net.image_size=160",
    "--model.net.patch_size=8",
    "--model.net.dim=192",
    "--model.net.backend.depth=4",
]
DRAWN = ["fit", "--data", "ShapesData", "--data.train", "2048", "--data.val", "8", "--trainer.limit_train_batches", "2"]


@pytest.fixture
def limited(programs: Warm, here: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """vitcli under a limit on its addresses."""
    return lambda *words: programs.run(*words, code=LIMITED.format(room=ROOM))


@pytest.mark.slow
def test_auto_fits_under_a_limit_on_addresses_and_a_sixth_more_does_not(
    limited: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    # a second epoch has the threads of the validation beside it
    words = [*DRAWN, "--trainer.max_epochs", "2", *LARGER, *CPU]
    done = limited(*words, "--data.batch_size", "auto")
    assert done.returncode == 0, done.stderr
    found = int(re.findall(r"^data\.batch_size (\d+): memory of ulimit -v", done.stdout, re.MULTILINE)[0])
    ends = [limited(*words, "--data.batch_size", size) for size in (found, math.ceil(found * 7 / 6))]
    assert [end.returncode for end in ends] == [0, 2], [found, *(end.stderr for end in ends)]


@pytest.mark.slow
def test_what_is_said_when_memory_has_run_out_fits(limited: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    words = [*DRAWN, "--trainer.max_epochs", "1", *LARGER, *CPU, "--data.batch_size", "400"]
    done = limited(*words)
    assert done.returncode == 2
    [line] = [line for line in done.stderr.splitlines() if "error: " in line]
    told, _, said = line.partition("; say ")
    assert re.search(
        r"memory has run out.* at data\.batch_size 400, precision 32-true, peak [\d.]+ GB of [\d.]+ GB$", told
    )
    flags = [flag.split() for flag in said.split(", or ")]
    assert len(flags) == 3
    for flag in flags:
        done = limited(*words, *flag)
        assert done.returncode == 0, (flag, done.stderr)
