"""To timm: a net's tensors under timm's names, and the arguments by which timm's VisionTransformer holds them."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

from vitcli.errors import ExportError
from vitcli.export.check import Agreement, agreement
from vitcli.export.pictures import Pictures
from vitcli.export.subject import KEY, Subject
from vitcli.machine.atomic import folders_for, keep_previous, replacing, write_json
from vitcli.machine.bounded_json import read_json
from vitcli.net import VanillaTransformer, ViT
from vitcli.preprocess import Preprocess
from vitcli.weights.fetch import built_by_timm
from vitcli.weights.tables.timm import TABLE

# any of timm's plain ViTs, all of whose sizes are then said
ARCHITECTURE = "vit_base_patch16_224"
# the name under which timm looks for tensors in a folder
FILE = "model.safetensors"
# that of timm's norms, which its config cannot say
NORM_EPS = 1e-6
# largest difference of a logit in float64
SAME = 1e-9
# pictures that are compared: in float64, through two nets
COMPARED = 16
POOLS = {"cls": "token", "mean": "avg", "mean_patches": "avg"}


@final
@dataclass(frozen=True)
class ForTimm:
    """A net as timm holds it.

    Args:
        tensors: Under timm's names.
        args: What timm.create_model has to be told beside ``architecture``.
        norm_eps: Added to the variance in all norms; where it is not timm's own, norm_layer has to be said too.
    """

    tensors: dict[str, Tensor]
    args: dict[str, Any]
    norm_eps: float

    def model(self) -> torch.nn.Module:
        """The net of timm's own with these tensors, loaded strictly, in eval mode."""
        return built_by_timm(ARCHITECTURE, self.args, self.norm_eps, self.tensors)

    def config(self, subject: Subject) -> dict[str, Any]:
        """The config.json of a model repository as timm writes and reads it."""
        return {
            "architecture": ARCHITECTURE,
            "num_classes": len(subject.classes),
            "model_args": {name: value for name, value in self.args.items() if name != "num_classes"},
            "label_names": list(subject.classes),
            "pretrained_cfg": _pretrained(subject.preprocess, len(subject.classes)),
        }


def for_timm(net: ViT) -> ForTimm:
    """The tensors and arguments by which timm's VisionTransformer computes what a net does.

    What timm has in any case and this net lacks is filled in such that it changes no number: a bias of zeros, an
    attention's projection that is the identity, fixed positions as learned ones.

    Raises:
        ExportError: timm has no such net; the message says why.
    """
    _expect_held(net)
    backend = net.backend
    assert isinstance(backend, VanillaTransformer)
    args = {
        "img_size": list(net.image_size),
        "patch_size": list(net.patch_size),
        "in_chans": net.channels,
        "num_classes": net.classes,
        "global_pool": POOLS[net.pool],
        "embed_dim": net.dim,
        "depth": backend.depth,
        "num_heads": backend.heads,
        "mlp_ratio": backend.mlp_ratio,
        "qkv_bias": backend.qkv_bias,
        "qk_norm": backend.qk_norm,
        "init_values": backend.layer_scale,
        "class_token": net.class_token is not None,
        "pos_embed": "none" if net.positions == "none" else "learn",
        "no_embed_class": net.positions in ("learned_patches", "sincos"),
        "reg_tokens": net.registers,
        "pre_norm": net.pre_norm is not None,
        "final_norm": net.final_norm != "none",
        "fc_norm": net.final_norm == "after_pool",
        "pool_include_prefix": net.pool == "mean",
        "act_layer": backend.activation,
    }
    return ForTimm(_tensors(net), args, net.norm_eps)


def _expect_held(net: ViT) -> None:
    """Check that timm's VisionTransformer can compute what a net does."""
    backend = net.backend
    if not isinstance(backend, VanillaTransformer):
        raise ExportError(f"--to-timm: timm has no {type(backend).__name__}, only full attention; export it by --out")
    reasons = {
        f"pool {net.pool}": net.pool not in POOLS,
        f"head_layers {net.head_layers}": net.head_layers > 1,
        "pre_logits": net.pre_logits is not None,
        "patch_norm": net.patch_norm,
        "stem conv": net.stem == "conv",
        "pre_norm with patch_bias": net.pre_norm is not None and net.patches.proj.bias is not None,
        f"head_dim {backend.width} x {backend.heads} heads, which is not dim {net.dim}": (
            backend.width * backend.heads != net.dim
        ),
        f"norm_eps {net.norm_eps:g} and {backend.norm_eps:g}": net.norm_eps != backend.norm_eps,
    }
    if found := [reason for reason, holds in reasons.items() if holds]:
        raise ExportError(f"--to-timm: timm's VisionTransformer has no {', no '.join(found)}; export it by --out")


def _tensors(net: ViT) -> dict[str, Tensor]:
    held = {name: tensor.detach().cpu() for name, tensor in net.state_dict().items()}
    if net.positions == "sincos" and net.pos_embed is not None:
        held["pos_embed"] = net.pos_embed.detach().cpu().reshape(1, -1, net.dim).to(net.head.weight.dtype)
    if net.pre_norm is None and "patches.proj.bias" not in held:
        held["patches.proj.bias"] = held["patches.proj.weight"].new_zeros(net.dim)
    for place in range(net.backend.settings()["depth"]):
        proj = f"backend.blocks.{place}.attention.proj"
        if f"{proj}.weight" not in held:
            held[f"{proj}.weight"] = torch.eye(net.dim, dtype=net.head.weight.dtype)
        if f"{proj}.bias" not in held:
            held[f"{proj}.bias"] = held[f"{proj}.weight"].new_zeros(net.dim)
    return {_theirs(name, after_pool=net.final_norm == "after_pool"): each.contiguous() for name, each in held.items()}


def _theirs(name: str, *, after_pool: bool) -> str:
    """A tensor of ours as timm calls it: the table of the import, read backwards."""
    for theirs, ours in TABLE.items():
        pattern = re.escape(ours).replace(r"\#", r"(\d+)").replace(r"\*", "(weight|bias)")
        match = re.fullmatch(pattern, name)
        if match is not None and (ours != "norm.*" or theirs.startswith("fc_") == after_pool):
            for part in match.groups():
                theirs = re.sub(r"[#*]", part, theirs, count=1)
            return theirs
    raise AssertionError(f"{name} has no name of timm's")


def _pretrained(preprocess: Preprocess, classes: int) -> dict[str, Any]:
    """How pictures are prepared, in timm's words; its crop is that of center_crop, of a square."""
    return {
        "input_size": [3, *preprocess.size],
        "fixed_input_size": True,
        "num_classes": classes,
        "mean": list(preprocess.mean),
        "std": list(preprocess.std),
        "crop_pct": preprocess.crop_fraction if preprocess.resize == "center_crop" else 1.0,
        "crop_mode": {"center_crop": "center", "squash": "squash", "pad": "border"}[preprocess.resize],
        "interpolation": preprocess.interpolation,
        "first_conv": "patch_embed.proj",
        "classifier": "head",
    }


def compare_with_timm(subject: Subject, made: ForTimm, pixels: NDArray[np.uint8]) -> Agreement:
    """How far timm's logits are from the net's, both in float64.

    Raises:
        ExportError: By more than 1e-9.
    """
    net = copy.deepcopy(subject.net).double()
    theirs = made.model().double()
    with torch.inference_mode():
        images = torch.from_numpy(pixels[:COMPARED]).permute(0, 3, 1, 2)
        values = subject.preprocess.normalise(images).double()
        found = agreement(net(values).numpy(), theirs(values).numpy(), None)
    if not found.difference <= SAME:
        raise ExportError(
            f"--to-timm: timm's logits differ by {found.difference:.1e} in float64, more than {SAME:g}; "
            "export it by --out"
        )
    return found


def to_timm(subject: Subject, out: Path, pictures: Pictures) -> str:
    """Write a net as timm holds it, compared with timm's own before it gets its name; and config.json beside it.

    Args:
        subject: What is exported.
        out: The file; config.json is written if timm's own config can say the norms' epsilon, and one that is there
            already is kept as config-1.json if it says something else.
        pictures: On which both nets are compared.

    Returns:
        What was compared, and how to load it.

    Raises:
        ExportError: timm has no such net, or computes something else.
    """
    made = for_timm(subject.net)
    found = compare_with_timm(subject, made, pictures.pixels)
    with folders_for(out), replacing(out) as part:
        write_for_timm(made, subject, part)
    config = out.with_name("config.json")
    if made.norm_eps == NORM_EPS and out.name == FILE:
        told = made.config(subject)
        if not _says(config, told):
            # one of another net, of which timm would take the classes and the normalisation
            keep_previous(config)
            write_json(config, told)
    return (
        f"compared with timm's own net on {min(COMPARED, len(pictures))} of {pictures.told}: largest logit difference "
        f"{found.difference:.1e} in float64"
    )


def _says(config: Path, told: Mapping[str, Any]) -> bool:
    try:
        return bool(read_json(config) == json.loads(json.dumps(told)))
    except (OSError, ValueError):
        return False


def write_for_timm(made: ForTimm, subject: Subject, path: Path) -> None:
    """Write timm's tensors; the header says by which arguments timm.create_model makes their net.

    Args:
        made: The net as timm holds it.
        subject: What is exported.
        path: The file.
    """
    told: Mapping[str, Any] = {
        "architecture": ARCHITECTURE,
        "model_args": made.args,
        "norm_eps": made.norm_eps,
        KEY: subject.metadata(),
    }
    path.touch()
    mode = path.stat().st_mode
    save_file(made.tensors, path, metadata={"format": "pt"} | {name: json.dumps(value) for name, value in told.items()})
    path.chmod(mode)
