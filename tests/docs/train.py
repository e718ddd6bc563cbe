"""Train the nets of docs/attention.md anew; takes minutes, and all numbers of the page change with them.

python -m tests.docs.train
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from tests.docs import nets as of_docs
from tests.docs.encoder_decoder import LENGTH, LETTERS, Speller, reversed_share
from tests.docs.nets import KINDS, PREPROCESS, Nets, Pooled
from vitcli.net import ViT

PICTURES, TESTED, BATCH = 6000, 500, 64
EPOCHS = 20
# then of queries that are made smaller by so much, while this share of the weights is dropped
SOFT_EPOCHS, SMALLER, DROPPED = 3, 0.15, 0.3
# so that probabilities stay away from 1, and can be told apart
SMOOTHING = 0.1


def pictures(first: int, count: int) -> tuple[Tensor, Tensor]:
    """Pictures of the kinds in turn, normalised, and their labels."""
    drawn = [of_docs.picture(KINDS[number % 2], number)[0] for number in range(first, first + count)]
    return PREPROCESS.normalise(torch.cat(drawn)), torch.arange(first, first + count) % 2


def train_vit(net: ViT, images: Tensor, labels: Tensor, epochs: int, rate: float) -> None:
    """Train what may be trained, with flips; the rate rises over the first steps, and falls to 0."""
    chosen = [parameter for parameter in net.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(chosen, lr=rate, weight_decay=0.05)
    steps = epochs * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.1)
    net.train()
    for epoch in range(epochs):
        order = torch.randperm(len(images))[: len(images) // BATCH * BATCH]
        total = 0.0
        for places in order.split(BATCH):
            batch = images[places]
            for axis in (2, 3):
                flipped = torch.rand(len(batch)) < 0.5
                batch = torch.where(flipped[:, None, None, None], batch.flip(axis), batch)
            loss = F.cross_entropy(net(batch), labels[places], label_smoothing=SMOOTHING)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
        print(f"epoch {epoch + 1}: loss {total * BATCH / len(order):.4f}", flush=True)
    net.eval()


def soften(net: ViT) -> None:
    """Spread the attention, of which one key has nearly all after the training: smaller queries have smaller scores."""
    attention = net.backend.blocks[0].attention  # type: ignore[index, union-attr]
    with torch.no_grad():
        attention.qkv.weight[: of_docs.DIM] *= SMALLER
        attention.qkv.bias[: of_docs.DIM] *= SMALLER
    attention.dropout = DROPPED


def train_pool(pooled: Pooled, tokens: Tensor, labels: Tensor, epochs: int = 15) -> None:
    """Train a pool and its head on tokens that stay as they are."""
    optimizer = torch.optim.AdamW(pooled.parameters(), lr=3e-3, weight_decay=0.05)
    for _ in range(epochs):
        for places in torch.randperm(len(tokens)).split(BATCH):
            loss = F.cross_entropy(pooled(tokens[places]), labels[places], label_smoothing=SMOOTHING)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def train_speller(speller: Speller, steps: int = 3000) -> None:
    """Train on random words until it spells them backwards."""
    optimizer = torch.optim.AdamW(speller.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    for step in range(steps):
        words = torch.randint(len(LETTERS), (64, LENGTH))
        answer = words.flip(1)
        logits = torch.stack([said.logits for said in speller(words, answer)], dim=1)
        loss = F.cross_entropy(logits.flatten(0, 1), answer.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 500 == 0:
            print(f"step {step}: loss {float(loss.detach()):.4f}", flush=True)


def scores(nets: Nets, images: Tensor, labels: Tensor) -> dict[str, float]:
    """The accuracy of each on pictures, and of the speller on words, that no training has seen."""
    with torch.no_grad():
        tokens = nets.vanilla.features(images)
        told = {name: net(images) for name, net in (("vanilla", nets.vanilla), ("linformer", nets.linformer))}
        told |= {name: net(tokens) for name, net in (("dot", nets.dot), ("additive", nets.additive))}
    right = {name: float((logits.argmax(dim=1) == labels).double().mean()) for name, logits in told.items()}
    return right | {"speller": reversed_share(nets.speller, TESTED)}


def main() -> None:
    """Train all, and write the weights."""
    torch.manual_seed(0)
    nets = of_docs.built()
    train_speller(nets.speller)
    images, labels = pictures(0, PICTURES)
    test = pictures(PICTURES, TESTED)
    train_vit(nets.vanilla, images, labels, EPOCHS, 2e-3)
    soften(nets.vanilla)
    train_vit(nets.vanilla, images, labels, SOFT_EPOCHS, 1e-3)
    with torch.no_grad():
        tokens = torch.cat([nets.vanilla.features(part) for part in images.split(500)])
    for pooled in (nets.dot, nets.additive):
        train_pool(pooled, tokens, labels)
    of_docs.share(nets)
    for name, parameter in nets.linformer.named_parameters():
        parameter.requires_grad_("project_" in name)
    train_vit(nets.linformer, images, labels, 12, 5e-3)
    print(scores(nets, *test))
    of_docs.save(nets)
    print(scores(of_docs.load(), *test))


if __name__ == "__main__":
    main()
