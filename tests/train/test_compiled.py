"""A compiled net is the same net, with the same names in its checkpoint."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.callbacks import Callback, GradientAccumulationScheduler

from tests.conftest import CPU, TINY
from tests.warm import Warm
from vitcli.__main__ import main
from vitcli.net import VanillaTransformer, ViT
from vitcli.train import Classifier
from vitcli.train.compiled import is_graphed

FIT = ["fit", "--data.root", "photos", "--data.batch_size", "8", "--trainer.max_epochs", "1", *TINY, *CPU]


# down to the graph, whose operations torch then runs as they are: no compiler is needed. In processes without the
# checks of shapes that tests have, which break a graph up and take three times as long
TRACED = """
import sys
import torch
from vitcli.__main__ import command
from vitcli.net import ViT
from vitcli.train import classifier
graphs = []
run = lambda graph, _: graphs.append(graph) or graph.forward
ViT.compile = lambda self, **_: torch.nn.Module.compile(self, backend=run)
classifier.check_compiler = lambda: None
code = command()
print("graphs", len(graphs))
sys.exit(code)
"""


def content(run: str) -> dict[str, torch.Tensor]:
    return torch.load(f"runs/{run}/checkpoints/last.ckpt", weights_only=True, map_location="cpu")["state_dict"]


@pytest.mark.slow
def test_a_compiled_run_ends_as_the_plain_one_and_is_gone_on_with_plainly(photos: Path, programs: Warm) -> None:
    for name, compiles in (("plain", "false"), ("compiled", "true")):
        ended = programs.run(*FIT, "--run.name", name, "--model.compile", compiles, code=TRACED)
        assert ended.returncode == 0, ended.stderr
        assert (ended.stdout.splitlines()[-1] == "graphs 0") == (name == "plain")
    plain, compiled = content("plain"), content("compiled")
    assert plain.keys() == compiled.keys()
    for name, tensor in plain.items():
        torch.testing.assert_close(compiled[name], tensor, rtol=1e-4, atol=1e-5)
    assert not Classifier.load_from_checkpoint("runs/compiled/checkpoints/last.ckpt").net._compiled_call_impl
    words = ["fit", "--ckpt_path", "runs/compiled", "--trainer.max_epochs", "2", "--model.compile", "false"]
    assert main(words) == 0
    # best.ckpt is that of the compiled epoch; another machine may have no compiler
    for words, compiles in (((), False), (("--model.compile", "true"), True)):
        tested = programs.run("test", "--ckpt_path", "runs/compiled", *CPU, *words, code=TRACED)
        assert tested.returncode == 0, tested.stderr
        assert (tested.stdout.splitlines()[-1] != "graphs 0") == compiles


@pytest.mark.parametrize(
    ("device", "processes", "summed", "callbacks", "graphed"),
    [
        ("cuda", 1, 1, [], True),
        ("cpu", 1, 1, [], False),
        ("cuda", 2, 1, [], False),
        ("cuda", 1, 2, [], False),
        ("cuda", 1, 1, [GradientAccumulationScheduler({4: 2})], False),
    ],
)
def test_only_steps_of_their_own_on_a_single_gpu_are_recorded(
    device: str, processes: int, summed: int, callbacks: list[Callback], graphed: bool
) -> None:
    strategy = SimpleNamespace(root_device=torch.device(device))
    trainer = SimpleNamespace(
        strategy=strategy, world_size=processes, accumulate_grad_batches=summed, callbacks=callbacks
    )
    assert is_graphed(trainer) == graphed  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="for a GPU, torch compiles by other means")
def test_without_a_compiler_a_run_is_refused_in_one_line(photos: Path) -> None:
    # which compiler there is, torch asks as it is imported
    program = Path(sys.executable).with_name("vitcli")
    without = {**os.environ, "CXX": str(photos / "no-compiler")}
    done = subprocess.run(
        [program, *FIT, "--model.compile", "true"], capture_output=True, text=True, env=without, check=False
    )
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("vitcli fit: error: model.compile true: torch finds no C++ compiler here; install g++")
    assert not Path("runs").exists()


GRAPHS = """
import functools, sys, warnings
import torch, vitcli.net
warnings.simplefilter("ignore")
torch.set_num_threads(1)
for backend, own in (("VanillaTransformer", {}), ("Linformer", {"k": 4})):
    for training in (False, True):
        graphs = []
        make = functools.partial(getattr(vitcli.net, backend), depth=2, heads=2, **own)
        net = vitcli.net.ViT(image_size=32, patch_size=8, dim=16, classes=3, backend=make).train(training)
        torch.nn.Module.compile(net, backend=lambda graph, _: graphs.append(graph) or graph.forward)
        net(torch.randn(2, 3, 32, 32))
        print(backend, training, len(graphs))
"""


@pytest.mark.slow
def test_both_backends_are_one_graph(programs: Warm) -> None:
    # in a process without the checks of shapes that tests have, which break it up
    done = programs.run(code=GRAPHS)
    assert done.returncode == 0, done.stderr
    counted = [line.split()[-1] for line in done.stdout.splitlines()]
    assert counted == ["1"] * 4, done.stdout


COMPILED = """
import torch
from vitcli.net import ViT
net = ViT(image_size=32, patch_size=8, dim=32, classes=3).eval()
images = torch.randn(2, 3, 32, 32)
with torch.no_grad():
    expected = net(images)
    net.compile()
    assert net._compiled_call_impl is not None
    torch.testing.assert_close(net(images), expected, rtol=1e-4, atol=1e-5)
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles for the CPU with g++")
def test_torchs_own_compiler_makes_the_same_logits(programs: Warm) -> None:
    ended = programs.run(code=COMPILED)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("training", [True, False])
def test_a_net_to_be_compiled_is_given_batches_of_one_size_and_answers_as_a_plain_one(
    training: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vitcli.train.classifier.check_compiler", lambda: None)
    layers = functools.partial(VanillaTransformer, depth=1, heads=2)
    compiled, plain = (
        Classifier(ViT(32, 16, dim=16, classes=2, backend=layers), classes=("a", "b"), compile=compile_)
        for compile_ in (True, False)
    )
    plain.load_state_dict(compiled.state_dict())
    given: list[int] = []
    compiled.net.register_forward_pre_hook(lambda _, inputs: given.append(len(inputs[0])))
    for count in (4, 3, 1, 4, 6, 2):
        images = torch.randint(256, (count, 3, 32, 32), dtype=torch.uint8)
        results = []
        for classifier in (compiled, plain):
            classifier.train(training).zero_grad()
            logits = classifier(images)
            logits.square().sum().backward()
            results.append([logits, *(parameter.grad for parameter in classifier.net.parameters())])
        for ours, expected in zip(*results, strict=True):
            torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-6)
    assert given == [4, 4, 4, 4, 6, 6]
