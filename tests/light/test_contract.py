"""What an exported file says of itself is checked before anything is built of it."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tests.light.colours import NOTE
from vitcli.errors import WeightsError
from vitcli.light.contract import Contract
from vitcli.light.onnx_file import OnnxFile
from vitcli.preprocess import Preprocess

WRONG: dict[str, Any] = {
    "format": 2,
    "probabilities": "sigmoid",
    "classes": ["red", "red", "blue"],
    "classes 1": [],
    "classes 2": "red",
    "classes 3": ["red", 3, "blue"],
    "temperature": 0,
    "temperature 3": 10**400,
    "temperature 1": "1",
    "temperature 2": None,
    "threshold": 0.5,
    "threshold 1": "0.5",
    "version": 3,
    "preprocess": None,
    "preprocess.size": [16],
    "preprocess.size 1": [1 << 20, 1 << 20],
    "preprocess.size 2": [16.5, 16],
    "preprocess.size 3": [0, 16],
    "preprocess.size 4": [True, 16],
    "preprocess.resize": "stretch",
    "preprocess.interpolation": "nearest",
    "preprocess.crop_fraction 1": 1e-300,
    "preprocess.crop_fraction": 0,
    "preprocess.mean": [0.5, 0.5],
    "preprocess.std": [0.5, 0.0, 0.5],
    "preprocess.white": 4095.5,
    "preprocess.colour": "rgb",
}


def told(note: Any) -> Contract:
    content = note if isinstance(note, bytes) else json.dumps(note).encode()
    return Contract.of(OnnxFile("a.onnx", b"", content))


def test_what_export_writes_is_understood() -> None:
    preprocess = Preprocess((16, 16), mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    assert told(NOTE) == Contract(("red", "green", "blue"), preprocess, 1.0, None, "none", "0.1.0")
    assert told({**NOTE, "classes": ["a", "b"], "threshold": 0.25}).threshold == 0.25


@pytest.mark.parametrize("key", WRONG)
def test_anything_else_is_refused_in_a_line(key: str) -> None:
    note = copy.deepcopy(NOTE)
    section, _, field = key.partition(" ")[0].rpartition(".")
    (note[section] if section else note)[field] = WRONG[key]
    with pytest.raises(WeightsError, match=r"^--model a\.onnx: its metadata .*; "):
        told(note)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff\xfe", b"[" * 100_000, b"null", b'{"format": 1}'])
def test_what_is_no_such_json_is_refused_in_a_line(content: bytes) -> None:
    with pytest.raises(WeightsError, match=r"^--model a\.onnx: its metadata .*; "):
        told(content)
