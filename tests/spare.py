"""Children that a program starts, forked before it began: like it, they need not import torch.

Lightning starts the second process of a job, and torchrun each, by subprocess.Popen. A spare child waits until its
parent does so, and takes the place that Popen describes: environment, folder, streams and session. To whoever looks, it
is a child as any other; only what it has imported is what its parent had when it was forked.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Sequence
from typing import Any

# the streams that a child has where Popen is told none
STREAMS = (0, 1, 2)
PIPES = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")


def send(line: socket.socket, asked: dict[str, Any], streams: Sequence[int]) -> None:
    """Ask for a process that has these streams."""
    message = json.dumps(asked).encode() + b"\n"
    sent = socket.send_fds(line, [message], streams)
    # if that was all, the other end may be closed by then
    if sent < len(message):
        line.sendall(message[sent:])


def receive(line: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """What is asked for, and the streams; None if nobody can ask any more."""
    told, streams, *_ = socket.recv_fds(line, 2**20, len(STREAMS))
    # a line, which may arrive in parts
    while told and not told.endswith(b"\n"):
        told += line.recv(2**20)
    return (json.loads(told), streams) if told else None


def wait_apart(count: int, script: str) -> tuple[dict[str, Any], list[int]] | None:
    """Fork so many spare children; None in their parent, and in a child, once it is needed, what it is asked for.

    Args:
        count: How many.
        script: What the parent gives Popen to start: a Python script, alone or behind the interpreter.
    """
    waiting: list[tuple[int, socket.socket]] = []
    for _ in range(count):
        ours, theirs = socket.socketpair()
        if child := os.fork():
            theirs.close()
            waiting.append((child, ours))
            continue
        ours.close()
        for _, line in waiting:
            line.close()
        return _awaited(theirs)
    if waiting:
        _answer(waiting, script)
    return None


def _awaited(line: socket.socket) -> tuple[dict[str, Any], list[int]]:
    received = receive(line)
    line.close()
    if received is None:
        # its parent has ended and had no need of it
        os._exit(0)
    asked, streams = received
    if asked.pop("session"):
        os.setsid()
    return asked, streams


def _answer(waiting: list[tuple[int, socket.socket]], script: str) -> None:
    """Have Popen take a spare child, as long as there is one, for the script."""
    start = subprocess.Popen._execute_child  # type: ignore[attr-defined]
    names = start.__code__.co_varnames[: start.__code__.co_argcount]

    def execute(popen: Any, *values: Any) -> None:
        said = dict(zip(names[1:], values, strict=True))
        words = [os.fspath(word) for word in said["args"]]
        if script not in words[:2] or not waiting:
            start(popen, *values)
            return
        popen.pid, line = waiting.pop(0)
        asked = {
            "argv": words[words.index(script) :],
            "folder": os.fspath(said["cwd"] or os.getcwd()),
            "environment": dict(os.environ if said["env"] is None else said["env"]),
            "session": said["start_new_session"],
        }
        given = (said["p2cread"], said["c2pwrite"], said["errwrite"])
        streams = [own if stream == -1 else stream for own, stream in zip(STREAMS, given, strict=True)]
        with line:
            send(line, asked, streams)
        popen._child_created = True
        popen._close_pipe_fds(*(said[name] for name in names if name in PIPES))

    subprocess.Popen._execute_child = execute  # type: ignore[attr-defined]
