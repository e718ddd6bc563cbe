"""Training and using a net with Lightning."""

from vitcli.train.classifier import Classifier as Classifier
from vitcli.train.optimizer import AdamW as AdamW
from vitcli.train.optimizer import WarmupCosine as WarmupCosine
