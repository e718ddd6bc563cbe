"""Whether the host that weights come from answers, asked once and within seconds; libraries ask for minutes."""

from __future__ import annotations

import queue
import urllib.error
import urllib.request
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

from vitcli.errors import WeightsError

SECONDS = 5.0
REMEDY = "give a file with --weights FILE, or copy that folder from a machine that has fetched them"


def expect_answer(
    spec: str, url: str, cache: Path, ask: Callable[[float], int] | None = None, seconds: float = SECONDS
) -> None:
    """Check that a host answers.

    Args:
        spec: What the user typed, for messages.
        url: Names the host.
        cache: The folder in which the weights would have been, for messages.
        ask: Sends it one request, with a timeout in seconds, and returns the status of the answer; None asks for the
            URL as Python does.
        seconds: How long to wait.

    Raises:
        WeightsError: It does not, or says that it has failed.
    """
    answers: queue.Queue[int | Exception] = queue.Queue()

    def put() -> None:
        try:
            answers.put(ask(2 * seconds) if ask else _asked(url, 2 * seconds))
        except Exception as error:
            answers.put(error)

    # in a thread, because a timeout does not hold for the look-up of the host's name
    Thread(target=put, daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        why = f"no answer within {seconds:g} s"
    else:
        if isinstance(answer, int) and answer < HTTPStatus.INTERNAL_SERVER_ERROR:
            return
        why = f"status {answer}" if isinstance(answer, int) else " ".join(str(answer).split())[:200]
    host = urlsplit(url).netloc
    raise WeightsError(f"--weights {spec}: {host} cannot be reached ({why}), and {cache} does not hold them; {REMEDY}")


def _asked(url: str, timeout: float) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=timeout) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as answer:
        return answer.code
