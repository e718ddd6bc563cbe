"""Weights are fetched by the library that they come from, and refused where our net computes something else."""

from __future__ import annotations

import http.server
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import timm
import torch
import torchvision
import yaml
from huggingface_hub import constants
from safetensors.torch import save_file

from tests.conftest import CPU
from vitcli.__main__ import main
from vitcli.errors import WeightsError
from vitcli.images.decode.encoded import EncodedPicture
from vitcli.images.decode.pixels import Way
from vitcli.preprocess import Preprocess
from vitcli.table.rows import read_rows
from vitcli.weights import fetch, import_net
from vitcli.weights.fetch import _check_alike
from vitcli.weights.open import open_pretrained


def test_a_model_of_timms_without_a_head_is_compared_by_its_features():
    model = timm.create_model("test_vit", pretrained=False, num_classes=0)
    net = import_net(model.state_dict(), heads=2, classes=1)
    _check_alike("timm:test_vit", net, model)
    with pytest.raises(WeightsError, match="computes something else"):
        _check_alike("timm:test_vit", import_net(model.state_dict(), heads=4, classes=1), model)


@pytest.mark.parametrize(
    ("mode", "fraction", "expected", "told"),
    [
        ("center", 0.9, ("center_crop", 0.9), ""),
        (None, 0.9, ("center_crop", 0.9), ""),
        ("squash", 1.0, ("squash", 1.0), ""),
        ("border", 1.0, ("pad", 1.0), ""),
        ("squash", 0.9, ("squash", 1.0), "timm takes the middle 0.9 of a picture (squash), and here it is taken whole"),
    ],
)
def test_pictures_are_cropped_as_timm_crops_them(
    mode: str | None,
    fraction: float,
    expected: tuple[str, float],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    recwarn: pytest.WarningsRecorder,
):
    model = timm.create_model("test_vit", pretrained=False)
    model.pretrained_cfg = {**model.pretrained_cfg, "crop_mode": mode, "crop_pct": fraction}
    monkeypatch.setattr(fetch, "_from_hub", lambda spec, load: model)
    preprocess = open_pretrained("timm:test_vit").preprocess
    assert (preprocess["resize"], preprocess["crop_fraction"]) == expected
    assert [told in str(warning.message) for warning in recwarn if "timm takes" in str(warning.message)] == [True][
        : bool(told)
    ]


@pytest.fixture
def server(here: Path) -> Iterator[str]:
    """A stand-in for a library's download server, on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *args: Quiet(*args, directory=str(here))) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()


@pytest.mark.slow
def test_torchvisions_weights_are_downloaded_by_torchvision(
    photos: Path, server: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    from torchvision.models import ViT_B_32_Weights

    torch.manual_seed(0)
    net = torchvision.models.VisionTransformer(64, 32, num_layers=1, num_heads=3, hidden_dim=192, mlp_dim=384)
    torch.save(net.state_dict(), "small.pth")
    monkeypatch.setenv("TORCH_HOME", "cache")
    known = ViT_B_32_Weights.DEFAULT.value
    small = type(known)(f"{server}/small.pth", known.transforms, known.meta)
    monkeypatch.setattr(ViT_B_32_Weights.DEFAULT, "_value_", small)
    words = ["--weights", "torchvision:vit_b_32", "--data.root", "photos", "--trainer.max_epochs", "1", *CPU]
    assert main(["fit", *words]) == 0
    assert "left fresh: head.weight, head.bias" in capsys.readouterr().out
    assert Path("cache/hub/checkpoints/small.pth").is_file()
    config = yaml.safe_load(Path("runs/photos/config.yaml").read_text())
    assert config["model"]["preprocess"]["crop_fraction"] == pytest.approx(224 / 256)


@pytest.fixture
def hub(here: Path) -> Iterator[str]:
    """A stand-in for the hub that timm fetches from: one repository with one file."""
    import hashlib

    class Hub(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def _answer(self) -> None:
            known = self.path.startswith("/timm/test_vit.r160_in1k/resolve/") and self.path.endswith(".safetensors")
            content = (here / "hub.safetensors").read_bytes() if known else b""
            self.send_response(200 if known else 404)
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", "0" * 40)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()


@pytest.mark.slow
def test_timms_weights_are_downloaded_by_timm_and_compute_the_same(
    here: Path, photos: Path, hub: str, silent: socket.socket, monkeypatch: pytest.MonkeyPatch
):
    torch.manual_seed(0)
    model = timm.create_model("test_vit", pretrained=False)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    save_file(model.state_dict(), here / "hub.safetensors")
    # in a process of its own: where to fetch from is read when the library is imported
    vitcli = str(Path(sys.executable).with_name("vitcli"))
    words = ["predict", "--weights", "timm:test_vit", "--data.root", "photos/test", *CPU]
    words += ["--predictions.probabilities", "all"]
    environment = {**os.environ, "HF_ENDPOINT": hub, "HF_HOME": str(here / "cache"), "HF_HUB_OFFLINE": "0"}
    done = subprocess.run([vitcli, *words], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    rows = list(read_rows(Path("runs/timm-test_vit/predictions.csv")))
    assert len(rows) == 7
    # cropped as timm's own configuration says
    preprocess = Preprocess(
        size=(160, 160), crop_fraction=0.95, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), interpolation="bicubic"
    )
    picture = EncodedPicture((photos / "test" / rows[0].path).read_bytes())
    crop = picture.crop(preprocess.region(picture.height, picture.width), Way(preprocess.size, "bicubic"))
    with torch.no_grad():
        expected = model.eval()(preprocess.normalise(torch.tensor(crop)[None])).softmax(1)[0]
    torch.testing.assert_close(torch.tensor(rows[0].probabilities), expected, rtol=1e-3, atol=1e-6)
    # once they are in the cache, no host is asked for them
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(here / "cache" / "hub"))
    monkeypatch.setattr(constants, "ENDPOINT", url_of(silent))
    open_pretrained("timm:test_vit")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    open_pretrained("timm:test_vit")
    with pytest.raises(BlockingIOError):
        silent.accept()


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A host that takes every connection, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


def url_of(listening: socket.socket) -> str:
    return f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def gone() -> str:
    """The address of a host that takes no connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return url_of(listening)


def test_a_hub_that_is_not_there_is_asked_once_and_named(
    photos: Path, gone: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", "nothing/hub")
    monkeypatch.setattr(constants, "ENDPOINT", gone)
    assert main(["fit", "--config", "finetune", "--weights", "timm:test_vit", "--data.root", "photos", *CPU]) == 2
    assert capfd.readouterr().err == (
        f"vitcli fit: error: --weights timm:test_vit: {gone.removeprefix('http://')} cannot be reached ([Errno 111] "
        "Connection refused), and nothing/hub does not hold them; give a file with --weights FILE, or copy that folder "
        "from a machine that has fetched them\n"
    )


def test_a_hub_that_does_not_answer_is_awaited_for_as_long_as_its_own_setting_says(
    here: Path, silent: socket.socket, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", "nothing/hub")
    monkeypatch.setattr(constants, "ENDPOINT", url_of(silent))
    monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", "1")
    monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 1)
    with pytest.raises(
        WeightsError, match=r"cannot be reached \(no answer within 1 s\), and nothing/hub does not hold"
    ):
        open_pretrained("timm:test_vit")


def test_weights_that_are_not_in_the_cache_are_not_asked_for_where_that_is_forbidden(
    here: Path, silent: socket.socket, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", "nothing/hub")
    monkeypatch.setattr(constants, "ENDPOINT", url_of(silent))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(
        WeightsError, match=r"^--weights timm:test_vit: HF_HUB_OFFLINE is set, and nothing/hub does not"
    ):
        open_pretrained("timm:test_vit")
    with pytest.raises(BlockingIOError):
        silent.accept()


def test_a_host_of_torchvisions_that_is_not_there_is_named(here: Path, gone: str, monkeypatch: pytest.MonkeyPatch):
    from torchvision.models import ViT_B_32_Weights

    monkeypatch.setenv("TORCH_HOME", "cache")
    known = ViT_B_32_Weights.DEFAULT.value
    monkeypatch.setattr(ViT_B_32_Weights.DEFAULT, "_value_", type(known)(f"{gone}/b.pth", known.transforms, known.meta))
    with pytest.raises(
        WeightsError, match=r"^--weights torchvision:vit_b_32: .* cannot be reached .* cache/hub/checkpoi"
    ):
        open_pretrained("torchvision:vit_b_32")


def test_a_model_that_computes_something_else_with_the_same_tensors_is_refused():
    torch.manual_seed(0)
    model = timm.create_model("test_vit", pretrained=False)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    net = import_net(model.state_dict(), source="timm", heads=2)
    _check_alike("timm:test_vit", net, model)
    other = import_net(model.state_dict(), source="timm", heads=4)
    with pytest.raises(WeightsError, match=r"^--weights timm:test_vit: .* computes something else"):
        _check_alike("timm:test_vit", other, model)


def test_a_name_that_cannot_be_fetched_gets_one_line(photos: Path, capsys: pytest.CaptureFixture[str]):
    for spec in ("timm:vit_of_nobody", "torchvision:vit_of_nobody"):
        assert main(["fit", "--weights", spec, "--data.root", "photos", *CPU]) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        assert f"--weights {spec}" in err
