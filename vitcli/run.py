"""Run: a run's folder, the files in it, the name of a new one, and the checkpoint that --ckpt_path means."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

from vitcli.errors import ConfigError, WeightsError
from vitcli.names import at_home, existing_above

# beside the runs: the indexes of image folders, and decoded copies
CACHE = ".cache"
# whose images a verb scores, where it is called otherwise
SPLIT = {"validate": "val", "fit": "val"}


LEAST_TIMEOUT_SECONDS = 5


@dataclass(frozen=True)
class RunOptions:
    """Where a run lies, and what keeps it.

    Args:
        name: Name of the run's folder; by default the name of the first config file.
        dir: Folder that holds the runs.
        resume: auto goes on with the run of this name if it is there and unfinished, so that the same command may be
            given again and again; never begins a new one.
        save_minutes: Minutes between checkpoints besides those at the ends of epochs, the first after one minute; 0 for
            none.
        keep: How many older files of last.ckpt are kept beside it.
        spare_dir: Where checkpoints go at the end of a run if its own folder takes none; null: the system's folder for
            temporary files.
        on_nan: What fit does when loss or gradient is nan or inf: stop, or skip (leave the step out).
        max_skipped: Steps in a row that skip leaves out, at least 1; with more, fit stops.
        timeout_seconds: Of several processes, how long one may give no sign of life before the others end; one that has
            died ends them at once.
    """

    name: str | None = None
    dir: str = "runs"
    resume: Literal["auto", "never"] = "never"
    save_minutes: float = 10.0
    keep: int = 0
    spare_dir: str | None = None
    on_nan: Literal["stop", "skip"] = "stop"
    max_skipped: int = 10
    timeout_seconds: float = 300.0

    def __post_init__(self) -> None:
        if not self.timeout_seconds >= LEAST_TIMEOUT_SECONDS:
            raise ConfigError(
                f"run.timeout_seconds {self.timeout_seconds}: below {LEAST_TIMEOUT_SECONDS}; a process that is only "
                "busy may give no sign of life for some seconds"
            )
        if not self.save_minutes >= 0:
            raise ConfigError(f"run.save_minutes {self.save_minutes}: below 0; give minutes, or 0 for none")
        if self.spare_dir is not None:
            folder = Path(at_home(self.spare_dir))
            there = folder if folder.exists() else existing_above(folder)
            if not there.is_dir():
                raise ConfigError(f"run.spare_dir {self.spare_dir}: {there} is no folder; name another")
            if not os.access(there, os.W_OK):
                raise ConfigError(f"run.spare_dir {self.spare_dir}: no permission to write into {there}; name another")
        if self.keep < 0:
            raise ConfigError(f"run.keep {self.keep}: below 0; give a number of older checkpoints, or 0 for none")


@final
@dataclass(frozen=True)
class Run:
    """One configured training and its folder.

    Args:
        folder: ``runs/<name>``.
    """

    folder: Path

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.folder.resolve().name

    @property
    def checkpoints(self) -> Path:
        """Where ``last.ckpt`` and ``best.ckpt`` lie."""
        return self.folder / "checkpoints"

    @property
    def metrics(self) -> Path:
        """The curves of fit."""
        return self.folder / "metrics.csv"

    @property
    def wandb_id(self) -> Path:
        """The id under which wandb knows this run."""
        return self.folder / "wandb-id.txt"

    @property
    def samples(self) -> Path:
        """Training pictures as the net sees them."""
        return self.folder / "samples.png"

    @property
    def left_out(self) -> Path:
        """The images that fit leaves out, and why."""
        return self.folder / "left_out.csv"

    @property
    def division(self) -> Path:
        """Which images were train, val and test when the run began."""
        return self.folder / "splits.csv"

    @property
    def about(self) -> Path:
        """How the run came about: machine, versions, speed."""
        return self.folder / "about.json"

    @property
    def finished(self) -> Path:
        """Where fit has ended, once it has."""
        return self.folder / "finished.json"

    @property
    def report(self) -> Path:
        """The page that tells what the run reached; its charts lie in ``report/`` beside it."""
        return self.folder / "report.html"

    def lock(self, verb: str) -> Path:
        """The file that says which process is doing a verb in the folder; gone when it has ended."""
        return self.folder / f".{verb}.lock"

    def config(self, verb: str) -> Path:
        """The whole configuration of a verb; fit's is the run's own."""
        return self.folder / ("config.yaml" if verb == "fit" else f"config.{verb}.yaml")

    def scores(self, verb: str) -> Path:
        """The metrics that validate or test reached."""
        return self.folder / f"metrics.{SPLIT.get(verb, verb)}.json"

    def predictions(self, verb: str) -> Path:
        """The table of predict, of test, or of the images of val: of validate, and of the end of fit."""
        return self.folder / ("predictions.csv" if verb == "predict" else f"predictions.{SPLIT.get(verb, verb)}.csv")


def default_name(configs: list[str], root: str | None, fold: int | None = None) -> str:
    """The name of a run that was given none: the first config's file name, else the image folder's; then its fold.

    Args:
        configs: Config files in the order given.
        root: The ``--data.root`` given, if any.
        fold: The ``--data.fold`` given, if any.
    """
    if fold is not None:
        # the config may be that of another fold's run
        return f"{re.sub(r'-fold[0-9]+(-[0-9]+)?$', '', default_name(configs, root))}-fold{fold}"
    if configs:
        path = Path(configs[0])
        # a run's own config.yaml goes by the name of its run
        return path.resolve().parent.name if re.fullmatch(r"config(\.\w+)?", path.stem) else path.stem
    if root:
        return Path(root).resolve().name or "run"
    return "run"


def claim(parent: Path, name: str, *, again: bool = False) -> Run:
    """A new run's folder, made now; an existing run is never touched: the next gets ``<name>-2``.

    Args:
        parent: Folder that holds the runs.
        name: Wished name.
        again: Whether a folder that is there is taken all the same, unless it holds folders of something else.

    Raises:
        ConfigError: The name is no file name, or the folder cannot be made, or may not be taken.
    """
    check_name(name)
    number = 1
    while True:
        folder = parent / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True, exist_ok=again)
        except FileExistsError:
            number += 1
            if parent.exists() and not parent.is_dir():
                raise ConfigError(f"--run.dir {parent}: is a file, not a folder; name another folder") from None
        except OSError as error:
            raise ConfigError(f"--run.dir {parent}: cannot make {folder}: {error.strerror}; name another") from error
        else:
            if again and not _may_be_run(folder):
                raise ConfigError(
                    f"--run.resume auto: {folder} is there, and is no run; name another with --run.name or --run.dir"
                )
            return Run(folder)


def _may_be_run(folder: Path) -> bool:
    """Whether a folder is a run's, however early it was stopped, or was made for one, as for the log of a cluster."""
    run = Run(folder)
    begun = (run.checkpoints, run.config("fit"), run.lock("fit"))
    return any(path.exists() for path in begun) or not any(entry.is_dir() for entry in folder.iterdir())


def is_name(name: str) -> bool:
    """Whether a run's folder may have a name."""
    return bool(name) and not name.startswith(".") and "/" not in name and "\0" not in name


def check_name(name: str) -> None:
    """Check that a run may have this name; a leading dot is reserved for what lies beside the runs.

    Raises:
        ConfigError: The name is no file name.
    """
    if not is_name(name):
        raise ConfigError(f"--run.name {name!r}: not a folder name; use --run.dir for the folder above it")


def find(parent: Path, name: str, *, exact: bool) -> Run | None:
    """The run of that name; unless ``exact``, the latest of ``<name>``, ``<name>-2``, ...

    Args:
        parent: Folder that holds the runs.
        name: Name of the run.
        exact: The name was typed by the user, so that only this very run is meant.
    """
    if exact:
        return Run(parent / name) if (parent / name).is_dir() else None
    runs = [run for run in of_name(parent, name) if run.checkpoints.is_dir()]
    return runs[-1] if runs else None


def of_name(parent: Path, name: str) -> list[Run]:
    """The folders ``<name>``, ``<name>-2``, ... in their order.

    Args:
        parent: Folder that holds the runs.
        name: Name of the first.
    """
    if not parent.is_dir():
        return []
    pattern = re.compile(rf"{re.escape(name)}(?:-(\d+))?")
    numbers = {int(match[1] or 1): entry for entry in parent.iterdir() if (match := pattern.fullmatch(entry.name))}
    return [Run(entry) for _, entry in sorted(numbers.items())]


def run_of(checkpoint: Path) -> Run | None:
    """The run in whose folder a checkpoint lies; None for a file that lies elsewhere."""
    folder = checkpoint.absolute().parent
    if folder.name == "checkpoints" and (folder.parent / "config.yaml").is_file():
        return Run(_short(folder.parent))
    return None


def resolve_checkpoint(ckpt_path: str, verb: str, run: Run | None, wished: str) -> Path:
    """The file that ``--ckpt_path`` means.

    Args:
        ckpt_path: A file, a run folder (best for validate, test and predict; last for fit), ``last`` or ``best``.
        verb: fit, validate, test or predict.
        run: The run that ``last`` and ``best`` refer to, if there is one.
        wished: Where that run was looked for, for the message.

    Raises:
        WeightsError: There is no such checkpoint.
    """
    if ckpt_path in {"last", "best"}:
        if run is None:
            raise WeightsError(
                f"--ckpt_path {ckpt_path}: there is no run {wished} to take it from; "
                "give the run's folder or a .ckpt file, or name the run with --run.name"
            )
        return _existing(run.checkpoints / f"{ckpt_path}.ckpt", ckpt_path)
    path = Path(ckpt_path)
    if path.is_dir():
        folder = path if path.name == "checkpoints" else path / "checkpoints"
        wanted = "last" if verb == "fit" else "best"
        if wanted == "best" and not (folder / "best.ckpt").is_file() and (folder / "last.ckpt").is_file():
            wanted = "last"
        return _existing(folder / f"{wanted}.ckpt", ckpt_path)
    if not path.is_file():
        raise WeightsError(
            f"--ckpt_path {ckpt_path}: no such file or run folder; give a .ckpt file, a run folder, 'last' or 'best'"
        )
    return path


def _existing(path: Path, ckpt_path: str) -> Path:
    if not path.is_file():
        there = sorted(entry.name for entry in path.parent.glob("*.ckpt")) if path.parent.is_dir() else []
        found = f"only {', '.join(there)}" if there else "no checkpoint at all"
        raise WeightsError(f"--ckpt_path {ckpt_path}: there is no {path}, {found}; name another file or run")
    return path


def _short(folder: Path) -> Path:
    try:
        return folder.relative_to(Path.cwd())
    except ValueError:
        return folder
