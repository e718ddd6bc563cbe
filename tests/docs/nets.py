"""The nets of docs/attention.md, with weights committed as whole numbers, so that every machine has the same."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import NamedTuple, final

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tests.docs.encoder_decoder import Speller
from vitcli.data.layouts.shapes import ShapeOpener
from vitcli.images.decode.pixels import Way
from vitcli.net import Linformer, VanillaTransformer, ViT
from vitcli.net.pool import AttentionPool
from vitcli.preprocess import Preprocess

WEIGHTS = Path(__file__).parents[2] / "docs" / "attention.safetensors"
KINDS = ("circle", "square")
# 7 x 7 patches and the class token are 50 tokens, as of 224 pixels in patches of 32
SIDE, PATCH, DIM, K = 56, 8, 128, 10
PREPROCESS = Preprocess(size=(SIDE, SIDE), crop_fraction=1.0)
# whole numbers of one byte reach to this
LARGEST = 127
SCALE = ".scale"


@final
class Pooled(nn.Module):
    """Attention pooling of tokens, and a head that tells the kind from the context vector.

    Args:
        score: dot or additive.
    """

    def __init__(self, score: str) -> None:
        super().__init__()
        self.pool = AttentionPool(DIM, score)  # type: ignore[arg-type]
        self.head = nn.Linear(DIM, len(KINDS))

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (batch, tokens, dim) to logits."""
        logits: Tensor = self.head(self.pool(tokens))
        return logits


class Nets(NamedTuple):
    """All of them, in eval mode.

    Args:
        vanilla: One layer of full attention with one head.
        linformer: The same weights, with E and F in addition.
        dot: Attention pooling of the first one's tokens, with Luong's score.
        additive: Likewise, with Bahdanau's.
        speller: The encoder-decoder.
    """

    vanilla: ViT
    linformer: ViT
    dot: Pooled
    additive: Pooled
    speller: Speller


def built() -> Nets:
    """The nets with fresh weights."""
    shared = {"image_size": SIDE, "patch_size": PATCH, "dim": DIM, "classes": len(KINDS)}
    stack = {"depth": 1, "heads": 1, "mlp_ratio": 1.5}
    vanilla = ViT(**shared, backend=partial(VanillaTransformer, **stack))  # type: ignore[arg-type]
    # that k = 10 of 50 tokens are too many is no matter of this page
    mixed = partial(Linformer, **stack, k=K, proj_init="avgpool")  # type: ignore[arg-type]
    linformer = ViT(**shared, backend=mixed)  # type: ignore[arg-type]
    nets = Nets(vanilla, linformer, Pooled("dot"), Pooled("additive"), Speller())
    for net in nets:
        net.eval()
    return nets


def picture(kind: str, number: int, seed: int = 0) -> tuple[Tensor, tuple[float, float, float, float]]:
    """A drawn picture, uint8 (1, 3, SIDE, SIDE), and the box of its shape in pixels."""
    drawn, box = ShapeOpener([f"docs/{kind}/{number:04d}.png"], (SIDE, SIDE), seed).placed(0)
    pixels = drawn.crop(PREPROCESS.region(SIDE, SIDE), Way.of(PREPROCESS))
    return torch.from_numpy(pixels.copy())[None], box


def save(nets: Nets) -> None:
    """Write the weights: each row of a matrix as whole numbers from -127 to 127, and a scale for each row."""
    tensors: dict[str, Tensor] = {}
    for name, tensor in _named(nets).items():
        rows = tensor.reshape(tensor.shape[0], -1) if tensor.dim() > 1 else tensor[None]
        scale = rows.abs().amax(dim=1).clamp_min(1e-12) / LARGEST
        tensors[name] = (rows / scale[:, None]).round().to(torch.int8).reshape(tensor.shape)
        tensors[name + SCALE] = scale
    save_file(tensors, WEIGHTS)


def load() -> Nets:
    """The nets with the committed weights."""
    nets, tensors = built(), load_file(WEIGHTS)
    with torch.no_grad():
        for name, tensor in _named(nets).items():
            whole, scale = tensors[name], tensors[name + SCALE]
            rows = whole.reshape(len(scale), -1).float() * scale[:, None]
            tensor.copy_(rows.reshape(tensor.shape))
        share(nets)
    return nets


def share(nets: Nets) -> None:
    """Give Linformer the weights of full attention, all but E and F."""
    nets.linformer.load_state_dict(nets.vanilla.state_dict(), strict=False)


def _named(nets: Nets) -> dict[str, Tensor]:
    """What is saved: of Linformer, E and F alone."""
    return {
        f"{net}.{name}": tensor
        for net, module in nets._asdict().items()
        for name, tensor in module.state_dict().items()
        if net != "linformer" or "project_" in name
    }
