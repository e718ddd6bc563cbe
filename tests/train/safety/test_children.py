"""Children: the end of one is told in words, and none outlives its parent."""

from __future__ import annotations

import subprocess

from vitcli.train.safety.children import Children


def test_the_end_of_a_child_is_told_in_words_and_one_that_goes_on_is_killed():
    # by the shell's own commands, which start at once
    processes = {
        rank: subprocess.Popen(["/bin/sh", "-c", command])
        for rank, command in enumerate(("exit 0", "exit 3", "kill -TERM $$", "exec sleep 600"), start=1)
    }
    children = Children(processes)
    for rank in (1, 2, 3):
        processes[rank].wait(30)
    assert [children.failure(rank) for rank in children] == [
        None,
        "has ended with exit code 3",
        "was killed by SIGTERM",
        None,
    ]
    children.end(0.0)
    assert processes[4].wait(30) == -9
    assert children.failure(4) == "was killed by SIGKILL: by hand, or by the system when memory ran out"
