"""Limits on memory are read wherever they are set: by ulimit, by a container of either kind, by the machine."""

from __future__ import annotations

import mmap
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from vitcli.machine import memory
from vitcli.machine.memory import bounds, forget_highest, size

MIB = 2**20


@pytest.fixture
def limited() -> Iterator[None]:
    """A limit on this process's addresses."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (2**42, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.usefixtures("limited")
def test_what_is_free_of_the_machine_is_shared_and_the_ulimit_is_a_process_own() -> None:
    one, two = bounds(), bounds(2)
    resident = size("resident")
    assert resident is not None
    assert [(bound.kind, bound.most_bytes) for bound in one if bound.name == "ulimit -v"] == [("virtual", 2**42)]
    assert [bound for bound in one if bound.kind == "virtual"] == [bound for bound in two if bound.kind == "virtual"]
    alone, shared = (next(bound.most_bytes for bound in found if bound.name == "the machine") for found in (one, two))
    assert (shared - resident) == pytest.approx((alone - resident) / 2, rel=0.2)


@pytest.mark.parametrize(
    ("line", "folder", "limit", "usage", "none"),
    [
        ("0::/job/step", "job", "memory.max", "memory.current", "max"),
        ("4:cpu,memory:/job", "memory/job", "memory.limit_in_bytes", "memory.usage_in_bytes", str(2**63 - 4096)),
        # as it is within a container, which sees its own group as the top
        ("0::/elsewhere/of/the/host", "", "memory.max", "memory.current", "max"),
    ],
)
def test_a_container_leaves_what_it_may_use_but_for_files_that_can_be_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, folder: str, limit: str, usage: str, none: str
) -> None:
    proc, groups = tmp_path / "proc", tmp_path / "groups"
    (proc / "self").mkdir(parents=True)
    (proc / "self" / "status").write_text("VmRSS:\t  2048 kB\nVmSize:\t 4096 kB\n")
    (proc / "self" / "cgroup").write_text(f"{line}\n")
    group = groups / folder
    group.mkdir(parents=True)
    (group / limit).write_text(f"{100 * MIB}\n")
    (group / usage).write_text(f"{70 * MIB}\n")
    (group / "memory.stat").write_text(f"anon 5\ninactive_file {20 * MIB}\nactive_file 7\n")
    monkeypatch.setattr(memory, "PROC", proc)
    monkeypatch.setattr(memory, "CGROUPS", groups)
    own = [bound for bound in bounds() if bound.kind == "resident"]
    assert [(bound.name, bound.most_bytes) for bound in own] == [("the container", (2 + 30 + 20) * MIB)]
    (group / limit).write_text(none)
    assert not [bound for bound in bounds() if bound.kind == "resident"]


def test_the_peak_begins_anew_and_follows_what_is_used() -> None:
    forget_highest()
    before = size("resident", highest=True)
    # pages of its own: what the heap keeps for the next block is in use already
    with mmap.mmap(-1, 64 * MIB) as held:
        for page in range(0, len(held), resource.getpagesize()):
            held[page] = 1
        after = size("resident", highest=True)
    assert before is not None
    assert after is not None
    assert 60 * MIB < after - before < 80 * MIB


def test_where_the_system_tells_nothing_there_is_no_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "PROC", tmp_path)
    assert bounds() == []
    assert memory.highest_resident() > 10 * MIB
