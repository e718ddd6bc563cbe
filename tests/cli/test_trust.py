"""Nothing that came from elsewhere is trusted: checkpoints, weights, and the config of a stranger's run.

A canary module lies on the path, and says when it is imported; each file ends every way in with one line.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from tests.bounds import bounded, core_seconds
from tests.conftest import CPU
from vitcli.__main__ import main
from vitcli.errors import UserError
from vitcli.predictor import Predictor
from vitcli.train import Classifier
from vitcli.weights.checkpoint import read_checkpoint
from vitcli.weights.contract import MOST_VALUES
from vitcli.weights.open import open_pretrained

CANARY = """
import pathlib
pathlib.Path("imported").touch()
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import CSVLogger

class X(Callback): pass

def touch(*_, **__): pathlib.Path("called").touch()
"""
MEGABYTES = 1 << 20
Content = dict[str, Any]
Change = Callable[[Content], None]


@pytest.fixture
def canary(here: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that says when it is imported, and when its function is called."""
    Path("canary_of_trust.py").write_text(CANARY)
    monkeypatch.syspath_prepend(str(here))
    return "canary_of_trust"


def is_untouched(canary: str) -> bool:
    return canary not in sys.modules and not Path("imported").exists() and not Path("called").exists()


def line_of(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that was told; not that memory ran out."""
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    assert ": error: " in lines[0]
    assert len(lines[0]) < 1000
    assert "memory" not in lines[0]
    return lines[0]


def nested(levels: int) -> list[Any]:
    inner: list[Any] = []
    for _ in range(levels):
        inner = [inner]
    return inner


def endless() -> list[Any]:
    cycle: list[Any] = [1]
    cycle.append(cycle)
    return cycle


def laughing() -> list[Any]:
    laugh: list[Any] = ["ha"] * 10
    for _ in range(30):
        laugh = [laugh] * 10
    return laugh


def of_net(**settings: Any) -> Change:
    return lambda content: content["hyper_parameters"]["net"].update(settings)


def of_backend(**settings: Any) -> Change:
    return lambda content: content["hyper_parameters"]["net"]["backend"]["init_args"].update(settings)


def of_all(**settings: Any) -> Change:
    return lambda content: content["hyper_parameters"].update(settings)


def of_content(**values: Any) -> Change:
    return lambda content: content.update(values)


def with_itself(content: Content) -> None:
    content["hyper_parameters"]["net"]["more"] = content["hyper_parameters"]["net"]


def with_another_section(content: Content) -> None:
    content["hyper_parameters"]["net"]["pool"] = content["hyper_parameters"]["optimizer"]


def with_claimed_tensors(content: Content) -> None:
    """A net of 16,384 features, and tensors of its shapes that repeat one number."""
    content["hyper_parameters"]["net"].update(dim=16384)
    one = torch.zeros(1)
    shapes = {"net.patches.proj.weight": (16384, 3, 8, 8), "net.head.weight": (2, 16384)}
    content["state_dict"].update({name: one.expand(shape) for name, shape in shapes.items()})


CHECKPOINTS: dict[str, Change] = {
    "a class in a setting": of_all(act={"class_path": "canary_of_trust.X", "init_args": {}}),
    "a class in place of the preprocessing": of_all(preprocess={"class_path": "canary_of_trust.X"}),
    "a class as backend": of_net(backend={"class_path": "canary_of_trust.X", "init_args": {}}),
    "an instantiator": of_all(_instantiator="canary_of_trust.touch"),
    "a class of Lightning's cli": of_all(_class_path="canary_of_trust.X"),
    "a class among the settings of the backend": of_backend(class_path="canary_of_trust.X"),
    "a function of torch as backend": of_net(backend={"class_path": "torch.hub.load", "init_args": {}}),
    "10**9 layers": of_backend(depth=10**9),
    "9,000 layers": of_backend(depth=9000),
    "16,384 features": of_net(dim=16384),
    "16,384 features and tensors that repeat one number": with_claimed_tensors,
    "negative features": of_net(dim=-16),
    "no heads": of_backend(heads=0),
    "a million million pixels": of_net(image_size=[2**20, 2**20], patch_size=[1, 1], positions="none"),
    "a table of sines": of_net(image_size=[2**14, 2**14], patch_size=[1, 1], positions="sincos"),
    "a hidden width of 10**9": of_backend(mlp_ratio=1e8),
    "310,000 classes": of_all(classes=["circle"] * 310_000),
    "a list inside of itself": of_net(patch_size=endless()),
    "a section inside of itself": with_itself,
    "a section in two places": with_another_section,
    # written as opcodes, for the pickler of Python would need a deeper stack
    "20,000 levels": of_net(),
    "10**30 words": of_net(patch_size=laughing()),
    "a number of 5,000 digits": of_all(label_smoothing=10**5000),
    "not a number": of_all(label_smoothing=float("nan")),
    "a key that is no word": lambda content: content["hyper_parameters"]["net"].update({(1, 2): 3}),
    "a step that is no number": of_content(global_step="canary_of_trust"),
    "no tensors": of_content(state_dict=[1, 2]),
    "words for tensors": of_content(state_dict={"net.head.weight": "canary_of_trust.X"}),
    "tensors of another net": of_content(state_dict={"net.head.weight": torch.zeros(3, 3)}),
    "loops that are none": of_content(loops=[1]),
    "a loop that is a word": of_content(loops={"fit_loop": {"epoch_progress": "canary_of_trust.X"}}),
    "a schedule that is none": of_content(lr_schedulers=[{}]),
    "rows that are no number": of_content(metrics_rows="all"),
    "a callback's state that is none": of_content(callbacks=["canary_of_trust.X"]),
}
# what a checkpoint may say, and whoever builds the net refuses
ONLY_BUILT = (
    "a class as backend", "a function of torch as backend", "negative features", "no heads", "tensors of another net",
)  # fmt: skip
WAYS = (
    ["predict", "--data.root", "photos", "--ckpt_path"],
    ["fit", "--data.root", "photos", "--trainer.max_epochs", "2", *CPU, "--ckpt_path"],
    ["test", "--data.root", "photos", "--ckpt_path"],
    ["fit", "--data.root", "photos", *CPU, "--weights"],
    ["import", "--out", "out.safetensors"],
)


def write(content: Content, change: Change, file: Path) -> None:
    change(content)
    torch.save(content, file)


@pytest.fixture
def strange(copied: Path, canary: str) -> Callable[[str], Path]:
    """A function that writes the hostile checkpoint of a name."""

    def written(name: str) -> Path:
        file = Path("strange.ckpt")
        content = torch.load(copied / "checkpoints/last.ckpt", weights_only=True)
        if name == "20,000 levels":
            _save_deep(content, file)
        else:
            write(content, CHECKPOINTS[name], file)
        return file

    return written


@pytest.fixture(scope="module")
def unpickled(tmp_path_factory: pytest.TempPathFactory) -> float:
    """How long torch itself takes for the most words that are read: half a second of an idle machine."""
    file = tmp_path_factory.mktemp("words") / "words.pt"
    torch.save([f"{number}" for number in range(MOST_VALUES)], file)
    return core_seconds(lambda: torch.load(file, weights_only=True))


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_hostile_checkpoint_is_refused_as_fast_as_300_000_words_are_read_and_in_200_megabytes(
    strange: Callable[[str], Path], canary: str, name: str, unpickled: float
):
    file = strange(name)
    ways: list[Callable[[str], object]] = [read_checkpoint, open_pretrained, Predictor, Classifier.load_from_checkpoint]
    # all begin with the first, and half a second of torch's for so many words is enough
    for way in ways[name in ONLY_BUILT : 1 if name == "310,000 classes" else None]:

        def refused(way: Callable[[str], object] = way) -> None:
            with bounded(200), pytest.raises(UserError) as caught:
                way(str(file))
            assert len(str(caught.value)) < 1000

        assert core_seconds(refused) < 4 * unpickled
    assert is_untouched(canary)


def test_a_hostile_checkpoint_is_one_line_of_the_command(
    strange: Callable[[str], Path], canary: str, capsys: pytest.CaptureFixture[str]
):
    for words, name in zip(
        WAYS, ("no heads", "16,384 features", "negative features", "10**9 layers", "a class as backend"), strict=True
    ):
        file = strange(name)
        capsys.readouterr()
        assert main([*words, str(file)]) == 2
        line_of(capsys)
    assert is_untouched(canary)


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_hostile_checkpoint_is_one_line_for_every_way_in(
    strange: Callable[[str], Path], canary: str, name: str, capsys: pytest.CaptureFixture[str]
):
    file = strange(name)
    for words in WAYS:
        capsys.readouterr()
        with bounded(600):
            assert main([*words, str(file)]) == 2
        line_of(capsys)
    assert is_untouched(canary)


def _save_deep(content: Content, file: Path) -> None:
    """As torch.save, whose pickler is too deep for the stack: the lists are written as opcodes."""
    mark = "a place for the levels"
    content["hyper_parameters"]["net"]["patch_size"] = mark
    torch.save(content, file)
    with zipfile.ZipFile(file) as archive:
        held = {record.filename: archive.read(record) for record in archive.infolist()}
    levels = b"]" * 20_000 + b"a" * 19_999
    name = next(name for name in held if name.endswith("data.pkl"))
    word = b"X" + len(mark).to_bytes(4, "little") + mark.encode()
    at = held[name].index(word)
    # the word is put into the memo behind it, and so are the lists
    held[name] = held[name][:at] + levels + held[name][at + len(word) :]
    with zipfile.ZipFile(file, "w") as archive:
        for record, data in held.items():
            archive.writestr(record, data)


def test_a_checkpoint_with_code_is_one_line_and_runs_nothing(copied: Path, canary: str, capsys):
    class Evil:
        def __reduce__(self) -> Any:
            return os.system, ("touch called",)

    content = torch.load(copied / "checkpoints/last.ckpt", weights_only=True)
    content["hyper_parameters"]["act"] = Evil()
    torch.save(content, "strange.ckpt")
    Path("strange.pt").write_bytes(pickle.dumps(Evil()))
    for words in (["--ckpt_path", "strange.ckpt"], ["--weights", "strange.ckpt"], ["--weights", "strange.pt"]):
        assert main(["predict", *words, "--data.root", "photos"]) == 2
        line_of(capsys)
    assert is_untouched(canary)


def test_a_compressed_checkpoint_is_refused_before_it_is_unpacked(copied: Path):
    with zipfile.ZipFile(copied / "checkpoints/last.ckpt") as archive:
        held = {record.filename: archive.read(record) for record in archive.infolist()}
    with zipfile.ZipFile("strange.ckpt", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in held.items():
            archive.writestr(name, data + b"\0" * (60 * MEGABYTES if name.endswith("data.pkl") else 0))
    assert Path("strange.ckpt").stat().st_size < MEGABYTES
    for name in ("strange.ckpt", "strange.pt"):
        with bounded(50), pytest.raises(UserError):
            Predictor(name)
        Path(name).replace("strange.pt")


def test_the_name_of_a_checkpoint_names_no_backend(copied: Path, canary: str, capsys):
    content = torch.load(copied / "checkpoints/last.ckpt", weights_only=True)
    file = Path(f"{canary}.X.ckpt")
    write(content, CHECKPOINTS["a class as backend"], file)
    for verb in ("fit", "test", "predict"):
        assert main([verb, "--ckpt_path", str(file), "--data.root", "photos", "--run.name", f"{canary}.X"]) == 2
        assert f"if you trust it, say --model.net.backend {canary}.X" in line_of(capsys)
    assert is_untouched(canary)


SETTINGS = {"image_size": [16, 16], "patch_size": [8, 8], "dim": 16, "classes": 2}
CLASSES = '["circle", "square"]'
WEIGHTS: dict[str, dict[str, str]] = {
    "100,000 levels": {"net": "[" * 100_000 + "]" * 100_000},
    "40 levels of settings": {"net": json.dumps(SETTINGS | {"patch_size": nested(40)})},
    "a class as backend": {"net": json.dumps(SETTINGS | {"backend": {"class_path": "canary_of_trust.X"}})},
    "a class in a setting": {"net": json.dumps(SETTINGS | {"pool": {"class_path": "canary_of_trust.X"}})},
    "a class as preprocessing": {"net": json.dumps(SETTINGS), "preprocess": '{"class_path": "canary_of_trust.X"}'},
    "a class as names of classes": {"net": json.dumps(SETTINGS), "classes": '{"class_path": "canary_of_trust.X"}'},
    "16,384 features": {"net": json.dumps(SETTINGS | {"dim": 16384})},
    "10**9 layers": {
        "net": json.dumps(SETTINGS | {"backend": {"class_path": "vitcli.net.Linformer", "init_args": {"depth": 10**9}}})
    },
    "a number of 4,000 digits": {"net": json.dumps(SETTINGS | {"dropout": 10**4000})},
    "a preprocessing of other kinds": {
        "net": json.dumps(SETTINGS), "classes": CLASSES, "preprocess": '{"mean": "abc", "std": [1, 2]}',
    },
    "40 MB of words": {"net": json.dumps(SETTINGS), "classes": json.dumps(["a" * 1000] * 40_000)},
    "no JSON": {"net": "{"},
    "no settings": {"net": "5"},
}  # fmt: skip


@pytest.mark.parametrize("what", WEIGHTS)
def test_hostile_weights_are_one_line_for_every_way_in(here: Path, canary: str, what: str, capsys):
    file = Path("strange.safetensors")
    save_file({"patches.proj.weight": torch.zeros(16, 3, 8, 8), "head.weight": torch.zeros(2, 16)}, file, WEIGHTS[what])
    with bounded(400), pytest.raises(UserError):
        Predictor(file)
    with bounded(400):
        assert main(["import", str(file), "--out", "out.safetensors"]) == 2
    line_of(capsys)
    assert is_untouched(canary)


def test_a_torch_file_whose_tensors_repeat_one_number_is_one_line(here: Path, capsys):
    shapes = {"patch_embed.proj.weight": (16384, 3, 16, 16), "cls_token": (1, 1, 16384), "pos_embed": (1, 197, 16384)}
    torch.save({name: torch.zeros(1).expand(shape) for name, shape in shapes.items()}, "strange.pt")
    with bounded(400):
        assert main(["import", "strange.pt", "--out", "out.safetensors"]) == 2
    assert "is not whole" in line_of(capsys)


LAUGHS = "a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 12)
)
CONFIGS = {
    "a billion laughs": LAUGHS,
    "a list inside of itself": "trainer: &a {callbacks: [*a]}",
    "20,000 levels": "[" * 20_000 + "]" * 20_000,
    "a key twice": "trainer: {max_epochs: 1}\ntrainer: {max_epochs: 2}",
    "a tag that calls": "trainer: !!python/object/apply:canary_of_trust.touch []",
    "a number of 100,000 digits": f"seed_everything: {'9' * 100_000}",
    "a section that is a number": "trainer: 5",
    "a section of numbers": "data: {1: 2}",
    "a list for a name": "run: {name: [a, b]}",
    "a section for a checkpoint": "ckpt_path: {a: b}",
    "a function to call": (
        "trainer: {callbacks: [{class_path: lightning.pytorch.callbacks.LambdaCallback, "
        "init_args: {setup: canary_of_trust.touch}}]}"
    ),
    "a function of torch to call": (
        "trainer: {callbacks: [{class_path: LambdaCallback, init_args: {on_fit_start: torch.hub.load}}]}"
    ),
    "a function inside of an argument": (
        "trainer: {callbacks: [{class_path: ModelPruning, init_args: {pruning_fn: l1_unstructured, "
        "apply_pruning: {class_path: torch.hub.load, init_args: {repo_or_dir: canary_of_trust}}}}]}"
    ),
    "a logger of another package": "trainer: {logger: canary_of_trust.X}",
    "a function of torch as images": "data: {class_path: torch.hub.load, init_args: {repo_or_dir: x, model: y}}",
    "another config to load": "config: other.yaml",
}  # fmt: skip


@pytest.fixture(scope="module")
def misspelt() -> float:
    """How long a fit takes that ends at a misspelt option."""
    words = ["fit", "--data.root", "photos", "--data.batch_siz", "8", *CPU]
    return core_seconds(lambda: main(words))


@pytest.mark.parametrize("name", CONFIGS)
def test_a_hostile_config_is_one_line_as_soon_as_any_mistake(
    photos: Path, canary: str, name: str, misspelt: float, capsys: pytest.CaptureFixture[str]
):
    Path("strange.yaml").write_text(CONFIGS[name])

    def refused() -> None:
        with bounded(600):
            assert main(["fit", "--data.root", "photos", "--config", "strange.yaml", *CPU]) == 2

    capsys.readouterr()
    assert core_seconds(refused) < 4 * misspelt
    line_of(capsys)
    assert is_untouched(canary)
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["--model.net", "[" * 5000 + "]" * 5000],
        ["--trainer.callbacks", LAUGHS],
        ["--model.net={a: &a [*a]}"],
        ["--seed_everything", "9" * 10_000],
        ["--config", "https://example.org/strange.yaml"],
        ["--data.fold", "9" * 5000, "--data.folds", "5"],
    ],
    ids=["levels", "laughs", "itself", "digits", "address", "fold"],
)
def test_hostile_words_are_one_line(photos: Path, words: list[str], capsys: pytest.CaptureFixture[str]):
    with bounded(600):
        assert main(["fit", "--data.root", "photos", *words, *CPU]) == 2
    line_of(capsys)
