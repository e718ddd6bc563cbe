"""Weights from elsewhere: functions over state dicts and files; no peer is imported."""

from vitcli.weights.files import open_net as open_net
from vitcli.weights.files import read_metadata as read_metadata
from vitcli.weights.files import read_tensors as read_tensors
from vitcli.weights.files import save_tensors as save_tensors
from vitcli.weights.importer import import_net as import_net
from vitcli.weights.load import Report as Report
from vitcli.weights.load import load_into as load_into
