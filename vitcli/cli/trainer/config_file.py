"""Config files: YAML of sections, read within limits; an error says what is wrong with which of its settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import get_loader, set_loader

from vitcli.cli.shipped import nearest
from vitcli.cli.words import pairs, said_by
from vitcli.errors import ConfigError
from vitcli.machine.bounded_yaml import AmbiguousError, UnboundedError, check_yaml, read_yaml

SECTIONS = ("trainer", "model", "data", "run", "checkpoint", "ema", "stop", "probe", "distill", "predictions", "report")
MODEL_SECTIONS = ("net", "preprocess", "optimizer", "schedule")
# what may also be the name of a class
CLASSES = ("data", "model.net.backend")
# what is a path or a name, and read before there is a parser
WORDS = ("ckpt_path", "weights", "run.name", "run.dir")
# jsonargparse's own way of reading
READ = get_loader("yaml")


def bound_parser() -> None:
    """Have jsonargparse read within the limits too: files, what is typed, and what stands in a config as a text."""
    set_loader("yaml", _read, (yaml.YAMLError,))


def check_words(words: Sequence[str]) -> None:
    """Check that no value that is typed would take too much to read.

    Args:
        words: The words after the verb.

    Raises:
        ConfigError: One would.
    """
    for option, value in pairs(words):
        # paths end in NUL, and are no YAML
        if "\0" in value:
            continue
        try:
            check_yaml(value)
        except UnboundedError as error:
            raise ConfigError(f"--{option} {value[:60]}...: {error}; give a plain value") from error
        except yaml.YAMLError:
            continue


def load_config(path: str) -> dict[str, Any]:
    """The content of a config file.

    Raises:
        ConfigError: It is missing, no YAML of sections, or would take too much to read.
    """
    try:
        content = read_yaml(Path(path))
    except FileNotFoundError:
        raise ConfigError(
            f"--config {path}: no such file; {nearest(path, '--config ')}vitcli configs lists those that are shipped"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--config {path}: cannot be read: {error}; name a YAML file") from error
    except (UnboundedError, AmbiguousError) as error:
        raise ConfigError(f"--config {path}: {error}; name a plain config") from error
    except (ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"--config {path}: not YAML: {' '.join(str(error).split())[:300]}") from error
    if content is None:
        raise ConfigError(f"--config {path}: holds no settings; give some, or leave it out")
    if not isinstance(content, dict):
        raise ConfigError(f"--config {path}: holds no sections such as model: and data:; see vitcli configs folder")
    _check_sections(path, content)
    return content


def _read(text: str) -> Any:
    check_yaml(text)
    return READ(text)


def _check_sections(path: str, content: dict[str, Any]) -> None:
    """Check that what has settings inside holds settings, and is no word, list or nothing; and that keys are words.

    Raises:
        ConfigError: It does not.
    """
    data, model = content.get("data"), content.get("model")
    net = model.get("net") if isinstance(model, dict) else None
    nested = {
        **{key: content[key] for key in SECTIONS if key in content},
        **({f"model.{key}": model[key] for key in MODEL_SECTIONS if key in model} if isinstance(model, dict) else {}),
        **({"data.init_args": data["init_args"]} if isinstance(data, dict) and "init_args" in data else {}),
        **({"model.net.backend": net["backend"]} if isinstance(net, dict) and "backend" in net else {}),
    }
    for key, value in nested.items():
        if not isinstance(value, dict) and not (isinstance(value, str) and key in CLASSES):
            held = "is empty" if value is None else f"is {str(value)[:60]!r}"
            raise ConfigError(f"--config {path}: {key}: {held}, but has settings inside; give some, or leave it out")
    for key, section in {"": content, **nested}.items():
        for name in section if isinstance(section, dict) else ():
            if not isinstance(name, str):
                where = f"{key}.{name}" if key else str(name)
                raise ConfigError(
                    f"--config {path}: {where[:60]}: is no name of a setting; put it in quotes, or leave it out"
                )
    for key, value in said_by(content):
        if key in WORDS and isinstance(value, dict | list):
            raise ConfigError(f"--config {path}: {key}: is {str(value)[:60]!r}, and no word; give one, or leave it out")
