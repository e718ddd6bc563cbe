"""A process that is asked to stop leaves at once, or when it can; a second signal ends it whatever it is doing."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from vitcli.machine.signals import BACK_SECONDS, STOPPING, TWICE_SECONDS

PROGRAM = """
import sys, time
from vitcli.machine.signals import SIGNALS, Stopped
try:
    with SIGNALS.listening():
        {setting}
        print("ready", flush=True)
        {work}
except Stopped as stopped:
    print(stopped.reason, flush=True)
    sys.exit(stopped.code)
"""
# in C, from which no handler of Python's calls it back, for minutes
IN_C = "import hashlib; hashlib.pbkdf2_hmac('sha256', b'1', b'2', 500_000_000)"


def started(work: str, setting: str = "pass", before: str = "") -> subprocess.Popen[str]:
    code = before + PROGRAM.format(work=work, setting=setting)
    running = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, restore_signals=True
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "ready\n"
    return running


@pytest.mark.parametrize("number", STOPPING, ids=lambda number: number.name)
def test_each_signal_ends_it_at_once_with_its_own_code(number: signal.Signals):
    running = started("time.sleep(60)")
    running.send_signal(number)
    out, err = running.communicate(timeout=10)
    assert running.returncode == 128 + number
    assert out == ("stopped\n" if number == signal.SIGINT else f"stopped by {number.name}\n")
    assert err == ""


def test_one_that_is_patient_goes_on_until_it_looks():
    wait = "\n        ".join(["while SIGNALS.asked is None:", "    time.sleep(0.01)", "print(SIGNALS.asked.name)"])
    running = started(wait, "SIGNALS.patience = float('inf')")
    running.send_signal(signal.SIGUSR1)
    out, _ = running.communicate(timeout=10)
    assert (running.returncode, out) == (0, "SIGUSR1\n")


def test_patience_that_ends_interrupts_it():
    running = started("time.sleep(60)", "SIGNALS.patience = 0.3")
    running.send_signal(signal.SIGTERM)
    out, _ = running.communicate(timeout=10)
    assert (running.returncode, out) == (143, "stopped by SIGTERM\n")


def test_a_second_signal_ends_it_even_in_c():
    running = started(IN_C, "SIGNALS.patience = float('inf')")
    start = time.monotonic()
    running.send_signal(signal.SIGTERM)
    # as timeout(1) does, which is not meant twice
    running.send_signal(signal.SIGTERM)
    time.sleep(2 * TWICE_SECONDS)
    assert running.poll() is None
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=10)
    assert running.returncode == 130
    assert time.monotonic() - start < 5


def test_one_that_is_leaving_keeps_the_code_of_the_signal_that_has_asked_for_it():
    wait = "while SIGNALS.asked is None:", "    time.sleep(0.01)", "SIGNALS.is_leaving = True", "time.sleep(60)"
    running = started("\n        ".join(wait), "SIGNALS.patience = float('inf')")
    running.send_signal(signal.SIGUSR1)
    time.sleep(2 * TWICE_SECONDS)
    # as torchrun does, when another rank has left already
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=10)
    assert running.returncode == 138


@pytest.mark.slow
def test_one_that_does_not_come_back_from_c_is_ended_with_its_line():
    running = started(IN_C)
    # it says that it is ready before it is in C, from where it does not come back
    time.sleep(1)
    running.send_signal(signal.SIGHUP)
    _, err = running.communicate(timeout=BACK_SECONDS + 5)
    assert (running.returncode, err) == (129, "vitcli: stopped by SIGHUP\n")


def test_what_nohup_has_started_outlives_its_terminal():
    before = "import signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    running = started("time.sleep(1)", before=before)
    running.send_signal(signal.SIGHUP)
    running.communicate(timeout=10)
    assert running.returncode == 0


def test_a_worker_leaves_signals_to_its_parent_and_ends_with_it():
    work = "\n        ".join(
        [
            "import os, signal",
            "from vitcli.machine.signals import as_worker",
            "worker = os.fork()",
            "if not worker:",
            "    as_worker()",
            "    print(os.getpid(), flush=True)",
            "    time.sleep(60)",
            "    os._exit(0)",
            "time.sleep(0.5)",
            "for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP):",
            "    os.kill(worker, number)",
            "time.sleep(0.2)",
            "print(os.waitpid(worker, os.WNOHANG), SIGNALS.asked, flush=True)",
            "os.kill(os.getpid(), signal.SIGKILL)",
        ]
    )
    # the worker holds standard output too: it is read to its end when both have ended
    out, err = started(work).communicate(timeout=10)
    assert out.splitlines()[1:] == ["(0, 0) None"], err
