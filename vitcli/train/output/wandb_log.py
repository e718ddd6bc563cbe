"""Logging to wandb by Lightning's WandbLogger: the same run on resume, and a failure never stops training."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, final

from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from vitcli.run import Run


@final
class PatientWandbLogger(WandbLogger):
    """Lightning's WandbLogger, which says once that wandb failed and lets training go on without it."""

    _failed = False

    @property
    def uploads(self) -> bool:
        """Whether it sends checkpoints to wandb."""
        return bool(self._log_model)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log a row; a failure is told once."""
        self._try(lambda: super(PatientWandbLogger, self).log_metrics(metrics, step))

    @rank_zero_only
    def log_hyperparams(self, params: Any) -> None:
        """Log the config; a failure is told once."""
        self._try(lambda: super(PatientWandbLogger, self).log_hyperparams(params))

    @rank_zero_only
    def finish(self) -> None:
        """Close the run and wait until what was logged is stored."""
        self._try(lambda: self.experiment.finish())

    def _try(self, log: Any) -> None:
        if self._failed:
            return
        try:
            log()
        except Exception as error:  # whatever wandb raises: the curves are also in metrics.csv, and training goes on
            self._failed = True
            print(f"wandb: {_line(error)}; training goes on, and metrics.csv has everything", file=sys.stderr)


def wandb_logger(run: Run | None, options: dict[str, Any]) -> PatientWandbLogger:
    """The logger of a run, under the wandb id that its folder keeps.

    Without a key, or when wandb cannot be reached, it logs offline and says in one line how to send that later.

    Args:
        run: The run; None on processes other than the first, which log nothing.
        options: What the config says of WandbLogger.
    """
    options = {key: value for key, value in options.items() if value is not None and key != "experiment"}
    if run is None:
        return PatientWandbLogger(**options)
    known = run.wandb_id.read_text().strip() if run.wandb_id.is_file() else None
    options |= {"save_dir": str(run.folder), "id": options.pop("version", None) or options.get("id") or known}
    options.setdefault("name", run.name)
    options.setdefault("project", os.environ.get("WANDB_PROJECT", "vitcli"))
    experiment = _start(run, options)
    if experiment is not None:
        run.wandb_id.write_text(f"{experiment.id}\n")
    options["id"] = getattr(experiment, "id", None)
    # offline runs cannot upload checkpoints, and Lightning refuses to be asked
    if getattr(experiment, "offline", False):
        options["log_model"] = False
    elif url := getattr(experiment, "url", None):
        # wandb says nothing itself
        print(f"wandb: {url}", flush=True)
    return PatientWandbLogger(**options, experiment=experiment)


def _start(run: Run, options: dict[str, Any]) -> Any:
    import wandb

    taken = ("project", "name", "id", "entity", "group", "job_type", "tags", "notes")
    common: dict[str, Any] = {key: options[key] for key in taken if key in options}
    common |= {"dir": options["save_dir"], "resume": "allow"}
    # no copy of the code, and no record of the command line, which may hold something private
    settings = wandb.Settings(save_code=False, x_disable_meta=True, silent=True, init_timeout=30)
    mode = os.environ.get("WANDB_MODE", "").lower()
    offline = options.get("offline", False) or mode in {"offline", "dryrun"}
    later = f"send it later with: wandb sync {run.folder / 'wandb'}/offline-run-*"
    try:
        if not offline and mode != "disabled" and not wandb.login(prompt=False):
            print(f"wandb: no key, so this run is logged offline; 'wandb login' once, then {later}", file=sys.stderr)
            offline = True
        return wandb.init(**common, settings=settings, mode="offline" if offline else None)
    except Exception as error:  # network, quota, a broken installation: none of them may stop a training
        print(f"wandb: {_line(error)}; this run is logged offline, {later}", file=sys.stderr)
    try:
        return wandb.init(**common, settings=settings, mode="offline")
    except Exception as error:
        print(f"wandb: {_line(error)}; training goes on without wandb, metrics.csv has everything", file=sys.stderr)
        return wandb.init(**common, settings=settings, mode="disabled")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
