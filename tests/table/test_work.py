"""A start finds what earlier ones of the same plan have left, and leaves other tables alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from vitcli.errors import ConfigError
from vitcli.table.journal import Entry
from vitcli.table.listed import Listed, changes, fingerprint, read_listed, write_listed
from vitcli.table.work import Work, differences, find, table_of

IMAGES = [Listed("a\rb", 1, 10, ""), Listed("b\udce9", 2, 20, "cat"), Listed("c", 3, 30, "dog")]
HOLD = """
import sys
from pathlib import Path
from vitcli.table.work import Work
work = Work(Path(sys.argv[1]))
work.hold()
print("held", flush=True)
sys.stdin.read()
"""


def begin(table: Path, on: dict[str, object], images: list[Listed], *positions: int) -> Work:
    """A start that writes some rows and is killed."""
    work = find(table, on).same
    start = work.begin(on, "runs/a", fingerprint(images), images)
    with work.journal(start, 0, fingerprint(images), {}) as journal:
        journal.append([Entry(position, True, [images[position].path]) for position in positions], {})
    work.release()
    return work


def kept(work: Work, images: list[Listed]) -> tuple[list[int], tuple[int, int, int]]:
    rows, since = work.kept(fingerprint(images), images, {})
    return [position for position in range(len(images)) if position in rows], since[:3]


def test_the_same_plan_is_found_among_others(tmp_path: Path):
    table = tmp_path / "t.csv"
    one, two = begin(table, {"weights": "1"}, IMAGES, 0), begin(table, {"weights": "2"}, IMAGES, 1)
    assert [one.folder.name, two.folder.name] == ["t.csv.parts", "t.csv.parts-1"]
    assert [table_of(work.folder) for work in (one, two)] == [table, table]
    found = find(table, {"weights": "2"})
    assert (found.same.folder, found.is_new, [other.folder for other in found.others]) == (
        two.folder,
        False,
        [one.folder],
    )
    one.remove()
    assert find(table, {"weights": "2"}).same.folder == two.folder
    new = find(table, {"weights": "3"})
    assert (new.same.folder, new.is_new) == (one.folder, True)
    assert two.plan() == {"on": {"weights": "2"}, "run": "runs/a"}
    assert differences({"weights": "1", "a": 1}, {"weights": "2", "a": 1, "b": 3}) == ["weights", "b"]


def test_a_folder_whose_plan_was_never_written_is_used_and_one_with_a_damaged_plan_left_alone(tmp_path: Path):
    table = tmp_path / "t.csv"
    (tmp_path / "t.csv.parts").mkdir()
    assert find(table, {}).same.folder == tmp_path / "t.csv.parts"
    work = begin(table, {}, IMAGES, 0)
    (work.folder / "plan.json").write_text("{")
    assert find(table, {}).same.folder == tmp_path / "t.csv.parts-1"


def test_rows_of_all_starts_are_kept(tmp_path: Path):
    table = tmp_path / "t.csv"
    begin(table, {}, IMAGES, 0)
    work = begin(table, {}, IMAGES, 2)
    assert [journal.name for journal in work.journals()] == ["1-0.rows", "2-0.rows"]
    assert kept(work, IMAGES) == ([0, 2], (0, 0, 0))


def test_images_that_came_changed_and_went_are_known(tmp_path: Path):
    table = tmp_path / "t.csv"
    work = begin(table, {}, IMAGES, 0, 1, 2)
    now = [Listed("0", 9, 9, ""), IMAGES[0], Listed("b\udce9", 2, 21, "cat")]
    assert kept(work, now) == ([1], (1, 1, 1))
    # by the last start, though rows come from all
    begin(table, {}, now, 0)
    assert kept(work, now) == ([0, 1], (0, 0, 0))
    assert kept(work, IMAGES) == ([0, 1, 2], (1, 1, 1))


def test_a_listing_comes_back_and_its_order_and_labels_count(tmp_path: Path):
    write_listed(tmp_path / "x.listing", IMAGES)
    assert list(read_listed(tmp_path / "x.listing")) == IMAGES
    relabelled = [IMAGES[0], IMAGES[1]._replace(label="dog"), IMAGES[2]]
    assert len({fingerprint(images) for images in (IMAGES, IMAGES[::-1], relabelled, IMAGES[:2])}) == 4
    assert changes(IMAGES, relabelled) == (0, 1, 0, [0, -1, 2])
    assert changes(IMAGES, IMAGES[::-1]) == (0, 0, 0, [2, 1, 0])
    assert changes(IMAGES + IMAGES, IMAGES)[:3] == (0, 0, 3)


def test_two_processes_do_not_write_one_table(tmp_path: Path):
    work = begin(tmp_path / "t.csv", {}, IMAGES, 0)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, work.folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(ConfigError, match=r"predictions.path .*t.csv: another vitcli is writing it; wait"):
            work.hold()
        other.kill()
    work.hold()
    work.remove()
    assert not work.folder.exists()
