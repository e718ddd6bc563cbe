"""Conflicts between a checkpoint and a command line: the settings in which they differ, and which of them wins."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitcli.cli.words import as_typed, setting_at
from vitcli.errors import ConfigError, WeightsError

if TYPE_CHECKING:
    from vitcli.train.classifier import Classifier

# settings of trainer and data under which a resumed run learns something else
DECIDING = (
    "seed_everything",
    "trainer.accumulate_grad_batches",
    "trainer.gradient_clip_val",
    "trainer.gradient_clip_algorithm",
    "trainer.precision",
    "data.init_args.batch_size",
    "data.init_args.sampler",
    "data.init_args.augment",
    # drawn pictures, which have no folder of their own
    "data.init_args.kinds",
    "data.init_args.train",
    "data.init_args.drawing_seed",
    "stop.patience",
    "stop.monitor",
    "stop.min_delta",
)
# settings of the model that no run can change midway: its tensors, and what its optimizer keeps of each
DECIDED = ("net.", "preprocess.", "classes", "optimizer.matrices")


def contradictions(was: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any, Any]]:
    """The settings that differ: key as the user types it, the checkpoint's value, today's value.

    Args:
        was: Hyper-parameters of a checkpoint.
        now: Hyper-parameters of the model as configured.
        prefix: Key of both.
    """
    found: list[tuple[str, Any, Any]] = []
    if was.get("class_path") != now.get("class_path"):
        return [(prefix.rstrip("."), _short(was.get("class_path")), _short(now.get("class_path")))]
    # what an older checkpoint did not know yet is not contradicted
    for key in was:
        before, today = was.get(key), now.get(key)
        if isinstance(before, Mapping) and isinstance(today, Mapping):
            found += contradictions(before, today, prefix if key == "init_args" else f"{prefix}{key}.")
        elif before != today:
            found.append((f"{prefix}{key}", before, today))
    return found


def repeated(was: Mapping[str, Any], now: Mapping[str, Any]) -> set[str]:
    """Settings of the data that are what a run was started with: whoever types them again contradicts nothing.

    Args:
        was: The run's own config.
        now: Settings of the data, by name.
    """
    before: Mapping[str, Any] = (was.get("data") or {}).get("init_args") or {}
    return {f"data.{name}" for name, value in before.items() if name in now and now[name] == value}


def changed(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """A line for each setting outside the model that decides what a run learns, and that is another than before.

    Args:
        was: The run's own config.
        now: The whole config as it is now, in plain types.
    """
    lines = []
    for key in DECIDING:
        section, _, name = key.rpartition(".")
        before, today = (setting_at(config, section) if section else config for config in (was, now))
        # a config of before the setting was there says nothing of it
        if name in (before or {}) and name in (today or {}) and before[name] != today[name]:
            lines.append(
                f"changed: {key.replace('.init_args', '')} {as_typed(before[name])} -> {as_typed(today[name])}"
            )
    return lines


def check_epochs(saved: Mapping[str, Any], most: int | None) -> None:
    """Check that a run is not asked to end before the epoch that it has reached.

    Args:
        saved: Content of the checkpoint that it goes on from.
        most: ``trainer.max_epochs``.

    Raises:
        ConfigError: It is.
    """
    done = setting_at(saved, "loops.fit_loop.epoch_progress.current.processed")
    if most is not None and isinstance(done, int) and 0 <= most < done:
        raise ConfigError(f"trainer.max_epochs {most}: the run has trained {done} already; say more, or leave it out")


def honour(
    model: Classifier, saved: Mapping[str, Any], checkpoint: Path, verb: str, *, is_own: bool = False
) -> list[str]:
    """The checkpoint decides what the net is; in fit, the user decides how it is trained from here on.

    Args:
        model: The classifier as configured; unless it is trained on, it takes the checkpoint's tensors.
        saved: Content of the checkpoint.
        checkpoint: Its path, for the message.
        verb: fit, validate, test or predict.
        is_own: Whether ``run.resume auto`` has found it.

    Returns:
        A line for each setting that the user has changed.

    Raises:
        ConfigError: A setting contradicts the checkpoint.
        WeightsError: The checkpoint's tensors do not fit its own net.
    """
    lines = []
    # a checkpoint of before Muon was there says nothing of it, and holds AdamW's averages
    held = saved["hyper_parameters"]
    held = {**held, "optimizer": {"matrices": "adamw", **held.get("optimizer", {})}}
    for key, was, now in contradictions(held, dict(model.hparams)):
        if key == "compile":
            continue
        if verb != "fit" or key.startswith(DECIDED):
            raise ConfigError(
                f"model.{key} {now}: contradicts the checkpoint {checkpoint}, which has {was}; "
                "leave it out (also from --config), or "
                f"{'name another run with --run.name' if is_own else 'start a new run without --ckpt_path'}"
            )
        lines.append(f"changed: model.{key} {was} -> {now}")
    if verb != "fit":
        try:
            model.load_state_dict(saved["state_dict"])
        except RuntimeError as error:
            summary = " ".join(str(error).split())[:300]
            raise WeightsError(f"--ckpt_path {checkpoint}: its tensors do not fit its net: {summary}") from error
    return lines


def _short(class_path: Any) -> Any:
    return class_path.removeprefix("vitcli.net.") if isinstance(class_path, str) else class_path
