"""Verbs around images and configs: check, pack, configs and completion."""

from __future__ import annotations

from vitcli.cli.usage.verb import Verb

AROUND = {
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
