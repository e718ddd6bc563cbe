"""Names are compared as people compare them."""

from __future__ import annotations

from vitcli.names import natural_order


def test_digits_compare_as_numbers_folder_by_folder() -> None:
    paths = ["b/1.jpg", "a10.jpg", "A2.jpg", "a/10/x.jpg", "a/9/x.jpg", "a02.jpg", "a.jpg", "10.jpg", "9.jpg"]
    expected = ["9.jpg", "10.jpg", "a/9/x.jpg", "a/10/x.jpg", "A2.jpg", "a02.jpg", "a10.jpg", "a.jpg", "b/1.jpg"]
    assert sorted(paths, key=natural_order) == expected
    paths.reverse()
    assert sorted(paths, key=natural_order) == expected
