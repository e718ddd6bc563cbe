"""What ``vitcli --help`` and ``vitcli VERB -h`` say: the options people use, with an example; no torch needed."""

from __future__ import annotations

import difflib

VERBS = {
    "fit": "train on a folder of images",
    "validate": "score a checkpoint on the validation images",
    "test": "score a checkpoint on the test images",
    "predict": "write a table of predictions for any folder of images",
    "import": "turn other people's weights into a file to start from",
    "check": "look at every image once, and say what is wrong with the set",
}

OPTIONS = {
    "--config": "a run or an overlay in YAML; may be given several times, later ones win",
    "--ckpt_path": "a .ckpt file, a run's folder, 'last' or 'best'",
    "--weights": "weights to start from: a file, timm:NAME or torchvision:NAME",
    "--quarantine": "a list of images to leave out, to be written, for --data.quarantine",
    "--source": "auto, timm, torchvision or vit_pytorch",
    "--heads": "number of heads, where the tensors do not show it",
    "--image_size": "side of the picture in pixels, where the tensors do not show it",
    "--pool": "cls, mean or mean_patches, where the source does not show it",
    "--norm_eps": "epsilon of the norms, where it is not the source's own",
    "--activation": "gelu, gelu_tanh or quick_gelu",
    "--classes": "a text file with a class name on each line",
    "--data": "FolderData, CatsDogsData, ManifestData, ShapesData or UnlabelledData",
    "--data.root": "the folder of images",
    "--data.batch_size": "images a step, on each process",
    "--data.num_workers": "processes that decode images beside the training",
    "--data.cache": "where decoded copies are kept: none, ram or disk",
    "--data.max_pixels": "larger images are not decoded",
    "--data.val_fraction": "share that is held out for val where there is no val folder",
    "--data.class_levels": "how many folders, one in another, make the name of a class",
    "--data.label_pattern": "a regular expression that finds the class in a path",
    "--data.follow_links": "whether links are followed",
    "--model.net.backend": "VanillaTransformer or Linformer",
    "--model.net.backend.depth": "number of blocks",
    "--model.net.dim": "width of a token",
    "--model.net.image_size": "side of the picture in pixels",
    "--model.net.patch_size": "side of a patch in pixels",
    "--model.optimizer.lr": "highest learning rate",
    "--trainer.max_epochs": "passes over the training images",
    "--trainer.precision": "32-true, bf16-mixed or 16-mixed",
    "--trainer.accelerator": "auto, cpu or gpu",
    "--trainer.devices": "how many processes, or auto",
    "--trainer.logger": "a logger beside metrics.csv, e.g. WandbLogger",
    "--run.name": "name of the run's folder; by default the config's",
    "--run.dir": "folder that holds the runs",
    "--predictions.path": "where the table goes; by default into the run's folder",
    "--seed_everything": "seed of the whole run",
}

COMMON = ("--config", "--data", "--data.root", "--data.batch_size", "--data.num_workers")
DEVICES = ("--trainer.precision", "--trainer.accelerator", "--trainer.devices")

SHORT = {
    "fit": (
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
    "validate": ("--ckpt_path", *COMMON, *DEVICES),
    "test": ("--ckpt_path", *COMMON, *DEVICES, "--predictions.path"),
    "predict": (
        "--ckpt_path",
        "--weights",
        "--data.root",
        "--data.batch_size",
        "--data.num_workers",
        *DEVICES,
        "--predictions.path",
    ),
    "import": (
        "--out",
        "--source",
        "--heads",
        "--image_size",
        "--pool",
        "--norm_eps",
        "--activation",
        "--classes",
    ),
    "check": (
        "--quarantine",
        "--out",
        "--data",
        "--data.val_fraction",
        "--data.class_levels",
        "--data.label_pattern",
        "--data.follow_links",
        "--data.max_pixels",
    ),
}

# what a verb says of an option in words of its own
OWN = {
    ("import", "--out"): "the safetensors file to write",
    ("check", "--out"): "folder for check.json and samples.png; by default runs/check-NAME",
}
WORDS = {"import": "FILE --out FILE ", "check": "ROOT "}

EXAMPLES = {
    "fit": (
        "vitcli fit --data.root photos/ --trainer.max_epochs 20",
        "vitcli fit --config configs/cats_dogs.yaml --data.root photos/ --model.net.backend Linformer",
        "vitcli fit --ckpt_path runs/cats_dogs --trainer.max_epochs 40     (resume, or go on for longer)",
    ),
    "validate": ("vitcli validate --ckpt_path runs/cats_dogs",),
    "test": ("vitcli test --ckpt_path runs/cats_dogs", "vitcli test --ckpt_path runs/cats_dogs --data.root others/"),
    "predict": ("vitcli predict --ckpt_path runs/cats_dogs --data.root holiday/",),
    "check": ("vitcli check photos", "vitcli check photos --quarantine bad.txt"),
    "import": ("vitcli import deit_tiny.safetensors --classes imagenet.txt --out deit_tiny_vitcli.safetensors",),
}

NOTES = {
    "fit": "A run lies in runs/<name>/: config.yaml, checkpoints/{last,best}.ckpt, metrics.csv. "
    "A second run of the same name becomes <name>-2.",
    "validate": "Net, classes and preprocessing come from the checkpoint, the images from its run unless you say so.",
    "test": "Net, classes and preprocessing come from the checkpoint, the images from its run unless you say so.",
    "predict": "Net, classes and preprocessing come from the checkpoint. One row per file, unreadable ones included.",
    "check": "Unreadable and truncated images, the same file or picture twice, above all in train and val, missing and "
    "rare classes, extremes.\nExit code 0: nothing found, 3: findings. No file of yours is touched.",
    "import": "The file may be safetensors or torch's (tensors only), timm:NAME or torchvision:NAME.",
}


def overview() -> str:
    """The text of ``vitcli --help``."""
    verbs = "\n".join(f"  {verb:<10} {what}" for verb, what in VERBS.items())
    return (
        "usage: vitcli VERB [OPTIONS]\n\n"
        "Train, test and use Vision Transformers on folders of images.\n\n"
        f"verbs:\n{verbs}\n\n"
        "example:\n"
        f"  {EXAMPLES['fit'][0]}\n"
        "  vitcli test --ckpt_path runs/photos\n"
        "  vitcli predict --ckpt_path runs/photos --data.root holiday/\n\n"
        "vitcli VERB -h shows a verb's usual options, vitcli VERB --help-all all of them, vitcli --version the version."
    )


def of_verb(verb: str) -> str:
    """The text of ``vitcli VERB -h``."""
    options = "\n".join(f"  {name:<27} {OWN.get((verb, name)) or OPTIONS[name]}" for name in SHORT[verb])
    examples = "\n".join(f"  {example}" for example in EXAMPLES[verb])
    usual = (
        f"usage: vitcli {verb} {WORDS.get(verb, '')}[OPTIONS]\n\n"
        f"{VERBS[verb].capitalize()}.\n\n"
        f"example:\n{examples}\n\n"
        f"usual options:\n{options}\n\n"
        f"{NOTES[verb]}"
    )
    if verb in WORDS:
        return usual
    return (
        f"{usual}\n"
        f"All options: vitcli {verb} --help-all; those of a class: vitcli {verb} --data.help FolderData; "
        f"the config they make: vitcli {verb} --print_config."
    )


def unknown_verb(word: str) -> str:
    """One line on a first word that is no verb."""
    near = difflib.get_close_matches(word, VERBS, n=1)
    meant = f"did you mean {near[0]!r}? " if near else ""
    return f"{word!r} is not a verb; {meant}There are {', '.join(VERBS)}; see vitcli --help"
