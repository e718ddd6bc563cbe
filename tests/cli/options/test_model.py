"""What is typed of the model is what is built, makes another net, and is compared with a checkpoint."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest
import torch
import yaml

from vitcli.__main__ import main
from vitcli.cli.trainer.cli import Cli
from vitcli.cli.trainer.conflicts import contradictions
from vitcli.net import build
from vitcli.preprocess import Preprocess
from vitcli.train.classifier import Classifier, from_plain, plain

BACKEND = {
    "depth": "2", "heads": "2", "head_dim": "6", "mlp_ratio": "2.0", "qkv_bias": "false", "dropout": "0.1",
    "attention_dropout": "0.2", "norm_eps": "0.001", "out_proj": "unbiased", "qk_norm": "true",
    "activation": "gelu_tanh", "layer_scale": "0.5", "stochastic_depth": "0.3", "activation_checkpointing": "true",
}  # fmt: skip
LINFORMER = {
    "k": "4", "sharing": "kv", "projection": "conv", "project_prefix": "false", "proj_init": "peer",
    "one_kv_head": "true", "tie_kv": "true",
}  # fmt: skip
NET = {
    "image_size": "32", "patch_size": "8", "dim": "16", "pool": "mean", "dropout": "0.4", "norm_eps": "0.01",
    "class_token": "false", "registers": "2", "positions": "sincos", "patch_bias": "false", "patch_norm": "true",
    "pre_norm": "true", "final_norm": "after_pool", "pre_logits": "5", "head_dropout": "0.5",
    "head_layers": "2",
}  # fmt: skip
REST = {
    "preprocess.resize": "pad", "preprocess.interpolation": "bilinear",
    "preprocess.mean": "[0.1, 0.2, 0.3]", "preprocess.std": "[0.4, 0.5, 0.6]", "preprocess.white": "4095",
    "classes": "[circle, square]", "optimizer.lr": "0.01", "optimizer.weight_decay": "0.2",
    "optimizer.betas": "[0.8, 0.9]", "optimizer.eps": "0.0001", "optimizer.layer_decay": "0.7",
    "schedule.warmup_fraction": "0.3",
    "schedule.final_fraction": "0.2", "label_smoothing": "0.1", "freeze": '["patches.*"]', "compile": "true",
    "class_weights": "auto", "optimizer.matrices": "muon",
}  # fmt: skip
# what cannot be typed together with all of these: of another pool and resize, or of another number of colours
OTHERS = {"net.stem": "conv", "net.pool_score": "additive", "net.channels": "1", "preprocess.crop_fraction": "0.5"}
# beside which a setting of the net acts
BESIDE = {
    "net.pool_score": {"net.pool": "attention"},
    "net.class_token": {"net.pool": "mean"},
    "net.final_norm": {"net.pool": "mean"},
}
SMALL = {
    "net.image_size": 16, "net.patch_size": 4, "net.dim": 8, "net.backend.depth": 3, "net.backend.heads": 4,
    "net.backend.k": 2, "net.classes": 2,
}  # fmt: skip


def typed(kind: str) -> dict[str, str]:
    """Every setting of the model that may be typed together, and a value that is not its default."""
    inner = BACKEND | (LINFORMER if kind == "Linformer" else {})
    nested = {f"net.{key}": value for key, value in NET.items()}
    return REST | nested | {f"net.backend.{key}": value for key, value in inner.items()}


def flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping) and key != "class_weights":
            yield from flat(value, prefix if key == "init_args" else f"{prefix}{key}.")
        elif key != "class_path":
            yield prefix + key, list(value) if isinstance(value, tuple) else value


@cache
def defaults(kind: str) -> dict[str, Any]:
    """What a checkpoint of a small net says of its model."""
    net = {key.removeprefix("net."): value for key, value in SMALL.items() if not key.startswith("net.backend.")}
    inner = {key.removeprefix("net.backend."): value for key, value in SMALL.items() if key.startswith("net.backend.")}
    inner = inner if kind == "Linformer" else {key: value for key, value in inner.items() if key != "k"}
    settings = {**net, "backend": {"class_path": f"vitcli.net.{kind}", "init_args": inner}}
    return dict(Classifier(build(settings), classes=("a", "b")).hparams)


def altered(settings: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(settings)
    inside: Any = changed
    *way, last = key.split(".")
    for name in way:
        inside = inside[name].get("init_args", inside[name]) if name == "backend" else inside[name]
    assert last in inside
    inside[last] = value
    return changed


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize("kind", ["VanillaTransformer", "Linformer"])
def test_every_setting_of_the_model_that_is_typed_is_the_models(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[Classifier] = []

    def execute(self: Cli) -> int:
        built.append(self.model)
        return 0

    monkeypatch.setattr(Cli, "execute", execute)
    wanted = typed(kind)
    words = [word for key, value in wanted.items() for word in (f"--model.{key}", value)]
    assert (
        main(["fit", "--data.root", "photos", f"--model.net.backend={kind}", *words, "--trainer.accelerator=cpu"]) == 0
    )
    held = dict(flat(built[0].hparams))
    expected = {key: yaml.safe_load(value) for key, value in wanted.items()}
    both = {"net.image_size", "net.patch_size"}
    assert {key: held[key] for key in wanted} == {
        key: [value, value] if key in both else value for key, value in expected.items()
    }


@pytest.mark.parametrize("kind", ["VanillaTransformer", "Linformer"])
def test_every_setting_of_the_model_is_in_its_checkpoint_and_contradicted_by_another_value(kind: str) -> None:
    was = defaults(kind)
    known = dict(flat(was))
    assert set(known) == {*typed(kind), *OTHERS, "net.classes", "preprocess.size"}
    for key in known:
        assert [found[0] for found in contradictions(was, altered(was, key, "other"))] == [key]


def numbers(settings: dict[str, Any]) -> list[torch.Tensor]:
    """All tensors of a net, and its logits in training and in evaluation."""
    torch.manual_seed(0)
    net = build(settings["net"])
    torch.manual_seed(1)
    images = torch.randn(8, net.channels, *net.image_size)
    torch.manual_seed(2)
    return [*net.state_dict().values(), net.train()(images), net.eval()(images)]


def alike(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return len(one) == len(other) and all(
        a.shape == b.shape and torch.equal(a, b) for a, b in zip(one, other, strict=True)
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["VanillaTransformer", "Linformer"])
def test_every_setting_of_the_net_makes_another_net(kind: str) -> None:
    said = {key: value for key, value in (typed(kind) | OTHERS).items() if key.startswith("net.")}
    # another way to the same numbers
    said.pop("net.backend.activation_checkpointing")
    for key, value in said.items():
        was = defaults(kind)
        for other, beside in BESIDE.get(key, {}).items():
            was = altered(was, other, beside)
        now = altered(was, key, yaml.safe_load(value))
        assert not alike(numbers(was), numbers(now)), key


@pytest.mark.parametrize("key", ["resize", "crop_fraction", "mean", "std"])
def test_every_setting_of_the_contract_makes_another_input_of_the_net(key: str) -> None:
    was = plain(Preprocess(size=(8, 8)))
    now = was | {key: yaml.safe_load((REST | OTHERS)[f"preprocess.{key}"])}
    images = torch.arange(2 * 3 * 8 * 8, dtype=torch.uint8).view(2, 3, 8, 8)
    one, other = (from_plain(Preprocess, settings) for settings in (was, now))
    regions = one.region(20, 30), other.region(20, 30)
    assert regions[0] != regions[1] or not torch.equal(one.normalise(images), other.normalise(images))
