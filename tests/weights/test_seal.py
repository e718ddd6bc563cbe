"""A checkpoint whose bytes are not those that were written is never used."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path

import pytest
import torch

from vitcli.__main__ import main
from vitcli.errors import WeightsError
from vitcli.train.safety.put import put
from vitcli.weights.checkpoint import read_checkpoint
from vitcli.weights.seal import LENGTH, MARK, Sealing, is_intact

CONTENT = {"global_step": 3, "state_dict": {"weight": torch.arange(200.0)}}


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    put(CONTENT, tmp_path / "last.ckpt")
    return tmp_path / "last.ckpt"


def test_a_sealed_file_is_a_torch_file_and_a_zip_archive_as_ever(sealed: Path):
    for mapped in (False, True):
        held = torch.load(sealed, weights_only=True, mmap=mapped)
        assert torch.equal(held["state_dict"]["weight"], CONTENT["state_dict"]["weight"])
    with zipfile.ZipFile(sealed) as archive:
        assert archive.testzip() is None
        assert archive.comment.startswith(MARK)
    assert is_intact(sealed) is True


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.slow), 15])
def test_any_flipped_bit_is_found(step: int, sealed: Path):
    whole, broken = sealed.read_bytes(), sealed.with_name("broken.ckpt")
    for place in range(0, len(whole), step):
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        broken.write_bytes(changed)
        assert is_intact(broken) is False, place


def test_a_thousand_zeroed_bytes_and_a_missing_end_are_found(sealed: Path):
    whole, broken = sealed.read_bytes(), sealed.with_name("broken.ckpt")
    chance = random.Random(0)
    places = [0, len(whole) - 1000, *(chance.randrange(len(whole) - 1000) for _ in range(50))]
    for place in places:
        broken.write_bytes(whole[:place] + bytes(1000) + whole[place + 1000 :])
        with pytest.raises(WeightsError, match=r"broken\.ckpt: (is|not|a torch)"):
            read_checkpoint(broken)
    for length in (0, 1, 21, 200, len(whole) - LENGTH - 1, len(whole) - LENGTH, len(whole) - 1):
        broken.write_bytes(whole[:length])
        # without its seal alone, the archive is of another length than it says
        with pytest.raises(WeightsError, match=r"broken\.ckpt"):
            read_checkpoint(broken)


def test_what_is_written_in_pieces_of_any_size_has_the_same_seal(sealed: Path):
    whole = sealed.read_bytes()
    archive = whole[: -LENGTH - 2] + b"\0\0"
    for size in (1, 2, 3, 1000):
        file = io.BytesIO()
        sealing = Sealing(file)
        pieces = [archive[start : start + size] for start in range(0, len(archive), size)]
        assert [sealing.write(piece) for piece in pieces] == list(map(len, pieces))
        sealing.close()
        assert file.getvalue() == whole
    with pytest.raises(ValueError, match="only a zip archive"):
        Sealing(io.BytesIO()).close()


def test_a_damaged_checkpoint_is_one_line_and_one_without_a_seal_is_opened(
    copied: Path, capsys: pytest.CaptureFixture[str]
):
    best = copied / "checkpoints" / "best.ckpt"
    whole = best.read_bytes()
    assert is_intact(best) is True
    # in the middle of a tensor
    place = whole.index(b"data/1") + 200
    best.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    torch.load(best, weights_only=True)
    assert main(["predict", "--ckpt_path", str(copied), "--data.root", "photos/test"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "best.ckpt: is damaged, its bytes are not those that were written; use another checkpoint" in told
    # as torch writes it
    best.write_bytes(whole)
    torch.save(torch.load(best, weights_only=True), best)
    assert is_intact(best) is None
    assert main(["predict", "--ckpt_path", str(copied), "--data.root", "photos/test"]) == 0
