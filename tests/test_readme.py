"""The README's commands are run, in their order, on drawn photos, and print what it says; its files are there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests import readme
from tests.conftest import CPU, REPOSITORY, TINY
from vitcli.__main__ import main

README = readme.README.read_text(encoding="utf-8")
BLOCKS = readme.BLOCK.findall(README)
COMMANDS = [command for block in BLOCKS for command in readme.commands(block)]


def vitcli_commands(blocks: list[str]) -> list[list[str]]:
    told = [command for block in blocks for command in readme.commands(block)]
    return [shlex.split(command)[1:] for command in told if command.startswith("vitcli ")]


def test_the_readme_shows_every_verb():
    from vitcli.cli import usage

    assert {command[0] for command in vitcli_commands(BLOCKS)} >= set(usage.VERBS)


@pytest.mark.slow
def test_what_the_readme_shows_is_what_its_commands_print(here: Path, vitcli: Callable[..., CompletedProcess[str]]):
    def run(words: list[str]) -> str:
        done = vitcli(*words)
        assert done.stderr == ""
        return done.stdout

    told = readme.retold(README, here, run)
    assert readme.form(told).splitlines() == readme.form(README).splitlines(), "make readme"


@pytest.mark.slow
def test_every_other_command_of_the_readme_runs(photos: Path, capsys: pytest.CaptureFixture[str]):
    (photos.parent / "holiday").symlink_to(photos / "test")
    (photos.parent / "configs").symlink_to(REPOSITORY / "configs")
    photos.rename(photos.parent / "drawn")
    for kind, drawn in (("cat", "circle"), ("dog", "square")):
        for split in ("train", "val", "test"):
            target = photos.parent / "photos" / split / kind
            target.parent.mkdir(parents=True, exist_ok=True)
            (photos.parent / "drawn" / split / drawn).rename(target)
    (photos.parent / "holiday").unlink()
    (photos.parent / "holiday").symlink_to(photos / "test")
    seen = 0
    for words in vitcli_commands([block for block in BLOCKS if not readme.has_output(block)]):
        if words[0] == "serve":
            # until it is told to end, which tests/serve do
            continue
        # the commands as they stand, on a net and for a time that a test can wait for
        if words[0] == "fit" and "--ckpt_path" not in words:
            words = [*words, *TINY, *CPU, "--trainer.max_epochs=1"]
        elif words[0] == "fit":
            words = [*words, "--trainer.max_epochs=2"]
        elif words[0] == "search":
            words = [*words, *TINY, *CPU, "--trainer.max_epochs=1", "--trials=1", "--data.train=8", "--data.val=4"]
        try:
            code = main([word for word in words if not word.startswith("#")])
        except SystemExit as stopped:
            code = stopped.code
        # 3: check has found something, and the drawn photos are alike
        assert code in ((0, 3) if words[0] == "check" else (0,)), f"vitcli {' '.join(words)}: {capsys.readouterr().err}"
        seen += 1
    assert seen >= 5


def test_every_make_target_of_the_readme_exists():
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = {command.split()[1] for command in COMMANDS if command.startswith("make ")}
    assert targets
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


def test_every_file_that_the_readme_links_is_there():
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert (REPOSITORY / link).exists(), link


def test_the_readmes_test_command_is_what_ci_runs():
    assert "make test" in COMMANDS
    assert "make test" in (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")


def test_no_file_names_a_registry_or_a_machine():
    locks = [path.read_text(encoding="utf-8") for path in sorted(REPOSITORY.glob("requirements*.lock"))]
    assert len(locks) == 2
    lock = "".join(locks)
    assert "://" not in lock
    assert all("--hash=sha256:" in block for block in re.findall(r"^\S.*?(?=^\S|\Z)", lock, re.MULTILINE | re.DOTALL))
    for forbidden in ("lightning==2.6.2", "lightning==2.6.3"):
        assert forbidden not in lock
