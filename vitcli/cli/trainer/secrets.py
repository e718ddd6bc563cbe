"""Secrets (api_key, token, password, ...) are refused as settings, for a run's folder keeps its settings.

The config goes into config.yaml, into the report, and to each logger; the command line goes into about.json, and stands
in the system's list of processes. The libraries that need a key all read it from an environment variable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from vitcli.cli.words import pairs
from vitcli.errors import ConfigError
from vitcli.machine.bounded_yaml import from_yaml

SECRET = re.compile(
    r"(?:.*[_.-])?(?:api_?key|(?:access|secret|private|account|auth|signing|encryption)_?key|(?:\w+_)?token|"
    r"pass(?:word|wd|phrase)?|pwd|(?:\w+_)?secret|credentials?|bearer|authorization)",
    re.IGNORECASE,
)
# the net's own
NO_SECRET = ("class_token",)
# user:password@ before a host, or a token there; no name of a user is so long
IN_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:[^/\s@:]*:[^/\s@]+|[^/\s@:]{16,})@")
# whose values say whether, or how many
SWITCHES = {"", "null", "none", "true", "false", "~"}
VARIABLES = {
    "wandb": "WANDB_API_KEY", "comet": "COMET_API_KEY", "neptune": "NEPTUNE_API_TOKEN",
    "mlflow": "MLFLOW_TRACKING_TOKEN", "litlogger": "LIGHTNING_API_KEY",
}  # fmt: skip


def refuse_secrets(words: Sequence[str], configs: Mapping[str, Any]) -> None:
    """Check that no secret is a setting; before anything is built, written, or said of another mistake.

    Args:
        words: The words after the verb.
        configs: Content of each config file by its name.

    Raises:
        ConfigError: One is; its value is not in the message.
    """
    for name, content in configs.items():
        for key, value in _settings("", content):
            if is_secret(key, value):
                raise ConfigError(f"--config {name}: {key}: {_instead(key, str(content))}")
    for option, value in pairs(words):
        for key, held in _settings(option, _read(value)):
            if is_secret(key, held):
                raise ConfigError(f"--{key}: {_instead(key, ' '.join(words))}")


def is_secret(key: str, value: Any) -> bool:
    """Whether a setting is a secret by its name, or an address with a password in it."""
    if not isinstance(value, str) or value.strip().lower() in SWITCHES:
        return False
    name = key.rpartition(".")[2].replace("-", "_")
    named = SECRET.fullmatch(name) is not None and name not in NO_SECRET and not key.startswith("model.")
    return named or IN_ADDRESS.search(value) is not None


def _settings(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _settings(f"{key}.{name}" if key else str(name), inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _settings(key, inner)
    else:
        yield key, value


def _read(value: str) -> Any:
    """A section or a list that was typed as YAML; any other value as it is."""
    if not value.startswith(("{", "[")):
        return value
    try:
        return from_yaml(value)
    except yaml.YAMLError:
        return value


def _instead(key: str, said: str) -> str:
    near = [name for mark, name in VARIABLES.items() if mark in said.lower()]
    variable = near[0] if near else "such as WANDB_API_KEY, COMET_API_KEY or MLFLOW_TRACKING_TOKEN"
    return (
        f"a secret would be kept in the run's folder; set the environment variable {variable} instead, which the "
        f"library reads itself, and leave {key.rpartition('.')[2]} out"
    )
