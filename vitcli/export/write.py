"""Write: export to a file of any format, run on pictures and compared with the net before it gets its name."""

from __future__ import annotations

import importlib.util
import io
import json
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import final

import torch

from vitcli.errors import ConfigError
from vitcli.export.check import LIMITS, Agreement, Runner, agreement, answers_of, run_on
from vitcli.export.graph import to_graph, write_graph
from vitcli.export.lighter import to_fp16, to_int8
from vitcli.export.pictures import Pictures
from vitcli.export.runners import of_onnx, of_pt2, of_safetensors
from vitcli.export.scores import Score, accuracy_of, speeds_of
from vitcli.export.subject import KEY, Quantize, Subject
from vitcli.export.tensors import write_tensors
from vitcli.export.whole import traced
from vitcli.machine.atomic import folders_for, replacing

FORMATS = (".onnx", ".pt2", ".safetensors")
# what the extra onnx installs
PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def check_format(out: str, quantize: Quantize, batch: int | None) -> None:
    """Check, before any work, that such a file can be written here.

    Args:
        out: As the user typed it.
        quantize: How its numbers are stored.
        batch: Pictures at once; None for any number.

    Raises:
        ConfigError: Another ending, an option that the format has no use for, or a package that is not installed.
    """
    ending = Path(out).suffix
    if ending not in FORMATS:
        raise ConfigError(f"--out {out}: its ending says the format; let the name end in {', '.join(FORMATS)}")
    if quantize != "none" and ending != ".onnx":
        raise ConfigError(f"--quantize {quantize}: is for .onnx, and --out {out} is none; leave it out")
    if batch is not None and ending == ".safetensors":
        raise ConfigError(f"--batch {batch}: --out {out} holds tensors and no graph, for any batch; leave it out")
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None] if ending == ".onnx" else []
    if missing:
        raise ConfigError(f'--out {out}: needs {", ".join(missing)}, not installed; pip install "vitcli[onnx]"')


@final
@dataclass(frozen=True)
class Written:
    """What was written.

    Args:
        path: The file.
        agreement: How far it is from the net.
        scores: Of a lighter file, that of the plain one and its own.
    """

    path: Path
    agreement: Agreement
    scores: tuple[Score, ...] = ()


def write(
    subject: Subject,
    out: Path,
    pictures: Pictures,
    *,
    quantize: Quantize = "none",
    batch: int | None = None,
    changed: float | None = None,
) -> Written:
    """Write an export.

    Args:
        subject: What is exported.
        out: The file, which ends in one of FORMATS.
        pictures: On which it is tried, and calibrated.
        quantize: How its numbers are stored; of ONNX only.
        batch: Pictures at once; None for any number.
        changed: Largest share of pictures with another label; None: that of ``LIMITS``.

    Raises:
        ExportError: It disagrees with the net; there is no file then.
    """
    ours = answers_of(subject, pictures.pixels)
    with folders_for(out), replacing(out) as part, TemporaryDirectory(prefix="vitcli-export-") as folder:
        plain = Path(folder, "plain.onnx")
        runner = _made(subject, out.suffix, part, plain, pictures, quantize, batch)
        theirs = run_on(runner, pictures.pixels, batch)
        found = agreement(ours, theirs, subject.asked.threshold)
        limits = LIMITS[quantize]
        found.expect(limits if changed is None else replace(limits, changed=changed))
        scores: tuple[Score, ...] = ()
        if quantize != "none":
            first = of_onnx(plain)
            speeds = speeds_of([first, runner], pictures, batch)
            threshold = subject.asked.threshold
            scores = tuple(
                Score(name, accuracy_of(said, pictures, threshold), file.stat().st_size, speed)
                for name, said, file, speed in (
                    ("fp32", run_on(first, pictures.pixels, batch), plain, speeds[0]),
                    (quantize, theirs, part, speeds[1]),
                )
            )
    return Written(out, found, scores)


def _made(
    subject: Subject,
    ending: str,
    part: Path,
    plain: Path,
    pictures: Pictures,
    quantize: Quantize,
    batch: int | None,
) -> Runner:
    """The file, and of a lighter one also the plain one, written and opened."""
    if ending == ".safetensors":
        write_tensors(subject, part)
        return of_safetensors(part, subject)
    program = traced(subject, batch)
    if ending == ".pt2":
        content = io.BytesIO()
        torch.export.save(program, content, extra_files={KEY: json.dumps(subject.metadata())})
        part.write_bytes(content.getbuffer())
        return of_pt2(part)
    model = to_graph(program)
    if quantize != "none":
        write_graph(model, plain, subject.metadata())
        model = to_int8(model, pictures.pixels, batch) if quantize == "int8" else to_fp16(model)
    write_graph(model, part, subject.metadata(quantize))
    return of_onnx(part)
