"""The lines that ``vitcli explain --check`` prints: a table of the methods, and which of them is the best."""

from __future__ import annotations

from collections.abc import Sequence

from vitcli.evaluate.evaluation import Estimate
from vitcli.explain.check.checked import RANDOM, Checked, Lead
from vitcli.names import counted


def lines(checked: Checked) -> list[str]:
    """What was found, as lines.

    Args:
        checked: What was found.
    """
    rows = [["method", "deletion", "insertion", "insertion - deletion", "seconds a map"]]
    for row in checked.faithfulness:
        seconds = "-" if row.method == RANDOM else f"{row.seconds:.3f}"
        rows.append([row.method, f"{row.deletion.value:.3f}", f"{row.insertion.value:.3f}", str(row.gain), seconds])
    told = [
        f"deletion and insertion on {counted(checked.images, 'image')}, in {counted(checked.steps, 'step')} "
        "(mean area under the curve [95 % interval]; deletion: lower is truer):",
        *_aligned(rows),
        _verdict("insertion - deletion", checked.best),
    ]
    if checked.best_located is not None:
        rows = [["method", "hits", "relevance inside"]]
        rows += [[row.method, str(row.hits), str(row.inside)] for row in checked.located]
        told += [
            f"pointing game on {counted(checked.shapes, 'drawn shape')}, whose box is known:",
            *_aligned(rows),
            _verdict("relevance inside the box", checked.best_located),
        ]
    return told


def _verdict(score: str, lead: Lead) -> str:
    truth = "beyond the interval" if lead.is_true else "which the interval does not tell from chance"
    told = f"best by {score}: {lead.method}; above random maps by {_signed(lead.over_random)}, {truth}"
    if lead.over_next is None:
        return told
    certain = "beyond the interval" if lead.is_certain else "which the interval does not tell from a tie"
    return f"{told}; above {lead.next}, the next, by {_signed(lead.over_next)}, {certain}"


def _signed(estimate: Estimate) -> str:
    return str(estimate).replace("-0.000", "0.000")


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
