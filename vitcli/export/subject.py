"""Subject: what is exported: net, classes, preprocessing, temperature, threshold, and the metadata that says so."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, final

from vitcli import __version__
from vitcli.answers.asked import Asked
from vitcli.errors import WeightsError
from vitcli.evaluate.temperature import fitted_temperature
from vitcli.net import ViT
from vitcli.net.resample import Resampling
from vitcli.preprocess import Preprocess
from vitcli.run import Run, run_of
from vitcli.weights.checkpoint import read_checkpoint
from vitcli.weights.open import open_pretrained

# of the metadata: raised when a field changes its meaning
FORMAT = 1
# under which it lies in the metadata of each kind of file
KEY = "vitcli"

Quantize = Literal["none", "int8", "fp16"]


@final
@dataclass(frozen=True)
class Subject:
    """A trained net with all that its answers depend on.

    Args:
        typed: What the user called it.
        net: The net, in eval mode.
        classes: Names of its logits, in their order.
        preprocess: How a picture becomes its pixels.
        asked: Temperature and threshold.
        resampling: Whose way of resampling positions is its own.
        run: The run that its checkpoint lies in; None for weights from elsewhere.
        step: Of the checkpoint; None likewise.
    """

    typed: str
    net: ViT
    classes: tuple[str, ...]
    preprocess: Preprocess
    asked: Asked
    resampling: Resampling
    run: Run | None = None
    step: int | None = None

    @classmethod
    def open(cls, path: str, temperature: float | Literal["auto"] = 1.0, threshold: float | None = None) -> Subject:
        """Open a checkpoint or weights.

        Args:
            path: As ``vitcli.weights.open.open_pretrained`` takes it; of a run, its checkpoint.
            temperature: By which logits are divided; ``auto`` is the one that fits the val images of the run.
            threshold: Of two classes, from which probability on the second is predicted.

        Raises:
            WeightsError: There is no such file, or it holds no net that answers to pictures with classes.
            ConfigError: A number out of range, a threshold for other than two classes, or a run that keeps no
                temperature for its checkpoint.
        """
        opened = open_pretrained(path)
        preprocess = opened.contract(path)
        classes = tuple(opened.names())
        if len(classes) != opened.net.classes:
            raise WeightsError(
                f"{path}: names {len(classes)} classes, and its net has {opened.net.classes} logits; "
                "export a checkpoint that vitcli fit wrote, or name the classes by vitcli import --classes"
            )
        if opened.net.channels != 3:
            raise WeightsError(
                f"{path}: a net of {opened.net.channels} channels; an export takes RGB pictures, which have 3"
            )
        run = run_of(Path(path)) if path.endswith(".ckpt") else None
        step = None if run is None else int(read_checkpoint(path)["global_step"])
        if temperature == "auto":
            temperature = fitted_temperature(run, step or 0, "--temperature")
        asked = Asked(temperature, threshold=threshold)
        asked.check(classes)
        # no one trains what is exported, and a .pt2 keeps whether its tensors want gradients
        net = opened.net.requires_grad_(False)
        return cls(path, net, classes, preprocess, asked, opened.resampling, run, step)

    def metadata(self, quantize: Quantize = "none") -> dict[str, Any]:
        """What a script without vitcli needs to know, as plain values for JSON.

        Args:
            quantize: How the numbers of the file are stored.
        """
        return {
            "format": FORMAT,
            "version": __version__,
            "classes": list(self.classes),
            "preprocess": asdict(self.preprocess),
            "temperature": self.asked.temperature,
            "threshold": self.asked.threshold,
            "quantize": quantize,
            "net": self.net.settings(),
            "probabilities": "softmax",
        }
