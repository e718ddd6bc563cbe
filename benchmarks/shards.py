"""A million tiny pictures in shards: how long the index of offsets, the first look and a start take, and whose memory.

    python benchmarks/shards.py WORK [--images 1000000] [--shards 100] [--ranks 100] [--assume]

WORK keeps the shards (1.5 GB for a million) and vitcli's cache from run to run; without it nothing is reused. Every
phase is a process of its own, so that its memory is its own. With --assume the first look reads each picture, hashes it
and takes it for sound without decoding it, which would be half of an hour of two cores.
"""

from __future__ import annotations

import argparse
import json
import shutil
import struct
import subprocess
import sys
import tarfile
import time
import zlib
from pathlib import Path
from typing import Any

CLASSES = 1000
SIDE = 8


def png(number: int) -> bytes:
    """A picture of 8 x 8 pixels, another one for each number."""
    row = struct.pack(">QQQ", number * 0x9E3779B97F4A7C15 & 2**64 - 1, number * 0xC2B2AE3D27D4EB4F & 2**64 - 1, number)
    pixels = b"".join(b"\0" + row[turn:] + row[:turn] for turn in range(SIDE))
    parts = [b"IHDR" + struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0), b"IDAT" + zlib.compress(pixels, 1), b"IEND"]
    framed = b"".join(struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in parts)
    return b"\x89PNG\r\n\x1a\n" + framed


def write(folder: Path, images: int, shards: int) -> None:
    """The shards, as WebDataset writes them: a pax header for each member's time."""
    folder.mkdir(parents=True)
    (folder / "classes.txt").write_text("".join(f"n{label:08d}\n" for label in range(CLASSES)))
    each = -(-images // shards)
    for shard in range(shards):
        with (folder / f"part-{shard:06d}.tar").open("wb") as stream:
            for number in range(shard * each, min(images, (shard + 1) * each)):
                for ending, content in (("png", png(number)), ("cls", str(number % CLASSES).encode())):
                    member = tarfile.TarInfo(f"{number:08d}.{ending}")
                    member.size, member.mtime = len(content), 1700000000
                    stream.write(member.tobuf(tarfile.USTAR_FORMAT) + content + bytes(-len(content) % 512))
            stream.write(bytes(1024))


def assume() -> None:
    """Take every picture for sound."""
    import hashlib

    from vitcli.images.index import look_through
    from vitcli.images.index.facts import SOUND, Facts

    def sound(content: bytes, *_: Any) -> Facts:
        digest = hashlib.blake2b(content, digest_size=16).digest()
        return Facts(SOUND, "", SIDE, SIDE, "PNG", digest, digest)

    look_through.inspect = sound


def phase(name: str, root: str, kept: str, ranks: int) -> dict[str, Any]:
    """One phase, in this process."""
    import numpy as np

    from vitcli.data.layouts.shards import ShardsData
    from vitcli.images.source.shards.shards import Shards
    from vitcli.machine.memory import forget_highest, highest_resident, size
    from vitcli.preprocess import Preprocess

    before = size("resident") or 0
    forget_highest()
    cores_before = time.process_time()
    began = time.perf_counter()
    found: dict[str, Any] = {}
    if name in ("index", "index again"):
        found["images"] = len(Shards(root).paths)
    else:
        options: dict[str, Any] = {"val_fraction": 0.01, "test_fraction": 0, "num_workers": 0, "cache_dir": kept}
        data = ShardsData(root, batch_size=64, preprocess=Preprocess(size=(SIDE, SIDE)), **options)
        data.setup("fit")
        found["setup_seconds"] = time.perf_counter() - began
        loader = data.train_dataloader()
        batch = next(iter(loader))
        found["images"] = len(data.listing("train"))
        assert len(batch["label"]) == 64
        if name == "read":
            again = time.perf_counter()
            for number, _ in enumerate(loader):
                if number == 500:
                    break
            found["images_a_second"] = 500 * 64 / (time.perf_counter() - again)
    found["seconds"] = time.perf_counter() - began
    # of all threads, the imports in front of it not counted: what a busy machine does not change
    found["core_seconds"] = time.process_time() - cores_before
    if name == "ranks":
        from vitcli.data.batches.order import training_batches, training_order

        labels = data.listing("train").labels
        seen = np.zeros(len(labels), dtype=np.int64)
        began = time.perf_counter()
        for rank in range(ranks):
            order = training_order(labels, seed=0, epoch=0)
            for key in training_batches(order, epoch=0, batch_size=64, rank=rank, world=ranks):
                np.add.at(seen, [spot.position for spot in key.spots], 1)
        found["each_at_least_once"] = bool((seen >= 1).all())
        found["shown_again_to_fill_the_last_step"] = int(seen.sum() - len(seen))
        found["seconds_a_rank"] = (time.perf_counter() - began) / ranks
    found["peak_mb"] = (highest_resident() - before) / 1e6
    found["held_mb"] = ((size("resident") or 0) - before) / 1e6
    return found


def main() -> None:
    """Print a line for each phase."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--shards", type=int, default=100)
    parser.add_argument("--ranks", type=int, default=100)
    parser.add_argument("--assume", action="store_true")
    parser.add_argument("--phase")
    given = parser.parse_args()
    root, kept = given.work / f"shards-{given.images}-{given.shards}", given.work / "kept"
    if given.phase:
        if given.assume:
            assume()
        print(json.dumps(phase(given.phase, str(root), str(kept), given.ranks)))
        return
    if not root.exists():
        began = time.perf_counter()
        write(root, given.images, given.shards)
        print(f"written in {time.perf_counter() - began:.0f} s", flush=True)
    for file in root.glob("vitcli-shards*"):
        file.unlink()
    shutil.rmtree(kept, ignore_errors=True)
    for name in ("index", "index again", "first look", "start", "read", "ranks"):
        numbers = {"--images": given.images, "--shards": given.shards, "--ranks": given.ranks}
        words = [str(word) for pair in numbers.items() for word in pair]
        words += ["--assume"] if given.assume else []
        command = [sys.executable, __file__, str(given.work), *words, "--phase", name]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        found = json.loads(done.stdout)
        print(f"{name:12}", ", ".join(f"{key} {value:,.4g}" for key, value in found.items()), flush=True)


if __name__ == "__main__":
    main()
