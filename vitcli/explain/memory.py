"""How many images are explained at once: as many as the attention matrices of all layers have room for."""

from __future__ import annotations

from vitcli.net import Linformer, ViT
from vitcli.net.transformer.attention import Attention

# numbers that may be held, half a gigabyte of float32: as much again is held for a moment
NUMBERS = 125_000_000
# numbers for each feature of each token of each layer that a graph of gradients holds, roughly
FOR_A_FEATURE = 16


def images_at_once(net: ViT) -> int:
    """How many images relevance, the hungriest method, explains within about a gigabyte; at least one.

    Of a net of 12 layers and 3 heads these are 13 images of 197 tokens. Of 4,097 tokens, with 8 heads, a single one
    takes 2.0 GB with 12 layers of Linformer (k = 256), and 5.4 GB with 4 layers of full attention; attention itself,
    whose layers are not held, takes 0.2 and 1.6 GB.

    Args:
        net: The net.
    """
    heads = [module.heads for module in net.backend.modules() if isinstance(module, Attention)]
    tokens = int(net.tokens)
    mixtures = net.backend.k if isinstance(net.backend, Linformer) else tokens
    keys = mixtures if isinstance(mixtures, int) else max(mixtures)
    matrices = sum(heads) + 4 * max(heads, default=0)
    features = FOR_A_FEATURE * len(heads) * net.dim
    return max(1, NUMBERS // max(1, tokens * (matrices * keys + features)))
