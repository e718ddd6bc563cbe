"""Completion: bash itself, with the script that vitcli prints, completes what is typed."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vitcli.__main__ import main
from vitcli.cli.options import CHOICES
from vitcli.cli.shipped import shipped
from vitcli.cli.usage import VERBS
from vitcli.cli.verbs.completion import FILES, FOLDERS

BASH = shutil.which("bash")
ZSH = shutil.which("zsh")
ASK = """
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_shtab_vitcli
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("completion") / "vitcli.bash"
    code = (
        "import sys; from vitcli.__main__ import main; code = main(['completion', 'bash']); "
        "sys.exit(code or any(name in sys.modules for name in ('torch', 'numpy', 'lightning', 'jsonargparse')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, "it fails, or imports what takes seconds"
    path.write_text(done.stdout)
    return path


def completed(script: Path, *words: str, where: Path | None = None) -> set[str]:
    if BASH is None:
        pytest.skip("no bash here")
    asked = subprocess.run(
        [BASH, "--norc", "-c", ASK, "bash", str(script), "vitcli", *words],
        capture_output=True, text=True, check=True, cwd=where,
    )  # fmt: skip
    return set(asked.stdout.split())


def test_verbs_are_completed(script: Path):
    assert completed(script, "") == set(VERBS)
    assert completed(script, "c") == {"check", "configs", "completion"}


@pytest.mark.parametrize("verb", [name for name, verb in VERBS.items() if verb.options])
def test_the_usual_options_of_every_verb_are_completed(script: Path, verb: str):
    words = [verb, "FILE", "--"] if VERBS[verb].positional else [verb, "--"]
    assert completed(script, *words) >= set(VERBS[verb].options)


def test_words_that_an_option_may_be_are_completed(script: Path):
    assert completed(script, "fit", "--model.net.backend", "L") == {"Linformer"}
    assert completed(script, "fit", "--data", "") == set(CHOICES["--data"])
    assert completed(script, "completion", "") == {"bash", "zsh"}


def test_names_of_configs_and_files_are_completed(script: Path, tmp_path: Path):
    (tmp_path / "catalogue.yaml").touch()
    assert completed(script, "fit", "--config", "cat", where=tmp_path) == {"cats_dogs", "catalogue.yaml"}
    assert completed(script, "configs", "model/l") == {"model/large", "model/larger", "model/linformer"}
    assert completed(script, "configs", "") == set(shipped())


def test_files_and_folders_are_completed(script: Path, tmp_path: Path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "phrases.txt").touch()
    assert completed(script, "check", "ph", where=tmp_path) == {"photos", "phrases.txt"}
    assert completed(script, "validate", "--ckpt_path", "phr", where=tmp_path) == {"phrases.txt"}


def test_a_tab_in_a_real_bash_completes(script: Path):
    if BASH is None:
        pytest.skip("no bash here")
    process, terminal = pty.fork()
    if process == 0:
        os.execle(BASH, "bash", "--norc", "-i", {"TERM": "dumb", "PS1": "$ ", "PATH": os.environ["PATH"]})
    os.write(terminal, f"bind 'set enable-bracketed-paste off'; source {script}\n".encode())
    os.write(terminal, b"vitcli predict --trainer.acc\t")
    shown, until = "", time.monotonic() + 30
    while "--trainer.accelerator " not in shown and time.monotonic() < until:
        if select.select([terminal], [], [], 1)[0]:
            shown += os.read(terminal, 4096).decode(errors="replace")
    os.write(terminal, b"\x15exit\n")
    os.waitpid(process, 0)
    os.close(terminal)
    assert "vitcli predict --trainer.accelerator " in shown


@pytest.mark.skipif(ZSH is None, reason="no zsh here")
def test_zsh_takes_its_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["completion", "zsh"]) == 0
    path = tmp_path / "vitcli.zsh"
    path.write_text(capsys.readouterr().out)
    # by eval, as the help says
    code = f'autoload -U compinit && compinit -u -d {tmp_path}/dump; eval "$(<{path})"; print ${{_comps[vitcli]}}'
    done = subprocess.run([str(ZSH), "-f", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "_shtab_vitcli\n"


def test_the_zsh_script_knows_options_and_configs(capsys: pytest.CaptureFixture[str]):
    assert main(["completion", "zsh"]) == 0
    script = capsys.readouterr().out
    assert "--model.net.backend" in script
    assert all(name in script for name in shipped())


@pytest.mark.parametrize("words", [[], ["fish"], ["bash", "zsh"]])
def test_another_shell_is_told_in_a_line(words: list[str], capsys: pytest.CaptureFixture[str]):
    assert main(["completion", *words]) == 2
    typed = " ".join(words) or "nothing"
    assert capsys.readouterr().err == f"vitcli completion: error: completion {typed}: must be one of bash, zsh\n"


def test_every_option_that_is_completed_is_one_of_the_help_texts():
    usual = {option for verb in VERBS.values() for option in verb.options}
    assert {*CHOICES, *FILES, *FOLDERS} <= usual | {"--run.dir"}
