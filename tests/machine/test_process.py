"""How the process begins and ends: everything registered is done, and no more."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.warm import Warm
from vitcli.machine import process

TALKATIVE = """
import atexit, threading, time, sys
from vitcli.machine import process

class Late:
    def __del__(self):
        sys.__stdout__.write("taken apart ")

late = Late()
ending = process.Exit()
atexit.register(print, "registered", end=" ")
threading.Thread(target=lambda: (time.sleep(0.2), print("joined", end=" "))).start()
{rest}
"""


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_the_process_ends_with_its_code_once_threads_and_registered_functions_are_done() -> None:
    ended = python(TALKATIVE.format(rest="ending.code = 3"))
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "joined registered ", "")


def test_an_unexpected_error_ends_the_process_as_python_does() -> None:
    ended = python(TALKATIVE.format(rest="1 / 0"))
    assert ended.returncode == 1
    assert "ZeroDivisionError" in ended.stderr
    assert ended.stdout == "joined registered taken apart "


def test_the_command_exits_with_mains_code() -> None:
    ended = python("import sys; from vitcli.__main__ import command; sys.argv[1:] = ['fti']; sys.exit(command())")
    assert ended.returncode == 2
    assert ended.stderr.startswith("vitcli: error: ")


ASKED = "import sys; sys.argv[1:] = ['fit', '--print_config']; from vitcli.__main__ import command, main\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rest", "code", "warm"),
    [("command()", 0, False), ("main()", 0, True), ("try:\n    main()\nexcept SystemExit:\n    1 / 0", 1, True)],
)
def test_torch_leaves_without_a_complaint(rest: str, code: int, warm: bool, programs: Warm) -> None:
    ended = programs.run(code=ASKED + rest) if warm else python(ASKED + rest)
    assert (ended.returncode, ended.stderr.count("leaked")) == (code, 0)
    assert ended.stdout.startswith("# lightning")


def test_ctrl_c_while_torch_is_imported_is_one_line(tmp_path: Path) -> None:
    # a torch that takes a minute, and says when it is being imported; not in a single sleep, which a signal that comes
    # just before it would not end
    (tmp_path / "torch.py").write_text(
        "import pathlib, time\npathlib.Path('begun').touch()\nfor _ in range(6000):\n    time.sleep(0.01)\n"
    )
    words = [sys.executable, "-m", "vitcli", "fit"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(words, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as running:
        while running.poll() is None and not (tmp_path / "begun").exists():
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=30)
    assert (running.returncode, err) == (130, "vitcli: stopped\n")


def test_what_is_imported_is_left_out_of_later_collections(programs: Warm) -> None:
    # they are forked from a process that has imported torch so
    ended = programs.run(code="import gc\nprint(gc.isenabled(), gc.get_freeze_count() > 100_000)")
    assert ended.stdout == "True True\n"


def test_nothing_is_frozen_where_torch_is_there_already() -> None:
    import torch  # noqa: F401

    before = gc.get_freeze_count()
    with process.uncollected():
        pass
    assert gc.isenabled()
    assert gc.get_freeze_count() == before
