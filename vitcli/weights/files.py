"""Tensors in files: read safetensors and torch's, write safetensors with the settings of the net in the header."""

from __future__ import annotations

import json
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from vitcli.errors import ConfigError, NoHeadError, WeightsError
from vitcli.machine.atomic import replacing
from vitcli.machine.bounded_json import from_json
from vitcli.net import ViT, build
from vitcli.net.kernels.undrawn import undrawn
from vitcli.net.settings import check_held
from vitcli.weights.container import check_container
from vitcli.weights.importer import fill, import_net
from vitcli.weights.tables.table import Found, unwrap

NET = "net"

# how files of torch begin: a zip, or a pickle
TORCH = (b"PK", b"\x80")


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, or of a torch file that holds nothing but data, without their wrappers.

    Raises:
        WeightsError: No such file, a broken one, one with code in it, or one without tensors.
    """
    path = Path(path)
    if path.suffix.lower() == ".pt2" and path.is_file():
        raise WeightsError(
            f"weights {path}: an exported program, for torch.export.load; name the run that it was exported from"
        )
    if _is_safetensors(path):
        try:
            return unwrap(load_file(path), f"weights {path}")
        except (SafetensorError, OSError) as error:
            raise WeightsError(f"weights {path}: a broken safetensors file: {_line(error)}") from error
    try:
        check_container(path)
        with warnings.catch_warnings():
            # of what may go wrong; what does go wrong is said below
            warnings.filterwarnings("ignore", message="Detected pickle protocol")
            held = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "GLOBAL" in str(error) or path.read_bytes()[:1] == b"\x80":
            raise WeightsError(
                f"weights {path}: may run code when it is opened, so it is not; save its tensors as safetensors "
                "where it was made"
            ) from error
        raise WeightsError(f"weights {path}: neither safetensors nor a torch file") from error
    except Exception as error:
        if path.stat().st_size == 0:
            raise WeightsError(f"weights {path}: an empty file") from error
        with path.open("rb") as file:
            reason = f" whole torch file: {_line(error)}" if file.read(2).startswith(TORCH) else " torch file"
        raise WeightsError(f"weights {path}: neither safetensors nor a{reason}") from error
    tensors = unwrap(held, f"weights {path}")
    _check_whole(path, tensors)
    return tensors


def save_tensors(net: ViT, path: str | Path, **more: Any) -> None:
    """Write a net as safetensors, with its settings, and whatever plain values are given, as JSON in the header.

    Args:
        net: The net.
        path: The file; what stands there is replaced once the new one is whole.
        **more: Plain values by name, e.g. preprocess or classes.
    """
    path = Path(path)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in net.state_dict().items()}
    metadata = {NET: json.dumps(net.settings()), **{key: json.dumps(value) for key, value in more.items()}}
    with replacing(path) as part:
        # safetensors makes its file anew, for the owner's eyes alone, whatever umask says
        part.touch()
        mode = part.stat().st_mode
        save_file(tensors, part, metadata=metadata)
        part.chmod(mode)


def read_metadata(path: str | Path) -> dict[str, Any]:
    """What save_tensors wrote beside the tensors: the net's settings under net, and the rest; empty for other files.

    Raises:
        WeightsError: No such file, a broken one, or a header that is not what save_tensors writes.
    """
    path = Path(path)
    if not _is_safetensors(path):
        return {}
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        told = {key: from_json(value) for key, value in metadata.items()} if NET in metadata else {}
        if not isinstance(told.get(NET, {}), dict):
            raise ValueError(f"{NET} is no mapping of settings")
        return told
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"weights {path}: a broken header: {_line(error)}") from error


def open_net(path: str | Path, **said: Any) -> ViT:
    """The net of a file in evaluation mode: one of ours as it says itself, or a peer's by import_net.

    Args:
        path: A file.
        **said: Arguments of import_net for a peer's tensors.

    Raises:
        WeightsError: As read_tensors and import_net raise it, or something said of a file of ours.
    """
    settings = read_metadata(path).get(NET)
    path = Path(path)
    tensors = read_tensors(path)
    try:
        if settings is None:
            return import_net(tensors, **said)
        if said and said != {"source": "auto"}:
            raise WeightsError(f"weights: says itself what net it is; leave out {', '.join(said)}")
        check_held(settings, path.stat().st_size)
        with undrawn():
            net = build(settings)
        fill(net, Found(dict(tensors), {}))
    except (ConfigError, WeightsError) as error:
        kind = NoHeadError if isinstance(error, NoHeadError) else WeightsError
        raise kind(f"weights {path}: {str(error).removeprefix('weights: ')}") from error
    return net.eval()


def _is_safetensors(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise WeightsError(f"weights {path}: cannot be read: {error.strerror or error}") from error
    return start[8:] == b"{" or path.suffix == ".safetensors"


def _check_whole(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Check that a torch file holds the numbers that it claims: a view may repeat one of them without end."""
    for name, tensor in tensors.items():
        held = tensor.untyped_storage().nbytes() if tensor.layout == torch.strided and not tensor.is_meta else 0
        if tensor.numel() * tensor.element_size() > held:
            raise WeightsError(
                f"weights {path}: {name[:100]} of shape {list(tensor.shape)} is not whole, the file holds {held:,} "
                "bytes of it; save its tensors as safetensors where it was made"
            )


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
