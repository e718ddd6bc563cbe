"""Contract: what an exported file says of itself, checked: classes, preprocessing, temperature, threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self, final, get_args

from vitcli.answers.asked import Asked
from vitcli.errors import ConfigError, WeightsError
from vitcli.light.onnx_file import OnnxFile
from vitcli.machine.bounded_json import from_json
from vitcli.preprocess import Interpolation, Preprocess, Resize

# of the metadata, as vitcli export writes it; a later one may mean something else
FORMAT = 1
# a picture of the net's size has at most so many pixels
MOST_PIXELS = 2**26
MOST, LEAST_CROP = 1e9, 1e-3
MOST_CLASSES = 1_000_000


@final
@dataclass(frozen=True)
class Contract:
    """What is known of an exported net beside its graph.

    Args:
        classes: Names of its probabilities, in their order.
        preprocess: How a picture becomes its pixels.
        temperature: By which its logits are divided, in its graph.
        threshold: Of two classes, from which probability on the second one is predicted; None: the likelier one.
        quantize: How its numbers are stored: none, int8 or fp16.
        version: Of the vitcli that has written it.
    """

    classes: tuple[str, ...]
    preprocess: Preprocess
    temperature: float
    threshold: float | None
    quantize: str
    version: str

    @classmethod
    def of(cls, file: OnnxFile) -> Self:
        """What a file says.

        Raises:
            WeightsError: It is not what vitcli export writes.
        """
        try:
            told = from_json(file.note.decode("utf-8"))
            if not isinstance(told, dict):
                raise ValueError("is no mapping")
            if told.get("format") != FORMAT:
                raise WeightsError(
                    f"--model {file.path}: its metadata has the format {told.get('format')!r}, and this vitcli reads "
                    f"{FORMAT}; use the vitcli that has written it ({told.get('version')}), or a newer one"
                )
            if told.get("probabilities") != "softmax":
                raise ValueError("probabilities is not softmax")
            threshold = told.get("threshold")
            contract = cls(
                _classes(told.get("classes")),
                _preprocess(told.get("preprocess")),
                _number(told.get("temperature"), "temperature"),
                None if threshold is None else _number(threshold, "threshold"),
                _text(told.get("quantize"), "quantize"),
                _text(told.get("version"), "version"),
            )
            Asked(contract.temperature, threshold=contract.threshold).check(contract.classes)
        except (ValueError, ConfigError) as error:
            reason = " ".join(str(error).split())[:200]
            raise WeightsError(
                f"--model {file.path}: its metadata is not what vitcli export writes ({reason}); export it again"
            ) from error
        return contract


def _classes(told: Any) -> tuple[str, ...]:
    if not isinstance(told, list) or not 1 <= len(told) <= MOST_CLASSES:
        raise ValueError("classes is no list of names")
    if not all(isinstance(name, str) and name for name in told) or len(set(told)) < len(told):
        raise ValueError("classes are no names, or not different ones")
    return tuple(told)


def _preprocess(told: Any) -> Preprocess:
    if not isinstance(told, dict) or told.keys() != Preprocess.__dataclass_fields__.keys():
        raise ValueError("preprocess has other fields")
    size = _numbers(told["size"], "size", 2)
    if not all(number == int(number) >= 1 for number in size) or size[0] * size[1] > MOST_PIXELS:
        raise ValueError(f"preprocess.size {told['size']} is none of a picture")
    white = told["white"]
    if white is not None and type(white) is not int:
        raise ValueError("preprocess.white is no whole number")
    for key, words in (("resize", get_args(Resize)), ("interpolation", get_args(Interpolation))):
        if told[key] not in words:
            raise ValueError(f"preprocess.{key} is none of {', '.join(words)}")
    crop_fraction = _number(told["crop_fraction"], "crop_fraction")
    if crop_fraction < LEAST_CROP:
        raise ValueError(f"preprocess.crop_fraction is below {LEAST_CROP:g}")
    return Preprocess(
        size=(int(size[0]), int(size[1])),
        resize=told["resize"],
        crop_fraction=crop_fraction,
        interpolation=told["interpolation"],
        mean=_three(told["mean"], "mean"),
        std=_three(told["std"], "std"),
        white=white,
    )


def _three(told: Any, name: str) -> tuple[float, float, float]:
    red, green, blue = _numbers(told, name, 3)
    return red, green, blue


def _numbers(told: Any, name: str, count: int) -> list[float]:
    if not isinstance(told, list) or len(told) != count:
        raise ValueError(f"preprocess.{name} is no list of {count} numbers")
    return [_number(number, name) for number in told]


def _number(told: Any, name: str) -> float:
    # no number of such a file is anywhere near it, and beyond it float32 ends
    if type(told) not in (int, float) or not -MOST < told < MOST:
        raise ValueError(f"{name} is no number below {MOST:g}")
    return float(told)


def _text(told: Any, name: str) -> str:
    if not isinstance(told, str) or len(told) > 100:
        raise ValueError(f"{name} is no word")
    return told
