"""What ``vitcli explain --check`` writes: check.json, and the curves as charts."""

from __future__ import annotations

from pathlib import Path

from vitcli.evaluate.as_json import plain
from vitcli.explain.check.checked import Checked
from vitcli.machine.atomic import write_json


def write(checked: Checked, folder: Path) -> Path:
    """Write ``check.json``, ``deletion`` and ``insertion`` (SVG and PNG); the path of the JSON.

    Args:
        checked: What was found.
        folder: Receives the files; made where there is none.
    """
    # takes its time, and is wanted here alone
    from vitcli.report.charts.faithful import faithful_charts

    folder.mkdir(parents=True, exist_ok=True)
    faithful_charts(
        folder,
        {
            "deletion": {row.method: row.deletion_curve for row in checked.faithfulness},
            "insertion": {row.method: row.insertion_curve for row in checked.faithfulness},
        },
    )
    file = folder / "check.json"
    write_json(file, plain(checked), allow_nan=False)
    return file
