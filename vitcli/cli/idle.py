"""Settings that a verb has no use for, or that act only beside another: refused where they are typed.

A config file serves several verbs, so what it holds for another one is no mistake. A word of the command line is meant
for this verb, and is never ignored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import yaml
from jsonargparse import Namespace

from vitcli.cli.words import as_typed, pairs, said_by
from vitcli.errors import ConfigError
from vitcli.machine.bounded_yaml import from_yaml

SCORING = ("validate", "test")
EVALUATING = (*SCORING, "predict")
TRAINER = ("fit", *EVALUATING)
LABELLED = ("FolderData", "CatsDogsData", "ManifestData", "ParquetData", "ShardsData")
TRAINED = "acts in training only, and {verb} trains nothing; leave it out"


class Idle(NamedTuple):
    """Settings that do nothing.

    Args:
        keys: Each with all that is inside it.
        verbs: Where they do nothing.
        why: And the remedy.
        data: The classes of --data with which it is so; empty for all of them.
        weights: Whether it is so with --weights only: what contradicts a checkpoint is refused by its value.
    """

    keys: tuple[str, ...]
    verbs: tuple[str, ...]
    why: str
    data: tuple[str, ...] = ()
    weights: bool = False


def _of(section: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{section}.{name}" for name in names)


IDLE = (
    Idle(("checkpoint", "ema", "stop", "probe", "distill"), EVALUATING, TRAINED),
    Idle(_of("run", "on_nan", "max_skipped", "resume", "save_minutes", "keep", "spare_dir"), EVALUATING, TRAINED),
    Idle(
        _of(
            *("trainer", "max_epochs", "min_epochs", "max_steps", "min_steps", "max_time", "limit_train_batches"),
            *("overfit_batches", "val_check_interval", "check_val_every_n_epoch", "num_sanity_val_steps"),
            *("log_every_n_steps", "enable_model_summary", "accumulate_grad_batches", "gradient_clip_val"),
            *("gradient_clip_algorithm", "detect_anomaly", "sync_batchnorm", "reload_dataloaders_every_n_epochs"),
            "enable_autolog_hparams",
        ),
        EVALUATING,
        TRAINED,
    ),
    Idle(_of("data", "augment", "sampler", "cache", "cache_size", "on_error", "max_errors"), EVALUATING, TRAINED),
    Idle(("data.global_batch",), EVALUATING, TRAINED),
    Idle(("data.global_batch",), ("check",), "check trains nothing; leave it out"),
    Idle(_of("model", "optimizer", "schedule", "label_smoothing", "freeze"), EVALUATING, TRAINED, weights=True),
    Idle(_of("model", "class_weights", "net.dropout", "net.head_dropout"), EVALUATING, TRAINED, weights=True),
    Idle(
        _of("model.net.backend", "dropout", "attention_dropout", "stochastic_depth", "activation_checkpointing"),
        EVALUATING,
        TRAINED,
        weights=True,
    ),
    Idle(
        ("model.net.backend.proj_init",),
        EVALUATING,
        "is how projections begin that are to be trained, and {verb} trains nothing; leave it out",
        weights=True,
    ),
    Idle(
        ("trainer.limit_val_batches",),
        ("test", "predict"),
        "{verb} does not validate; say trainer.limit_{verb}_batches",
    ),
    Idle(("trainer.limit_test_batches",), ("fit",), "fit does not test; leave it out, or say it to vitcli test"),
    Idle(("trainer.limit_test_batches",), ("validate",), "validate does not test; say trainer.limit_val_batches"),
    Idle(("trainer.limit_test_batches",), ("predict",), "predict does not test; say trainer.limit_predict_batches"),
    Idle(
        ("trainer.limit_predict_batches",), ("fit",), "fit does not predict; leave it out, or say it to vitcli predict"
    ),
    Idle(("trainer.limit_predict_batches",), ("validate",), "of vitcli predict; say trainer.limit_val_batches"),
    Idle(("trainer.limit_predict_batches",), ("test",), "of vitcli predict; say trainer.limit_test_batches"),
    Idle(("trainer.inference_mode",), ("fit",), "of validate, test and predict, which have no gradients; leave it out"),
    Idle(("trainer.logger",), ("predict",), "predict reaches no score that it could log; leave it out"),
    Idle(
        ("trainer.model_registry",),
        TRAINER,
        "vitcli keeps checkpoints in the run's folder, and uploads them to no registry; leave it out",
    ),
    Idle(("predictions",), ("fit",), "fit ends with the table of val as it is by default; say it to vitcli validate"),
    Idle(
        ("predictions.threshold",),
        SCORING,
        "scores are of the likelier class; vitcli evaluate says what a threshold does to them; leave it out",
    ),
    Idle(
        ("predictions.temperature",),
        SCORING,
        "scores are of the probabilities as the net gives them, and vitcli evaluate says both; leave it out",
    ),
    Idle(
        _of("predictions", "sort_into", "sort_by", "unsure_below"),
        SCORING,
        "{verb} sorts no images; leave it out, or say it to vitcli predict",
    ),
    Idle(
        _of(
            *("data", "val_fraction", "test_fraction", "split_seed", "split_column"),
            *("folds", "fold", "group_pattern", "group_column"),
        ),
        ("predict",),
        "predict takes every image, of whatever split; leave it out",
    ),
    Idle(_of("data", "test_fraction"), ("validate",), "validate takes the images of val; leave it out"),
    Idle(("data.cache_dir",), ("predict",), "predict keeps no index of the images; leave it out"),
    Idle(("data.cache_dir",), EVALUATING, "there are no files to index; leave it out", ("ShapesData",)),
    Idle(("data.train",), SCORING, TRAINED, ("ShapesData",)),
    Idle(("data.val",), ("test",), "test draws the pictures of test; say data.test", ("ShapesData",)),
    Idle(("data.test",), ("validate",), "validate draws the pictures of val; say data.val", ("ShapesData",)),
    Idle(
        _of("data", "cache", "cache_size", "num_workers"),
        ("check",),
        "check reads every file once, on all cores, and keeps no copy; leave it out",
    ),
    Idle(_of("data", "on_error", "max_errors"), ("check",), "check tells of all that cannot be read; leave it out"),
    Idle(("data.classes",), ("check",), "check takes the classes that lie there; leave it out"),
    Idle(
        _of("data.preprocess", "crop_fraction", "std"),
        ("check",),
        "the samples that check draws are crops of training, not normalised; leave it out",
    ),
    Idle(
        ("data.quarantine",),
        ("check",),
        "check looks at every image; leave it out, or name a list to write: --quarantine",
    ),
    Idle(
        _of("data", "kinds", "train", "val", "test", "drawing_seed"),
        ("check",),
        "check looks at files, and ShapesData has none; choose another --data",
        ("ShapesData",),
    ),
    Idle(
        (
            *_of("data", "batch_size", "seed"),
            *_of("data.preprocess", "size", "resize", "interpolation", "mean"),
        ),
        ("check",),
        "check draws no samples of images without labels; leave it out",
        ("UnlabelledData",),
    ),
    Idle(
        _of(
            *("data", "augment", "preprocess", "sampler", "seed", "batch_size", "global_batch", "num_workers"),
            *("cache", "cache_size", "max_pixels", "on_error", "max_errors", "classes"),
        ),
        ("pack",),
        "pack copies the bytes of every image, whatever they show; leave it out",
    ),
    Idle(
        _of("data", "val_fraction", "test_fraction", "split_seed", "folds", "fold"),
        ("pack",),
        "pack keeps the splits that lie there, and the verbs that read the shards divide the rest; leave it out",
    ),
    Idle(
        _of("data", "group_pattern", "group_column"),
        ("pack",),
        "shards hold pictures and labels, and no groups; leave it out",
    ),
    Idle(
        _of("data", "kinds", "train", "val", "test", "drawing_seed"),
        ("pack",),
        "pack copies files, and ShapesData has none; choose another --data",
        ("ShapesData",),
    ),
    Idle(("data.download",), ("pack",), "pack takes what is there; vitcli fit or check download it"),
    Idle(("data.cache_dir",), ("pack",), "there are no files to index; leave it out", ("ShapesData",)),
)

# another setting, a value of it, and whether one acts beside that value only, or beside any other
NEEDS: dict[str, tuple[str, Any, bool]] = {
    "data.augment.magnitude": ("data.augment.policy", "rand", True),
    "data.cache_size": ("data.cache", "none", False),
    "data.max_errors": ("data.on_error", "skip", True),
    "data.val_fraction": ("data.folds", None, True),
    "data.class_levels": ("data.label_pattern", None, True),
    "stop.monitor": ("stop.patience", None, False),
    "stop.min_delta": ("stop.patience", None, False),
    "probe.sees": ("probe.solve", True, True),
    "probe.strength": ("probe.solve", True, True),
    "probe.mirror": ("probe.solve", True, True),
    "probe.folds": ("probe.solve", True, True),
    "distill.temperature": ("distill.weights", None, False),
    "distill.share": ("distill.weights", None, False),
    "distill.hard": ("distill.weights", None, False),
    "distill.tokens": ("distill.weights", None, False),
    "run.max_skipped": ("run.on_nan", "skip", True),
    "predictions.sort_by": ("predictions.sort_into", None, False),
    "predictions.unsure_below": ("predictions.sort_into", None, False),
    "model.preprocess.crop_fraction": ("model.preprocess.resize", "center_crop", True),
    "model.net.pool_score": ("model.net.pool", "attention", True),
    "model.net.backend.sharing": ("model.net.backend.projection", "avgpool", False),
    "model.net.backend.proj_init": ("model.net.backend.projection", "avgpool", False),
}

# of these, a second one
NEEDS_TOO: dict[str, tuple[str, Any, bool]] = {"distill.temperature": ("distill.hard", True, False)}


def idle(verb: str, key: str, *, data: str = "", weights: bool = False) -> str | None:
    """Why a setting does nothing, and what to do; None where it acts.

    Args:
        verb: Any that has settings.
        key: As typed, without its dashes.
        data: Name of the class of --data.
        weights: Whether the net comes from --weights.
    """
    for rule in IDLE:
        is_meant = any(key == one or key.startswith(f"{one}.") for one in rule.keys)
        if is_meant and verb in rule.verbs and (not rule.data or data in rule.data) and (weights or not rule.weights):
            return rule.why.format(verb=verb)
    return None


def refuse_idle(verb: str, words: Sequence[str], config: Namespace, *, weights: bool = False) -> None:
    """Check that nothing typed would be ignored.

    Args:
        verb: The verb.
        words: The words after it.
        config: What came of them, and of everything else.
        weights: Whether the net comes from --weights.

    Raises:
        ConfigError: Something would.
    """
    kind = str(config.get("data.class_path", "")).rpartition(".")[2]
    settings = {key.replace(".init_args", ""): held for key, held in config.items()}
    for key, value in typed(words):
        if why := idle(verb, key, data=kind, weights=weights):
            raise ConfigError(f"{key} {value}: {why}")
        for other, wanted, is_wanted in filter(None, (NEEDS.get(key), NEEDS_TOO.get(key))):
            if other in settings and (settings[other] == wanted) != is_wanted:
                held, beside = as_typed(settings[other]), f"beside {other} {as_typed(wanted)}"
                beside = f"{beside} only" if is_wanted else f"not {beside}"
                raise ConfigError(f"{key} {value}: acts {beside}, and {other} is {held}; change it, or leave {key} out")


def typed(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Every setting among the words and its value, also those inside a group that is given as a whole."""
    for option, value in pairs(words):
        key = option.replace(".init_args", "")
        yield key, value
        if value.startswith("{"):
            try:
                inside = from_yaml(value)
            except yaml.YAMLError:
                continue
            if isinstance(inside, dict):
                yield from ((inner, str(held)) for inner, held in said_by(inside, key))


def refuse_unused(words: Sequence[str], unused: Mapping[str, str]) -> None:
    """Check that nothing typed is without use for the images that were found.

    Args:
        words: The words after the verb.
        unused: Settings and why each is of no use.

    Raises:
        ConfigError: Something is.
    """
    for key, value in typed(words):
        if key in unused:
            raise ConfigError(f"{key} {value}: {unused[key]}; leave it out")
