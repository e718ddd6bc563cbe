"""The numbers of docs/attention.md by name, each as the text that stands there; all computed from the nets."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple, final

import torch
from torch import Tensor

from tests.docs.encoder_decoder import Step, numbered, spelled
from tests.docs.nets import DIM, KINDS, PATCH, PREPROCESS, SIDE, K, Nets, load, picture
from vitcli.explain.check.pointing import expected, point
from vitcli.net import watch

KIND, NUMBER = "square", 100_031
WORD = "badhef"
# of a row, this many of the largest are shown one by one
SHOWN = 5
GRID = SIDE // PATCH
# of which means are taken
PICTURES = 100


@final
class Worked(NamedTuple):
    """All that is shown, before it is rounded.

    Args:
        pixels: The picture, uint8 (3, SIDE, SIDE).
        box: Of its shape: left, top, right, bottom in pixels.
        tokens: (50, 128), before the layer.
        queries: (50, 128), likewise keys and values.
        keys: (50, 128).
        values: (50, 128).
        scores: (50, 50).
        weights: (50, 50).
        context: (50, 128).
        probabilities: Of the kinds.
        pools: Scores, weights and context of the 50 tokens, by Luong's and Bahdanau's score.
        pooled: Probabilities of the kinds by these.
        letters: The steps of the encoder-decoder.
        annotations: (6, 32).
        e: (50, k), how the keys are mixed.
        f: (50, k), how the values are mixed.
        mixed_scores: (50, k), of Linformer.
        mixed_weights: (50, k).
        mixed_context: (50, 128).
        per_token: (50, 50), softmax(Q (E K)^T) F.
        linformer: Probabilities of the kinds by Linformer.
    """

    pixels: Tensor
    box: tuple[float, float, float, float]
    tokens: Tensor
    queries: Tensor
    keys: Tensor
    values: Tensor
    scores: Tensor
    weights: Tensor
    context: Tensor
    probabilities: Tensor
    pools: dict[str, tuple[Tensor, Tensor, Tensor]]
    pooled: dict[str, Tensor]
    letters: list[Step]
    annotations: Tensor
    e: Tensor
    f: Tensor
    mixed_scores: Tensor
    mixed_weights: Tensor
    mixed_context: Tensor
    per_token: Tensor
    linformer: Tensor


@cache
def worked() -> Worked:
    """The example, worked by the committed weights."""
    nets = load()
    drawn, box = picture(KIND, NUMBER)
    images = PREPROCESS.normalise(drawn)
    with torch.no_grad():
        entered: list[Tensor] = []
        block = nets.vanilla.backend.blocks[0]  # type: ignore[index, union-attr]
        hook = block.attention.register_forward_pre_hook(lambda _, told: entered.append(told[0]))
        with watch(nets.vanilla) as seen:
            # all 50 tokens' answers, where the class token's alone would do
            features = nets.vanilla.features(images)
            logits = nets.vanilla.logits(nets.vanilla.pooled(features))
        hook.remove()
        queries, keys, values = block.attention.qkv(entered[0])[0].split(DIM, dim=1)
        pools, pooled = _pools(nets, features)
        with watch(nets.linformer) as mixed:
            told = nets.linformer.logits(nets.linformer.pooled(nets.linformer.features(images)))
        mixer = nets.linformer.state_dict()
        return Worked(
            drawn[0], box, entered[0][0], queries, keys, values,
            *(stage[0, 0] for stage in (seen[0].scores, seen[0].weights, seen[0].context)),
            logits.softmax(dim=1)[0], pools, pooled,
            nets.speller(numbered(WORD)), nets.speller.annotations(numbered(WORD))[0],
            *(mixer[f"backend.blocks.0.attention.project_{name}"] for name in ("keys", "values")),
            *(stage[0, 0] for stage in (mixed[0].scores, mixed[0].weights, mixed[0].context, mixed[0].per_token)),
            told.softmax(dim=1)[0],
        )  # fmt: skip


def _pools(nets: Nets, features: Tensor) -> tuple[dict[str, tuple[Tensor, Tensor, Tensor]], dict[str, Tensor]]:
    """The three stages of both pools, written out, and the answers of their heads."""
    stages, answers = {}, {}
    for name, net in (("dot", nets.dot), ("additive", nets.additive)):
        pool = net.pool
        heard = features[0] if pool.hidden is None else (features[0] @ pool.hidden.weight.T + pool.hidden.bias).tanh()
        scores = heard @ pool.query * pool.scale
        weights = scores.softmax(dim=0)
        stages[name] = scores, weights, weights @ features[0]
        answers[name] = net(features).softmax(dim=1)[0]
    return stages, answers


def place(token: int) -> str:
    """A token by name: the class token, or a patch by row and column from 1."""
    return "class" if token == 0 else f"{(token - 1) // GRID + 1},{(token - 1) % GRID + 1}"


def told() -> dict[str, str]:
    """The text of each number and table of the page."""
    found = worked()
    heart = int(found.weights[0, 1:].argmax()) + 1
    # the patches beside it, whose scores are shown with it
    some = [0, 1, 2, heart - 1, heart, heart + 1]
    told = {
        "picture": f"{KIND}",
        "heart": place(heart),
        "tokens": _table(found.tokens, some, 6, 2),
        "scores": _square(found.scores, some, 2),
        "weights": _square(found.weights, some, 3),
        "row sums": f"{float(found.weights.sum(dim=1).min()):.3f} and {float(found.weights.sum(dim=1).max()):.3f}",
        "context": _table(found.context, some, 6, 2),
        "probability": f"{float(found.probabilities[KINDS.index(KIND)]):.2f}",
        "product": f"{float(found.queries[0] @ found.keys[heart]):.1f}",
        "root": f"{DIM**0.5:.2f}",
        "score": f"{float(found.scores[0, heart]):.2f}",
        "row": _row(found.scores[0], found.weights[0], found.values[:, 0], float(found.context[0, 0])),
        "even": f"{1 / (GRID**2 + 1):.3f}",
    }
    return told | _located(found) | _decoded(found) | _pooled(found) | _linear(found)


def _located(found: Worked) -> dict[str, str]:
    boxes = torch.tensor([found.box])
    maps = found.weights[0, 1:].reshape(1, GRID, GRID)
    inside = point(maps, boxes, (SIDE, SIDE)).inside
    chance = expected(boxes, (GRID, GRID), (SIDE, SIDE)).inside
    shares, chances, right = _over_many()
    return {
        "inside": f"{float(inside):.2f}",
        "chance": f"{float(chance):.2f}",
        "pictures": str(PICTURES),
        "mean inside": f"{float(shares.mean()):.2f}",
        "mean chance": f"{float(chances.mean()):.2f}",
        "right": f"{right:.2f}",
    }


def _over_many() -> tuple[Tensor, Tensor, float]:
    """Of other pictures, the class token's weight inside the box, the box's share of the picture, and the accuracy."""
    net = load().vanilla
    drawn = [picture(KINDS[number % 2], 300_000 + number) for number in range(PICTURES)]
    boxes = torch.tensor([box for _, box in drawn])
    with torch.no_grad(), watch(net) as seen:
        features = net.features(PREPROCESS.normalise(torch.cat([pixels for pixels, _ in drawn])))
        said = net.logits(net.pooled(features)).argmax(dim=1)
    assert seen[0].weights is not None
    maps = seen[0].weights[:, 0, 0, 1:].reshape(PICTURES, GRID, GRID)
    right = float((said == torch.arange(PICTURES) % 2).double().mean())
    return point(maps, boxes, (SIDE, SIDE)).inside, expected(boxes, (GRID, GRID), (SIDE, SIDE)).inside, right


def _decoded(found: Worked) -> dict[str, str]:
    said = spelled(found.letters)
    header = f"{'':>12}" + "".join(f"{letter:>8}" for letter in WORD)
    rows = [header]
    for number, (step, letter) in enumerate(zip(found.letters, said, strict=True), 1):
        rows.append(
            f"{f'i = {number}: {letter}':>12}" + "".join(f"{share:>8.3f}" for share in step.weights[0].tolist())
        )
    first = found.letters[0]
    lines = ["    j   letter    e_1j   alpha_1j   h_j, first number   alpha_1j * h_j"]
    for number, letter in enumerate(WORD):
        score, share = float(first.scores[0, number]), float(first.weights[0, number])
        held = float(found.annotations[number, 0])
        lines.append(f"{number + 1:>5}   {letter:<6}{score:>8.2f}{share:>11.3f}{held:>20.2f}{share * held:>17.3f}")
    lines.append(f"  sum{float(first.weights[0].sum()):>25.3f}{float(first.context[0, 0]):>37.3f}")
    return {
        "word": WORD,
        "spelled": said,
        "alignment": _block(rows),
        "first letter": _block(lines),
        "c": " ".join(f"{value:.2f}" for value in first.context[0, :6].tolist()),
    }


def _pooled(found: Worked) -> dict[str, str]:
    lines = ["token     Luong: score   weight      Bahdanau: score   weight"]
    dot, additive = found.pools["dot"], found.pools["additive"]
    for token in _largest(dot[1]):
        lines.append(
            f"{place(token):<8}{float(dot[0][token]):>14.2f}{float(dot[1][token]):>9.3f}"
            f"{float(additive[0][token]):>21.2f}{float(additive[1][token]):>9.3f}"
        )
    rest = [
        sum(float(share[token]) for token in range(len(share)) if token not in _largest(dot[1]))
        for share in (dot[1], additive[1])
    ]
    lines.append(f"{f'other {len(dot[1]) - SHOWN}':<8}{rest[0]:>23.3f}{rest[1]:>30.3f}")
    right = KINDS.index(KIND)
    return {
        "pooling": _block(lines),
        "luong": f"{float(found.pooled['dot'][right]):.2f}",
        "bahdanau": f"{float(found.pooled['additive'][right]):.2f}",
    }


def _linear(found: Worked) -> dict[str, str]:
    sums = found.per_token.sum(dim=1)
    header = f"{'':>8}" + "".join(f"{f'mix {number}':>8}" for number in range(1, K + 1)) + f"{'sum':>8}"
    shares = [header]
    heart = int(found.weights[0, 1:].argmax()) + 1
    for token in (0, 1, heart):
        row = found.mixed_weights[token]
        shares.append(f"{place(token):>8}" + "".join(f"{share:>8.3f}" for share in [*row.tolist(), float(row.sum())]))
    return {
        "k": str(K),
        "mixed weights": _block(shares),
        "linear sums": f"{float(sums.min()):.2f} to {float(sums.max()):.2f}",
        "linear sum": f"{float(sums[0]):.2f}",
        "f sums": " ".join(f"{float(value):.2f}" for value in found.f.sum(dim=0)),
        "negative": f"{float((found.per_token < 0).double().mean()):.2f}",
        "linear probability": f"{float(found.linformer[KINDS.index(KIND)]):.2f}",
        "linear context": " ".join(f"{value:.2f}" for value in found.mixed_context[0, :6].tolist()),
    }


def _largest(row: Tensor) -> list[int]:
    return [int(token) for token in row.argsort(descending=True)[:SHOWN]]


def _row(scores: Tensor, weights: Tensor, values: Tensor, context: float) -> str:
    """The class token's row through all three stages, with one number of the values."""
    powers = (scores - scores.max()).exp()
    total = float(powers.sum())
    lines = ["key       score   exp(score - largest)   share = that / sum   value, first number   share * value"]
    rest = [0.0, 0.0, 0.0]
    for token in weights.argsort(descending=True).tolist():
        power, share, value = float(powers[token]), float(weights[token]), float(values[token])
        if token in _largest(weights):
            lines.append(
                f"{place(token):<8}{float(scores[token]):>7.2f}{power:>23.3f}{share:>21.3f}{value:>22.2f}"
                f"{share * value:>16.3f}"
            )
        else:
            rest = [rest[0] + power, rest[1] + share, rest[2] + share * value]
    lines.append(f"{f'other {len(weights) - SHOWN}':<15}{rest[0]:>23.3f}{rest[1]:>21.3f}{rest[2]:>38.3f}")
    lines.append(f"{'sum':<15}{total:>23.3f}{float(weights.sum()):>21.3f}{context:>38.3f}")
    return _block(lines)


def _table(matrix: Tensor, rows: Sequence[int], columns: int, digits: int) -> str:
    """Some rows of a matrix with their first numbers."""
    lines = []
    for row in rows:
        numbers = "".join(f"{value:>8.{digits}f}" for value in matrix[row, :columns].tolist())
        lines.append(f"{place(row):>6} {numbers}  ...")
    return _block([*lines, f"{'...':>6}"])


def _square(matrix: Tensor, some: Sequence[int], digits: int) -> str:
    """Some rows and columns of a matrix of tokens by tokens."""
    lines = [f"{'':>6} " + "".join(f"{place(column):>8}" for column in some)]
    for row in some:
        lines.append(f"{place(row):>6} " + "".join(f"{float(matrix[row, column]):>8.{digits}f}" for column in some))
    return _block(lines)


def _block(lines: Sequence[str]) -> str:
    return "\n```text\n" + "\n".join(line.rstrip() for line in lines) + "\n```\n"
