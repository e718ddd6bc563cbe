"""Verbs of the command line: which module does each, and what ``vitcli VERB -h`` says of it; no torch needed."""

from __future__ import annotations

from vitcli.cli.usage.around import AROUND
from vitcli.cli.usage.results import RESULTS
from vitcli.cli.usage.training import TRAINING
from vitcli.cli.usage.verb import Verb as Verb

# what other tools call it
SYNONYMS = {"train": "fit", "eval": "test", "infer": "predict", "inference": "predict"}

VERBS = {**TRAINING, **RESULTS, **AROUND}
