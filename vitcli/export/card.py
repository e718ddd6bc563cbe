"""Model card: README.md beside an export, with the metadata block of a Hugging Face model repository."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from vitcli import __version__
from vitcli.evaluate.evaluation import Estimate, Evaluation
from vitcli.export.known import Known
from vitcli.export.running import running
from vitcli.export.subject import Quantize, Subject
from vitcli.machine.atomic import keep_previous, replacing
from vitcli.names import counted, first_of, printable
from vitcli.report.material import PARTS

CARD = "README.md"
# of many classes, the first are listed by name
LISTED = 50
WEAKEST = 5
# expected calibration error from which on the confidence is called misleading
UNCALIBRATED = 0.05
FILL_IN = "FILL IN"
MARKUP = re.compile(r"([\\`*_{}\[\]<>|#])")
LIBRARIES = {".onnx": "onnx", ".pt2": "pytorch", ".safetensors": "safetensors"}


def write_card(subject: Subject, known: Known, out: Path, checked: list[str], quantize: Quantize, timm: bool) -> Path:
    """Write the card beside an export; a README.md that is there already is never touched.

    Args:
        subject: What was exported.
        known: What its run tells.
        out: The exported file.
        checked: Lines on how far it is from the net.
        quantize: How its numbers are stored.
        timm: Whether it is timm's tensors.

    Returns:
        README.md, or STEM.README.md where another one is there; an earlier one of that name is kept as well.
    """
    path = out.with_name(CARD)
    if path.exists():
        path = out.with_name(f"{out.stem}.{CARD}")
        keep_previous(path)
    with replacing(path) as part:
        part.write_text(card_of(subject, known, out, checked, quantize, timm), "utf-8", "backslashreplace")
    return path


def card_of(subject: Subject, known: Known, out: Path, checked: list[str], quantize: Quantize, timm: bool) -> str:
    """The card as Markdown; arguments are those of ``write_card``."""
    name = printable(subject.run.name if subject.run is not None else out.stem)
    head = yaml.safe_dump(_metadata(subject, known, name, out.suffix, timm), sort_keys=False, allow_unicode=True)
    parts = [
        f"---\n{head}---\n\n# {_plain(name)}",
        _what(subject, quantize),
        _classes(subject),
        "\n".join(["## Data", "", *_data(known)]),
        "\n".join(["## Scores", "", *_scores(subject, known)]),
        "\n".join(["## Limits", "", *_limits(subject, known)]),
        "\n".join(["## This file", "", "```text", *map(printable, checked), "```"]),
        f"## How to run it\n\n{running(subject, out, timm)}",
        f"## Licence\n\n- Of the weights: {FILL_IN} (and `license:` in the first lines of this file)\n"
        f"- Of the training images: {FILL_IN}\n- Weights that the training began from: {FILL_IN}",
    ]
    return "\n\n".join(parts) + "\n"


def _metadata(subject: Subject, known: Known, name: str, suffix: str, timm: bool) -> dict[str, Any]:
    """What Hugging Face reads; without an evaluation there is no model-index."""
    found: dict[str, Any] = {
        # their word for a licence that is not said
        "license": "unknown",
        "library_name": "timm" if timm else LIBRARIES[suffix],
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "vision-transformer", "vitcli"],
    }
    evaluation = known.evaluation
    if evaluation is not None:
        metrics: list[dict[str, Any]] = [{"type": "accuracy", "value": round(evaluation.accuracy.value, 4)}]
        metrics.append({"type": "f1", "name": "macro F1", "value": round(evaluation.macro["f1"].value, 4)})
        result = {
            "task": {"type": "image-classification"},
            "dataset": {"name": FILL_IN, "type": "imagefolder", "split": known.split},
            "metrics": metrics,
        }
        found |= {"metrics": ["accuracy", "f1"], "model-index": [{"name": name, "results": [result]}]}
    return found


def _what(subject: Subject, quantize: Quantize) -> str:
    net, asked = subject.net, subject.asked
    count = sum(parameter.numel() for parameter in net.parameters())
    height, width = subject.preprocess.size
    threshold = (
        ""
        if asked.threshold is None
        else (f" {_plain(subject.classes[1])} is predicted from a probability of {asked.threshold:g} on.")
    )
    stored = {"none": "", "int8": " Its products are computed in int8.", "fp16": " Its weights are stored as float16."}
    return (
        f"A Vision Transformer ({type(net.backend).__name__}, {net.tokens} tokens of {net.dim} numbers, {count:,} "
        f"parameters) that puts a picture of {width} x {height} pixels into one of {len(subject.classes):,} classes."
        f"{stored[quantize]}{threshold} Exported by vitcli {__version__}."
    )


def _classes(subject: Subject) -> str:
    return f"## Classes\n\n{_plain(first_of(subject.classes, LISTED))}"


def _data(known: Known) -> Iterator[str]:
    counts = known.about.counts if known.about is not None else {}
    shown = [part for part in PARTS if part in counts]
    if not shown:
        yield "Nothing is known of the training images."
        return
    names = sorted({name for part in shown for name in counts[part]})
    yield f"| class | {' | '.join(shown)} |"
    yield f"|---|{'---:|' * len(shown)}"
    for name in names[:LISTED]:
        yield f"| {_plain(name)} | {' | '.join(f'{counts[part].get(name, 0):,}' for part in shown)} |"
    totals = [f"{sum(counts[part].values()):,}" for part in shown]
    yield f"| all {len(names)} | {' | '.join(totals)} |"
    if known.left_out:
        yield f"\nLeft out, as they cannot be read: {counted(known.left_out, 'image')}."


def _scores(subject: Subject, known: Known) -> Iterator[str]:
    evaluation = known.evaluation
    if evaluation is None and subject.asked.threshold is not None:
        yield "Not scored with its threshold: `vitcli test RUN --predictions.threshold P` does, and its report tells."
        return
    if evaluation is None:
        yield "Not scored: `vitcli test RUN` scores this checkpoint, and another export then says so here."
        return
    images = counted(evaluation.scored, "image")
    yield f"On {images} of {known.split}; the intervals hold the true number 95 times of 100."
    yield "\n| | value | interval |\n|---|---:|---|"
    for name, estimate in _headlines(evaluation):
        yield f"| {name} | {estimate.value:.3f} | {estimate.low:.3f} to {estimate.high:.3f} |"
    yield f"\nAlways guessing {_plain(evaluation.commonest)} would reach an accuracy of {evaluation.guessing:.3f}."


def _headlines(evaluation: Evaluation) -> Iterator[tuple[str, Estimate]]:
    yield "accuracy", evaluation.accuracy
    yield "balanced accuracy", evaluation.balanced_accuracy
    yield "macro F1", evaluation.macro["f1"]
    if evaluation.auroc is not None:
        yield "AUROC", evaluation.auroc
    if evaluation.expected_error is not None:
        yield "expected calibration error", evaluation.expected_error


def _limits(subject: Subject, known: Known) -> Iterator[str]:
    yield "- A picture that shows none of the classes is put into one of them all the same."
    evaluation = known.evaluation
    if evaluation is not None:
        recalled = [each for each in evaluation.per_class if each.recall is not None]
        weakest = sorted(recalled, key=lambda each: each.recall.value if each.recall is not None else 1)[:WEAKEST]
        told = [
            f"{_plain(each.name)} {each.recall.value:.2f}" for each in weakest if each.recall and each.recall.value < 1
        ]
        if told:
            yield f"- Classes of which it finds least (recall): {', '.join(told)}."
        if evaluation.calibration is not None:
            error = evaluation.calibration.expected_error
            yield f"- Its confidence is off by {error:.3f} in the mean" + (
                f": do not read it as a probability without a temperature (in use: {subject.asked.temperature:g})."
                if error > UNCALIBRATED
                else "."
            )
        if evaluation.wrong_labels:
            yield f"- {counted(evaluation.wrong_labels, 'image')} it was scored on may have the wrong label."
        if evaluation.trained_on:
            yield f"- It was trained on {counted(evaluation.trained_on, 'image')} of those that it was scored on."
        if known.split == "val":
            yield "- Scored on val, by which the checkpoint was chosen; on a test of other images it is a little worse."
    yield from (f"- In the images: {_plain(' '.join(what.split()))}" for _, what in known.checked)
    if known.about is not None:
        yield from (f"- Told at the training: {_plain(' '.join(notice.split()))}" for notice in known.about.notices)


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, in one line."""
    return MARKUP.sub(r"\\\1", printable(text))
