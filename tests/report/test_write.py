"""The page and its files: numbers computed by hand, same table same bytes, bounds, missing pictures, hostile names."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from tests.report.tables import HOSTILE, drawn_rows, write_table
from vitcli.errors import ConfigError, DataError
from vitcli.evaluate.calibration import fit_temperature
from vitcli.evaluate.read import read_scored
from vitcli.report.pictures import Thumbnails
from vitcli.report.write import THUMBNAILS, write_report
from vitcli.run import Run

FIVE = [
    ("cat/1.png", "cat", (0.9, 0.1)),
    ("cat/2.png", "cat", (0.4, 0.6)),
    ("dog/3.png", "dog", (0.2, 0.8)),
    ("dog/4.png", "dog", (0.3, 0.7)),
    ("dog/5.png", "dog", (0.55, 0.45)),
]


def words(page: Path) -> str:
    """What a page says, without its tags."""
    html = page.read_text(encoding="utf-8").replace("<wbr>", "")
    html = re.sub(r"<(style|script)\b.*?</\1>", "", html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def figures(page: Path) -> dict[str, str]:
    """The main numbers of a page by name."""
    return dict(re.findall(r"<dt>([^<]*)</dt><dd>(\S+)", page.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the five rows, whose pictures are not there."""
    folder = tmp_path_factory.mktemp("five")
    return write_report(None, write_table(folder / "five.csv", ("cat", "dog"), FIVE), folder)


def test_the_report_of_five_rows_contains_the_numbers_computed_by_hand(page: Path):
    told = figures(page)
    # three of five are right; a cat of two, and two dogs of three
    assert told["accuracy"] == "0.600"
    # (1/2 + 2/3) / 2
    assert told["balanced accuracy"] == "0.583"
    # (3/5 - 13/25) / (1 - 13/25)
    assert told["Cohen&#39;s kappa"] == "0.167"
    # -(ln 0.9 + ln 0.4 + ln 0.8 + ln 0.7 + ln 0.45) / 5
    assert told["log loss"] == "0.480"
    # 2 (0.1^2 + 0.6^2 + 0.2^2 + 0.3^2 + 0.55^2) / 5
    assert told["Brier score"] == "0.321"
    said = words(page)
    assert "60.0 % of 5 images are predicted right" in said
    assert "guessing the commonest class, dog, would be right on 60.0 %" in said
    assert "cannot be told from guessing" in said


@pytest.mark.slow
def test_the_same_table_gives_the_same_bytes_page_and_charts(tmp_path: Path, write_photos):
    write_photos("a/x/cat/1.png", "a/x/dog/3.png")
    write_table(tmp_path / "a" / "x" / "five.csv", ("cat", "dog"), FIVE)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    for folder in ("a", "b"):
        write_report(None, tmp_path / folder / "x" / "five.csv", tmp_path / folder)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len([path for path in files if path.parts[0] == "report"]) == 2 * 6
    for path in files:
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes(), path


def test_each_chart_lies_beside_the_page_as_svg_and_png_and_the_page_names_it(cats_and_dogs: Path):
    folder = cats_and_dogs / "report"
    names = {path.stem for path in folder.glob("*.svg")}
    assert names == {path.stem for path in folder.glob("*.png")} >= {"reliability", "confidence", "roc", "confusion"}
    said = words(cats_and_dogs / "report.html")
    for name in names:
        assert name in said
        ElementTree.parse(folder / f"{name}.svg")
        with Image.open(folder / f"{name}.png") as image:
            assert min(image.size) > 400


def test_the_pictures_may_be_gone(page: Path):
    assert "not where they were when the table was written" in words(page)
    assert "cat/2.png" in words(page)
    assert "<img" not in page.read_text(encoding="utf-8")


def test_pictures_elsewhere_are_found_where_images_says(tmp_path: Path, write_photos):
    write_photos("moved/cat/1.png", "moved/cat/2.png")
    table = write_table(tmp_path / "here" / "five.csv", ("cat", "dog"), FIVE)
    page = write_report(None, table, tmp_path, images=str(tmp_path / "moved"))
    assert page.read_text(encoding="utf-8").count("<img") > 1
    assert "3 pictures could not be read" in words(page)
    with pytest.raises(DataError, match="nowhere"):
        write_report(None, table, tmp_path, images=str(tmp_path / "nowhere"))
    write_photos("others/bird/9.png")
    with pytest.raises(
        DataError, match=r"^--images \S+others: holds none of the pictures of \S+five.csv, such as cat/1"
    ):
        write_report(None, table, tmp_path / "new", images=str(tmp_path / "others"))
    assert not (tmp_path / "new").exists()


def test_there_are_never_more_thumbnails_than_allowed_and_none_is_large(tmp_path: Path, write_photos):
    paths = [f"{number}.png" for number in range(12)]
    write_photos(*paths, size=(700, 500))
    from vitcli.report.pictures import beside

    thumbnails = Thumbnails(beside(tmp_path / "table.csv"), 10)
    thumbnails.make(paths[:8])
    thumbnails.make(paths)
    assert thumbnails.shown == 10
    assert thumbnails[paths[9]] is not None
    assert thumbnails[paths[10]] is None
    assert all(len(thumbnails[path] or "") < 8000 for path in paths)
    # of each page a megabyte at most
    assert THUMBNAILS * 8000 < 2e6


def test_hostile_names_stand_there_as_text(hostile: Path):
    html = (hostile / "report.html").read_text(encoding="utf-8")
    for name in HOSTILE:
        assert name not in html.replace(html[html.index("<style>") : html.index("</style>")], "")
    assert html.count("<script") == 1
    assert "\u202e" not in html
    for file in (hostile / "report").glob("*.svg"):
        ElementTree.parse(file)


def test_the_policy_allows_nothing_from_outside_and_no_inline_style(cats_and_dogs: Path):
    html = (cats_and_dogs / "report.html").read_text(encoding="utf-8")
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    assert policy.startswith("default-src &#39;none&#39;; img-src data:;")
    assert "unsafe" not in policy
    assert "http" not in policy
    assert not re.search(r"<[^>]* style=", html)
    assert not re.search(r"<[^>]* on[a-z]+=", html)
    assert not re.search(r'(src|href)="(?!data:|#)', html)


@pytest.mark.parametrize(("classes", "right"), [(1, 1.0), (2, 1.0), (10, 0.0), (30, 0.8)])
def test_any_number_of_classes_and_everything_right_or_wrong_makes_a_page(tmp_path: Path, classes: int, right: float):
    names = [f"class {number}" for number in range(classes)]
    page = write_report(None, write_table(tmp_path / "t.csv", names, drawn_rows(names, 60, right=right)), tmp_path)
    said = words(page)
    assert ("No mistake." in said) == (right == 1)
    assert ("Least confident successes" in said) == (right > 0)
    assert ("classes that are confused most" in said) == (classes == 30)


def test_a_class_without_images_is_named(tmp_path: Path):
    rows = [row for row in drawn_rows(("cat", "dog", "owl"), 60) if row[1] != "owl"]
    said = words(write_report(None, write_table(tmp_path / "table.csv", ("cat", "dog", "owl"), rows), tmp_path))
    assert "No image here has the label owl: of it, nothing is known." in said


def test_a_table_without_labels_shows_confidences_and_a_gallery_a_class(tmp_path: Path):
    rows = drawn_rows(("cat", "dog"), 40, labels=False)
    table = write_table(tmp_path / "table.csv", ("cat", "dog"), rows, [("broken.png", "", "not an image")])
    said = words(write_report(None, table, tmp_path))
    assert "40 images predicted to be of 2 classes" in said
    assert "nobody can say how many of them are right" in said
    assert "By predicted class cat" in said
    assert "broken.png not an image" in said
    assert "Confusion" not in said


def test_unreadable_images_are_counted_and_both_figures_said(cats_and_dogs: Path):
    said = words(cats_and_dogs / "report.html")
    assert "1 of 121 images have no prediction" in said
    assert "cat/cut.png truncated" in said


@pytest.mark.slow
def test_the_test_of_a_run_is_shown_at_the_temperature_that_fits_its_val(tmp_path: Path):
    run = tmp_path / "runs" / "mine"
    for split, seed in (("val", 1), ("test", 2)):
        rows = drawn_rows(("cat", "dog"), 60, right=0.7, seed=seed)
        write_table(run / f"predictions.{split}.csv", ("cat", "dog"), rows)
    (run / "config.yaml").write_text("model: {net: {image_size: 64}}\n")
    said = words(write_report(Run(run), None, run))
    assert "mine" in said
    val = read_scored(run / "predictions.val.csv")
    assert val.probabilities is not None
    temperature = fit_temperature(val.probabilities, val.labels)
    assert f"at temperature {temperature:.2f}, fitted on val" in said
    assert "60 test images" in said
    assert "60 val images" in words(write_report(Run(run), run / "predictions.val.csv", run))


def test_tables_of_other_images_are_refused_with_how_many_are_in_both(tmp_path: Path):
    one = write_table(tmp_path / "one.csv", ("cat", "dog"), FIVE)
    two = write_table(tmp_path / "two.csv", ("cat", "dog"), FIVE[:3])
    with pytest.raises(DataError, match="3 are in both"):
        write_report(None, one, tmp_path / "out", compare=[str(two)])


def test_a_folder_that_cannot_be_made_is_a_mistake_of_the_user(tmp_path: Path):
    table = write_table(tmp_path / "five.csv", ("cat", "dog"), FIVE)
    with pytest.raises(ConfigError, match=r"--out .*five.csv"):
        write_report(None, table, table / "below")
