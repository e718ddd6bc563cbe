"""Help texts: what ``vitcli --help``, ``vitcli VERB -h`` and a first word that is no verb are answered with."""

from __future__ import annotations

from vitcli.cli.options import CHOICES, OPTIONS
from vitcli.cli.usage import SYNONYMS, VERBS, Verb


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
