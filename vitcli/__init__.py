"""vitcli: train, test and use Vision Transformers on folders of images."""

__version__ = "0.1.0"

# for type checkers; to import typing would take longer than the whole help
TYPE_CHECKING = False
if TYPE_CHECKING:
    from vitcli.predictor import Predictor as Predictor


def __getattr__(name: str) -> object:
    # torch takes seconds to import, and the help of the command line needs none
    if name == "Predictor":
        import importlib

        return importlib.import_module("vitcli.predictor").Predictor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
