"""Logging to wandb by Lightning's WandbLogger: the same run on resume, and a failure never stops training."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any, final

from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from vitcli.machine.atomic import replacing
from vitcli.names import quoted
from vitcli.run import Run

FINISH_SECONDS = 300
# of the file with an id
MOST_BYTES = 1000


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
    def log_made(self, made: Callable[[], dict[str, Any]]) -> None:
        """Log what is made for wandb alone, such as charts; a failure is told once."""
        self._try(lambda: self.experiment.log(made()))

    @rank_zero_only
    def finish(self) -> None:
        """Close the run and wait until what was logged is stored, or until wandb has not answered for too long."""
        try:
            self.experiment.finish()
        except Exception as error:
            later = f"send it later with: wandb sync {quoted(str(self.save_dir))}/wandb/run-*"
            print(f"wandb: {_line(error)}; {later}", file=sys.stderr)

    def _try(self, log: Callable[[], Any]) -> None:
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
    known = _known(run)
    options |= {"save_dir": str(run.folder), "id": options.pop("version", None) or options.get("id") or known}
    options.setdefault("name", run.name)
    options.setdefault("project", os.environ.get("WANDB_PROJECT", "vitcli"))
    experiment = _start(run, options)
    if experiment is not None:
        with replacing(run.wandb_id) as part:
            part.write_text(f"{experiment.id}\n")
    options["id"] = getattr(experiment, "id", None)
    # offline runs cannot upload checkpoints, and Lightning refuses to be asked
    if getattr(experiment, "offline", False):
        options["log_model"] = False
    elif url := getattr(experiment, "url", None):
        # wandb says nothing itself
        print(f"wandb: {url}", flush=True)
    return PatientWandbLogger(**options, experiment=experiment)


def _known(run: Run) -> str | None:
    """The id that a run's folder keeps; None if what stands there is none, or another file that a link leads to."""
    if not run.wandb_id.is_file() or run.wandb_id.is_symlink():
        return None
    with run.wandb_id.open("rb") as file:
        held = file.read(MOST_BYTES).decode("ascii", "replace").strip()
    return held if re.fullmatch(r"[\w-]{1,128}", held, re.ASCII) else None


def _start(run: Run, options: dict[str, Any]) -> Any:
    import wandb

    taken = ("project", "name", "id", "entity", "group", "job_type", "tags", "notes")
    common: dict[str, Any] = {key: options[key] for key in taken if key in options}
    common |= {"dir": options["save_dir"], "resume": "allow"}
    # no copy of the code, and no record of the command line, which may hold something private
    settings = wandb.Settings(
        save_code=False,
        x_disable_meta=True,
        silent=True,
        init_timeout=30,
        # of a server that has died; by default it is waited for without end
        finish_timeout=float(os.environ.get("WANDB_FINISH_TIMEOUT", FINISH_SECONDS)),
        finish_timeout_raises=True,
    )
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
