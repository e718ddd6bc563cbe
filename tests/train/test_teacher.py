"""A teacher sees the pictures that the net sees, its loss is the formula's, and it is in nothing that fit keeps."""

from __future__ import annotations

import csv
import hashlib
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.trainer import call
from torch import Tensor

from tests.conftest import CPU, TINY
from tests.train.safety.stopper import stop_at
from tests.train.safety.test_exact import WORDS, differing, outcome
from tests.warm import Warm
from vitcli import Predictor
from vitcli.__main__ import main
from vitcli.errors import ConfigError, WeightsError
from vitcli.images.decode.pixels import Way, resample
from vitcli.net import VanillaTransformer, ViT
from vitcli.preprocess import Preprocess, Region
from vitcli.train import Classifier
from vitcli.train.distill import DistillOptions, changes, from_checkpoint
from vitcli.train.teacher import Teacher, open_teacher
from vitcli.weights import save_tensors

FIT = ["fit", "--data.root", "photos", "--data.batch_size", "8", *TINY, *CPU, "--trainer.max_epochs", "1"]
# larger pictures than the teacher's, mixed, coloured and erased
VIEW = ["--model.net.image_size=24", "--data.augment.mixup", "0.4", "--data.augment.colour", "0.4"]
VIEW += ["--data.augment.erase", "1", "--data.augment.policy", "trivial"]
TAUGHT = ["--distill.weights", "runs/photos", "--run.name", "taught"]
CLASSES = ("circle", "square")


def net(channels: int = 3, image_size: int = 16, classes: int = 3) -> ViT:
    torch.manual_seed(1)
    backend = lambda tokens, dim: VanillaTransformer(tokens, dim, depth=2, heads=2)  # noqa: E731
    return ViT(image_size, 8, channels, 16, backend=backend, classes=classes).double()


def load(run: str, name: str = "last") -> dict[str, Any]:
    content: dict[str, Any] = torch.load(f"runs/{run}/checkpoints/{name}.ckpt", weights_only=True)
    return content


FORMULAS = [
    DistillOptions("t", temperature=3.0, share=0.7),
    DistillOptions("t", share=0.4, hard=True),
    DistillOptions("t", temperature=3.0, share=0.7, tokens=2.0),
]


@pytest.mark.parametrize("options", FORMULAS, ids=str)
def test_the_loss_is_that_of_the_formula(options: DistillOptions) -> None:
    classes, weights = ("a", "b", "c"), {"b": 2.5}
    classifier = Classifier(net(), Preprocess((16, 16)), classes, label_smoothing=0.1, class_weights=weights)
    classifier.teacher = Teacher(options, net(), Preprocess((16, 16)), ("c", "a", "b"), classes)
    classifier.balance = torch.tensor([1.0, 2.5, 1.0])
    images = torch.randint(256, (5, 3, 16, 16), dtype=torch.uint8)
    shares = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0.25, 0.75, 0], [0, 0.5, 0.5]])
    with torch.no_grad():
        # another net than the teacher
        classifier.net.head.weight.mul_(-40)
        classifier.net.patches.proj.weight.mul_(-1)
        learnt = classifier.learn({"image": images, "label": shares.argmax(1), "target": shares})  # type: ignore[typeddict-item]
        values = Preprocess((16, 16)).normalise(images).double()
        ours, theirs = (
            each.float().double().numpy() for each in (classifier.net(values), classifier.teacher.net(values))
        )
    theirs = theirs[:, [1, 2, 0]]
    assert np.array_equal(learnt.logits.double().numpy(), ours)

    def log_softmax(logits: Any) -> Any:
        return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))

    labels = -((0.9 * shares.double().numpy() + 0.1 / 3) * log_softmax(ours)).sum(axis=1)
    if options.hard:
        taught = -log_softmax(ours)[np.arange(5), theirs.argmax(axis=1)]
    else:
        t, s = log_softmax(theirs / 3), log_softmax(ours / 3)
        taught = 9 * (np.exp(t) * (t - s)).sum(axis=1)
    if options.tokens:
        taught = taught + 2.0 * between_tokens(values, classifier.net, classifier.teacher.net)
    assert taught.min() > 1e-3
    each = (1 - options.share) * labels + options.share * taught
    expected = (each * (shares.numpy() @ [1.0, 2.5, 1.0])).mean()
    assert float(learnt.loss) == pytest.approx(expected, rel=1e-5)
    assert learnt.distill_loss is not None
    assert float(learnt.distill_loss) == pytest.approx(taught.mean(), rel=1e-4)


def between_tokens(values: Tensor, *nets: ViT) -> Any:
    """The mean squared difference of normalised tokens behind each block, of the class token behind the last."""
    each = []
    for one in nets:
        with torch.no_grad():
            tokens, seen = one.embed(values), []
            for block in one.backend.get_submodule("blocks").children():
                tokens = block(tokens)
                seen.append(tokens.numpy())
        seen[-1] = seen[-1][:, :1]
        each.append([(x - x.mean(2, keepdims=True)) / np.sqrt(x.var(2, keepdims=True) + 1e-5) for x in seen])
    return np.mean([((a - b) ** 2).mean(axis=(1, 2)) for a, b in zip(*each, strict=True)], axis=0)


@pytest.mark.usefixtures("copied")
def test_both_see_the_same_view_each_in_its_own_size(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, list[Tensor]] = {"net": [], "teacher": [], "values": []}
    forward, logits, normalise = Classifier.forward, Teacher.logits, Preprocess.normalise

    def of_net(self: Classifier, images: Tensor) -> Tensor:
        if self.training:
            seen["net"].append(images.clone())
        return forward(self, images)

    def of_teacher(self: Teacher, images: Tensor, like: Tensor) -> Tensor:
        def noted(preprocess: Preprocess, pixels: Tensor) -> Tensor:
            seen["values"].append(pixels.clone())
            return normalise(preprocess, pixels)

        assert not self.net.training
        seen["teacher"].append(images.clone())
        with monkeypatch.context() as patch:
            patch.setattr(Preprocess, "normalise", noted)
            found = logits(self, images, like)
        assert not found.requires_grad
        return found

    monkeypatch.setattr(Classifier, "forward", of_net)
    monkeypatch.setattr(Teacher, "logits", of_teacher)
    assert main([*FIT, *VIEW, *TAUGHT]) == 0
    assert len(seen["net"]) == len(seen["teacher"]) == 3
    for ours, theirs, resized in zip(seen["net"], seen["teacher"], seen["values"], strict=True):
        assert torch.equal(ours, theirs)
        assert ours.shape[2:] == (24, 24)
        # as a picture of that size is resampled by predict, which rounds between rows and columns
        pixels = ours.round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
        way = Way.of(Preprocess((16, 16)))
        expected = np.stack([resample(one, Region(0, 0, 24, 24), way) for one in pixels])
        off = np.abs(resized.numpy() - expected)
        assert off.mean() < 0.4
        assert (off > 1.1).mean() < 0.01


def test_the_teacher_answers_as_when_it_is_used_in_any_order_of_the_classes(copied: Path) -> None:
    answers = {}
    files = sorted(Path("photos/val").rglob("*.png"))
    expected = [row.probabilities for row in Predictor("runs/photos", device="cpu").predict(files)]
    preprocess = Classifier.load_from_checkpoint(copied).preprocess
    for classes in (CLASSES, CLASSES[::-1]):
        teacher = open_teacher(DistillOptions("runs/photos"), classes)
        assert teacher is not None
        images = torch.stack([_pixels(file, preprocess) for file in files])
        answers[classes] = teacher.logits(images, torch.zeros(1)).softmax(dim=1)
    np.testing.assert_allclose(answers[CLASSES], expected, atol=1e-5)
    assert torch.equal(answers[CLASSES], answers[CLASSES[::-1]].flip(1))


def _pixels(file: Path, preprocess: Preprocess) -> Tensor:
    from PIL import Image

    picture = np.asarray(Image.open(file).convert("RGB"))
    region = preprocess.region(*picture.shape[:2])
    return torch.from_numpy(resample(picture, region, Way.of(preprocess)).copy())


@pytest.mark.slow
@pytest.mark.usefixtures("copied")
def test_nothing_of_the_teacher_is_in_what_fit_keeps_and_it_stays_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    file = Path("runs/photos/checkpoints/best.ckpt")
    before = hashlib.sha256(file.read_bytes()).hexdigest()
    words = ["--ema.decay", "0.9", "--trainer.log_every_n_steps", "1"]
    assert main([*FIT, *words, "--run.name", "alone"]) == 0
    alone = capsys.readouterr().out
    assert main([*FIT, *words, *TAUGHT]) == 0
    taught = capsys.readouterr().out
    # a teacher without a share changes no bit of a training
    assert (
        main([*FIT, *words, "--distill.weights", "runs/photos", "--distill.share", "0", "--run.name", "unheard"]) == 0
    )
    assert hashlib.sha256(file.read_bytes()).hexdigest() == before
    line = "teacher: runs/photos: VanillaTransformer, 5 tokens x 16, "
    assert line in taught
    assert line not in alone
    assert [each for each in taught.splitlines() if each.startswith("net: ")] == [
        each for each in alone.splitlines() if each.startswith("net: ")
    ]
    one, other, unheard = (load(run) for run in ("alone", "taught", "unheard"))
    assert other.keys() == one.keys() | {"distill"}
    for key in ("state_dict", "raw_state_dict"):
        assert other[key].keys() == one[key].keys()
        assert all(torch.equal(tensor, unheard[key][name]) for name, tensor in one[key].items())
        assert not all(torch.equal(tensor, other[key][name]) for name, tensor in one[key].items())
    assert other["optimizer_states"][0]["state"].keys() == one["optimizer_states"][0]["state"].keys()
    with Path("runs/taught/metrics.csv").open() as rows:
        steps = [row for row in csv.DictReader(rows) if row["train/distill_loss"]]
    assert len(steps) == 3
    assert all(float(row["train/distill_loss"]) > 0 for row in steps)
    # the metrics of training are the labels'
    with Path("runs/alone/metrics.csv").open() as rows:
        losses = [float(row["train/loss_step"]) for row in csv.DictReader(rows) if row["train/loss_step"]]
    expected = 0.1 * losses[0] + 0.9 * float(steps[0]["train/distill_loss"])
    assert float(steps[0]["train/loss_step"]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
@pytest.mark.usefixtures("copied")
def test_a_taught_run_that_is_stopped_goes_on_to_the_same_bits_and_with_no_other_teacher(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.move("runs/photos", "teacher")
    # not below the folder of the runs, and found again all the same
    words = ["fit", *WORDS, "--trainer.max_epochs", "2", "--distill.weights", str(Path("teacher").resolve())]
    words += ["--data.augment.mixup", "0.4"]
    assert main([*words, "--run.name", "straight"]) == 0
    with monkeypatch.context() as patch:
        # which is put back behind this
        patch.setattr(call, "_call_callback_hooks", call._call_callback_hooks)
        stop_at("on_train_batch_end", 8, signal.SIGTERM)
        assert main([*words, "--run.name", "stopped"]) == 143
    capsys.readouterr()
    assert main(["fit", "--ckpt_path", "runs/stopped"]) == 0
    told = capsys.readouterr().out
    assert "teacher: " in told
    assert "changed: " not in told
    assert differing(outcome(Path("runs/stopped")), outcome(Path("runs/straight"))) == []
    # another net behind the same name
    best = Path("teacher/checkpoints/best.ckpt")
    content = torch.load(best, weights_only=True)
    content["state_dict"]["net.head.bias"] += 1
    torch.save(content, best)
    assert main(["fit", "--ckpt_path", "runs/stopped", "--trainer.max_epochs", "3"]) == 2
    refused = f"vitcli fit: error: distill.weights {best.parents[1].resolve()}: holds another net than when "
    assert capsys.readouterr().err.startswith(refused)


SAID = {"weights": "t", "temperature": 2.0, "share": 0.5, "hard": False, "tokens": 0.0, "digest": "d"}


def test_a_checkpoint_alone_says_who_teaches() -> None:
    section = {name: value for name, value in SAID.items() if name != "digest"}
    assert from_checkpoint({"distill": SAID}, None) == {"distill": section}
    assert from_checkpoint({}, None) == {}
    # an option that came later is off
    older = {name: value for name, value in SAID.items() if name != "tokens"}
    assert from_checkpoint({"distill": older}, None) == {"distill": section}
    assert changes({"distill": older}, DistillOptions("t", 2.0, 0.5), "d") == []
    # what is fetched from a place that anybody may fill has to be typed
    hub = SAID | {"weights": "timm:hf-hub:somebody/net"}
    assert from_checkpoint({"distill": hub}, None) == {}
    assert changes({"distill": hub}, DistillOptions(), None)[0].endswith(" -> null; going on without a teacher")
    begun = changes({"global_step": 7}, DistillOptions("t"), "d")
    assert begun == ["distill.weights t: the run had no teacher so far; it teaches from step 7 on"]
    other = changes({"distill": SAID}, DistillOptions("u", 2.0, 0.5, hard=True), "e")
    assert other == ["changed: distill.weights t -> u, another teacher", "changed: distill.hard False -> True"]
    # the same net elsewhere is the same teacher
    assert changes({"distill": SAID}, DistillOptions("elsewhere", 2.0, 0.5), "d") == []
    assert changes({}, DistillOptions("t"), "d") == changes({"distill": SAID}, DistillOptions("t", 2.0, 0.5), "d") == []


@pytest.mark.parametrize(
    "damage",
    [{"weights": 3}, {"temperature": "2"}, {"share": 2.0}, {"hard": None}, {"tokens": -1}, {"digest": 1}],
    ids=str,
)
def test_what_a_damaged_checkpoint_says_of_its_teacher_is_one_line(damage: dict[str, Any]) -> None:
    for said in (SAID | damage, None, "t"):
        with pytest.raises(
            WeightsError, match=r"^--ckpt_path x\.ckpt: what it says of its teacher .* is damaged; [^\n]*$"
        ):
            from_checkpoint({"distill": said}, Path("x.ckpt"))


NO_TEACHERS = {
    "none.safetensors": "none.safetensors: no such file; name a safetensors or torch file, a checkpoint, ",
    "empty": "empty: there is no empty/checkpoints/best.ckpt, no checkpoint at all; name another file or run",
    "cats.safetensors": (
        "cats.safetensors: its 2 classes (cat, square) are not those of the images (circle, square); fine-tune it on "
        "these images first, and name its run: vitcli fit --config finetune --weights cats.safetensors --data.root DIR"
    ),
    "nameless.safetensors": "nameless.safetensors: its 2 classes (no names) are not those of the images (",
    "grey.safetensors": "grey.safetensors: its net has 1 channels, and images enter as red, green and blue; name ",
}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("name", NO_TEACHERS)
def test_what_cannot_teach_is_one_line(name: str) -> None:
    Path("empty/checkpoints").mkdir(parents=True)
    for stem, channels, classes in (("cats", 3, ["cat", "square"]), ("grey", 1, [*CLASSES]), ("nameless", 3, None)):
        save_tensors(net(channels, classes=2).float(), f"{stem}.safetensors", classes=classes)
    with pytest.raises((ConfigError, WeightsError)) as refused:
        open_teacher(DistillOptions(name), CLASSES)
    assert str(refused.value).startswith(f"distill.weights {NO_TEACHERS[name]}")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({"share": 1.5}, "distill.share 1.5: outside [0, 1]; 0.9 is usual, and 1 leaves the labels out of the loss"),
        ({"share": -0.1}, "distill.share -0.1: outside [0, 1]; 0.9 is usual, and 1 leaves the labels out of the loss"),
        (
            {"share": float("nan")},
            "distill.share nan: outside [0, 1]; 0.9 is usual, and 1 leaves the labels out of the ",
        ),
        ({"tokens": -1.0}, "distill.tokens -1.0: must be 0 or a positive number, such as 1; 0 is none"),
        ({"temperature": 0.0}, "distill.temperature 0.0: must be above 0; 1 compares the probabilities as they are"),
        ({"temperature": float("inf")}, "distill.temperature inf: must be above 0; 1 compares the probabilities as "),
    ],
    ids=str,
)
def test_a_share_or_temperature_that_cannot_be_is_one_line(said: dict[str, float], line: str) -> None:
    with pytest.raises(ConfigError) as refused:
        DistillOptions("t", **said)  # type: ignore[arg-type]
    assert str(refused.value).startswith(line)


@pytest.mark.usefixtures("copied")
@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--model.classes", "[a,b]"], "distill.weights runs/photos: its 2 classes (circle, square) are not those of "),
        (
            ["--distill.tokens", "1", "--model.net.dim=32"],
            "distill.tokens 1: compares the tokens behind each block, and this net has 1 blocks of 5 tokens x 32, its ",
        ),
        (["--distill.tokens", "1", "--model.compile", "true"], "distill.tokens 1: looks into the net, which model.com"),
        (
            ["--trainer.max_epochs", "0"],
            "distill.weights runs/photos: teaches while a net is trained, and trainer.max_ep",
        ),
        (
            ["--distill.hard", "true", "--distill.temperature", "2"],
            "distill.temperature 2: acts not beside distill.hard true, and distill.hard is true; change it, or leave ",
        ),
    ],
    ids=["classes", "tokens", "compiled", "nothing to train", "hard"],
)
def test_nothing_is_left_of_a_run_that_cannot_be_taught(
    words: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "--model.classes" in words:
        for split in ("train", "val", "test"):
            for old, now in zip(CLASSES, ("a", "b"), strict=True):
                Path("photos", split, old).rename(Path("photos", split, now))
    assert main([*FIT, *TAUGHT, *words]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"vitcli fit: error: {line}")
    assert len(told.splitlines()) == 1
    assert sorted(path.name for path in Path("runs").iterdir()) == [".cache", "photos"]


@pytest.mark.slow
def test_a_teacher_that_is_no_number_is_named(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = load("photos", "best")
    content["state_dict"]["net.head.bias"] += torch.nan
    torch.save(content, copied / "checkpoints" / "best.ckpt")
    assert main([*FIT, *TAUGHT]) == 2
    told = capsys.readouterr().err
    assert "the loss is nan, in the part of the teacher, distill.weights; images " in told


@pytest.mark.slow
@pytest.mark.usefixtures("copied")
def test_two_processes_are_taught_as_one_is(programs: Warm) -> None:
    two = ["--trainer.devices", "2", "--trainer.strategy", "ddp", "--data.batch_size", "4"]
    assert programs.run(*FIT, *TAUGHT).returncode == 0
    done = programs.run(*FIT, *TAUGHT[:2], *two, "--run.name", "pair", ranks=1)
    assert done.returncode == 0, done.stderr
    one, pair = load("taught")["state_dict"], load("pair")["state_dict"]
    assert all(torch.allclose(tensor, pair[name], atol=1e-5) for name, tensor in one.items())


@pytest.mark.slow
@pytest.mark.usefixtures("copied")
def test_batch_size_and_rate_are_found_with_the_teacher(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes, logits = set(), Teacher.logits

    def noted(self: Teacher, images: Tensor, like: Tensor) -> Tensor:
        sizes.add(len(images))
        return logits(self, images, like)

    monkeypatch.setattr(Teacher, "logits", noted)
    assert main([*FIT[:3], *FIT[5:], *TAUGHT, "--data.batch_size", "auto", "--model.optimizer.lr", "auto"]) == 0
    assert len(sizes) > 1
    assert "model.optimizer.lr" in capsys.readouterr().out
