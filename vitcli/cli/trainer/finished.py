"""finished.json: a fit came to its end, at which step, and what decided that; the same command is then done at once."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from vitcli.machine.atomic import write_json
from vitcli.names import counted, quoted
from vitcli.run import Run

# the settings that decide where a training ends
DECIDING = ("max_epochs", "max_steps", "max_time", "min_epochs", "min_steps")


class Finished(Exception):  # noqa: N818 -- it is no error
    """There is nothing to do: the run has finished already; the message says so."""


def note_finished(run: Run, config: Mapping[str, Any], step: int, epochs: int, best: Mapping[str, float]) -> None:
    """Write that a fit has ended, and all that follows from it.

    Args:
        run: The run.
        config: The whole config in plain types.
        step: The last optimizer step.
        epochs: Passes over the images.
        best: The score of best.ckpt by the metric that has chosen it; empty where none has.
    """
    known = {metric: score for metric, score in best.items() if math.isfinite(score)}
    write_json(run.finished, {"step": step, "epochs": epochs, "best": known, "asked": _asked(config)})


def check_unfinished(run: Run, config: Mapping[str, Any], step: int) -> None:
    """Check that there is something left to do.

    Args:
        run: The run.
        config: The whole config in plain types.
        step: Of the checkpoint that fit would go on from.

    Raises:
        Finished: The run has ended at this step, and no more is asked for than then.
    """
    try:
        told = json.loads(run.finished.read_text(encoding="utf-8"))
        is_finished = told["step"] == step and told["asked"] == _asked(config)
        epochs = int(told["epochs"])
    except (OSError, ValueError, TypeError, KeyError):
        return
    if is_finished:
        raise Finished(
            f"finished already: {run.folder}, {counted(epochs, 'epoch')}, {counted(step, 'step')}; for more, "
            f"raise {_ends(config)}; next: vitcli test --ckpt_path {quoted(run.folder)}"
        )


def _ends(config: Mapping[str, Any]) -> str:
    """The settings that may have ended a training, as they are typed."""
    asked = _asked(config)
    ends = [f"trainer.{key}" for key in ("max_epochs", "max_steps", "max_time") if asked[key] not in (None, -1)]
    if (asked["stop"] or {}).get("patience") is not None:
        ends.append("stop.patience")
    return " or ".join(ends or ["trainer.max_epochs"])


def _asked(config: Mapping[str, Any]) -> dict[str, Any]:
    trainer = config.get("trainer") or {}
    asked = {key: trainer.get(key) for key in DECIDING} | {"stop": config.get("stop")}
    # as it is read again
    plain: dict[str, Any] = json.loads(json.dumps(asked, default=str))
    return plain
