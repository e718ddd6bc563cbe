"""The columns of a table are the documented ones."""

from __future__ import annotations

from vitcli.table.columns import Columns, kind, reader
from vitcli.table.row import Row


def test_a_narrow_table_has_a_probability_for_each_class():
    assert Columns(("cat", "dog")).names == (
        ["path", "label", "predicted", "confidence", "prob_cat", "prob_dog", "width", "height", "status", "error"]
    )


def test_a_wide_table_has_the_best_classes_and_what_is_said_of_the_label():
    assert Columns(("cat", "dog", "eel"), top=2).names == [
        *("path", "label", "predicted", "confidence", "top1", "top1_probability", "top2", "top2_probability"),
        *("label_probability", "label_rank", "width", "height", "status", "error"),
    ]


def test_values_have_seven_digits_and_a_place_for_what_is_not_known():
    assert Columns(("cat", "dog")).values(Row("a.jpg", status="error", error="empty")) == (
        ["a.jpg", "", "", None, None, None, None, None, "error", "empty"]
    )
    row = Row("a.jpg", "", "cat", 2 / 3, top=(("cat", 2 / 3), ("dog", 1 / 3)), width=4, height=3)
    assert Columns(("cat", "dog", "eel"), top=2).values(row) == (
        ["a.jpg", "", "cat", 0.6666667, "cat", 0.6666667, "dog", 0.3333333, None, None, 4, 3, "ok", ""]
    )


def test_no_class_is_mistaken_for_another_column():
    for name in ("top1", "top1_probability", "label_rank", "width", "path", "features"):
        column = Columns((name, "b")).names[4]
        assert kind(column) == "share"
        assert reader(["path", column])(["a.jpg", 0.5]) == Row("a.jpg", probabilities=(0.5,))
    assert [kind(name) for name in ("top1", "top12_probability", "top_probability", "label_rank")] == [
        *("text", "share", "text", "count")
    ]


def test_a_column_that_an_older_table_lacks_or_that_nobody_knows_is_no_matter():
    assert reader(["path", "status", "mine"])(["a.jpg", "ok", 3]) == Row("a.jpg")
