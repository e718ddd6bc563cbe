"""The temperature that a run keeps for use: fitted on val, with the same weights."""

from __future__ import annotations

import json

from vitcli.errors import ConfigError
from vitcli.evaluate.origin import kept_temperature
from vitcli.names import quoted
from vitcli.run import Run


def fitted_temperature(run: Run | None, step: int, key: str = "temperature") -> float:
    """The temperature that ``auto`` means: the one of least log loss on the run's val images.

    Args:
        run: Of the checkpoint; None for weights that are of no run.
        step: Of the checkpoint.
        key: As the user typed it.

    Raises:
        ConfigError: There is no run, it has fitted none, or only one for another checkpoint.
    """
    if run is None:
        raise ConfigError(f"{key} auto: these weights lie in no run, which would keep one; give a number")
    known = kept_temperature(run)
    if known is None:
        raise ConfigError(f"{key} auto: {run.folder} keeps none; run vitcli validate {quoted(run.folder)} first")
    told = json.loads(run.scores("val").read_text(encoding="utf-8"))
    if told.get("step") != step:
        raise ConfigError(
            f"{key} auto: the one in {run.scores('val')} was fitted at step {told.get('step')}, and this checkpoint is "
            f"of step {step}; run vitcli validate with it first"
        )
    return known
