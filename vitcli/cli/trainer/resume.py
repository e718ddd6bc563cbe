"""Where a verb starts: the newest checkpoint of a run that is whole, and the run of the same command given again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, final

from vitcli.cli.trainer.arguments import Arguments
from vitcli.cli.trainer.config_file import load_config
from vitcli.cli.trainer.finished import check_unfinished
from vitcli.errors import ConfigError, WeightsError
from vitcli.names import at_home, quoted
from vitcli.run import Run, find, run_of
from vitcli.train.safety.older import LAST
from vitcli.weights.checkpoint import read_checkpoint


@final
@dataclass(frozen=True)
class Start:
    """Where a verb starts.

    Args:
        arguments: The command line, with the checkpoint that was found.
        checkpoint: The file, if there is one.
        saved: Its content.
        run: The run that it is of.
        told: What was skipped, a line each.
        is_own: Whether ``run.resume auto`` has found the run: what is asked for has to be the same run.
        version: Of the file, by which a newer one of its name is known.
    """

    arguments: Arguments
    checkpoint: Path | None = None
    saved: dict[str, Any] = field(default_factory=dict)
    run: Run | None = None
    told: tuple[str, ...] = ()
    is_own: bool = False
    version: tuple[int, int] = (0, 0)

    def check_unchanged(self, run: Run) -> None:
        """Check that nobody has begun or gone on with the run meanwhile; to be called with its lock.

        Args:
            run: Where fit is about to write.

        Raises:
            ConfigError: Somebody has.
        """
        again = "another process has just been at work in it; give the command again"
        if self.run is None or run.folder.resolve() != self.run.folder.resolve():
            if _files(run.checkpoints):
                raise ConfigError(f"{run.folder}: {again}")
        elif self.checkpoint is not None and _version(self.checkpoint) != self.version:
            raise ConfigError(f"{run.folder}: {again}")


def find_start(arguments: Arguments) -> Start:
    """Look for the checkpoint that is meant, and read it.

    ``last``, and the folder of a run to go on with, mean its newest checkpoint that is whole: last.ckpt, else the
    newest of the others. With ``run.resume auto`` that of the run of this name comes before anything else.

    Args:
        arguments: The command line.

    Raises:
        WeightsError: There is none, or none that is whole.
        ConfigError: One is missing, or not to be used beside --weights.
    """
    if (own := _own(arguments)) is not None and _files(own.checkpoints):
        again = replace(arguments, ckpt_path=str(own.folder), weights=None)
        return replace(_newest(again, own.checkpoints, f"--run.resume auto: {own.folder}"), run=own, is_own=True)
    if (folder := _folder_of_last(arguments)) is not None and _files(folder):
        return _newest(arguments, folder, f"--ckpt_path {arguments.ckpt_path}")
    checkpoint = arguments.checkpoint()
    return Start(arguments) if checkpoint is None else _read(arguments, checkpoint)


def check_resumable(saved: Mapping[str, Any], path: Path) -> None:
    """Check that a training can go on from a checkpoint: that it holds the state of the optimizer and of the loops.

    Lightning goes on with a fresh optimizer where ``optimizer_states`` is empty.

    Args:
        saved: Its content.
        path: Its file, for the message.

    Raises:
        WeightsError: It does not.
    """
    held = saved.get("optimizer_states")
    states = held if isinstance(held, list) else []
    is_fresh = not saved.get("global_step")
    whole = [
        one for one in states if isinstance(one, dict) and one.get("param_groups") and (one.get("state") or is_fresh)
    ]
    if not states or len(whole) < len(states) or not saved.get("loops"):
        raise WeightsError(
            f"--ckpt_path {path}: holds no state of the optimizer, so that no training can go on from it; name another "
            f"checkpoint, or start a new run with its weights: --weights {quoted(path)}"
        )


def check_own(start: Start, config: Mapping[str, Any]) -> None:
    """Check that the run that ``run.resume auto`` has found is the one that is asked for, and unfinished.

    Args:
        start: What was found.
        config: The whole config in plain types.

    Raises:
        ConfigError: It is of other images.
        Finished: There is nothing left to do.
    """
    assert start.run is not None
    if start.run.config("fit").is_file():
        _check_same_images(load_config(str(start.run.config("fit"))), config, start.run)
    check_unfinished(start.run, config, int(start.saved["global_step"]))


def _check_same_images(was: Mapping[str, Any], now: Mapping[str, Any], run: Run) -> None:
    """Check that the command that goes on by itself means the images that its run began with.

    Args:
        was: The run's own config.
        now: The whole config as it is now, in plain types.
        run: The run.

    Raises:
        ConfigError: It means others.
    """
    before, today = _images(was), _images(now)
    for key, value in today.items():
        if key in before and _place(before[key]) != _place(value):
            raise ConfigError(
                f"{key} {value}: --run.resume auto has found the run {run.folder} of {before[key]}; name another run "
                f"with --run.name, or, if these are the same images, say --ckpt_path {quoted(run.folder)}"
            )


def _own(arguments: Arguments) -> Run | None:
    """The run of the same command; None if it is not to be looked for, or was never begun."""
    if arguments.verb != "fit" or arguments.run.resume != "auto" or arguments.only_asks:
        return None
    # without a name of its own, what continues a checkpoint is that checkpoint's run
    if arguments.ckpt_path is not None and arguments.run.name is None:
        return None
    return find(Path(arguments.run.dir), arguments.run_name, exact=True)


def _folder_of_last(arguments: Arguments) -> Path | None:
    """The folder of the checkpoints of which the newest is meant; None if a certain one is."""
    if arguments.ckpt_path is None or arguments.weights is not None:
        return None
    if arguments.ckpt_path == "last":
        run = find(Path(arguments.run.dir), arguments.run_name, exact=arguments.run.name is not None)
        return None if run is None else run.checkpoints
    path = Path(arguments.ckpt_path)
    if arguments.verb == "fit" and path.is_dir():
        return path if path.name == "checkpoints" else path / "checkpoints"
    return None


def _files(folder: Path) -> list[Path]:
    """The checkpoints in a folder: last.ckpt, then the others from the newest on."""
    files = [path for path in folder.glob("*.ckpt") if path.name != LAST]
    others = sorted(files, key=lambda path: path.stat().st_mtime_ns, reverse=True)
    return [path for path in (folder / LAST, *others) if path.is_file()]


def _newest(arguments: Arguments, folder: Path, typed: str) -> Start:
    skipped = [] if (folder / LAST).is_file() else [f"{folder / LAST}: is not there"]
    for path in _files(folder):
        try:
            return replace(_read(arguments, path), told=tuple(f"skipped: {line}" for line in skipped))
        except WeightsError as error:
            skipped.append(str(error).removeprefix("--ckpt_path ").rpartition(";")[0] or str(error))
    raise WeightsError(
        f"{typed}: no checkpoint can be used ({'; '.join(skipped)}); name another, or another run with --run.name"
    )


def _read(arguments: Arguments, path: Path) -> Start:
    version = _version(path)
    saved = read_checkpoint(path, to_go_on=arguments.verb == "fit" and not arguments.only_asks)
    if arguments.verb == "fit" and not arguments.only_asks:
        check_resumable(saved, path)
    return Start(arguments, path, saved, run_of(path), version=version)


def _version(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return found.st_ino, found.st_mtime_ns


def _images(config: Mapping[str, Any]) -> dict[str, Any]:
    data = config.get("data") or {}
    return {"data": data.get("class_path"), "data.root": (data.get("init_args") or {}).get("root")}


def _place(value: Any) -> Any:
    return str(Path(at_home(value)).resolve()) if isinstance(value, str) else value
