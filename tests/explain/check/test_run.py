"""The check tells maps that are true from maps that are not, with intervals, and writes what it says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.net.test_watch import net
from vitcli.errors import ConfigError
from vitcli.evaluate.as_json import plain, revived
from vitcli.explain import METHODS
from vitcli.explain.check.checked import Checked, lead
from vitcli.explain.check.lines import lines
from vitcli.explain.check.run import check
from vitcli.explain.check.write import write
from vitcli.net import ViT
from vitcli.preprocess import Preprocess

PREPROCESS = Preprocess(size=(32, 32), crop_fraction=1.0, mean=(0.5, 0.5, 0.5))


def gentle(**settings: object) -> ViT:
    """A net that is almost linear, so that the patches' parts in its answer add up."""
    built = net(pool="mean_patches", **settings)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.mul_(0.2)
        built.norm = None
    return built


def spotted(count: int) -> torch.Tensor:
    """Grey pictures with three bright patches each."""
    rng = np.random.default_rng(0)
    pictures = np.full((count, 3, 32, 32), 128, dtype=np.uint8)
    for picture in pictures:
        for place in rng.permutation(16)[:3]:
            picture[:, place // 4 * 8 : place // 4 * 8 + 8, place % 4 * 8 : place % 4 * 8 + 8] = 255
    return torch.from_numpy(pictures)


@pytest.fixture(scope="module")
def checked() -> Checked:
    return check(gentle(), PREPROCESS, ("a", "b", "c"), spotted(12))


def test_maps_of_a_net_that_sees_three_patches_beat_random_ones_beyond_the_interval(checked: Checked):
    rows = {row.method: row for row in checked.faithfulness}
    assert set(rows) == {*METHODS, "random"}
    for name in ("gradients", "occlusion"):
        assert rows[name].over_random is not None
        assert rows[name].over_random.low > 0
    assert checked.best.is_true
    assert checked.best.method in ("gradients", "occlusion", "relevance")


def test_a_curve_begins_with_the_whole_picture_or_ends_with_it(checked: Checked):
    ends = {(row.deletion_curve[0], row.insertion_curve[-1]) for row in checked.faithfulness}
    assert len(ends) == 1
    ((first, last),) = ends
    assert first == pytest.approx(last, abs=1e-6)
    for row in checked.faithfulness:
        assert row.gain.value == pytest.approx(row.insertion.value - row.deletion.value, abs=1e-12)
        assert row.gain.low <= row.gain.value <= row.gain.high


def test_the_same_seed_gives_the_same_numbers(checked: Checked):
    again = check(gentle(), PREPROCESS, ("a", "b", "c"), spotted(12), ["gradients"])
    first = {row.method: row.gain for row in checked.faithfulness}
    assert {row.method: row.gain for row in again.faithfulness} == {
        name: first[name] for name in ("gradients", "random")
    }


def test_a_net_of_shapes_plays_the_pointing_game(tmp_path: Path):
    found = check(gentle(), PREPROCESS, ("circle", "square", "star"), spotted(2), ["gradients"])
    assert [row.method for row in found.located] == ["gradients", "random"]
    assert 0.2 < found.located[1].inside.value < 0.6
    told = lines(found)
    assert any(line.startswith("pointing game on 100 drawn shapes") for line in told)
    assert "; above" not in told[4].split("above random maps")[1]


def test_what_is_written_is_what_was_found(checked: Checked, tmp_path: Path):
    file = write(checked, tmp_path / "out")
    content = json.loads(file.read_text())
    assert revived(Checked, content) == revived(Checked, plain(checked))
    assert content["best"]["method"] == checked.best.method
    assert sorted(path.name for path in file.parent.iterdir()) == [
        "check.json", "deletion.png", "deletion.svg", "insertion.png", "insertion.svg",
    ]  # fmt: skip
    drawing = (file.parent / "deletion.svg").read_text()
    assert all(f">{name}<" in drawing for name in (*METHODS, "random"))


def test_the_lines_name_the_best_method_and_whether_it_is_certain(checked: Checked):
    told = "\n".join(lines(checked))
    assert f"best by insertion - deletion: {checked.best.method}; above random maps by " in told
    assert checked.best.next in told
    assert "pointing game" not in told


def test_a_lead_is_by_the_mean_and_certain_beyond_the_interval_alone():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.1, 200)
    scores = {"far": noise + 0.5, "near": noise + 0.499 + rng.normal(0, 0.05, 200), "random": noise, "low": noise - 0.2}
    found = lead(scores, 0)
    assert {found.method, found.next} == {"far", "near"}
    assert found.is_true
    assert not found.is_certain
    found = lead({"far": noise + 0.5, "low": noise - 0.2, "random": noise}, 0)
    assert found.over_random.value == pytest.approx(0.5, abs=1e-9)
    assert found.is_certain
    worse = lead({"low": noise - 0.2, "random": noise}, 0)
    assert not worse.is_true
    assert worse.next == ""


@pytest.mark.parametrize(
    ("methods", "said"),
    [
        (["attention", "magic"], "--methods magic: is no method; choose from attention, "),
        ([], "--methods: names none to check; choose from attention, "),
    ],
)
def test_a_mistake_is_one_line(methods: list[str], said: str):
    with pytest.raises(ConfigError, match=f"^{said}") as error:
        check(gentle(), PREPROCESS, ("a", "b", "c"), spotted(1), methods)
    assert "\n" not in str(error.value)
