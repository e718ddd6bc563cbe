"""Verbs with a training's settings: fit, validate, test, predict and search."""

from __future__ import annotations

from vitcli.cli.usage.verb import Verb

COMMON = ("--config", "--data", "--data.root", "--data.batch_size", "--data.num_workers")
DEVICES = ("--trainer.precision", "--trainer.accelerator", "--trainer.devices")
TABLE = ("--predictions.path", "--predictions.probabilities", "--predictions.top_k")
TRAINER = "vitcli.cli.trainer.command"
FROM_CHECKPOINT = "Net, classes and preprocessing come from the checkpoint, the images from its run unless you say so."

TRAINING = {
    "fit": Verb(
        TRAINER,
        "train on a folder of images",
        (
            *COMMON[:4],
            "--data.cache",
            "--model.net.backend",
            "--model.net.backend.depth",
            "--model.net.dim",
            "--model.net.image_size",
            "--model.net.patch_size",
            "--model.optimizer.lr",
            "--trainer.max_epochs",
            *DEVICES,
            "--trainer.logger",
            "--weights",
            "--ckpt_path",
            "--run.name",
            "--seed_everything",
        ),
        (
            "vitcli fit photos/ --trainer.max_epochs 40     (the config folder, as no other is given)",
            "vitcli fit --config cats_dogs --data.root photos/ --model.net.backend Linformer",
            "vitcli fit --ckpt_path runs/cats_dogs --trainer.max_epochs 40     (resume, or go on for longer)",
            "vitcli fit photos/ --ema.decay 0.999 --stop.patience 5     (averaged weights; ends early)",
            "vitcli fit photos/ --run.name cats --run.resume auto     (in a job script: begins, goes on, or is done)",
            "vitcli fit photos/ --config model/linformer --weights runs/a --distill.weights runs/a     (it teaches)",
            "vitcli fit photos/ --data.batch_size auto --model.optimizer.lr auto     (both are found by trial)",
            "vitcli fit photos/ --data.folds 5 --data.fold 1     (cross-validation: the first of five runs)",
        ),
        "A run lies in runs/<name>/: config.yaml, checkpoints/{last,best}.ckpt, metrics.csv. "
        "A second run of the same name becomes <name>-2.",
        positional="[IMAGES]",
        own=(("--data.batch_size", "images a step, on each process; auto: the most that fit"),),
        trains=True,
    ),
    "validate": Verb(
        TRAINER,
        "score a checkpoint on the validation images",
        ("--ckpt_path", *COMMON, *DEVICES),
        ("vitcli validate runs/cats_dogs",),
        FROM_CHECKPOINT,
        positional="[RUN] [IMAGES]",
        trains=True,
    ),
    "test": Verb(
        TRAINER,
        "score a checkpoint on the test images",
        ("--ckpt_path", *COMMON, *DEVICES, *TABLE),
        ("vitcli test runs/cats_dogs", "vitcli test runs/cats_dogs others/"),
        FROM_CHECKPOINT,
        positional="[RUN] [IMAGES]",
        trains=True,
    ),
    "predict": Verb(
        TRAINER,
        "write a table of predictions for images, folders and archives",
        (
            "--ckpt_path",
            "--weights",
            "--model",
            "--data.root",
            "--data.batch_size",
            "--data.num_workers",
            *DEVICES[:2],
            *TABLE,
            "--predictions.features",
            "--predictions.max_errors",
            "--predictions.threshold",
            "--predictions.temperature",
            "--predictions.tta",
            "--predictions.sort_into",
            "--predictions.sort_by",
            "--predictions.unsure_below",
            "--predictions.escape_formulas",
        ),
        (
            "vitcli predict runs/cats_dogs holiday/",
            "vitcli predict runs/cats_dogs/checkpoints/last.ckpt photo.jpg",
            "vitcli predict runs/cats_dogs photos/*.jpg more.zip",
            "vitcli predict --model cats_dogs.onnx photos/     (without torch: starts in a second)",
            "vitcli predict runs/cats_dogs 'photos/**/*.jpg'     (a pattern in quotes: at any depth)",
        ),
        "Net, classes and preprocessing come from the checkpoint. One row per file, unreadable ones included.\n"
        "The same command goes on with a table after Ctrl-C, a crash or a full disk.\n"
        "Paths in the table are relative to IMAGES; of several, or of a pattern, they are written as they were named.",
        positional="[RUN] [IMAGES...]",
        own=(("--data.root", "the folder of images, an archive, an image, a pattern, or several of them"),),
        trains=True,
        light="vitcli.cli.verbs.predict_onnx",
    ),
    "search": Verb(
        "vitcli.cli.search.verb",
        "find better settings for a config, by trials that are ordinary runs",
        (
            "--config",
            "--space",
            "--trials",
            "--minutes",
            "--study",
            "--objective",
            "--to-wandb",
            *COMMON[1:4],
            *DEVICES,
            "--weights",
            "--seed_everything",
        ),
        (
            "vitcli search --config shapes --space shapes --trials 20",
            "vitcli search photos/ --space mine.yaml --minutes 60 --objective val/loss",
            "vitcli search --config shapes --space shapes --to-wandb sweep.yaml     (for wandb sweep)",
        ),
        "A space holds keys as they are typed: model.optimizer.lr: {low: 1.0e-4, high: 1.0e-2, log: true} or\n"
        "data.batch_size: [16, 32, 64]. The config as it is comes first; each trial is a run, runs/<study>/trial-007,\n"
        "and search.html there is the page of results. The same command goes on after Ctrl-C, a kill, or with more\n"
        "--trials; on other machines that share the folder it joins in. All options of vitcli fit may follow.\n"
        'Needs the extra: pip install "vitcli[search]".',
        positional="[IMAGES]",
        own=(
            ("--space", "what is searched: a YAML file, or the name of one of vitcli configs, spaces/NAME"),
            ("--trials", "how many there are to be in all; 20"),
            ("--minutes", "after how many it stops; the training in progress is saved"),
            ("--study", "the study's folder; by default runs/<config>-search"),
            ("--objective", "metric to be reached, such as val/loss; by default checkpoint.monitor"),
            ("--to-wandb", "a sweep file for Weights & Biases to write, instead of searching"),
        ),
    ),
}
