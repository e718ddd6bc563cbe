"""Each place of vitcli that silences a warning or a logger is listed here, with the reason and a test that holds it."""

from __future__ import annotations

import ast
import io
from collections.abc import Iterator

import pytest
from matplotlib.figure import Figure

from tests.conftest import REPOSITORY
from vitcli.report.charts.easel import house_style

CALLS = {"filterwarnings", "simplefilter", "setLevel", "addFilter", "captureWarnings", "redirect_stderr"}
SETTINGS = {"formatwarning", "showwarning"}
KEYWORDS = {"silent", "quiet"}

# file and what it does there: (why nothing is lost by it, the test that shows it)
SILENCED = {
    ("vitcli/cli/trainer/quiet.py", "filterwarnings"): (
        "each has its reason in the table there",
        "tests/cli/trainer/test_quiet.py::test_a_warning_is_silenced_only_while_a_library_says_it",
    ),
    ("vitcli/cli/trainer/quiet.py", "setLevel"): (
        "Lightning's log; what is right in it about a setting is said in our words",
        "tests/cli/trainer/test_quiet.py::test_a_setting_that_means_something_else_than_it_seems_to_is_explained",
    ),
    ("vitcli/cli/trainer/quiet.py", "addFilter"): (
        "the same, in the logger that all its rooms share; what was asked for passes",
        "tests/cli/trainer/test_quiet.py::test_what_callbacks_are_asked_to_say_is_said",
    ),
    ("vitcli/cli/trainer/quiet.py", "formatwarning"): (
        "leaves out the place in the code, and nothing of the text",
        "tests/cli/trainer/test_quiet.py::test_a_warning_that_is_not_silenced_is_one_line",
    ),
    ("vitcli/weights/shards.py", "filterwarnings"): (
        "torch on reading for one process alone, which is what it was told to do",
        "tests/train/sharding/test_shards.py::test_what_several_have_written_one_reads",
    ),
    ("vitcli/images/source/remote/filesystem.py", "setLevel"): (
        "huggingface_hub on its own retries; what still fails after ours is an error in one line",
        "tests/images/source/remote/test_other_stores.py::test_what_is_not_there_is_one_line",
    ),
    ("vitcli/export/graph.py", "setLevel"): (
        "torch's exporter on its steps; what the file answers is compared with the net",
        "tests/export/test_export.py::test_a_file_that_disagrees_is_refused_with_the_figure_and_not_kept",
    ),
    ("vitcli/export/graph.py", "simplefilter"): (
        "the same: torch on its own old words",
        "tests/export/test_export.py::test_a_file_that_disagrees_is_refused_with_the_figure_and_not_kept",
    ),
    ("vitcli/export/lighter.py", "setLevel"): (
        "onnxruntime's tool on how it would prepare a graph, in the root's logger; what it costs and gains is printed",
        "tests/export/test_export.py::test_int8_prints_what_it_costs_and_gains",
    ),
    ("vitcli/export/lighter.py", "simplefilter"): (
        "the same, on NumPy's casts",
        "tests/export/test_export.py::test_int8_prints_what_it_costs_and_gains",
    ),
    ("vitcli/images/decode/encoded.py", "simplefilter"): (
        "Pillow on odd metadata, which changes no pixel; an unreadable orientation is upright",
        "tests/images/decode/test_encoded.py::test_broken_exif_is_never_fatal",
    ),
    ("vitcli/images/decode/encoded.py", "filterwarnings"): (
        "silences nothing: this warning becomes the reason why an image cannot be read",
        "tests/images/decode/test_encoded.py::test_what_this_pillow_is_built_without_is_the_reason",
    ),
    ("vitcli/net/settings.py", "filterwarnings"): (
        "whoever rebuilds a net did not choose its k, and whoever chose it was warned",
        "tests/net/test_settings.py::test_rebuilding_does_not_warn_again",
    ),
    ("vitcli/report/charts/easel.py", "setLevel"): (
        "matplotlib on folders and fonts of its own, such as a cache that it cannot write; the charts are the same",
        "tests/test_silenced.py::test_a_chart_keeps_characters_that_its_font_lacks",
    ),
    ("vitcli/report/charts/easel.py", "simplefilter"): (
        "characters that matplotlib's font lacks are text in the SVG, for which the browser has a font",
        "tests/test_silenced.py::test_a_chart_keeps_characters_that_its_font_lacks",
    ),
    ("vitcli/train/metrics.py", "filterwarnings"): (
        "AUROC leaves out a class without images, and a line names such classes",
        "tests/train/test_metrics.py::test_a_class_without_images_does_not_pull_auroc_down",
    ),
    ("vitcli/train/output/wandb_log.py", "silent"): (
        "its address, and how to send later what is logged offline, are said in our words",
        "tests/train/output/test_wandb_log.py::test_a_run_that_is_logged_online_says_where",
    ),
    ("vitcli/search/study.py", "filterwarnings"): (
        "Optuna on what it calls experimental; what it proposes is held by the test",
        "tests/search/test_proposals.py::test_the_same_seed_proposes_the_same_however_often_the_searcher_is_begun_anew",
    ),
    ("vitcli/weights/files.py", "filterwarnings"): (
        "torch on a protocol that may not be readable; if it is not, an error says so",
        "tests/weights/test_files.py::test_a_broken_file_gets_one_line_and_no_code_runs",
    ),
}


def silencers() -> Iterator[tuple[str, str]]:
    """File and name of all in vitcli that silences."""
    for path in sorted((REPOSITORY / "vitcli").rglob("*.py")):
        file = path.relative_to(REPOSITORY).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                found = CALLS & {called} | KEYWORDS & {str(keyword.arg) for keyword in node.keywords}
            elif isinstance(node, ast.Assign):
                found = SETTINGS & {target.attr for target in node.targets if isinstance(target, ast.Attribute)}
            else:
                continue
            yield from ((file, name) for name in found)


def test_whatever_is_silenced_is_listed_with_its_reason():
    found = set(silencers())
    assert not found - SILENCED.keys(), "say above why nothing is lost, and which test shows it"
    assert not SILENCED.keys() - found, "silenced no more"


@pytest.mark.parametrize("test", [test for _, test in SILENCED.values()])
def test_the_test_of_what_is_silenced_is_there(test: str):
    file, name = test.split("::")
    assert f"def {name}(" in (REPOSITORY / file).read_text(encoding="utf-8")


def test_a_chart_keeps_characters_that_its_font_lacks():
    written = io.StringIO()
    with house_style():
        figure = Figure()
        figure.text(0.5, 0.5, "\u732b")
        figure.savefig(written, format="svg")
    assert "\u732b" in written.getvalue()
