"""What the README's commands print: run on drawn pictures, and written below each command.

    make readme

tests/test_readme.py runs the same, and compares the README with it, line by line.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"(?<=```console\n).*?(?=```)", re.DOTALL)
COMMAND = re.compile(r"^[$] (?:.*\\\n)*.*$", re.MULTILINE)
# losses, scores, times and the best epoch are another machine's; how they are written is not
MEASURED = re.compile(r"\d+[.](\d{4,})|\d+(?= s$)|(?<=best[.]ckpt, epoch )\d+, step \d+", re.MULTILINE)
# pixels
SIZE = (64, 48)
COUNTS = {"train": 60, "val": 15, "test": 15}
# colours of the upper and the lower half
KINDS = {
    "forest": ((150, 180, 200), (40, 90, 40)),
    "sea": ((150, 180, 220), (40, 80, 130)),
    "sunset": ((220, 140, 90), (90, 60, 60)),
}


def commands(block: str) -> list[str]:
    """The commands of a block, each in one line and without the remark behind it."""
    return [alone(command) for command in COMMAND.findall(block)]


def alone(command: str) -> str:
    """A command without its prompt, its breaks of line and the remark behind it."""
    return re.sub(r"\s*\\\n\s*", " ", command).removeprefix("$ ").split("  #")[0].strip()


def has_output(block: str) -> bool:
    """Whether a block shows what its commands print."""
    return bool(COMMAND.sub("", block).strip())


def draw(kind: str, number: int) -> Image.Image:
    """A picture of a kind, another one for each number."""
    rng = np.random.default_rng([list(KINDS).index(kind), number])
    above, below = (np.array(colour) + rng.normal(0, 25, 3) for colour in KINDS[kind])
    rough = rng.normal(0, 30, (6, 8, 3))
    rough[:3] += above
    rough[3:] += below
    return Image.fromarray(rough.clip(0, 255).astype(np.uint8)).resize(SIZE, Image.Resampling.BICUBIC)


def draw_photos(folder: Path) -> None:
    """``photos`` with a folder of each kind in each split, and ``holiday`` with one file that is no picture."""
    numbers = iter(range(10_000))
    for split, count in COUNTS.items():
        for kind in KINDS:
            (folder / "photos" / split / kind).mkdir(parents=True)
            for number in range(count):
                draw(kind, next(numbers)).save(folder / "photos" / split / kind / f"{number:03}.jpg")
    (folder / "holiday").mkdir()
    for number in range(11):
        draw(list(KINDS)[number % 3], next(numbers)).save(folder / "holiday" / f"{number:03}.jpg")
    (folder / "holiday" / "011.jpg").write_text("<html>404</html>")


def spoil(photos: Path) -> None:
    """A picture that is cut off, and one that is in two splits."""
    cut = photos / "train" / "sea" / "016.jpg"
    cut.write_bytes(cut.read_bytes()[:-200])
    (photos / "val" / "forest" / "again.jpg").write_bytes((photos / "train" / "forest" / "001.jpg").read_bytes())


def shortened(printed: str, *, is_first: bool) -> Iterator[str]:
    """The lines, with dots for the net and the images that the first command has told of, and for epochs between."""
    lines = printed.splitlines()
    middle = [number for number, line in enumerate(lines) if line.startswith("epoch ")][1:-1]
    left_out = set(middle) if len(middle) > 1 else set()
    if not is_first:
        left_out |= {number for number, line in enumerate(lines) if line.startswith(("net: ", "data: "))}
    for number, line in enumerate(lines):
        if number not in left_out:
            yield line
        elif number - 1 not in left_out:
            yield "..."


def retold(readme: str, folder: Path, run: Callable[[list[str]], str]) -> str:
    """The README, with what its commands print now.

    Args:
        readme: Its text.
        folder: Where the pictures are drawn and the commands run.
        run: Runs vitcli there with these words, and returns all that it prints.
    """
    draw_photos(folder)

    def again(block: re.Match[str]) -> str:
        text = block[0]
        if not has_output(text):
            return text
        told: list[str] = []
        if "$ vitcli check" in text:
            spoil(folder / "photos")
        for command in COMMAND.findall(text):
            printed = run(shlex.split(alone(command))[1:])
            told += [command, *shortened(printed, is_first=not told)]
        return "\n".join(told) + "\n"

    return BLOCK.sub(again, readme)


def form(readme: str) -> str:
    """The README with marks in place of the digits that another machine may print differently."""
    return MEASURED.sub(lambda number: f"#.{'#' * len(number[1])}" if number[1] else "#", readme)


def main() -> None:
    """Write into the README what its commands print."""
    with tempfile.TemporaryDirectory() as folder:

        def run(words: list[str]) -> str:
            command = [str(Path(sys.executable).with_name("vitcli")), *words]
            return subprocess.run(
                command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
            ).stdout

        README.write_text(retold(README.read_text(encoding="utf-8"), Path(folder), run), encoding="utf-8")


if __name__ == "__main__":
    main()
