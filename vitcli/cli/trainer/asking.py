"""How the net is asked, settled before a verb begins: the temperature that auto means, and what is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vitcli.errors import ConfigError
from vitcli.evaluate.temperature import fitted_temperature
from vitcli.run import Run
from vitcli.train.classifier import Classifier
from vitcli.train.output.predictions import PredictionWriter


def settle(
    predictions: PredictionWriter, model: Classifier, verb: str, run: Run | None, saved: Mapping[str, Any]
) -> list[str]:
    """Find the temperature, and check that a net of these classes can be asked so.

    Args:
        predictions: The writer of the table, which is told the temperature.
        model: The classifier.
        verb: fit, validate, test or predict.
        run: Of the checkpoint; None for weights that are of no run.
        saved: The checkpoint; empty without one.

    Returns:
        What to tell the user, a line each.

    Raises:
        ConfigError: The run keeps no temperature for this checkpoint, or a threshold for other than two classes.
    """
    if verb == "fit":
        return []
    told = []
    options = predictions.options
    if verb == "predict" and options.temperature == "auto":
        known = fitted_temperature(run, int(saved.get("global_step", 0)), "predictions.temperature")
        predictions.options = options = replace(options, temperature=known)
        told.append(f"predictions.temperature {known:.4g}: the one that fits the run's val images")
    asked = options.asked(verb)
    try:
        asked.check(model.classes)
    except ConfigError as error:
        raise ConfigError(f"predictions.{error}") from error
    if asked.threshold is not None:
        told.append(f"predictions.threshold {asked.threshold:g}: {model.classes[1]} from this probability on")
    if asked.tta == "flip":
        told.append("predictions.tta flip: each answer is the mean of those to an image and to its mirror image")
    return told
