"""The run of a report: net, cost, time, memory, the settings that are not the default, versions, and its commands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from vitcli.about import About
from vitcli.names import quoted
from vitcli.report.material import Material
from vitcli.report.view import RunView, Setting

# characters of a value in a table
LONGEST = 200
# said by other rows, or by nothing that a reader needs
UNTOLD = ("run.", "config", "predictions.path", "checkpoint.dirpath")


def view_run(material: Material) -> RunView:
    """What is known of a run.

    Args:
        material: Of the report.
    """
    about = material.about or About()
    changed = {key: pair for key, pair in about.changed.items() if not key.startswith(UNTOLD)}
    versions = dict(about.versions)
    if about.machine:
        versions["machine"] = about.machine
    return RunView(
        facts=facts(about, material.config),
        settings=[Setting(key, written(before), (written(here),)) for key, (before, here) in sorted(changed.items())],
        config=material.config_text,
        versions=versions,
        commands=_commands(material, about),
    )


def facts(about: About, config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The net, its cost, time and memory; of an old run, what its config says.

    Args:
        about: The run, as far as known.
        config: Its config.
    """
    net = _section(_section(config, "model"), "net")
    backend = about.net or str(_section(net, "backend").get("class_path", "")).rpartition(".")[2]
    size, dim = net.get("image_size"), about.dim or net.get("dim")
    found = {
        "net": backend,
        "image size": f"{size if isinstance(size, int) else ' x '.join(map(str, size))} pixels" if size else "",
        "tokens": f"{about.tokens:,} x {dim}" if about.tokens else "",
        "parameters": f"{about.parameters:,}" if about.parameters else "",
        "an image's forward pass": f"{about.gmac:.3f} GMAC" if about.gmac else "",
        "device": about.device,
        "processes": str(about.processes) if about.processes > 1 else "",
        "precision": about.precision,
        "steps": f"{about.steps:,}" if about.steps else "",
        "a step": _seconds(about.seconds_a_step),
        "training": f"{about.images_a_second:,.0f} images a second" if about.images_a_second else "",
        "peak memory": _bytes(about.peak_memory_bytes),
        "peak memory of the GPU": _bytes(about.peak_device_memory_bytes),
    }
    return [(name, value) for name, value in found.items() if value]


def written(value: Any) -> str:
    """A setting as a command line takes it."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _commands(material: Material, about: About) -> list[str]:
    run, split = material.origin.run, material.origin.split
    assert run is not None
    folder = quoted(run.folder)
    fit = " ".join(map(quoted, about.command)) if about.command else f"fit --config {quoted(run.config('fit'))}"
    scored = {"test": "test", "val": "validate"}.get(split)
    return [
        f"vitcli {fit}",
        *([f"vitcli {scored} --ckpt_path {folder}"] if scored else []),
        f"vitcli report {folder}{f' --split {split}' if split else ''}",
    ]


def _seconds(seconds: float | None) -> str:
    if not seconds:
        return ""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"


def _bytes(number: int | None) -> str:
    return "" if not number else f"{number / 1e9:.2f} GB" if number >= 1e9 else f"{number / 1e6:.0f} MB"


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = config.get(name)
    return found if isinstance(found, Mapping) else {}
