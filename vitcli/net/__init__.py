"""The net: images in, logits out; nothing but torch."""

from vitcli.net.backend import Backend as Backend
from vitcli.net.patches import PatchEmbed as PatchEmbed
from vitcli.net.pool import AttentionPool as AttentionPool
from vitcli.net.resample import resample as resample
from vitcli.net.settings import build as build
from vitcli.net.tokens import Tokens as Tokens
from vitcli.net.transformer.attention import LinformerAttention as LinformerAttention
from vitcli.net.transformer.attention import SelfAttention as SelfAttention
from vitcli.net.transformer.block import Block as Block
from vitcli.net.transformer.block import Mlp as Mlp
from vitcli.net.transformer.linformer import Linformer as Linformer
from vitcli.net.transformer.vanilla import VanillaTransformer as VanillaTransformer
from vitcli.net.vit import ViT as ViT
from vitcli.net.watch import watch as watch
