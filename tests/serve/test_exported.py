"""An exported net is served without torch: the same answers, no maps, and the page says so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import picture_bytes
from tests.serve.client import Client
from tests.serve.conftest import Served
from vitcli.__main__ import main

# fails where torch is imported
WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
from vitcli.__main__ import command
sys.exit(command())
"""


@pytest.mark.slow
def test_an_exported_net_answers_as_its_run_without_torch(copied: Path, served: Served):
    pytest.importorskip("onnxruntime")
    assert main(["export", str(copied), "--out", "model.onnx"]) == 0
    command = [sys.executable, "-c", WITHOUT_TORCH, "serve", "model.onnx", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        try:
            start = program.stdout.readline()
            assert "model.onnx (2 classes, cpu, onnxruntime)" in start
            client = Client(int(start.split()[0].rpartition(":")[2]))
            for number in range(3):
                content = picture_bytes(number)
                (said,) = client.ask("/predict?map=true", content).json["images"]
                (theirs,) = served.client.ask(body=content).json["images"]
                assert said.keys() == theirs.keys()
                assert said["predicted"] == theirs["predicted"]
                assert said["probabilities"] == pytest.approx(theirs["probabilities"], abs=1e-4)
            page = client.ask("/").content.decode()
            assert "No maps: an exported net holds its answer alone" in page
            assert 'id="strength"' not in page
        finally:
            program.terminate()
            assert program.wait(60) == 0
