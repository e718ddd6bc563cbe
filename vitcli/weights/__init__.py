"""Weights from elsewhere: pure functions over state dicts; no peer is imported."""

from vitcli.weights.importer import import_net as import_net
