"""Help texts: what ``vitcli --help`` and ``vitcli VERB -h`` say, and which module does a verb; no torch needed."""

from __future__ import annotations


class Verb:
    """A verb: the module that does it, and what help says of it.

    A plain class: to import typing or dataclasses would take longer than the whole help.

    Args:
        module: Has ``run(verb, words)``, which returns the exit code.
        summary: What it does, in a line that begins with a small letter.
        options: Its usual options, of OPTIONS.
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


OPTIONS = {
    "--config": "a run or an overlay: a YAML file or a name of vitcli configs; of several, later ones win",
    "--ckpt_path": "a .ckpt file, a run's folder, 'last' or 'best'",
    "--weights": "weights to start from: a file, a run's folder, timm:NAME or torchvision:NAME",
    "--model": "an .onnx that vitcli export has written, instead of a checkpoint; see docs/deploy.md",
    "--quarantine": "a list of images to leave out, to be written, for --data.quarantine",
    "--out": "the file or folder to write",
    "--compare": "another run or table of the same images, to be compared with",
    "--split": "which table of a run: ",
    "--images": "folder, zip or tar of the pictures, where they are elsewhere now",
    "--columns": "another tool's columns: path=, label=, predicted=, confidence=, prob= (the beginning of several)",
    "--costs": "of two classes, what a mistake costs: fp=1,fn=5",
    "--precision": "a precision that a threshold shall reach, e.g. 0.97; may stand several times",
    "--recall": "likewise a recall",
    "--temperature": "by which logits are divided; by default the one that fits val",
    "--source": "whose tensors they are: ",
    "--heads": "number of heads, where the tensors do not show it",
    "--image_size": "side of the picture in pixels, where the tensors do not show it",
    "--pool": "what the head sees, where the source does not show it: ",
    "--norm_eps": "epsilon of the norms, where it is not the source's own",
    "--activation": "activation of the Mlp: ",
    "--classes": "a text file with a class name on each line",
    "--quantize": "how the numbers of an .onnx are stored: ",
    "--batch": "pictures at once: a number, or ",
    "--to-timm": "write the tensors as timm loads them, a .safetensors, instead of --out",
    "--threshold": "of two classes, the probability from which on the second one is predicted",
    "--max_changed": "largest share of labels that may be another than the net's; 0.02 for int8",
    "--data": "how the images lie: ",
    "--data.root": "the folder of images",
    "--data.batch_size": "images a step, on each process",
    "--data.num_workers": "processes that decode images beside the training",
    "--data.cache": "where decoded copies are kept: ",
    "--data.max_pixels": "larger images are not decoded",
    "--data.val_fraction": "share that is held out for val where there is no val folder",
    "--data.class_levels": "how many folders, one in another, make the name of a class",
    "--data.label_pattern": "a regular expression that finds the class in a path",
    "--data.group_pattern": "one that finds the group, such as an animal, that stays in one split",
    "--data.follow_links": "whether links are followed: ",
    "--model.net.backend": "the transformer inside: ",
    "--model.net.backend.depth": "number of blocks",
    "--model.net.dim": "width of a token",
    "--model.net.image_size": "side of the picture in pixels",
    "--model.net.patch_size": "side of a patch in pixels",
    "--model.preprocess.white": "value of white in files of more than 8 bits, such as 4095",
    "--model.optimizer.lr": "highest learning rate; auto: found by a range test",
    "--trainer.max_epochs": "passes over the training images",
    "--trainer.precision": "number format: ",
    "--trainer.accelerator": "where it computes: ",
    "--trainer.devices": "how many processes, or auto",
    "--trainer.logger": "a logger beside metrics.csv, e.g. ",
    "--run.name": "name of the run's folder; by default the config's",
    "--run.dir": "folder that holds the runs",
    "--predictions.path": "where the table goes, a .csv, .jsonl or .parquet; by default into the run's folder",
    "--predictions.probabilities": "of which classes a row has them; auto: all of up to 100 classes: ",
    "--predictions.top_k": "of how many best classes, with top; 5 if not said",
    "--predictions.features": "true: with the pooled features, as a column of Parquet or a .npy beside the table",
    "--predictions.max_errors": "largest share of rows without a prediction; with more, the exit code is 3",
    "--predictions.threshold": "of two classes, the probability from which on the second one is predicted",
    "--predictions.temperature": "by which logits are divided; auto: the one that fits val",
    "--predictions.tta": "flip: the mean of the answers to an image and its mirror image: ",
    "--predictions.sort_into": "a folder in which the images are put into a folder for each class",
    "--predictions.sort_by": "how they are put there; none is moved: ",
    "--predictions.unsure_below": "images of less confidence go into the folder unsure",
    "--predictions.escape_formulas": "true: no cell is a formula to a spreadsheet",
    "--seed_everything": "seed of the whole run",
}

# the words that these options may be, behind their colon in the help
CHOICES = {
    "--data": (
        *("FolderData", "CatsDogsData", "ManifestData", "ParquetData", "ShardsData", "ShapesData", "UnlabelledData"),
    ),
    "--data.cache": ("none", "ram", "disk"),
    "--data.follow_links": ("true", "false"),
    "--model.net.backend": ("VanillaTransformer", "Linformer"),
    "--trainer.accelerator": ("auto", "cpu", "gpu"),
    "--trainer.logger": ("WandbLogger",),
    "--predictions.probabilities": ("auto", "all", "top"),
    "--predictions.tta": ("none", "flip"),
    "--predictions.sort_by": ("link", "copy"),
    "--trainer.precision": ("32-true", "bf16-mixed", "16-mixed"),
    "--source": ("auto", "timm", "torchvision", "vit_pytorch"),
    "--pool": ("cls", "mean", "mean_patches"),
    "--split": ("test", "val"),
    "--quantize": ("none", "int8", "fp16"),
    "--batch": ("dynamic",),
    "--activation": ("gelu", "gelu_tanh", "quick_gelu"),
}

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
            "vitcli fit photos/ --trainer.max_epochs 20",
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
        ("--ckpt_path", "--data.root", "--out", "--methods", "--class", "--layers", "--most", "--check", "--device"),
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


def overview() -> str:
    """The text of ``vitcli --help``."""
    verbs = "\n".join(f"  {name:<10} {verb.summary}" for name, verb in VERBS.items())
    return (
        "usage: vitcli VERB [OPTIONS]\n\n"
        "Train, test and use Vision Transformers on folders of images.\n\n"
        f"verbs:\n{verbs}\n\n"
        "example:\n"
        f"  {VERBS['fit'].examples[0]}\n"
        "  vitcli test runs/photos\n"
        "  vitcli predict runs/photos holiday/\n\n"
        "vitcli VERB -h shows a verb's usual options, vitcli VERB --help-all all of them, vitcli --version the version."
    )


def of_verb(name: str) -> str:
    """The text of ``vitcli VERB -h``."""
    verb = VERBS[name]
    words = [name, verb.positional, "[OPTIONS]" if verb.options else ""]
    parts = [
        f"usage: vitcli {' '.join(filter(None, words))}",
        f"{verb.summary.capitalize()}.",
        "example:\n" + "\n".join(f"  {example}" for example in verb.examples),
    ]
    if verb.options:
        told = "\n".join(f"  {option:<27} {help_of(option, verb)}" for option in verb.options)
        parts.append(f"usual options:\n{told}")
    more = (
        f"\nAll options: vitcli {name} --help-all; those of a class: vitcli {name} --data.help FolderData; "
        f"the config they make: vitcli {name} --print_config."
    )
    return "\n\n".join([*parts, verb.note + (more if verb.trains else "")])


def help_of(option: str, verb: Verb) -> str:
    """What help says of an option of a verb, in a line."""
    *first, last = CHOICES.get(option, ("",))
    listed = f"{', '.join(first)} or {last}" if first else last
    return verb.own.get(option) or f"{OPTIONS[option]}{listed}"


def unknown_verb(word: str) -> str:
    """One line on a first word that is no verb."""
    # here, because help does without it and answers a quarter sooner
    import difflib

    near = [SYNONYMS[word]] if word in SYNONYMS else difflib.get_close_matches(word, VERBS, n=1, cutoff=0.7)
    meant = f"did you mean {near[0]!r}? " if near else ""
    return f"{word!r} is not a verb; {meant}There are {', '.join(VERBS)}; see vitcli --help"
