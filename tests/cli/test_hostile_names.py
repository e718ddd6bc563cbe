"""Names that would write to the terminal what they like are shown escaped."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import CPU, TINY
from vitcli.__main__ import main

NAMES = ["\x1b[31mred", "dog\u202egpj", "bell\x07", "zero\u200bwidth"]


def make(root: Path, names: list[str]) -> None:
    for number, name in enumerate(names):
        (root / name).mkdir(parents=True)
        for index in range(6):
            Image.new("RGB", (20, 20), (40 * index, 60 * number, 90)).save(root / name / f"{index}.png")


@pytest.mark.parametrize("name", NAMES)
def test_of_a_class_nothing_reaches_the_terminal_raw(here: Path, name: str, capsys: pytest.CaptureFixture[str]):
    make(here / "photos", [name, "plain"])
    code = main(["fit", "--data.root", "photos", "--trainer.max_epochs", "1", *TINY, *CPU])
    captured = capsys.readouterr()
    assert code in (0, 2)
    assert "plain" in captured.out + captured.err or code == 2
    assert (captured.out + captured.err).replace("\n", "").isprintable()


@pytest.mark.parametrize("name", NAMES)
def test_of_a_file_nothing_reaches_the_terminal_raw(copied: Path, name: str, capsys: pytest.CaptureFixture[str]):
    (Path("new") / name).mkdir(parents=True)
    (Path("new") / name / "torn.png").write_bytes(b"no picture")
    assert main(["predict", str(copied), "new"]) == 3
    assert main(["check", "new"]) in (0, 3)
    assert main(["predict", str(copied), f"new/{name}/gone"]) == 2
    captured = capsys.readouterr()
    assert (captured.out + captured.err).replace("\n", "").isprintable()
