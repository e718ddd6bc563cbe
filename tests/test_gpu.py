"""A GPU computes what the CPU computes, and a whole run on one ends as it should."""

from __future__ import annotations

import copy
import csv
import functools
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor
from torch.nn import functional as F

from tests.conftest import TINY
from tests.data.augment.test_device import FILL, images
from tests.test_cli import press_ctrl_c_at, same
from tests.train.test_compiled import content
from vitcli import net
from vitcli.__main__ import main
from vitcli.data.augment.augment import Augment, Chance
from vitcli.data.augment.device import gather, mix, vary
from vitcli.net.kernels.softmax import mixture
from vitcli.predictor import Predictor
from vitcli.table.rows import read_rows
from vitcli.train import Classifier
from vitcli.train.optimizer import AdamW, build_optimizer, decay_groups
from vitcli.train.safety.last import KeepLast
from vitcli.weights import import_net

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU"),
]

FIT = ["fit", "--data.root", "photos", "--data.batch_size", "8", "--trainer.max_epochs", "2", *TINY]
GPU = ["--trainer.accelerator", "gpu", "--trainer.devices", "1"]
NETS = {
    "vanilla": ("VanillaTransformer", {}, {}),
    "one class token": ("VanillaTransformer", {}, {"pool": "cls"}),
    "everything": (
        "VanillaTransformer",
        {"qk_norm": True, "layer_scale": 0.1, "activation": "quick_gelu"},
        {"pool": "attention", "registers": 2, "patch_norm": True},
    ),
    "late linformer": ("Linformer", {"k": 4, "sharing": "none"}, {}),
    "early linformer": ("Linformer", {"k": 2, "sharing": "layerwise"}, {}),
    "pooled linformer": ("Linformer", {"k": 4, "projection": "avgpool", "project_prefix": False}, {}),
    "checkpointed": ("Linformer", {"k": 4, "activation_checkpointing": True}, {}),
}

# in mixed precision, as it is and compiled, beside those in double precision
GRADIENTS = """
import sys
import torch
from tests.test_gpu import gradients, make
from vitcli.net.kernels import half as mixed

# for the small layers of these nets too
mixed.LARGE_WEIGHTS = mixed.MANY_SUMS = 0
torch.manual_seed(0)
vit = make(sys.argv[1]).cuda()
pictures = torch.randn(16, 3, 64, 64, device="cuda")
exact = gradients(vit.double(), pictures.double())
outcomes = []
for compiled in (False, True):
    vit.float().zero_grad()
    if compiled:
        vit.compile(mode="reduce-overhead", dynamic=False)
    with torch.autocast("cuda", torch.bfloat16):
        outcomes.append({key: gradient.clone() for key, gradient in gradients(vit, pictures).items()})
size = sum(gradient.norm() for gradient in exact.values())
for key, expected in exact.items():
    plain, ours = ((outcome[key] - expected).norm() for outcome in outcomes)
    assert ours < 1.5 * plain + 0.01 * expected.norm() + 1e-4 * size, (key, plain, ours, expected.norm())
# never halved on their way
for part in ("weight", "bias"):
    gradient = outcomes[1][f"backend.blocks.0.mlp.fc1.{part}"]
    assert not torch.equal(gradient, gradient.bfloat16().float()), part
"""

Program = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(autouse=True)
def _precise() -> Iterator[None]:
    """Products in float32 by float32, whatever a test before has asked for."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    torch.manual_seed(0)
    yield
    torch.set_float32_matmul_precision(before)


@pytest.fixture
def _forgetful() -> Iterator[None]:
    """Whatever Lightning has asked of torch for this run is not asked of the next."""
    yield
    torch.use_deterministic_algorithms(False)


def make(name: str) -> net.ViT:
    backend, own, options = NETS[name]
    layers = functools.partial(getattr(net, backend), depth=3, heads=4, **own)
    settings = {"image_size": 64, "patch_size": 16, "dim": 64, "classes": 5, "pool": "mean", **options}
    made = net.ViT(backend=layers, **settings)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, mean=0.05, std=0.3 / max(1, parameter[0].numel()) ** 0.5)
    return made


def gradients(vit: net.ViT, pictures: Tensor) -> dict[str, Tensor]:
    """Of every parameter, and of the pictures."""
    pictures = pictures.clone().requires_grad_()
    vit(pictures).square().sum().backward()
    return {"pictures": pictures.grad} | {name: parameter.grad for name, parameter in vit.named_parameters()}


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 2e-4)])
def test_logits_and_gradients_are_those_of_the_cpu(name: str, dtype: torch.dtype, tolerance: float):
    vit = make(name).to(dtype).train()
    pictures = torch.randn(3, 3, 64, 64, dtype=dtype)
    expected, expected_gradients = vit(pictures), gradients(vit, pictures)
    vit.zero_grad()
    vit.cuda()
    got, got_gradients = vit(pictures.cuda()), gradients(vit, pictures.cuda())
    torch.testing.assert_close(got.cpu(), expected, rtol=tolerance, atol=tolerance)
    for key, gradient in expected_gradients.items():
        limit = tolerance * max(1, gradient.abs().max().item())
        torch.testing.assert_close(got_gradients[key].cpu(), gradient, rtol=tolerance, atol=limit, msg=key)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_mixed_precision_stays_near_single(name: str, dtype: torch.dtype):
    vit = make(name).eval().cuda()
    pictures = torch.randn(16, 3, 64, 64, device="cuda")
    with torch.no_grad():
        expected = vit(pictures)
        with torch.autocast("cuda", dtype):
            got = vit(pictures)
    assert got.dtype == dtype
    assert (got.float() - expected).norm() < 0.03 * expected.norm()


@pytest.mark.parametrize(
    ("tokens", "head_dim", "keys", "few"),
    [
        (50, 8, 50, True),
        (64, 16, 64, True),
        (50, 64, 50, True),
        (50, 12, 50, False),
        (50, 72, 50, False),
        (65, 16, 64, False),
        (50, 16, 65, False),
    ],
)
@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_attention_of_few_tokens_is_exact_by_a_kernel_of_its_own(
    tokens: int, head_dim: int, keys: int, few: bool, dropout: float, monkeypatch: pytest.MonkeyPatch
):
    attention, may_be_flash = F.scaled_dot_product_attention, []

    def noted(*inputs: Tensor, dropout_p: float) -> Tensor:
        may_be_flash.append(torch.backends.cuda.flash_sdp_enabled())
        return attention(*inputs, dropout_p=dropout_p)

    monkeypatch.setattr(F, "scaled_dot_product_attention", noted)
    shapes = [(3, 2, tokens, head_dim), (3, 2, keys, head_dim), (3, 2, keys, head_dim)]
    parts = [torch.randn(shape, device="cuda", dtype=torch.bfloat16, requires_grad=True) for shape in shapes]
    exact = [part.detach().float().requires_grad_() for part in parts]
    got = mixture(*parts, dropout)
    assert may_be_flash == [not few]
    assert torch.backends.cuda.flash_sdp_enabled()
    if dropout:
        assert got.isfinite().all()
        return
    expected = ((exact[0] * head_dim**-0.5) @ exact[1].transpose(2, 3)).softmax(3) @ exact[2]
    gradient = torch.randn_like(expected)
    torch.testing.assert_close(got.float(), expected, rtol=0.02, atol=0.02)
    of_got = torch.autograd.grad(got, parts, gradient.bfloat16())
    for ours, theirs in zip(of_got, torch.autograd.grad(expected, exact, gradient), strict=True):
        torch.testing.assert_close(ours.float(), theirs, rtol=0.05, atol=0.05)


def test_a_batch_is_varied_and_mixed_as_on_the_cpu():
    augment = Augment(flip=0.5, flip_vertical=0.5, colour=0.4, erase=0.5, mixup=0.4, cutmix=1.0)
    drawn = [
        Chance((True, False), (0.8, 1.2, 1.3), (0, 0, 0, 0)),
        Chance((False, True), (1.2, 0.7, 0.6), (0.1, 0.2, 0.6, 0.9)),
        Chance((True, True), (1, 1, 1), (0, 0, 0, 0)),
    ]
    chances = gather(drawn, 0)
    moved = chances._replace(**{key: getattr(chances, key).cuda() for key in ("mirror", "colour", "erased")})
    varied, got = vary(images(), chances, augment, FILL), vary(images().cuda(), moved, augment, FILL)
    torch.testing.assert_close(got.cpu(), varied, rtol=1e-5, atol=1e-3)
    labels = torch.tensor([0, 1, 1])
    for seed in range(6):
        mixed, shares = mix(varied, labels, 2, seed, augment)
        got_mixed, got_shares = mix(varied.cuda(), labels.cuda(), 2, seed, augment)
        torch.testing.assert_close(got_mixed.cpu(), mixed, rtol=1e-5, atol=1e-3)
        torch.testing.assert_close(got_shares.cpu(), shares)


def test_bytes_are_mirrored_bit_for_bit_as_on_the_cpu():
    chances = gather([Chance((True, False), (1, 1, 1), (0,) * 4), Chance((False, True), (1, 1, 1), (0,) * 4)], 0)
    augment = Augment(flip_vertical=0.5)
    moved = chances._replace(mirror=chances.mirror.cuda())
    got = vary(images(2).cuda(), moved, augment, FILL)
    assert got.dtype == torch.uint8
    assert torch.equal(got.cpu(), vary(images(2), chances, augment, FILL))


def succeeded(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def losses(run: str) -> list[float]:
    """Of val, after each epoch."""
    with Path("runs", run, "metrics.csv").open() as file:
        return [float(row["val/loss"]) for row in csv.DictReader(file) if row.get("val/loss")]


@pytest.mark.usefixtures("photos")
def test_a_run_on_the_gpu_ends_where_it_ends_on_the_cpu(vitcli: Program):
    succeeded(vitcli(*FIT, "--run.name", "cpu", "--trainer.accelerator", "cpu"))
    succeeded(vitcli(*FIT, "--run.name", "gpu", *GPU))
    expected, got = content("cpu"), content("gpu")
    assert got.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(got[name], tensor, rtol=1e-3, atol=1e-3, msg=name)
    assert losses("gpu") == pytest.approx(losses("cpu"), abs=1e-3)


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
def test_a_run_in_mixed_precision_is_trained_tested_and_used_anywhere(precision: str, vitcli: Program):
    said = succeeded(vitcli(*FIT, "--run.name", "run", *GPU, "--trainer.precision", precision))
    assert "best val/accuracy" in said
    assert {tensor.dtype for tensor in content("run").values() if tensor.is_floating_point()} == {torch.float32}
    rows = {}
    for place, words in (("gpu", GPU), ("cpu", ["--trainer.accelerator", "cpu"])):
        succeeded(vitcli("test", "--ckpt_path", "runs/run", *words))
        to = ["--data.root", "photos/test", "--predictions.path", f"{place}.csv"]
        succeeded(vitcli("predict", "--ckpt_path", "runs/run", *to, *words))
        rows[place] = list(read_rows(Path(f"{place}.csv")))
    assert len(rows["gpu"]) == 7
    for on_gpu, on_cpu in zip(rows["gpu"], rows["cpu"], strict=True):
        assert on_gpu.path == on_cpu.path
        assert on_gpu.probabilities == pytest.approx(on_cpu.probabilities, abs=0.02)


@pytest.mark.usefixtures("photos", "_forgetful")
@pytest.mark.parametrize("backend", ["VanillaTransformer", "Linformer"])
def test_a_run_that_was_stopped_goes_on_bit_for_bit_where_torch_is_deterministic(backend: str):
    words = [*FIT, *GPU, "--trainer.deterministic", "true", "--trainer.precision", "bf16-mixed"]
    words += ["--model.net.backend", backend, "--model.net.backend.dropout", "0.2", "--data.augment.mixup", "0.4"]
    words += ["--model.net.backend.k", "2"] if backend == "Linformer" else []
    assert main([*words, "--run.name", "straight"]) == 0
    with pytest.MonkeyPatch.context() as patch:
        press_ctrl_c_at(4, patch)
        assert main([*words, "--run.name", "parts"]) == 130
    assert main(["fit", "--ckpt_path", "runs/parts"]) == 0
    assert same(content("straight"), content("parts"))


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize("first", ["cpu", "gpu"])
def test_a_run_that_was_stopped_on_one_device_goes_on_on_another(first: str):
    devices = {"cpu": ["--trainer.accelerator", "cpu"], "gpu": GPU}
    then = "gpu" if first == "cpu" else "cpu"
    assert main([*FIT, *devices[first], "--run.name", "straight"]) == 0
    with pytest.MonkeyPatch.context() as patch:
        press_ctrl_c_at(4, patch)
        assert main([*FIT, *devices[first], "--run.name", "parts"]) == 130
    assert main(["fit", "--ckpt_path", "runs/parts", *devices[then]]) == 0
    straight, parts = content("straight"), content("parts")
    assert straight.keys() == parts.keys()
    for name, tensor in straight.items():
        torch.testing.assert_close(parts[name], tensor, rtol=1e-3, atol=1e-3, msg=name)


def test_the_optimizer_goes_on_from_a_state_whose_steps_lie_on_the_cpu():
    nets = [make("vanilla").cuda() for _ in range(2)]
    plain = torch.optim.AdamW(decay_groups(nets[0], AdamW()), lr=AdamW().rate)
    ours = build_optimizer(nets[1], AdamW())
    for number in range(3):
        if number == 1:
            nets[1].load_state_dict(nets[0].state_dict())
            assert {state["step"].device.type for state in plain.state.values()} == {"cpu"}
            ours.load_state_dict(copy.deepcopy(plain.state_dict()))
        for expected, tensor in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
            expected.grad = tensor.grad = torch.randn_like(expected)
        plain.step()
        ours.step()
    assert {state["step"].device.type for state in ours.state.values()} == {"cuda"}
    for (name, expected), tensor in zip(nets[0].named_parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(tensor, expected, rtol=1e-5, atol=1e-6, msg=name)


@pytest.mark.usefixtures("photos")
def test_from_the_end_of_a_step_to_the_end_of_the_next_nothing_waits_for_the_gpu(monkeypatch: pytest.MonkeyPatch):
    end, watched = KeepLast.on_train_batch_end, []

    def watch(self: KeepLast, trainer: Trainer, *rest: object) -> None:
        watched.append(trainer.global_step)
        torch.cuda.set_sync_debug_mode("error" if trainer.global_step == 2 else "default")
        end(self, trainer, *rest)

    monkeypatch.setattr(KeepLast, "on_train_batch_end", watch)
    # what is logged is waited for
    words = ["--trainer.log_every_n_steps", "100", "--trainer.precision", "bf16-mixed", "--run.name", "watched"]
    try:
        assert main([*FIT, *GPU, *words]) == 0
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert watched[:3] == [1, 2, 3]


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize("backend", ["VanillaTransformer", "Linformer"])
@pytest.mark.parametrize("summed", [1, 2])
def test_a_compiled_run_ends_near_the_plain_one(backend: str, summed: int, vitcli: Program):
    # with smaller batches last, which are filled up
    words = [*FIT, *GPU, "--data.batch_size", "7", "--trainer.accumulate_grad_batches", str(summed)]
    words += ["--model.net.backend", backend]
    words += ["--model.net.backend.k", "2"] if backend == "Linformer" else []
    succeeded(vitcli(*words, "--run.name", "plain"))
    succeeded(vitcli(*words, "--run.name", "compiled", "--model.compile", "true"))
    plain, compiled = content("plain"), content("compiled")
    assert plain.keys() == compiled.keys()
    for name, tensor in plain.items():
        torch.testing.assert_close(compiled[name], tensor, rtol=1e-3, atol=1e-3, msg=name)
    assert losses("compiled") == pytest.approx(losses("plain"), abs=1e-3)
    classifier = Classifier.load_from_checkpoint("runs/compiled/checkpoints/last.ckpt")
    assert classifier.device.type == "cpu"


@pytest.mark.parametrize("name", NETS)
def test_compiled_gradients_are_as_near_as_plain_ones_in_mixed_precision(name: str):
    # in a process of its own, for no compiler sees through the checks of shapes that are on in this one
    words = [sys.executable, "-c", GRADIENTS, name]
    done = subprocess.run(words, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert done.returncode == 0, done.stderr


def test_a_file_of_tensors_that_lie_on_a_gpu_is_imported():
    from timm.models.vision_transformer import VisionTransformer

    peer = VisionTransformer(32, 8, embed_dim=32, depth=2, num_heads=2, num_classes=4).eval().cuda()
    pictures = torch.randn(2, 3, 32, 32, device="cuda")
    vit = import_net(peer.state_dict(), heads=2).cuda()
    with torch.no_grad():
        torch.testing.assert_close(vit(pictures), peer(pictures), rtol=2e-4, atol=2e-4)


def test_a_predictor_says_the_same_on_a_gpu(copied: Path):
    rows = {device: Predictor(copied, device=device, tta="flip").predict("photos/test") for device in ("cpu", "cuda")}
    shares = {device: [row.probabilities[0] for row in said] for device, said in rows.items()}
    assert Predictor(copied).device.type == "cuda"
    assert shares["cuda"] == pytest.approx(shares["cpu"], abs=1e-5)
