"""Muon: its directions are orthogonal, its steps those of torch's Muon and AdamW, and its state is resumed."""

from __future__ import annotations

import copy
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.conftest import CPU, TINY
from vitcli.__main__ import main
from vitcli.errors import ConfigError
from vitcli.net import Linformer, ViT
from vitcli.train.muon import Muon, orthogonal
from vitcli.train.optimizer import AdamW, build_optimizer, is_matrix

MUON = AdamW(lr=0.01, weight_decay=0.1, matrices="muon")


def tiny() -> ViT:
    torch.manual_seed(0)
    backend = partial(Linformer, depth=2, heads=2, k=2)
    return ViT(16, 8, dim=16, classes=2, backend=backend, stem="conv")


def backward(net: ViT, seed: int) -> None:
    images = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(seed))
    net.zero_grad()
    net(images).square().sum().backward()


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 8, 40), (2, 40, 8)])
def test_a_direction_has_the_singular_vectors_of_its_matrix_and_values_near_one(shape: tuple[int, int, int]):
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    inside = left.mT @ orthogonal(matrices) @ right.mT
    values = inside.diagonal(dim1=1, dim2=2)
    assert 0.6 < values.min() < values.max() < 1.3
    torch.testing.assert_close(inside, torch.diag_embed(values), rtol=0, atol=0.02)


def test_its_steps_are_those_of_torchs_muon_and_adamw():
    ours, theirs = tiny(), tiny()
    optimizer = build_optimizer(ours, MUON)
    chosen = {name for name, parameter in theirs.named_parameters() if is_matrix(name, parameter)}
    rest = [parameter for name, parameter in theirs.named_parameters() if name not in chosen]
    # torch's takes matrices alone, and so sees filters as their rows
    flat = {name: nn.Parameter(theirs.get_parameter(name).detach().flatten(1)) for name in chosen}
    decaying = [one for one in rest if one.ndim > 1 and not (one is theirs.class_token or one is theirs.pos_embed)]
    still = [one for one in rest if not any(one is other for other in decaying)]
    groups = [{"params": decaying, "weight_decay": 0.1}, {"params": still, "weight_decay": 0.0}]
    adamw = torch.optim.AdamW(groups, lr=0.01)
    muon = torch.optim.Muon(list(flat.values()), lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    begun = copy.deepcopy(ours.state_dict())
    for seed in range(3):
        # of the same weights, or what is rounded otherwise would grow
        with torch.no_grad():
            for name, parameter in theirs.named_parameters():
                parameter.copy_(ours.get_parameter(name))
            for name, parameter in flat.items():
                parameter.copy_(ours.get_parameter(name).flatten(1))
        backward(ours, seed)
        backward(theirs, seed)
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in flat.items():
            # not the net's own: some have a singular value that is rounding alone, and grows 480-fold
            parameter.grad = torch.randn(parameter.shape, generator=generator)
            ours.get_parameter(name).grad = parameter.grad.view_as(ours.get_parameter(name)).clone()
        optimizer.step()
        adamw.step()
        muon.step()
        for name, parameter in ours.named_parameters():
            same = flat[name].view_as(parameter) if name in chosen else theirs.get_parameter(name)
            # torch's products are bfloat16's, on any processor: of an update of 0.2 * 0.01 * sqrt(side), 2 to 7 %
            torch.testing.assert_close(parameter, same, rtol=1e-5, atol=3e-4 if name in chosen else 1e-7)
    assert all(not torch.equal(begun[name], parameter) for name, parameter in ours.named_parameters())


def test_matrices_of_the_backend_and_filters_of_the_stem_are_its_own():
    chosen = {name for name, parameter in tiny().named_parameters() if is_matrix(name, parameter)}
    assert {"patches.convs.0.weight", "backend.blocks.1.attention.qkv.weight"} <= chosen
    assert {"backend.blocks.0.attention.project_keys", "backend.blocks.0.mlp.fc2.weight"} <= chosen
    assert not chosen & {"patches.proj.weight", "head.weight", "pos_embed", "class_token", "norm.weight"}
    assert not any(name.endswith(("bias", "gain")) for name in chosen)


def test_a_matrix_keeps_one_average_and_a_loaded_state_goes_on_to_the_same_bits():
    net = tiny()
    straight = build_optimizer(net, MUON)
    backward(net, 0)
    straight.step()
    matrix = net.get_parameter("backend.blocks.0.mlp.fc1.weight")
    assert set(straight.state[matrix]) == {"momentum"}
    again = copy.deepcopy(net)
    resumed = build_optimizer(again, MUON)
    resumed.load_state_dict(copy.deepcopy(straight.state_dict()))
    for one, optimizer in ((net, straight), (again, resumed)):
        backward(one, 1)
        optimizer.step()
    assert isinstance(resumed, Muon)
    assert all(torch.equal(one, other) for one, other in zip(net.parameters(), again.parameters(), strict=True))


def test_without_gradients_a_step_changes_nothing():
    net = tiny()
    before = copy.deepcopy(net.state_dict())
    build_optimizer(net, MUON).step()
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


def test_where_all_else_is_frozen_the_matrices_are_trained_alone():
    net = tiny()
    for name, parameter in net.named_parameters():
        parameter.requires_grad_(is_matrix(name, parameter))
    optimizer = build_optimizer(net, MUON)
    backward(net, 0)
    optimizer.step()
    assert len(optimizer.state) == sum(parameter.requires_grad for parameter in net.parameters())


def test_another_word_is_refused_in_one_line():
    with pytest.raises(ConfigError, match=r"^model\.optimizer\.matrices 'moun': must be one of adamw, muon$"):
        AdamW(matrices="moun")  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.usefixtures("photos")
def test_a_run_goes_on_with_what_it_began_with(capsys: pytest.CaptureFixture[str]):
    words = ["fit", "--data.root", "photos", "--data.batch_size", "8", *TINY, *CPU, "--run.name", "a"]
    assert main([*words, "--trainer.max_epochs", "1"]) == 0
    path = Path("runs/a/checkpoints/last.ckpt")
    # as one of an earlier version, which knew no other
    content = torch.load(path, weights_only=True)
    del content["hyper_parameters"]["optimizer"]["matrices"]
    for change in (False, True):
        if change:
            torch.save(content, path)
        capsys.readouterr()
        again = ["fit", "--ckpt_path", "runs/a", "--trainer.max_epochs", "2", "--model.optimizer.matrices", "muon"]
        assert main(again) == 2
        told = capsys.readouterr().err
        assert told.startswith("vitcli fit: error: model.optimizer.matrices muon: contradicts the checkpoint")
        assert "which has adamw" in told
