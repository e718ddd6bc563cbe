"""The public names, and the rules that hold them together."""

from __future__ import annotations

import dataclasses
import inspect
import typing

import pytest

import vitcli.data
import vitcli.net
import vitcli.train
import vitcli.weights
from vitcli import errors
from vitcli.data import ImageData
from vitcli.data.layouts.labelled import LabelledFiles
from vitcli.net import Backend, ViT

SURFACE = {
    "net": "AttentionPool Backend Block Linformer LinformerAttention Mlp PatchEmbed SelfAttention Tokens "
    "VanillaTransformer ViT build resample watch",
    "data": "Augment Batch CatsDogsData FolderData ImageData Listing ManifestData ParquetData Picture "
    "ShapesData ShardsData UnlabelledData UnreadableImage open_image",
    "train": "AdamW Classifier WarmupCosine",
    "weights": "Report import_net load_into open_net read_metadata read_tensors save_tensors",
}


@pytest.mark.parametrize("room", SURFACE)
def test_a_room_shows_these_names_and_no_others(room: str):
    module = getattr(vitcli, room)
    public = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not inspect.ismodule(value) and name != "annotations"
    }
    assert public == set(SURFACE[room].split())


@pytest.mark.parametrize("base", [Backend, ImageData])
def test_every_subclass_is_final_and_every_base_abstract(base: type):
    assert inspect.isabstract(base)
    kinds = base.__subclasses__()
    kinds += [inner for kind in kinds for inner in kind.__subclasses__()]
    for kind in kinds:
        if kind.__module__.startswith("vitcli."):
            assert inspect.isabstract(kind) or getattr(kind, "__final__", False), kind


def test_every_error_of_a_users_is_a_user_error():
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    assert all(issubclass(kind, errors.UserError) for kind in kinds)
    assert all(kind.__name__ in (errors.__doc__ or "") for kind in kinds)


def described(kind: type) -> set[str]:
    text = inspect.getdoc(kind) or ""
    _, _, arguments = text.partition("Args:")
    arguments = arguments.split("\n\n")[0].split("Raises:")[0]
    return {line.split(":")[0].strip() for line in arguments.splitlines() if line.startswith("    ") and ":" in line}


@pytest.mark.parametrize(
    "kind",
    [
        vitcli.net.ViT,
        vitcli.net.VanillaTransformer,
        vitcli.net.Linformer,
        vitcli.data.ImageData,
        LabelledFiles,
        vitcli.data.FolderData,
        vitcli.data.ManifestData,
        vitcli.data.ParquetData,
        vitcli.data.CatsDogsData,
        vitcli.data.ShapesData,
        vitcli.data.ShardsData,
        vitcli.data.UnlabelledData,
        vitcli.data.Augment,
        vitcli.train.Classifier,
        vitcli.train.AdamW,
        vitcli.train.WarmupCosine,
        vitcli.Predictor,
    ],
)
def test_every_setting_is_explained_where_help_finds_it(kind: type):
    settings = {
        name
        for name, parameter in inspect.signature(kind).parameters.items()
        # handed on to the class above, which is in this list as well
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    }
    assert settings - described(kind) == set()


def test_vit_is_final_and_its_settings_are_plain():
    assert typing.get_type_hints(ViT.__init__)
    assert getattr(ViT, "__final__", False)
    assert all(dataclasses.is_dataclass(kind) for kind in (vitcli.train.AdamW, vitcli.data.Augment))
