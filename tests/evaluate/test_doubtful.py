"""Labels that look wrong: planted ones come first, and images that were trained on are not accused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.evaluate.tables import probabilities, table
from vitcli.evaluate.doubtful import doubtful
from vitcli.evaluate.scored import Scored


def planted(images: int = 1000, classes: int = 5, skill: float = 3.5) -> tuple[Scored, set[str]]:
    """A table of a good net, in which one label of twenty is another class's."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, classes, images)
    labels = truth.copy()
    swapped = rng.choice(images, images // 20, replace=False)
    labels[swapped] = (labels[swapped] + rng.integers(1, classes, len(swapped))) % classes
    one = table(labels, probabilities(truth, classes, skill=skill))
    return one, {one.paths[row] for row in swapped}


@pytest.mark.parametrize("classes", [2, 5, 20])
def test_most_planted_faults_are_in_the_first_tenth_of_the_list(classes: int):
    one, faults = planted(classes=classes)
    listed, _ = doubtful(one)
    assert len({image.path for image in listed[:100]} & faults) >= 0.8 * len(faults)


def test_what_is_called_wrong_mostly_is():
    one, faults = planted()
    listed, wrong = doubtful(one)
    called = {image.path for image in listed if image.is_wrong}
    assert len(called) == wrong
    assert len(called & faults) >= 0.8 * len(called)
    assert len(called & faults) >= 0.6 * len(faults)


def test_a_net_that_is_mostly_wrong_accuses_no_label_of_which_it_is_not_sure():
    one, _ = planted(classes=100, skill=0.1)
    listed, wrong = doubtful(one)
    assert (one.predicted == one.labels).mean() < 0.1
    assert listed
    assert wrong == 0
    # of what it is sure, it may speak
    row = int(np.flatnonzero(one.predicted != one.labels)[0])
    assert one.probabilities is not None
    sure = one.probabilities.copy()
    sure[row] = 0.001
    sure[row, one.predicted[row]] = 0.901
    assert doubtful(table(one.labels, sure))[1] == 1


def test_the_likelier_class_is_the_one_the_net_says():
    one, faults = planted()
    first = doubtful(one)[0][0]
    row = one.paths.index(first.path)
    assert first.path in faults
    assert first.likelier == one.classes[one.predicted[row]]
    assert first.label == one.classes[one.labels[row]]
    assert first.probability == one.confidence[row]
    assert one.label_probability is not None
    assert first.label_probability == one.label_probability[row]


def test_images_that_were_trained_on_are_not_accused():
    one, faults = planted()
    listed, _ = doubtful(one, seen=faults)
    assert not {image.path for image in listed} & faults
    assert doubtful(one, seen=set(one.paths)) == ((), 0)


def test_a_table_of_the_best_classes_does_it_by_its_prediction():
    one, faults = planted()
    listed, wrong = doubtful(replace(one, probabilities=None))
    assert len({image.path for image in listed[:100]} & faults) >= 0.8 * len(faults)
    assert wrong > 0.6 * len(faults)


def test_of_several_nets_the_mean_doubt_counts_and_an_image_is_listed_once():
    one, _ = planted()
    twice = Scored(
        **{
            name: None if (column := getattr(one, name)) is None else np.concatenate([column, column])
            for name in (
                "labels",
                "predicted",
                "confidence",
                "probabilities",
                "label_probability",
                "label_rank",
                "sizes",
            )
        },
        paths=one.paths * 2,
        errors=one.errors * 2,
        classes=one.classes,
    )
    listed, wrong = doubtful(twice)
    assert [image.path for image in listed] == [image.path for image in doubtful(one)[0]]
    assert wrong == doubtful(one)[1]


def test_a_table_without_probabilities_accuses_nothing():
    one, _ = planted()
    assert doubtful(replace(one, probabilities=None, label_probability=None)) == ((), 0)


def test_a_long_list_ends_after_a_thousand():
    one, _ = planted(3000)
    assert len(doubtful(one)[0]) == 1000
    assert len(doubtful(one, most=3000)[0]) == 3000
