"""The settings that a run changes: compared with the defaults of the very classes that its config names."""

from __future__ import annotations

from vitcli.about import changed_settings
from vitcli.cli.trainer.about import defaults_of, with_class_defaults


def test_a_class_of_data_is_compared_with_its_own_defaults():
    config = {
        "data": {"class_path": "vitcli.data.ShapesData", "init_args": {"train": 2000, "val": 3, "batch_size": 64}}
    }
    defaults = {"data": {"class_path": "vitcli.data.FolderData"}}
    assert changed_settings(config, with_class_defaults(config, defaults)) == {
        "data.class_path": ("vitcli.data.FolderData", "vitcli.data.ShapesData"),
        "data.val": (400, 3),
    }


def test_a_class_in_a_section_and_the_settings_around_it_are_compared_too():
    config = {
        "model": {
            "net": {
                "dim": 64,
                "backend": {"class_path": "vitcli.net.Linformer", "init_args": {"depth": 12, "k": 7}},
            }
        }
    }
    defaults = {"model": {"net": {"dim": 192, "backend": {"class_path": "vitcli.net.VanillaTransformer"}}}}
    changed = changed_settings(config, with_class_defaults(config, defaults))
    assert set(changed) == {"model.net.dim", "model.net.backend.class_path", "model.net.backend.k"}
    assert changed["model.net.backend.k"][1] == 7


def test_a_class_that_is_gone_has_no_defaults():
    assert defaults_of("vitcli.data.NoSuchData") == {}
    assert defaults_of("") == {}
