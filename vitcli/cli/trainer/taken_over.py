"""What a verb takes over from the config.yaml beside a checkpoint: plain values, and classes that run nothing else.

Whoever is given a run's folder is given its config with it, and has not read it. So it is read like a checkpoint: a
class of another package, one that takes functions, and a path to write to outside of the runs have to be typed again.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from vitcli.cli.trainer.config_file import load_config
from vitcli.cli.trainer.secrets import refuse_secrets
from vitcli.errors import ConfigError
from vitcli.names import at_home, quoted
from vitcli.run import Run
from vitcli.train.distill import ON_A_HUB

# of Lightning's, those that take no function and talk to no server but wandb's own
PLAIN = {
    "trainer.callbacks": (
        "BatchSizeFinder", "DeviceStatsMonitor", "EarlyStopping", "GradientAccumulationScheduler",
        "LearningRateMonitor", "ModelCheckpoint", "ModelSummary", "OnExceptionCheckpoint", "RichModelSummary",
        "RichProgressBar", "TQDMProgressBar", "Timer",
    ),
    "trainer.logger": ("CSVLogger", "TensorBoardLogger", "WandbLogger"),
    "trainer.profiler": ("AdvancedProfiler", "PassThroughProfiler", "SimpleProfiler"),
}  # fmt: skip
ROOM = {
    "trainer.callbacks": r"lightning\.pytorch\.callbacks",
    "trainer.logger": r"lightning\.pytorch\.loggers",
    "trainer.profiler": r"lightning\.pytorch\.profilers",
}
# settings whose value may also be a class, beside a word that Lightning knows, such as ddp
NAMED = ("trainer.accelerator", "trainer.strategy", "trainer.plugins", "trainer.profiler", "trainer.precision")
WORD = re.compile(r"[a-z0-9][a-z0-9_-]*")
OF_A_CLASS = {"class_path", "init_args", "dict_kwargs"}
# where something is written; of other settings, those outside data that lead out of the folder
WRITTEN = ("dirpath", "save_dir", "default_root_dir", "cache_dir", "sort_into")
LEADS_OUT = re.compile(r"[/~]|(?:.*/)?\.\.(?:/|$)", re.DOTALL)
# the checkpoint says it itself, or it is this command's own
NOT_TAKEN = ("ckpt_path", "weights", "model")
# in this order; the last one is the end of the file
WHOLE = ("trainer", "model", "data", "run", "checkpoint", "ema", "stop", "predictions", "report")
# of these, runs of before know nothing; who has one of them has all
LATER = ("ema", "stop", "report")
# weights that are read as data, like the images, wherever they lie on this machine
TEACHER = "distill.weights"
# where the run lies, and what is not its own
NOT_OF_RUN = ("name", "dir", "resume", "spare_dir")
LONGEST = 80
# where Lightning's loggers write unless told otherwise
HERE = "."


class _LeftOut:
    """In place of a value that the user has typed anew."""


def taken_over(run: Run, verb: str, typed: Collection[str], opened: Sequence[str] = ()) -> dict[str, Any]:
    """What fit, validate or test takes over from the run of its checkpoint.

    fit goes on with everything its run was started with, but for the model, which the checkpoint says; validate and
    test take the images, and the precision of the training.

    Args:
        run: The checkpoint's run.
        verb: fit, validate or test.
        typed: Keys that the user has typed, or put into a config of their own.
        opened: Packages and modules that the user trusts.

    Raises:
        ConfigError: It cannot be read, holds a secret, or something that the user has to type again.
    """
    own = load_config(str(run.config("fit")))
    known = [key for key in WHOLE if key not in LATER or own.keys() & set(LATER)]
    if lacking := [key for key in known if key not in own]:
        raise ConfigError(
            f"{run.config('fit')}: ends before its section {lacking[0]}, so it was cut short; copy it again from where "
            "the run was made"
        )
    refuse_secrets([], {str(run.config("fit")): own})
    for key in NOT_TAKEN:
        own.pop(key, None)
    for key in NOT_OF_RUN:
        (own.get("run") or {}).pop(key, None)
    if verb != "fit":
        precision = (own.get("trainer") or {}).get("precision")
        own = {"data": own.get("data")} | ({"trainer": {"precision": precision}} if precision else {})
    reader = _Reader(run, frozenset(typed), tuple(opened))
    return {key: kept for key, value in own.items() if (kept := reader.checked(key, value)) is not _LeftOut}


@final
@dataclass(frozen=True)
class _Reader:
    """Reads the config of a run.

    Args:
        run: The run.
        typed: Keys that the user has typed.
        opened: Packages and modules that the user trusts.
    """

    run: Run
    typed: frozenset[str]
    opened: tuple[str, ...]

    def checked(self, key: str, value: Any) -> Any:
        """A value without what the user has typed anew; ``_LeftOut`` if nothing is left of it."""
        if isinstance(value, list):
            items = (self.checked(key, item) for item in value)
            return [item for item in items if item is not _LeftOut]
        if isinstance(value, dict):
            return self._section(key, value)
        if isinstance(value, str) and (why := self._why_not(key, value)):
            return self._asked(key, value, why)
        return value

    def _section(self, key: str, section: dict[str, Any]) -> Any:
        # the images have a class of their own where none is named
        if section.keys() & (OF_A_CLASS if key != "data" else {"class_path", "dict_kwargs"}):
            name = section.get("class_path")
            name = name if isinstance(name, str) else ""
            if not self._is_plain(key, name):
                return self._asked(key, name, "names a class that may run anything")
        kept = {}
        for name, value in section.items():
            inner = key if name in OF_A_CLASS else f"{key}.{name}"
            taken = value if name == "class_path" else self.checked(inner, value)
            if taken is not _LeftOut:
                kept[name] = taken
        return kept

    def _why_not(self, key: str, value: str) -> str:
        """Why a word is not taken over; empty if it is."""
        if key in NAMED:
            return "" if WORD.fullmatch(value) or self._is_plain(key, value) else "names a class that may run anything"
        if key in PLAIN or key == "data":
            return "" if self._is_plain(key, value) else "names a class that may run anything"
        name = key.rpartition(".")[2]
        if key.startswith("trainer.logger.") and value == HERE:
            return ""
        if key == TEACHER:
            return "may be anybody's" if ON_A_HUB.match(value) else ""
        writes = name in WRITTEN or key == "predictions.path"
        if (writes or (LEADS_OUT.match(value) and not key.startswith("data."))) and not self._is_among_the_runs(value):
            return "leads out of the folder of the runs"
        return ""

    def _is_plain(self, key: str, name: str) -> bool:
        """Whether a class is ours, one of Lightning's that takes no function, or trusted by the user."""
        if any(f"{name}.".startswith(f"{module}.") for module in self.opened):
            return True
        if key == "data":
            return re.fullmatch(r"(?:vitcli\.data\.(?:\w+\.)*)?[A-Z]\w*", name) is not None
        known = re.fullmatch(rf"(?:{ROOM[key]}\.(?:\w+\.)*)?([A-Z]\w*)", name) if key in ROOM else None
        return known is not None and known[1] in PLAIN[key]

    def _is_among_the_runs(self, path: str) -> bool:
        if "\0" in path or len(path) > 4096:
            return False
        home, meant = self.run.folder.resolve().parent, Path(at_home(path)).resolve()
        return home in (meant, *meant.parents)

    def _asked(self, key: str, value: str, why: str) -> type[_LeftOut]:
        if any(f"{typed}.".startswith(f"{key}.") for typed in self.typed):
            return _LeftOut
        shown = value if len(value) <= LONGEST else f"{value[:LONGEST]}..."
        again = f"--{key} {quoted(shown)}" if shown else f"--{key}"
        raise ConfigError(
            f"--ckpt_path {self.run.folder}: {key} {shown}: {why}, and is not taken from a run's config.yaml; "
            f"type {again} again if you trust it, or --{key} null to do without"
        )
