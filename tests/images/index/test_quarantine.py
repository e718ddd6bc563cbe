"""A list of images to leave out gives back every path, whatever its name."""

from __future__ import annotations

from pathlib import Path

from tests.table.hostile import NASTY
from vitcli.images.index.quarantine import read_quarantine, write_quarantine


def test_any_path_comes_back(tmp_path: Path):
    paths = {
        *filter(None, NASTY),
        "# no comment",
        "a\tb",
        "a\r",
        '"quoted"',
        '"half',
        "caf\udce9.jpg",
        "plain/cat.1.jpg",
    }
    write_quarantine(str(tmp_path / "list.txt"), dict.fromkeys(paths, "a\treason\nof two lines"))
    assert read_quarantine(str(tmp_path / "list.txt")) == paths
    lines = (tmp_path / "list.txt").read_bytes().splitlines()
    assert b"plain/cat.1.jpg\ta reason of two lines" in lines


def test_a_list_that_people_have_written_is_read(tmp_path: Path):
    (tmp_path / "list.txt").write_bytes(b'# mine\r\na.jpg\r\nb c.jpg\ttorn\r\n\r\n"d.jpg\r\n')
    assert read_quarantine(str(tmp_path / "list.txt")) == {"a.jpg", "b c.jpg", '"d.jpg'}
