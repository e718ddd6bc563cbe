from __future__ import annotations

import pytest
import torch

from vitcli.errors import ConfigError
from vitcli.net import ViT
from vitcli.net.transformer.vanilla import VanillaTransformer
from vitcli.train.optimizer import AdamW, StepSchedule, WarmupCosine, build_optimizer, decay_groups


def tiny() -> ViT:
    return ViT(image_size=16, patch_size=8, dim=16, classes=2, backend=lambda n, d: VanillaTransformer(n, d, depth=1))


def test_the_rate_rises_to_its_highest_then_falls_to_the_final_fraction():
    schedule = WarmupCosine(warmup_fraction=0.1, final_fraction=0.05)
    curve = [schedule.factor(step, 100) for step in range(100)]
    assert curve[:10] == sorted(curve[:10])
    assert curve[10] == 1
    assert curve[10:] == sorted(curve[10:], reverse=True)
    assert curve[99] == pytest.approx(0.05)
    assert 0 < curve[0] < 0.2


def test_beyond_the_total_the_rate_stays_low_instead_of_rising_again():
    schedule = WarmupCosine(final_fraction=0.05)
    assert schedule.factor(500, 100) == pytest.approx(0.05)


@pytest.mark.parametrize("total", [1, 2, 3])
def test_the_shortest_runs_have_a_rate(total: int):
    assert all(0 < WarmupCosine().factor(step, total) <= 1 for step in range(total))


def test_matrices_decay_and_vectors_tokens_and_positions_do_not():
    net = tiny()
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    decayed, free = ([names[id(p)] for p in group["params"]] for group in decay_groups(net, AdamW(weight_decay=0.1)))
    assert "patches.proj.weight" in decayed
    assert "backend.blocks.0.attention.qkv.weight" in decayed
    assert {"class_token", "pos_embed", "norm.weight", "head.bias"} <= set(free)
    assert sorted(decayed + free) == sorted(names.values())


def test_a_loaded_state_keeps_its_averages_and_takes_todays_settings():
    net = tiny()
    before = build_optimizer(net, AdamW(lr=1.0, weight_decay=0.5, betas=(0.5, 0.6)))
    net(torch.randn(1, 3, 16, 16)).sum().backward()
    before.step()
    after = build_optimizer(net, AdamW(lr=0.1, weight_decay=0.2, betas=(0.7, 0.8)))
    schedule = StepSchedule(after, AdamW(lr=0.1), WarmupCosine(warmup_fraction=0), 10)
    after.load_state_dict(before.state_dict())
    schedule.load_state_dict({"last_epoch": 5})
    groups = after.param_groups
    assert [group["weight_decay"] for group in groups] == [0.2, 0.0]
    assert groups[0]["betas"] == (0.7, 0.8)
    assert groups[0]["lr"] == pytest.approx(0.1 * WarmupCosine(warmup_fraction=0).factor(5, 10))
    state = next(iter(after.state.values()))
    assert torch.equal(state["exp_avg"], next(iter(before.state.values()))["exp_avg"])


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (lambda: AdamW(lr=0), "model.optimizer.lr 0"),
        (lambda: AdamW(lr=float("nan")), "model.optimizer.lr nan"),
        (lambda: AdamW(weight_decay=-1), "model.optimizer.weight_decay -1"),
        (lambda: AdamW(betas=(0.9, 1.0)), "model.optimizer.betas"),
        (lambda: WarmupCosine(warmup_fraction=1), "model.schedule.warmup_fraction 1"),
        (lambda: WarmupCosine(final_fraction=2), "model.schedule.final_fraction 2"),
    ],
)
def test_a_setting_out_of_range_is_named(settings, named: str):
    with pytest.raises(ConfigError, match=named):
        settings()


def test_over_a_run_of_a_given_time_the_learning_rate_follows_the_same_curve():
    schedule = WarmupCosine(warmup_fraction=0.2, final_fraction=0.1)
    shares = [step / 999 for step in range(1000)]
    steps = [schedule.factor(step, 1000) for step in range(1000)]
    assert [schedule.factor_at(share) for share in shares] == pytest.approx(steps, abs=6e-3)
    assert schedule.factor_at(0.2) == 1
    assert schedule.factor_at(1.5) == pytest.approx(0.1)
