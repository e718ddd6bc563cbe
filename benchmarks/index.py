"""How long does a folder of many files take to be found, and how much memory does a file cost?

    .venv/bin/python benchmarks/index.py --files 100000

Makes a folder of so many small JPEGs in 100 classes (kept for the next time), and starts a process for each start: the
first scan looks at every file, the second finds everything as it was. Seconds are those of setup("fit"), behind the
imports. Memory is what the process grew by, for each file.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
from pathlib import Path

START = """
import json, resource, sys, time
from vitcli.data import FolderData
def resident():
    return int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmRSS:"))) * 1024
before = resident()
begin = time.perf_counter()
data = FolderData(sys.argv[1], cache_dir=sys.argv[2])
data.classes = data.find_classes()
data.setup("fit")
seconds = time.perf_counter() - begin
held = resident() - before
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
print(json.dumps({"files": len(data.listing("train")) + len(data.listing("val")), "seconds": seconds,
                  "held": held, "peak": peak}))
"""


def make(folder: Path, files: int) -> None:
    """So many small JPEGs, no two alike, in 100 classes."""
    from PIL import Image

    done = folder / "complete"
    if done.is_file() and done.read_text() == str(files):
        return
    for number in range(files):
        path = folder / "photos" / f"class{number % 100:03d}" / f"image_{number:07d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        Image.new("RGB", (32, 24), (number % 256, number // 256 % 256, number // 65536)).save(buffer, "JPEG")
        path.write_bytes(buffer.getvalue())
    done.write_text(str(files))


def main() -> None:
    """Make the folder and start twice, and once more."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, default=Path("runs", "bench", "many"))
    args = parser.parse_args()
    make(args.folder, args.files)
    for kept in args.folder.glob("kept/*"):
        kept.unlink()
    for name in ("first", "second", "third"):
        command = [sys.executable, "-c", START, str(args.folder / "photos"), str(args.folder / "kept")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        told = json.loads(done.stdout)
        each = {key: told[key] / told["files"] for key in ("held", "peak")}
        print(
            f"{name} start: {told['seconds']:.2f} s for {told['files']:,} files; {each['held']:.0f} bytes a file held, "
            f"{each['peak']:.0f} at the peak"
        )


if __name__ == "__main__":
    main()
