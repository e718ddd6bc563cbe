"""``vitcli completion``: a script by which bash or zsh complete verbs, options, names of configs and choices."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import shtab

from vitcli.cli.exit import DONE, ended
from vitcli.cli.help_texts import help_of
from vitcli.cli.options import CHOICES
from vitcli.cli.shipped import shipped
from vitcli.cli.usage import VERBS
from vitcli.errors import ConfigError

SHELLS = ("bash", "zsh")
FILES = ("--weights", "--classes", "--predictions.path", "--quarantine", "--data.root", "--ckpt_path", "--out")
FOLDERS = ("--run.dir",)
# a short name, or any file
CONFIG = {"bash": "_vitcli_config_file", "zsh": "_vitcli_config"}
PREAMBLE = {
    "bash": """_vitcli_config_file() {{ compgen -W "{names}" -- "$1"; compgen -f -- "$1"; }}""",
    "zsh": """_vitcli_config() {{ _alternative "configs:config:({names})" "files:file:_files"; }}""",
}


def run(verb: str, words: Sequence[str]) -> int:
    """Print the script.

    Args:
        verb: completion.
        words: The words after it: bash or zsh.

    Returns:
        Exit code: 0 done, 2 a mistake of the user's, told in one line.
    """
    return ended(verb, lambda: _print(words))


def _print(words: Sequence[str]) -> int:
    if len(words) != 1 or words[0] not in SHELLS:
        typed = " ".join(words) or "nothing"
        raise ConfigError(f"completion {typed}: must be one of {', '.join(SHELLS)}")
    (shell,) = words
    names = " ".join(shipped())
    print(shtab.complete(parser(), shell, preamble=PREAMBLE[shell].format(names=names)))
    return DONE


def parser() -> argparse.ArgumentParser:
    """A parser that knows verbs and usual options, to be completed and never to parse."""
    top = argparse.ArgumentParser(prog="vitcli")
    top.add_argument("--version", "-V", action="store_true", help="the version; with --verbose of everything it uses")
    verbs = top.add_subparsers()
    for name, verb in VERBS.items():
        one = verbs.add_parser(name, help=verb.summary)
        if name == "configs":
            one.add_argument("name", nargs="?", choices=tuple(shipped()))
        elif name == "completion":
            one.add_argument("shell", choices=SHELLS)
        elif verb.positional:
            for number, _ in enumerate(verb.positional.split("--")[0].split()):
                one.add_argument(f"path{number}").complete = shtab.FILE  # type: ignore[attr-defined]
        for option in verb.options:
            action = one.add_argument(option, help=help_of(option, verb).replace("%", "%%"))
            action.choices = CHOICES.get(option)
            complete = CONFIG if option == "--config" else shtab.FILE if option in FILES else None
            complete = shtab.DIRECTORY if option in FOLDERS else complete
            if complete is not None:
                action.complete = complete  # type: ignore[attr-defined]
        if verb.trains:
            one.add_argument("--help-all", action="store_true", help="all options")
            one.add_argument("--print_config", action="store_true", help="the config that the options make")
    return top
