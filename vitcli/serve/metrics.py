"""Metrics: what the server has done, counted, in the text format of Prometheus (exposition format 0.0.4)."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import final

from vitcli import __version__
from vitcli.machine.memory import size

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
IMAGES = (1, 2, 4, 8, 16, 32, 64, 128)


@final
class Histogram:
    """Counts of numbers up to each of some bounds, and their sum.

    Args:
        bounds: Ascending.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count a number."""
        self._counts[bisect.bisect_left(self._bounds, value)] += 1
        self._sum += value

    def lines(self, name: str) -> Iterator[str]:
        """Its lines, each count with those below it, as Prometheus has them."""
        total = 0
        for bound, count in zip((*self._bounds, "+Inf"), self._counts, strict=True):
            total += count
            yield f'{name}_bucket{{le="{bound}"}} {total}'
        yield f"{name}_sum {self._sum:.9g}"
        yield f"{name}_count {total}"


@final
class Metrics:
    """What is counted; by the event loop alone, so that there is nothing to lock.

    ``requests`` are answers by path and code, ``images`` those answered by status, ``batches`` the images that went
    through the net together, ``waiting`` the images between a request's arrival and its answer, ``in_progress`` the
    requests, ``seconds`` how long requests to /predict took, ``cut_off`` requests that the end of the server ended.
    """

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self.images: Counter[str] = Counter(ok=0, error=0)
        self.batches = Histogram(IMAGES)
        self.seconds = Histogram(SECONDS)
        self.waiting = 0
        self.in_progress = 0
        self.cut_off = 0

    def text(self) -> str:
        """All of it, for a Prometheus to read."""
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        yield from _head("vitcli_info", "gauge", "The version that serves.")
        yield f'vitcli_info{{version="{__version__}"}} 1'
        yield from _head("vitcli_requests_total", "counter", "Requests answered, by path and status code.")
        for (path, code), count in sorted(self.requests.items()):
            yield f'vitcli_requests_total{{path="{path}",code="{code}"}} {count}'
        yield from _head("vitcli_images_total", "counter", "Images answered; error: could not be read.")
        for status, count in sorted(self.images.items()):
            yield f'vitcli_images_total{{status="{status}"}} {count}'
        yield from _head("vitcli_requests_in_progress", "gauge", "Requests that are being answered.")
        yield f"vitcli_requests_in_progress {self.in_progress}"
        yield from _head("vitcli_queue_images", "gauge", "Images that wait for their answer.")
        yield f"vitcli_queue_images {self.waiting}"
        yield from _head("vitcli_batch_images", "histogram", "Images that went through the net together.")
        yield from self.batches.lines("vitcli_batch_images")
        yield from _head("vitcli_predict_seconds", "histogram", "Seconds from a request's header to its answer.")
        yield from self.seconds.lines("vitcli_predict_seconds")
        if (resident := size("resident")) is not None:
            yield from _head("process_resident_memory_bytes", "gauge", "Resident memory.")
            yield f"process_resident_memory_bytes {resident}"


def _head(name: str, kind: str, told: str) -> tuple[str, str]:
    return f"# HELP {name} {told}", f"# TYPE {name} {kind}"
