"""The JSON of an image: what the net says of it as names and numbers, and its map; docs/deploy.md has the schema."""

from __future__ import annotations

import math
from typing import Any

from vitcli.serve.batching import Answered
from vitcli.serve.decoding import Decoded
from vitcli.serve.engine import Engine
from vitcli.table.columns import BEST, seven, writable


def unreadable(name: str, reason: str) -> dict[str, Any]:
    """What is said of an image that cannot be read.

    Args:
        name: As the client calls it.
        reason: Why.
    """
    return _row(name, "error", error=reason)


def answered(name: str, decoded: Decoded, said: Answered, engine: Engine) -> dict[str, Any]:
    """What is said of an image that the net has seen.

    Args:
        name: As the client calls it.
        decoded: Its size, and what of it the net has seen.
        said: The net's answer.
        engine: The net.
    """
    row = said.row
    size = {"width": decoded.width, "height": decoded.height}
    if row.status == "error":
        return _row(name, "error", error=row.error, **size)
    named = zip(engine.classes, row.probabilities, strict=True) if row.probabilities else row.top
    shares = [(writable(label), seven(share) or 0.0) for label, share in named]
    best = sorted(shares, key=lambda share: -share[1])[:BEST]
    told = _row(
        name,
        "ok",
        predicted=writable(row.predicted),
        confidence=seven(row.confidence),
        top=[{"class": label, "probability": share} for label, share in best],
        **size,
    )
    if row.probabilities:
        told["probabilities"] = dict(shares)
    if said.map is not None:
        told["map"] = {
            "method": engine.method,
            "region": list(decoded.region),
            "rows": said.map.shape[0],
            "columns": said.map.shape[1],
            # numbers that JSON has no word for are nowhere in a map, but a net may hold anything
            "values": [seven(value) if math.isfinite(value) else 0.0 for value in said.map.ravel().tolist()],
        }
    return told


def _row(name: str, status: str, **said: Any) -> dict[str, Any]:
    nothing: dict[str, Any] = {"predicted": "", "confidence": None, "top": [], "width": None, "height": None}
    return {"name": writable(name), "status": status, "error": "", **nothing, **said}
