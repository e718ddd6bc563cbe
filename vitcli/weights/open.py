"""open_pretrained: the weights that ``--weights`` means: a file, a checkpoint, or a name that a library knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from vitcli.errors import NoHeadError, WeightsError
from vitcli.names import quoted
from vitcli.net import build
from vitcli.net.kernels.undrawn import undrawn
from vitcli.net.resample import Resampling
from vitcli.run import resolve_checkpoint
from vitcli.weights.checkpoint import read_checkpoint
from vitcli.weights.contract import is_flat, names_class
from vitcli.weights.fetch import from_timm, from_torchvision
from vitcli.weights.files import open_net, read_metadata
from vitcli.weights.pretrained import Pretrained

LIBRARIES = ("timm", "torchvision")


def open_pretrained(spec: str, *, to_train: bool = False, **said: Any) -> Pretrained:
    """The weights that ``--weights`` means.

    Args:
        spec: A file of ours (safetensors or a checkpoint), the folder of a run (its best checkpoint), a peer's file,
            ``timm:NAME`` or ``torchvision:NAME``.
        to_train: Whether they need no head, as of a net that was trained without labels: a training has its own.
        **said: Arguments of ``import_net`` for a peer's tensors.

    Raises:
        WeightsError: There are none, they cannot be fetched, or they make no net of ours.
    """
    try:
        return _opened(spec, said)
    except NoHeadError as error:
        if not to_train:
            raise WeightsError(
                f"weights {spec}: hold no head, so they know no classes; train one with "
                f"vitcli fit --weights {quoted(spec)} --data.root photos"
            ) from error
        # one of any width, which the training leaves behind
        return _opened(spec, said | {"classes": 1})


def _opened(spec: str, said: dict[str, Any]) -> Pretrained:
    library, _, name = spec.partition(":")
    if library in LIBRARIES and name:
        return (from_timm if library == "timm" else from_torchvision)(spec, name, said)
    path = Path(spec)
    if path.is_dir() and (path / "checkpoints").is_dir():
        _check_unsaid(spec, said)
        return replace(_checkpoint(str(resolve_checkpoint(spec, "predict", None, spec))), name=spec)
    if not path.is_file():
        found = "a folder without checkpoints" if path.is_dir() else "no such file"
        raise WeightsError(
            f"--weights {spec}: {found}; name a safetensors or torch file, a checkpoint, a run's folder, "
            "timm:NAME or torchvision:NAME"
        )
    if path.suffix.lower() == ".ckpt":
        _check_unsaid(spec, said)
        return _checkpoint(spec)
    metadata = read_metadata(path)
    classes, preprocess = metadata.get("classes"), metadata.get("preprocess") or {}
    if (
        not isinstance(preprocess, dict)
        or names_class(preprocess)
        or not all(map(is_flat, [classes, *preprocess.values()]))
    ):
        raise WeightsError(
            f"--weights {spec}: what it says of classes and preprocessing is not plain numbers and words, so it is "
            "not opened; use a file written by vitcli import"
        )
    preprocess.pop("size", None)
    resampling: Resampling = "torchvision" if metadata.get("source") == "torchvision" else "timm"
    return Pretrained(spec, open_net(path, **said), tuple(classes) if classes else None, preprocess, resampling)


def _check_unsaid(spec: str, said: Mapping[str, Any]) -> None:
    if said and said != {"source": "auto"}:
        raise WeightsError(f"weights {spec}: a checkpoint says itself what net it is; leave out {', '.join(said)}")


def _checkpoint(spec: str) -> Pretrained:
    content = read_checkpoint(spec)
    settings = content["hyper_parameters"]
    with undrawn():
        net = build(settings["net"])
    try:
        net.load_state_dict(_below("net.", content["state_dict"]))
    except RuntimeError as error:
        raise WeightsError(f"--weights {spec}: its tensors do not fit its own settings") from error
    preprocess = {key: value for key, value in settings["preprocess"].items() if key != "size"}
    return Pretrained(spec, net.eval(), tuple(settings["classes"]), preprocess)


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
