"""An encoder-decoder with additive attention (Bahdanau et al. 2015) that spells words backwards."""

from __future__ import annotations

from typing import NamedTuple, final

import torch
from torch import Tensor, nn

LETTERS = "abcdefgh"
LENGTH = 6
WORDS_TESTED = 200


class Step(NamedTuple):
    """What attention does for one letter of the output.

    Args:
        scores: e_ij of each letter of the input: (batch, LENGTH).
        weights: alpha_ij, the softmax of the scores.
        context: c_i, the sum of the annotations, each by its weight: (batch, 2 width).
        logits: Of the next letter: (batch, letters).
    """

    scores: Tensor
    weights: Tensor
    context: Tensor
    logits: Tensor


@final
class Speller(nn.Module):
    """Words to their letters in reverse: (batch, LENGTH) -> a Step for each letter of the output.

    The encoder is a bidirectional GRU, whose states at a letter are its annotation h_j; the decoder is a GRU with the
    state s_i, which is fed the context vector c_i and its own last letter (Bahdanau et al. 2015, 3 and A.1).

    Args:
        width: Numbers in a state, and in the hidden layer of the scores.
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.embed = nn.Embedding(len(LETTERS) + 1, width)
        self.encoder = nn.GRU(width, width, bidirectional=True, batch_first=True)
        self.begin = nn.Linear(width, width)
        self.decoder = nn.GRUCell(3 * width, width)
        self.of_state = nn.Linear(width, width, bias=False)
        self.of_annotation = nn.Linear(2 * width, width, bias=False)
        self.score = nn.Linear(width, 1, bias=False)
        self.letter = nn.Linear(3 * width, len(LETTERS))

    def forward(self, words: Tensor, answer: Tensor | None = None) -> list[Step]:
        """All letters of the output; each is told the one before it, by the answer or else by itself."""
        annotations, last = self.encoder(self.embed(words))
        # the state that has read the word from its end to its beginning
        state = self.begin(last[1]).tanh()
        said = torch.full_like(words[:, 0], len(LETTERS))
        steps = []
        for place in range(LENGTH):
            hidden = (self.of_state(state)[:, None] + self.of_annotation(annotations)).tanh()
            scores = self.score(hidden)[:, :, 0]
            weights = scores.softmax(dim=1)
            context = (weights[:, None] @ annotations)[:, 0]
            state = self.decoder(torch.cat([self.embed(said), context], dim=1), state)
            logits = self.letter(torch.cat([state, context], dim=1))
            steps.append(Step(scores, weights, context, logits))
            said = logits.argmax(dim=1) if answer is None else answer[:, place]
        return steps

    def annotations(self, words: Tensor) -> Tensor:
        """h_j, what the encoder has of each letter: (batch, LENGTH, 2 width)."""
        states: Tensor = self.encoder(self.embed(words))[0]
        return states


def numbered(word: str) -> Tensor:
    """A word as numbers: (1, LENGTH)."""
    return torch.tensor([[LETTERS.index(letter) for letter in word]])


def spelled(steps: list[Step]) -> str:
    """The letters that are the likeliest, of the first word of a batch."""
    return "".join(LETTERS[int(step.logits[0].argmax())] for step in steps)


def reversed_share(speller: Speller, words: int) -> float:
    """How many of so many random words it spells backwards without a mistake, in [0, 1]."""
    drawn = torch.randint(len(LETTERS), (words, LENGTH), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        said = torch.stack([step.logits.argmax(dim=1) for step in speller(drawn)], dim=1)
    return float((said == drawn.flip(1)).all(dim=1).double().mean())
