"""Two machines on this one: network namespaces with a host name, a table of hosts and a cable of their own.

What is started on one of them has the file system of this machine, so that a folder may be shared or not, as a test
wants it. Whatever happens, namespaces and processes in them are gone afterwards.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import final

from tests.warm import VITCLI, Program, Warm
from vitcli.machine.atomic import is_alive

TORCHRUN = str(Path(sys.executable).with_name("torchrun"))
PREFIX = "vitcli"
PORT = 29400
TOLD = {"GLOO_SOCKET_IFNAME": "cable", "OMP_NUM_THREADS": "1"}
# a name of its own, files of its own in place of /etc's, then the program
ENTER = 'hostname "$0"; mount --bind "$1" /etc/hosts; mount --bind "$2" /etc/resolv.conf; shift 2; exec "$@"'
# the same for a program that is forked: constants of <sched.h>
BECOME = """
import ctypes, os, socket, subprocess

def called(result):
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

CLONE_NEWNET, CLONE_NEWUTS, CLONE_NEWNS = 0x40000000, 0x04000000, 0x00020000
system = ctypes.CDLL(None, use_errno=True)
with open("/run/netns/{name}") as entered:
    called(system.setns(entered.fileno(), CLONE_NEWNET))
called(system.unshare(CLONE_NEWUTS | CLONE_NEWNS))
socket.sethostname("{host}")
subprocess.run(["mount", "--make-rprivate", "/"], check=True)
for file in ("hosts", "resolv.conf"):
    subprocess.run(["mount", "--bind", "{folder}/" + file, "/etc/" + file], check=True)
os.setsid()
"""


def lacking() -> str:
    """Why there can be no such machines here; empty if there can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "network namespaces need Linux, and root"
    if not all(map(shutil.which, ("ip", "unshare", "mount"))):
        return "no ip, unshare or mount on this machine"
    name = f"{PREFIX}{os.getpid()}-try"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if tried.returncode == 0:
        entered = ["ip", "netns", "exec", name, "unshare", "--uts", "--mount", "true"]
        tried = subprocess.run(entered, capture_output=True, text=True, check=False)
        _ip("netns", "del", name)
    return f"no network namespaces here: {tried.stderr.strip()}" if tried.returncode else ""


@final
class Started:
    """A torchrun on one of the machines, with the ranks that it has started.

    Args:
        program: It.
    """

    def __init__(self, program: Program) -> None:
        self.program = program

    def told(self) -> str:
        """What it and its children have written."""
        return self.program.out + self.program.err

    def ranks(self) -> list[int]:
        """The processes that it has started as ranks, in their order."""
        children = Path(f"/proc/{self.program.pid}/task/{self.program.pid}/children").read_text().split()
        return sorted(map(int, children))

    def done(self, within: float) -> int:
        """Its exit code; killed, with all that it has started, if it has not ended after so many seconds."""
        if self.program.runs(within):
            self.kill()
            raise AssertionError(f"has not ended within {within} s:\n{self.told()}")
        return self.program.done().returncode

    def until(self, text: str, within: float = 400, times: int = 1) -> None:
        """Wait until this was written so many times."""
        last = time.monotonic() + within
        while self.told().count(text) < times:
            assert time.monotonic() < last, self.told()
            assert self.program.runs(0.05) or self.told().count(text) >= times, self.told()

    def kill(self) -> None:
        """Kill it and its children outright."""
        with contextlib.suppress(OSError):
            os.killpg(self.program.pid, signal.SIGKILL)


@final
class Machines:
    """``machine0`` and ``machine1``, joined by a cable: 10.77.0.1 and 10.77.0.2, which their names stand for.

    Args:
        folder: For tables of hosts.
        programs: From which torchrun is forked; None: there will be none.
    """

    def __init__(self, folder: Path, programs: Warm | None) -> None:
        self.folder = folder
        self.programs = programs
        self.names = [f"{PREFIX}{os.getpid()}-{number}" for number in (0, 1)]
        self.addresses = ["10.77.0.1", "10.77.0.2"]
        # no name server is asked: it would not be reached, and waited for
        (folder / "resolv.conf").touch()
        lines = ["127.0.0.1 localhost"]
        lines += [f"{address} machine{number}" for number, address in enumerate(self.addresses)]
        (folder / "hosts").write_text("\n".join(lines) + "\n")

    def build(self) -> None:
        """Make them, without a cable yet."""
        for name in self.names:
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")

    def plug(self) -> None:
        """Join them by a cable of the system's own (veth)."""
        one, other = self.names
        _ip("link", "add", "cable", "netns", one, "type", "veth", "peer", "name", "cable", "netns", other)
        self.address()

    def unplug(self) -> None:
        """Take the cable away."""
        _ip("-n", self.names[0], "link", "del", "cable")

    def address(self) -> None:
        """Give both ends of the cable their addresses."""
        for name, address in zip(self.names, self.addresses, strict=True):
            _ip("-n", name, "addr", "add", f"{address}/24", "dev", "cable")
            _ip("-n", name, "link", "set", "cable", "up")

    def cut(self, number: int) -> None:
        """Take down one end of the cable: nobody is told, and nothing is answered."""
        _ip("-n", self.names[number], "link", "set", "cable", "down")

    def mend(self, number: int) -> None:
        """Bring that end up again."""
        _ip("-n", self.names[number], "link", "set", "cable", "up")

    def limit(self, megabits: float | None) -> None:
        """Let the cable carry so many million bits a second in each direction; None: what it can."""
        for name in self.names:
            if megabits is None:
                _tc(name, "del", "dev", "cable", "root")
            else:
                rate = ["rate", f"{megabits}mbit", "burst", "64kb", "latency", "200ms"]
                _tc(name, "replace", "dev", "cable", "root", "tbf", *rate)

    def sent(self, number: int) -> int:
        """Bytes that a machine has put on the cable so far, headers included."""
        told = json.loads(_ip("-n", self.names[number], "-s", "-j", "link", "show", "cable"))
        return int(told[0]["stats64"]["tx"]["bytes"])

    def start(
        self, number: int, words: Sequence[object], environment: Mapping[str, str], file: Path
    ) -> subprocess.Popen[bytes]:
        """Start any program on a machine.

        Args:
            number: Of the machine.
            words: The program and its arguments.
            environment: Beside what is told to all of them.
            file: What both streams are written to.
        """
        enter = ["ip", "netns", "exec", self.names[number], "unshare", "--uts", "--mount", "sh", "-c", ENTER]
        files = [str(self.folder / name) for name in ("hosts", "resolv.conf")]
        command = [*enter, f"machine{number}", *files, *map(str, words)]
        given = {**os.environ, **TOLD, **environment}
        with file.open("wb") as stream:
            return subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, env=given)

    def torchrun(
        self,
        number: int,
        *words: object,
        nodes: str = "2",
        ranks: int = 1,
        restarts: int = 0,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Started:
        """Start ``vitcli`` by torchrun on a machine, where ``machine0`` is the meeting point.

        Args:
            number: Of the machine.
            words: Those of vitcli's command line.
            nodes: How many machines there are: a number, or the fewest and the most, ``1:2``.
            ranks: Processes of this machine.
            restarts: How often torchrun may start all again.
            cwd: The folder in which it runs.
            environment: Beside this process's.
        """
        assert self.programs is not None
        launch = ["--nnodes", nodes, "--nproc-per-node", ranks, "--max-restarts", restarts, "--rdzv-id", "test"]
        launch += ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"machine0:{PORT}", "--no-python", VITCLI]
        return Started(
            self.programs.start(
                *launch,
                *words,
                script=TORCHRUN,
                ranks=ranks,
                enter=BECOME.format(name=self.names[number], host=f"machine{number}", folder=self.folder),
                environment={**TOLD, **(environment or {})},
                folder=cwd,
            )
        )

    def close(self) -> None:
        """End what still runs on them, and remove them."""
        for name in self.names:
            _remove(name)


@contextlib.contextmanager
def machines(folder: Path, programs: Warm | None = None) -> Iterator[Machines]:
    """The machines, with nothing left of them afterwards, and nothing of those that a killed process has left."""
    for name in _ip("netns", "list").split():
        owner = name.removeprefix(PREFIX).partition("-")[0]
        if name.startswith(PREFIX) and owner.isdecimal() and not is_alive(int(owner)):
            _remove(name)
    made = Machines(folder, programs)
    try:
        made.build()
        yield made
    finally:
        made.close()


def _remove(name: str) -> None:
    """End the processes of a namespace, then remove it, with its end of the cable."""
    last = time.monotonic() + 10
    while time.monotonic() < last:
        listed = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=False)
        if not (pids := listed.stdout.split()):
            break
        for pid in pids:
            with contextlib.suppress(OSError):
                os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.05)
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def _ip(*words: str) -> str:
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=True).stdout


def _tc(name: str, *words: str) -> None:
    subprocess.run(["ip", "netns", "exec", name, "tc", "qdisc", *words], capture_output=True, text=True, check=True)
