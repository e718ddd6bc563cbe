"""Refusal: why a request is not answered, as a status code and a line of JSON."""

from __future__ import annotations

import math
from typing import final


@final
class Refusal(Exception):  # noqa: N818 - an answer, not a failure of the program
    """A request that gets no answer but this.

    Args:
        code: Of HTTP, 400 to 599.
        reason: In one line, what it met and what to do.
        retry_seconds: After which it may be tried again; for 429 and 503.
    """

    def __init__(self, code: int, reason: str, retry_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.headers = {} if retry_seconds is None else {"retry-after": str(max(1, math.ceil(retry_seconds)))}
