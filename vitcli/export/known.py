"""Known: what the run of an export has reached: its evaluation on test, else on val, and how it came about."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

from vitcli.about import About
from vitcli.answers.asked import Asked
from vitcli.errors import UserError
from vitcli.evaluate.as_json import from_json
from vitcli.evaluate.evaluation import Evaluation
from vitcli.evaluate.origin import SPLITS, find_origin
from vitcli.evaluate.read import read_scored
from vitcli.export.subject import Subject
from vitcli.machine.bounded_json import read_json
from vitcli.report.material import Material, gather


@final
@dataclass(frozen=True)
class Known:
    """What is known of a net beside itself; all of it may be missing.

    Args:
        split: ``test`` or ``val``: what the evaluation is of; empty without one.
        evaluation: All numbers, of this very checkpoint, as far as they hold for the export; None with a threshold,
            as the run was scored without it.
        about: How the training went.
        checked: What ``vitcli check`` found in the images: kind and words of each finding.
        left_out: Images that the training left out.
    """

    split: str = ""
    evaluation: Evaluation | None = None
    about: About | None = None
    checked: tuple[tuple[str, str], ...] = ()
    left_out: int = 0


def known_of(subject: Subject) -> Known:
    """What the run of a checkpoint tells; nothing for weights from elsewhere."""
    if subject.run is None:
        return Known()
    split, evaluation = _scored(subject)
    if evaluation is not None:
        evaluation = _as_asked(evaluation, subject.asked)
    about = About.read(subject.run.about)
    material = _material(subject)
    if material is None:
        return Known(split, evaluation, about)
    return Known(split, evaluation, about, material.checked, len(material.left_out))


def _as_asked(evaluation: Evaluation, asked: Asked) -> Evaluation | None:
    """What of an evaluation, in which the likelier class is predicted at temperature 1, is true as a net is asked."""
    if asked.threshold is not None:
        return None
    if asked.temperature == 1:
        return evaluation
    # the order of two classes stays, so that their AUROC does
    auroc = evaluation.auroc if len(evaluation.classes) == 2 else None
    return replace(evaluation, auroc=auroc, expected_error=None, calibration=None)


def _scored(subject: Subject) -> tuple[str, Evaluation | None]:
    """The evaluation of this checkpoint, and not of another one of its run."""
    assert subject.run is not None
    for split in SPLITS:
        try:
            told = read_json(subject.run.scores(split))
            if told.get("step") == subject.step:
                return split, from_json(told["evaluation"])
        except (OSError, ValueError, LookupError, TypeError, AttributeError, UserError):
            continue
    return "", None


def _material(subject: Subject) -> Material | None:
    """What the run's files tell of its images."""
    assert subject.run is not None
    try:
        origin = find_origin(str(subject.run.folder))
        return gather(origin, read_scored(origin.table))
    except UserError:
        return None
