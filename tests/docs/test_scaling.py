"""benchmarks/scaling.py computes what one computes by hand, and docs/scaling.md shows what it prints."""

from __future__ import annotations

import math

import pytest

from benchmarks.scaling import (
    LINKS,
    VIT_B16,
    Link,
    Work,
    efficiency,
    reduce_seconds,
    ring_bytes,
    ring_seconds,
    step_seconds,
    tables,
    tree_seconds,
)
from tests.conftest import REPOSITORY


def test_a_ring_sends_twice_the_gradients_but_for_one_share_in_twice_as_many_rounds_but_two():
    link = Link("", 1e6, 0.5)
    assert [ring_bytes(12e6, ranks) for ranks in (1, 2, 3, 4)] == [0, 12e6, 16e6, 18e6]
    # 18 MB at 1 MB/s, and 6 rounds of half a second
    assert ring_seconds(12e6, 4, link) == 18 + 3
    # 24 MB, and 2 x 2 rounds
    assert tree_seconds(12e6, 4, link) == 24 + 2


def test_gradients_are_four_bytes_a_parameter_in_buckets_of_one_and_of_25_mib():
    assert Work(1, 1.0, 100).buckets == 1
    assert Work(1, 1.0, 2**20).buckets == 2
    assert (VIT_B16.gradient_bytes, VIT_B16.buckets) == (346_270_624, 15)


def test_what_hides_behind_backward_is_not_waited_for():
    # two buckets of 1 MiB and less; backward takes two of three seconds, half of which the first bucket can use
    work = Work(images=4, seconds=3.0, parameters=2**19)
    assert work.buckets == 2
    rate = work.gradient_bytes / 1.0
    fast, slow = Link("", rate, 0.0), Link("", rate / 8, 0.0)
    # two ranks: each sends as much as there is, in 1 s and in 8 s
    assert reduce_seconds(work, 2, fast, trees=False) == pytest.approx(1.0)
    assert step_seconds(work, 2, fast, trees=False) == pytest.approx(3 + 0.5)
    assert step_seconds(work, 2, slow, trees=False) == pytest.approx(3 + 8 - 1)
    assert step_seconds(work, 1, slow) == 3.0
    summed = work._replace(summed=4)
    assert step_seconds(summed, 2, slow, trees=False) == pytest.approx(12 + 8 - 1)


def test_the_faster_of_ring_and_trees_is_taken():
    late = Link("", math.inf, 1e-3)
    work = Work(images=1, seconds=1.0, parameters=100)
    assert reduce_seconds(work, 1024, late) == pytest.approx(20e-3)
    assert reduce_seconds(work, 1024, late, trees=False) == pytest.approx(2046e-3)


def test_sixteen_gpus_over_100_gigabits_by_hand():
    # 649.3 MB a GPU at 12.5 GB/s are 51.9 ms, and 15 x 30 rounds of 10 us 4.5 ms: 56.4 in all
    sending = reduce_seconds(VIT_B16, 16, LINKS[1])
    assert sending == pytest.approx(0.0564, abs=1e-4)
    # backward hides 27.2 ms x 14/15
    assert step_seconds(VIT_B16, 16, LINKS[1]) == pytest.approx(0.0407 + 0.0564 - 0.0253, abs=2e-4)
    assert efficiency(VIT_B16, 16, LINKS[1]) == pytest.approx(0.57, abs=0.005)


def test_the_tables_of_the_docs_are_those_that_it_prints():
    text = (REPOSITORY / "docs" / "scaling.md").read_text()
    assert [table for table in tables() if table not in text] == []
