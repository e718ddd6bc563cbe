"""About: how a run came about (command, machine, versions, net, speed), kept in about.json for the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self, final

from vitcli.machine.atomic import write_json
from vitcli.machine.bounded_json import read_json

SCHEMA_VERSION = 1


@final
@dataclass(frozen=True, slots=True)
class About:
    """What only the training itself knows of a run; every field has a default, so that any of them may be unknown.

    Args:
        command: The words behind ``vitcli``, as typed.
        versions: Of Python and of libraries, by name.
        machine: Such as the CPU and its cores.
        device: Where it was computed, such as ``cpu`` or the name of a GPU.
        precision: Number format, such as ``bf16-mixed``.
        processes: How many trained together.
        net: Name of the backend.
        tokens: Of an image, class and register tokens included.
        dim: Width of a token.
        parameters: Of the net.
        gmac: Multiply-accumulates of an image's forward pass, in 10**9.
        steps: Optimizer steps of the run so far.
        seconds_a_step: Mean over the steps of this start, the first one left out; validation left out.
        images_a_second: Trained on, over all processes.
        peak_memory_bytes: Largest resident set of the first process.
        peak_device_memory_bytes: Largest memory that torch held on its GPU.
        notices: What the user was told of the data when the training began.
        counts: Images of each class by split: ``{"train": {"cat": 10}}``.
        images: Where the pictures lie: a folder or an archive, as an absolute path.
        changed: Settings that differ from their defaults: the default and the setting, by key such as ``data.root``.
    """

    command: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    machine: str = ""
    device: str = ""
    precision: str = ""
    processes: int = 1
    net: str = ""
    tokens: int | None = None
    dim: int | None = None
    parameters: int | None = None
    gmac: float | None = None
    steps: int | None = None
    seconds_a_step: float | None = None
    images_a_second: float | None = None
    peak_memory_bytes: int | None = None
    peak_device_memory_bytes: int | None = None
    notices: tuple[str, ...] = ()
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    images: str = ""
    changed: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)

    def write(self, file: Path) -> None:
        """Write it as JSON, which has an escape for the bytes of a name that is not UTF-8."""
        write_json(file, {"schema_version": SCHEMA_VERSION, **asdict(self)})

    @classmethod
    def read(cls, file: Path) -> Self | None:
        """What write has kept; None if there is no such file, as in runs of earlier versions, or it is damaged."""
        try:
            told = dict(read_json(file).items())
            known: dict[str, Any] = {entry.name: told[entry.name] for entry in fields(cls) if entry.name in told}
            known["command"] = tuple(known.get("command", ()))
            known["notices"] = tuple(known.get("notices", ()))
            known["changed"] = {key: (pair[0], pair[1]) for key, pair in known.get("changed", {}).items()}
        except (OSError, ValueError, TypeError, AttributeError, IndexError):
            return None
        return cls(**known)


def changed_settings(config: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The settings that differ from their defaults: the default and the setting, by key such as ``data.root``.

    Args:
        config: As a config file holds it, section in section.
        defaults: Likewise; a setting that it lacks has the default None.
    """
    own, usual = flat(config), flat(defaults)
    return {key: (usual.get(key), value) for key, value in own.items() if value != usual.get(key)}


def flat(config: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """The settings of a config by key such as ``data.root``.

    Args:
        config: As a config file holds it, section in section.
        above: Key of the section, with which the others begin.
    """
    found: dict[str, Any] = {}
    for key, value in config.items():
        # init_args is not typed by anybody: data.init_args.root is data.root
        name = above if key == "init_args" else f"{above}.{key}" if above else str(key)
        if isinstance(value, Mapping) and value:
            found |= flat(value, name)
        else:
            found[name] = value
    return found
