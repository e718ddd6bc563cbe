"""docs/attention.md says what its nets compute: each number, each picture, and each formula by explicit matrices."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from tests.docs.attention import MARKED, PAGE, PICTURES, filled
from tests.docs.encoder_decoder import WORDS_TESTED, numbered, reversed_share, spelled
from tests.docs.nets import DIM, KINDS, PREPROCESS, WEIGHTS, K, load, picture
from tests.docs.numbers import KIND, NUMBER, WORD, told, worked
from tests.docs.pictures import drawn

TEXT = PAGE.read_text(encoding="utf-8")
DECIMAL = re.compile(r"-?\d+\.\d+")


def digits(number: str) -> int:
    return len(number.partition(".")[2])


def test_the_page_says_what_is_computed_now_to_its_last_digit():
    now = filled(TEXT, told())
    assert DECIMAL.sub("#", now).split() == DECIMAL.sub("#", TEXT).split(), "make docs"
    for computed, written in zip(DECIMAL.findall(now), DECIMAL.findall(TEXT), strict=True):
        # another processor may round a number that lies between two to the other one
        assert digits(computed) == digits(written)
        assert abs(float(computed) - float(written)) < 1.01 * 10.0 ** -digits(written), f"{written}: make docs"


def test_every_number_that_is_computed_stands_on_the_page():
    assert {mark[2] for mark in MARKED.finditer(TEXT)} == set(told())
    assert "?<!-- / -->" not in TEXT


@pytest.mark.slow
def test_the_pictures_are_those_that_are_drawn_now():
    now = drawn()
    assert {file.name for file in PICTURES.glob("attention-*.png")} == set(now)
    for name, content in now.items():
        assert f"(pictures/{name})" in TEXT
        assert (PICTURES / name).stat().st_size < 60_000
        first, second = (Image.open(file).convert("RGB") for file in (io.BytesIO(content), PICTURES / name))
        assert first.size == second.size
        # letters may be drawn a little differently by another matplotlib; places and colours may not
        coarse = [np.asarray(image.reduce(10), dtype=float) for image in (first, second)]
        assert np.abs(coarse[0] - coarse[1]).mean() < 2, f"{name}: make docs"


def test_the_three_stages_are_explicit_matrices_and_the_forward_pass():
    found = worked()
    scores = found.queries @ found.keys.T / DIM**0.5
    assert scores.shape == (50, 50)
    torch.testing.assert_close(found.scores, scores, rtol=0, atol=1e-4)
    weights = scores.exp() / scores.exp().sum(dim=1, keepdim=True)
    torch.testing.assert_close(found.weights, weights, rtol=0, atol=1e-5)
    torch.testing.assert_close(found.context, weights @ found.values, rtol=0, atol=1e-4)
    nets = load()
    with torch.no_grad():
        logits = nets.vanilla(PREPROCESS.normalise(picture(KIND, NUMBER)[0]))
    torch.testing.assert_close(found.probabilities, logits.softmax(dim=1)[0], rtol=0, atol=1e-5)


def test_the_printed_row_can_be_worked_out_by_hand():
    lines = told()["row"].strip().splitlines()[2:-1]
    *keys, other, total = [[float(number) for number in DECIMAL.findall(line)] for line in lines]
    largest = max(score for score, *_ in keys)
    for score, power, share, value, product in keys:
        assert power == pytest.approx(np.exp(score - largest), abs=0.02)
        assert share == pytest.approx(power / total[0], abs=0.002)
        assert product == pytest.approx(share * value, abs=0.005)
    for column, (row, last) in enumerate(zip(other, total, strict=True)):
        place = (1, 2, 4)[column]
        assert sum(key[place] for key in keys) + row == pytest.approx(last, abs=0.005)
    assert total[1] == 1


def test_both_pools_are_their_papers_formulas_and_lead_to_the_answer():
    found, nets = worked(), load()
    for name, net in (("dot", nets.dot), ("additive", nets.additive)):
        scores, weights, context = found.pools[name]
        torch.testing.assert_close(weights, F.softmax(scores, dim=0), rtol=0, atol=1e-6)
        with torch.no_grad():
            torch.testing.assert_close(net.head(context).softmax(dim=0), found.pooled[name], rtol=0, atol=1e-5)


def test_the_context_vector_of_the_encoder_decoder_is_bahdanaus():
    found, speller = worked(), load().speller
    annotations = found.annotations
    with torch.no_grad():
        _, last = speller.encoder(speller.embed(numbered(WORD)))
        state = torch.tanh(speller.begin.weight @ last[1, 0] + speller.begin.bias)
        scores = torch.stack(
            [
                speller.score.weight[0]
                @ torch.tanh(speller.of_state.weight @ state + speller.of_annotation.weight @ annotation)
                for annotation in annotations
            ]
        )
    alphas = scores.exp() / scores.exp().sum()
    torch.testing.assert_close(found.letters[0].weights[0], alphas, rtol=0, atol=1e-5)
    context = sum(alpha * annotation for alpha, annotation in zip(alphas, annotations, strict=True))
    torch.testing.assert_close(found.letters[0].context[0], context, rtol=0, atol=1e-5)
    assert spelled(found.letters) == WORD[::-1]
    # in the mean, the weight moves from the end of the word to its beginning
    places = [float(step.weights[0] @ torch.arange(6.0)) for step in found.letters]
    assert all(places[number] > places[number + 2] for number in range(4))


def test_linformer_is_softmax_of_mixed_keys_over_mixed_values():
    found, nets = worked(), load()
    with torch.no_grad():
        # all but E and F is the first net's
        keys, values = found.e.T @ found.keys, found.f.T @ found.values
        scores = found.queries @ keys.T / DIM**0.5
        assert scores.shape == (50, K)
        torch.testing.assert_close(found.mixed_scores, scores, rtol=1e-4, atol=1e-3)
        weights = scores.softmax(dim=1)
        torch.testing.assert_close(found.mixed_weights, weights, rtol=0, atol=1e-4)
        torch.testing.assert_close(found.mixed_context, weights @ values, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(found.per_token, weights @ found.f.T, rtol=1e-3, atol=1e-4)
    assert torch.equal(nets.linformer.head.weight, nets.vanilla.head.weight)


def test_the_nets_have_learned_what_the_page_says_of_them():
    nets = load()
    pictures = [picture(KINDS[number % 2], 200_000 + number)[0] for number in range(60)]
    labels = torch.arange(60) % 2
    with torch.no_grad():
        images = PREPROCESS.normalise(torch.cat(pictures))
        tokens = nets.vanilla.features(images)
        for logits in (nets.vanilla(images), nets.linformer(images), nets.dot(tokens), nets.additive(tokens)):
            assert float((logits.argmax(dim=1) == labels).double().mean()) > 0.8
    assert reversed_share(nets.speller, WORDS_TESTED) > 0.95


def test_the_weights_are_small():
    assert WEIGHTS.stat().st_size < 200_000
