"""The temperature that a run keeps for use: fitted on val, with the same weights."""

from __future__ import annotations

from vitcli.errors import ConfigError
from vitcli.evaluate.calibration import fit_temperature
from vitcli.evaluate.origin import find_origin, kept_temperature
from vitcli.evaluate.read import read_scored
from vitcli.machine.bounded_json import read_json
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
    told = read_json(run.scores("val"))
    if told.get("step") != step:
        raise ConfigError(
            f"{key} auto: the one in {run.scores('val')} was fitted at step {told.get('step')}, and this checkpoint is "
            f"of step {step}; run vitcli validate with it first"
        )
    return known


def temperature_of(run: Run) -> float | None:
    """The temperature that a run keeps with the numbers of its val images, or that fits them; None without any."""
    kept = kept_temperature(run)
    if kept is not None or not any(run.folder.glob("predictions.val.*")):
        return kept
    val = read_scored(find_origin(str(run.folder), "val").table)
    if val.probabilities is None or not val.is_scored.any():
        return None
    return fit_temperature(val.probabilities[val.is_scored], val.labels[val.is_scored])
