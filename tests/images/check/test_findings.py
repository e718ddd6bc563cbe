"""``vitcli check`` finds what was planted, and nothing in a clean set."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import CPU, TINY, photo
from tests.images.decode.test_deep import png
from tests.warm import Warm
from vitcli.__main__ import main

SPLITS = ("train", "val", "test")


def write(path: Path, number: int, *, size: tuple[int, int] = (120, 90), **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    photo(number, size).save(path, **options)


@pytest.fixture
def clean(here: Path) -> Path:
    """``photos/{train,val,test}/{cat,dog}/*.jpg``: eight, three and three photos of each."""
    number = 0
    for split, count in zip(SPLITS, (8, 3, 3), strict=True):
        for label in ("cat", "dog"):
            for place in range(count):
                write(here / "photos" / split / label / f"{place}.jpg", number)
                number += 1
    return here / "photos"


def checked(*words: str, code: int) -> dict[str, Any]:
    assert main(["check", *words]) == code
    content: dict[str, Any] = json.loads(Path("runs/check-photos/check.json").read_text())
    return content


def kinds(content: dict[str, Any], section: str = "findings") -> dict[str, Any]:
    return {finding["kind"]: finding for finding in content[section]}


def test_a_clean_set_has_no_findings_and_exit_code_0(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = checked("photos", code=0)
    assert content["findings"] == []
    assert content["counts"] == {
        "train": {"cat": 8, "dog": 8},
        "val": {"cat": 3, "dog": 3},
        "test": {"cat": 3, "dog": 3},
    }
    out = capsys.readouterr().out
    assert "photos: 28 images" in out
    assert "train    8    8   16" in out
    assert "nothing found that needs correcting" in out
    sheet = Image.open("runs/check-photos/samples.png")
    assert sheet.width > 300


def test_sets_that_come_out_black_are_a_finding_and_white_mends_them(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(12):
        # 12 bits, and one pixel of 16
        pixels = np.asarray(photo(number, (40, 30))).astype(np.uint16) * 15 + 255
        pixels[0, 0] = 65535
        file = here / "photos" / "ab"[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png(pixels))
    content = checked("photos", code=3)
    found = kinds(content)["nearly black"]
    assert found["what"] == (
        "12 of 12 images, such as a/0.png (99 % of its pixels are at most 16 of 255); if files hold more than 8 bits, "
        "--model.preprocess.white sets the value of white"
    )
    assert sorted(found["images"]) == sorted(f"{'ab'[number % 2]}/{number}.png" for number in range(12))
    dark = np.asarray(Image.open("runs/check-photos/samples.png").convert("L"))
    content = checked("photos", "--model.preprocess.white", "4095", code=0)
    assert content["findings"] == []
    assert np.asarray(Image.open("runs/check-photos/samples.png").convert("L")).mean() > dark.mean() + 10
    capsys.readouterr()
    assert main(["check", "photos", "--model.preprocess.white=255"]) == 3
    assert "  nearly white             12 of 12 images, such as a/0.png (99 % of its pix" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("0", "model.preprocess.white 0: outside 1 to 4294967295; 4095 is white in 12 bits, 65535 in 16"),
        ("bright", "model.preprocess.white"),
    ],
)
def test_a_white_that_cannot_be_is_one_line(
    clean: Path, capsys: pytest.CaptureFixture[str], value: str, message: str
) -> None:
    assert main(["check", "photos", "--model.preprocess.white", value]) == 2
    err = capsys.readouterr().err.strip().splitlines()
    assert len(err) == 1
    assert message in err[0]


def test_everything_that_was_planted_is_found_and_nothing_is_touched(clean: Path) -> None:
    train, val, test = (clean / split for split in SPLITS)
    content = (train / "cat" / "0.jpg").read_bytes()
    (train / "cat" / "empty.jpg").touch()
    (train / "cat" / "page.jpg").write_text("<html>not found</html>")
    (train / "dog" / "cut.jpg").write_bytes(content[: len(content) // 2])
    (train / "dog" / "half.jpg").write_bytes(content[: len(content) // 2] + b"\xff\xd9")
    (val / "cat" / "leak.jpg").write_bytes((train / "cat" / "1.jpg").read_bytes())
    (train / "dog" / "conflict.jpg").write_bytes((train / "cat" / "2.jpg").read_bytes())
    (train / "cat" / "again.jpg").write_bytes((train / "cat" / "3.jpg").read_bytes())
    # the picture of train/dog/4 in another size and encoding, and that of val/dog/1, darker
    photo(12, (120, 90)).resize((100, 75)).save(test / "dog" / "smaller.webp", quality=70)
    Image.open(val / "dog" / "1.jpg").point(lambda value: value * 0.8).save(test / "dog" / "darker.png")
    write(train / "cat" / "tiny.png", 99, size=(12, 9))
    write(train / "cat" / "long.png", 98, size=(400, 20))
    write(train / "owl" / "0.jpg", 97)
    photo(96, (120, 90)).save(train / "cat" / "wrong.jpg", format="PNG")
    (clean / "__MACOSX" / "train").mkdir(parents=True)
    (clean / "__MACOSX" / "train" / "._0.jpg").touch()
    (train / "cat" / "loop").symlink_to(clean)
    (train / "cat" / "notes.txt").touch()
    with open(os.fsencode(train / "dog") + b"/\xff\xfe.jpg", "wb") as file:
        file.write(b"no image")
    before = {path: path.read_bytes() for path in clean.rglob("*") if path.is_file()}

    content_json = checked("photos", "--quarantine", "bad.txt", code=3)
    found = kinds(content_json)
    assert {kind: len(finding["images"]) for kind, finding in found.items()} == {
        "unreadable": 3,
        "truncated": 2,
        "leak": 1,
        "conflict": 1,
        "duplicate": 1,
        "near-duplicate leak": 2,
        "missing class": 1,
        "tiny": 1,
        "stretched": 1,
    } | dict.fromkeys(("missing class", "imbalance"), 1)
    assert {each["path"] for each in found["truncated"]["images"]} == {"train/dog/cut.jpg", "train/dog/half.jpg"}
    assert [each["path"] for each in found["leak"]["images"][0]] == ["train/cat/1.jpg", "val/cat/leak.jpg"]
    near = [{each["path"] for each in pair} for pair in found["near-duplicate leak"]["images"]]
    assert near == [
        {"train/dog/4.jpg", "test/dog/smaller.webp"},
        {"val/dog/1.jpg", "test/dog/darker.png"},
    ]
    assert "no images of owl in" in found["missing class"]["what"]
    notes = [note["what"] for note in content_json["notes"]]
    assert any("1 entry: link" in note for note in notes)
    assert any("extension '.txt'" in note for note in notes)
    assert any("wrong.jpg, which is PNG" in note for note in notes)
    assert {path: path.read_bytes() for path in clean.rglob("*") if path.is_file()} == before

    listed = Path("bad.txt").read_bytes()
    for path in ("train/cat/1.jpg", "train/dog/half.jpg", "train/cat/2.jpg", "train/dog/conflict.jpg"):
        assert f"\n{path}\t".encode() in listed, path
    assert b"val/cat/leak.jpg" not in listed.replace(b"as val/cat/leak.jpg", b"")
    assert b"\ntrain/dog/\xff\xfe.jpg\t" in listed


def test_a_file_that_is_no_list_is_not_replaced_by_one(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.txt").write_text("notes\n")
    assert main(["check", str(clean), "--quarantine", "mine.txt"]) == 2
    assert "--quarantine mine.txt: is there, and is none" in capsys.readouterr().err
    assert Path("mine.txt").read_text() == "notes\n"


def test_fit_leaves_out_what_check_put_into_quarantine(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (clean / "val" / "cat" / "leak.jpg").write_bytes((clean / "train" / "cat" / "1.jpg").read_bytes())
    assert main(["check", "photos", "--quarantine", "bad.txt"]) == 3
    words = ["--data.root", "photos", "--data.quarantine", "bad.txt", "--trainer.max_epochs", "1", *TINY, *CPU]
    capsys.readouterr()
    assert main(["fit", *words]) == 0
    assert "data: 15 train images, 7 val images" in capsys.readouterr().out
    assert "train,train/cat/1.jpg,in quarantine\n" in Path("runs/photos/left_out.csv").read_text()
    assert main(["predict", "--ckpt_path", "runs/photos", "--data.root", "photos/train", *CPU]) == 0


def test_a_set_that_is_divided_by_fraction_is_checked_as_it_will_be_divided(here: Path) -> None:
    for number in range(40):
        write(here / "photos" / ("cat", "dog")[number % 2] / f"{number}.jpg", number)
    for number in range(20):
        same = (here / "photos" / "cat" / f"{2 * number}.jpg").read_bytes()
        (here / "photos" / "cat" / f"copy{number}.jpg").write_bytes(same)
    content = checked("photos", code=3)
    assert set(content["counts"]) == {"train", "val", "test"}
    found = kinds(content)
    assert len(found["leak"]["images"]) + len(found["duplicate"]["images"]) == 20
    assert len(found["leak"]["images"]) > 0


def test_other_sources_are_told_by_their_looks(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(24):
        write(here / "flat" / f"{('cat', 'dog')[number % 2]}.{number}.jpg", number)
        write(here / "loose" / f"{number}.jpg", number)
    with zipfile.ZipFile(here / "set.zip", "w") as packed:
        for number in range(24):
            packed.write(here / "loose" / f"{number}.jpg", f"{'ab'[number % 2]}/{number}.jpg")
    rows = "".join(f"loose/{number}.jpg,{'ab'[number % 2]}\n" for number in range(24))
    (here / "table.csv").write_text(f"path,label\n{rows}")
    for root in ("flat", "loose", "set.zip", "table.csv"):
        assert main(["check", root]) == 0
        assert f"{root}: 24 images" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "ROOT is missing: name a folder of images"),
        (["gone"], "data.root gone: no such folder"),
        (["photos", "--data", "ShapesDataa"], "data ShapesDataa: there is no such class; did you mean ShapesData?"),
        (["photos", "--data", "ShapesData"], "root: not a setting of ShapesData"),
        (["photos", "--quarantin", "x"], "quarantin: there is no such setting; did you mean quarantine?"),
    ],
)
def test_a_mistake_is_one_line(clean: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    assert main(["check", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("vitcli check: error: ")
    assert message in error
    assert error.count("\n") == 1
    assert not Path("runs").exists()


def test_bombs_and_hostile_archives_take_no_memory(here: Path, programs: Warm) -> None:
    """Peak memory of a process that checks them, against one that checks a small photo."""

    def peak(root: str) -> int:
        code = (
            "import resource, sys\n"
            "from vitcli.__main__ import main\n"
            "code = main(['check', sys.argv[1]])\n"
            "print(code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
        )
        done = programs.run(root, code=code)
        assert done.returncode == 0, done.stderr
        returned, kilobytes = done.stdout.split("\n")[-2].split()
        assert returned in ("0", "3")
        return int(kilobytes)

    for number in range(3):
        write(here / "plain" / "a" / f"{number}.jpg", number)
        write(here / "plain" / "b" / f"{number}.jpg", number + 3)
    buffer = io.BytesIO()
    Image.new("1", (15_000, 15_000)).save(buffer, "PNG")
    for label in "ab":
        write(here / "bombs" / label / "0.jpg", 0 if label == "a" else 1)
        for number in range(4):
            (here / "bombs" / label / f"bomb{number}.png").write_bytes(buffer.getvalue())
            gif = b"GIF89a\xff\xff\xff\xff\x00\x00\x00,\x00\x00\x00\x00\xff\xff\xff\xff\x00\x02\x02D\x01\x00;"
            (here / "bombs" / label / f"bomb{number}.gif").write_bytes(gif)
    with zipfile.ZipFile(here / "bombs.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.write(here / "plain" / "a" / "0.jpg", "a/0.jpg")
        packed.write(here / "plain" / "b" / "0.jpg", "b/0.jpg")
        packed.writestr("a/zeros.jpg", bytes(150 * 2**20))
    usual = peak("plain")
    assert peak("bombs") < usual + 60_000
    assert peak("bombs.zip") < usual + 60_000


@pytest.mark.shared_data
def test_clean_photos_have_no_findings(shared_data: Path, here: Path) -> None:
    for name in ("pets", "trash", "objects"):
        assert main(["check", str(shared_data / name)]) in (0, 3)
        content = json.loads(Path(f"runs/check-{name}/check.json").read_text())
        assert not {"unreadable", "truncated", "suspicious"} & {finding["kind"] for finding in content["findings"]}


@pytest.mark.parametrize("factor", [2, 3])
def test_the_same_picture_at_another_size_in_one_split_is_found(factor: int, clean: Path) -> None:
    for place in (1, 2):
        small = Image.open(clean / "train" / "cat" / "1.jpg").resize((120 // factor, 90 // factor))
        small.save(clean / "train" / "cat" / f"small{place}.jpg", quality=90 - place)
    found = kinds(checked("photos", code=3))["near-duplicate"]
    assert [each["path"] for each in found["images"][0]] == [
        f"train/cat/{name}.jpg" for name in ("1", "small1", "small2")
    ]
    assert found["what"].startswith("1 time the same picture more than once, such as train/cat/1.jpg = ")


def test_the_same_picture_in_two_classes_of_one_split_is_a_conflict(clean: Path) -> None:
    Image.open(clean / "val" / "cat" / "1.jpg").resize((60, 45)).save(clean / "val" / "dog" / "again.png")
    found = kinds(checked("photos", code=3))["near-duplicate conflict"]
    assert [each["path"] for each in found["images"][0]] == ["val/cat/1.jpg", "val/dog/again.png"]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ((), "no images; name a folder, an archive or a table of images"),
        (("notes.txt",), "no images; name a folder, an archive or a table of images"),
        (("a.NEF", "b.nef"), "no images; 2 files end in .nef; raw photos: convert them to JPEG"),
        (("cat/a.svg", "dog/b.svg"), "no images; 2 files end in .svg; convert them to PNG"),
    ],
)
def test_a_set_without_images_is_a_finding(files: tuple[str, ...], words: str, here: Path) -> None:
    (here / "photos").mkdir()
    for name in files:
        (here / "photos" / name).parent.mkdir(exist_ok=True)
        (here / "photos" / name).write_bytes(b"picture")
    assert kinds(checked("photos", code=3))["empty"]["what"] == words


@pytest.mark.parametrize(("count", "name"), [(60, "species"), (13, "a_class_of_a_long_name"), (1000, "n")])
def test_many_classes_are_told_in_lines_that_fit(
    count: int, name: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo(0, (20, 20)).save(here / "one.png")
    for number in range(count):
        folder = here / "photos" / f"{name}_{number}"
        folder.mkdir(parents=True)
        (folder / "0.png").write_bytes((here / "one.png").read_bytes())
    content = checked("photos", "--data.val_fraction=0", "--data.test_fraction=0", code=3)
    assert len(content["counts"]["train"]) == count
    out = capsys.readouterr().out.splitlines()
    assert f"  train: {count:,} images of {count:,} classes, 1 ({name}_0) to 1 ({name}_0) each" in out
    assert "check.json counts each class" in out
    assert max(map(len, out[: out.index("check.json counts each class") + 1])) <= 120


def test_one_image_is_no_images(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "photos").mkdir()
    photo(0, (20, 20)).save(here / "photos" / "one.png")
    checked("photos", code=0)
    assert "photos: 1 image\n" in capsys.readouterr().out


def test_what_a_layout_leaves_out_is_told_as_fit_tells_it(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (clean / "train" / "loose.jpg").write_bytes((clean / "train" / "cat" / "0.jpg").read_bytes())
    notes = kinds(checked("photos", code=0), "notes")
    assert notes["ignored"]["what"] == "1 entry: file outside of a class folder"
    rows = "".join(f"train/{label}/{number}.jpg,{label},train\n" for label in ("cat", "dog") for number in range(5))
    rows += "".join(f"val/{label}/0.jpg,{label},{split}\n" for label, split in (("cat", "val"), ("dog", "")))
    (clean / "table.csv").write_text(f"path,label,split\n{rows}")
    assert main(["check", "photos/table.csv"]) == 3
    assert "1 rows of photos/table.csv have no split: left out" in capsys.readouterr().out


def test_a_class_whose_name_cannot_be_used_is_named_and_not_left_out(
    clean: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (clean / "train").rename(clean.parent / "flat")
    (clean.parent / "flat" / "cat").rename(clean.parent / "flat" / "a\nb")
    assert main(["check", "flat"]) == 2
    assert r"the name of the class 'a\nb' holds control characters; rename it" in capsys.readouterr().err


def test_a_folder_without_class_folders_is_told_what_fit_would_say_of_it(here: Path, write_photos) -> None:
    write_photos("photos/all/cat/1.png", "photos/all/cat/2.png", "photos/all/dog/3.png", size=(40, 40))
    found = kinds(checked("photos", code=0), "notes")["no classes"]["what"]
    assert (
        found == "of no use to fit: data.root photos: only one class folder, all/; did you mean --data.root photos/all?"
    )
    # asked for, they are what is wanted
    assert "no classes" not in kinds(checked("photos", "--data", "UnlabelledData", code=0), "notes")
    assert "no classes" not in kinds(checked("photos/all", "--out", "runs/check-photos", code=3), "notes")
