"""Verbs of the command line: which module does each, and what ``vitcli VERB -h`` says of it; no torch needed."""

from __future__ import annotations


class Verb:
    """A verb: the module that does it, and what help says of it.

    A plain class: to import typing or dataclasses would take longer than the whole help.

    Args:
        module: Has ``run(verb, words)``, which returns the exit code.
        summary: What it does, in a line that begins with a small letter.
        options: Its usual options, of OPTIONS in ``options.py``.
        examples: Commands.
        note: What else there is to know, in one or two lines.
        positional: What comes before the options, such as ROOT.
        own: Options, each with what this verb says of it in words of its own.
        trains: Whether it has the many options of Trainer, model and data, which ``--help-all`` shows.
        light: The module that does it with an exported net, an .onnx, if there is one.
    """

    def __init__(
        self,
        module: str,
        summary: str,
        options: tuple[str, ...] = (),
        examples: tuple[str, ...] = (),
        note: str = "",
        positional: str = "",
        own: tuple[tuple[str, str], ...] = (),
        trains: bool = False,
        light: str = "",
    ) -> None:
        self.module = module
        self.summary = summary
        self.options = options
        self.examples = examples
        self.note = note
        self.positional = positional
        self.own = dict(own)
        self.trains = trains
        self.light = light

    def done_by(self, words: list[str]) -> str:
        """The module that does it; with an exported net, one that imports no torch.

        Args:
            words: The words after the verb.
        """
        model, before = words[0] if words else "", ""
        for word in words:
            option, equals, value = word.partition("=")
            if option == "--model" and equals:
                model = value
            elif before == "--model":
                model = word
            before = word
        return self.light if self.light and model.lower().endswith(".onnx") else self.module


# what other tools call it
SYNONYMS = {"train": "fit", "eval": "test", "infer": "predict", "inference": "predict"}

COMMON = ("--config", "--data", "--data.root", "--data.batch_size", "--data.num_workers")
DEVICES = ("--trainer.precision", "--trainer.accelerator", "--trainer.devices")
TABLE = ("--predictions.path", "--predictions.probabilities", "--predictions.top_k")
TRAINER = "vitcli.cli.trainer.command"
FROM_CHECKPOINT = "Net, classes and preprocessing come from the checkpoint, the images from its run unless you say so."

VERBS = {
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
    "evaluate": Verb(
        "vitcli.cli.verbs.evaluate",
        "say how good predictions are, and how sure that is, from their table alone",
        (
            "--split",
            "--compare",
            "--columns",
            "--costs",
            "--precision",
            "--recall",
            "--temperature",
            "--quarantine",
            "--out",
        ),
        (
            "vitcli evaluate runs/photos",
            "vitcli evaluate runs/photos --compare runs/photos-2",
            "vitcli evaluate runs/photos-fold1 runs/photos-fold2     (folds, or seeds, as one)",
            "vitcli evaluate theirs.csv --columns label=y,predicted=p",
        ),
        "TABLE is a run's folder (its table of test, else of val), or a .csv, .jsonl or .parquet with labels.\n"
        "Each number stands with the interval that holds the true one 95 times of 100.",
        positional="TABLE...",
        own=(
            ("--quarantine", "labels that look wrong, as a list for --data.quarantine, to be written"),
            ("--out", "a .json for all numbers"),
        ),
    ),
    "report": Verb(
        "vitcli.cli.verbs.report",
        "make one page of a run or a table: scores, mistakes, charts, data, settings",
        ("--compare", "--split", "--out", "--images", "--columns", "--explain"),
        (
            "vitcli report runs/photos",
            "vitcli report runs/photos --compare runs/photos-2 runs/photos-3",
            "vitcli report theirs.csv --columns label=y,predicted=p --out theirs",
        ),
        "RUN|TABLE is a run's folder (its table of test, else of val), or a .csv, .jsonl or .parquet.\n"
        "report.html is one file that loads nothing; each chart lies in report/ beside it as SVG and PNG.",
        positional="RUN|TABLE",
        own=(
            ("--compare", "other runs or tables of the same images, to be put beside it"),
            ("--out", "folder for report.html and report/; by default the run's, or TABLE-report beside the table"),
            ("--explain", "of a run: beside mistakes and unsure successes, where in the picture the answer comes from"),
        ),
    ),
    "explain": Verb(
        "vitcli.cli.verbs.explain",
        "show where in pictures the answers of a net come from",
        (
            "--ckpt_path",
            "--data.root",
            "--data.follow_links",
            "--out",
            "--methods",
            "--class",
            "--layers",
            "--most",
            "--check",
            "--device",
        ),
        (
            "vitcli explain runs/photos holiday/",
            "vitcli explain runs/photos holiday/*.jpg --methods all --class cat --layers",
            "vitcli explain runs/photos photos/val --check",
        ),
        "A sheet for each picture, with an overlay for each method; all numbers in maps.npz, and maps.csv says what is "
        "whose.\nOf more pictures than --most, some are taken, evenly spread.",
        positional="RUN IMAGES...",
        own=(
            ("--ckpt_path", "a run's folder, a .ckpt file, or a file of weights"),
            ("--data.root", "the folder of images, an archive, an image, a pattern, or several of them"),
            ("--out", "an empty folder for the maps; by default explain, explain-2, ... in the run's"),
            ("--methods", "attention, rollout, relevance, gradients, occlusion, or all; several with commas"),
            ("--class", "which class's answer is explained: its name, its number, or predicted"),
            ("--layers", "also the attention of each layer and head"),
            ("--most", "most pictures that are explained; 24, and 50 with --check"),
            ("--check", "instead of maps: which methods' maps are true, by deletion, insertion and pointing"),
            ("--device", "cpu, cuda or another of torch's; by default a GPU if there is one"),
        ),
    ),
    "import": Verb(
        "vitcli.cli.verbs.import_weights",
        "turn other people's weights into a file to start from",
        (
            "--out",
            "--source",
            "--heads",
            "--image_size",
            "--pool",
            "--norm_eps",
            "--activation",
            "--classes",
        ),
        ("vitcli import deit_tiny.safetensors --classes imagenet.txt --out deit_tiny_vitcli.safetensors",),
        "The file may be safetensors or torch's (tensors only), timm:NAME or torchvision:NAME.",
        positional="FILE --out FILE",
        own=(("--out", "the safetensors file to write"),),
    ),
    "export": Verb(
        "vitcli.cli.verbs.export",
        "write a trained net as a file that runs without vitcli",
        (
            "--ckpt_path",
            "--weights",
            "--out",
            "--to-timm",
            "--quantize",
            "--batch",
            "--temperature",
            "--threshold",
            "--images",
            "--max_changed",
        ),
        (
            "vitcli export runs/photos --out photos/model.onnx",
            "vitcli export runs/photos --out photos/int8.onnx --quantize int8",
            "vitcli export runs/photos --to-timm photos/model.safetensors",
        ),
        "Pixels go in and probabilities come out: preprocessing, classes and temperature are inside. The file is run\n"
        "on the images of val and compared with the net before it gets its name; a model card, README.md, is written\n"
        'beside it. An .onnx needs the extra: pip install "vitcli[onnx]".',
        positional="RUN|FILE --out FILE",
        own=(
            ("--weights", "weights to export: a file, a run's folder, timm:NAME or torchvision:NAME"),
            ("--out", "the file to write: .onnx, .pt2 or .safetensors"),
            ("--temperature", "by which logits are divided, 1 if not said; auto: the one that fits val"),
            ("--images", "folder, zip or tar of the val pictures, where they are elsewhere now"),
        ),
    ),
    "serve": Verb(
        "vitcli.cli.verbs.serve",
        "answer over HTTP: JSON for programs, and a page on which photos are dropped",
        (
            "--host",
            "--port",
            "--device",
            "--batch_size",
            "--map",
            "--temperature",
            "--threshold",
            "--tta",
            "--max_bytes",
            "--max_pixels",
            "--max_images",
            "--max_queue",
            "--timeout",
        ),
        (
            "vitcli serve runs/photos",
            "vitcli serve photos.onnx --port 8080",
            "curl --data-binary @photo.jpg http://127.0.0.1:8000/predict",
        ),
        "RUN|MODEL is a run's folder, a checkpoint, a file of weights, or an .onnx that vitcli export wrote.\n"
        "There are POST /predict, a page at /, /healthz and /metrics. SIGTERM and Ctrl-C let what was accepted be\n"
        "answered first. Only this machine is listened to, unless --host says otherwise.",
        positional="RUN|MODEL",
        own=(
            ("--host", "address to listen at; 127.0.0.1, which only this machine reaches"),
            ("--port", "its port; 8000, and 0 takes one that is free"),
            ("--device", "cpu, cuda or another of torch's; by default a GPU if there is one"),
            ("--batch_size", "images of all requests that go through the net at once; 32"),
            ("--map", "where an answer comes from, on the page: attention, rollout, relevance, ... or none"),
            ("--temperature", "by which logits are divided; auto: the one that fits val"),
            ("--threshold", "of two classes, the probability from which on the second one is predicted"),
            ("--tta", "flip: the mean of the answers to an image and its mirror image"),
            ("--max_bytes", "largest body of a request; 33554432"),
            ("--max_pixels", "larger images are not decoded; 50000000, and so many at a time"),
            ("--max_images", "most images of a request; 64"),
            ("--max_queue", "images of all requests that wait, before others get 429; by default up to 256"),
            ("--timeout", "seconds for a request, from its first byte to the last of its answer; 60"),
        ),
    ),
    "check": Verb(
        "vitcli.cli.verbs.check",
        "look at every image once, and say what is wrong with the set",
        (
            "--quarantine",
            "--out",
            "--data",
            "--data.val_fraction",
            "--data.class_levels",
            "--data.label_pattern",
            "--data.group_pattern",
            "--data.follow_links",
            "--data.max_pixels",
            "--model.preprocess.white",
        ),
        ("vitcli check photos", "vitcli check photos --quarantine bad.txt"),
        "Unreadable and truncated images, the same file or picture twice, above all in train and val, missing and "
        "rare classes, extremes, sets that come out black.\n"
        "Exit code 0: nothing found, 3: findings. No file of yours is touched.",
        positional="ROOT...",
        own=(("--out", "folder for check.json and samples.png; by default runs/check-NAME"),),
    ),
    "pack": Verb(
        "vitcli.cli.verbs.pack",
        "write images and their labels into tar shards, with checksums",
        (
            "--out",
            "--size",
            "--data",
            "--data.class_levels",
            "--data.label_pattern",
            "--data.follow_links",
        ),
        ("vitcli pack photos --out shards", "vitcli pack photos.zip --out shards --size 1GB"),
        "They are as WebDataset has them; vitcli fit --data ShardsData --data.root shards trains on them.\n"
        "The same command goes on after an interruption; vitcli check shards compares the checksums.",
        positional="ROOT",
        own=(("--out", "folder of the shards"), ("--size", "most bytes of a shard, such as 256MB or 1GB")),
    ),
    "configs": Verb(
        "vitcli.cli.verbs.configs",
        "list the configs that vitcli brings along, or print one",
        examples=("vitcli configs", "vitcli configs cats_dogs", "vitcli configs cats_dogs > mine.yaml"),
        note="Each name serves as --config NAME, in any folder; a file of that path comes first.",
        positional="[NAME]",
    ),
    "completion": Verb(
        "vitcli.cli.verbs.completion",
        "print a script that completes vitcli's words in bash or zsh",
        examples=(
            'eval "$(vitcli completion bash)"     (in ~/.bashrc)',
            'eval "$(vitcli completion zsh)"      (in ~/.zshrc, behind compinit)',
        ),
        note="Verbs, usual options, names of configs, and words that an option may be.",
        positional="bash|zsh",
    ),
}
