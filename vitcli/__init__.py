"""vitcli: train, test and use Vision Transformers on folders of images."""

__version__ = "0.1.0"
