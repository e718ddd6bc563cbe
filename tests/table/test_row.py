"""A row of the table: its columns."""

from __future__ import annotations

from vitcli.table.row import header


def test_the_columns_are_the_documented_ones():
    assert header(("cat", "dog")) == (
        ["path", "label", "predicted", "confidence", "prob_cat", "prob_dog", "width", "height", "status", "error"]
    )
