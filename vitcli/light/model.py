"""OnnxModel: an exported net in onnxruntime, on the CPU: pixels -> probabilities; may be called by several threads."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any, NamedTuple, Self, final

import numpy as np
from numpy.typing import NDArray

from vitcli.answers.asked import Tta
from vitcli.errors import NO_MEMORY, ConfigError, WeightsError
from vitcli.light.contract import Contract
from vitcli.light.onnx_file import OnnxFile

INPUT, OUTPUT = "pixels", "probabilities"
# onnxruntime's fatal: what it says of an error is told in our words
FATAL = 4
LETTERS = 160
PREFIX = re.compile(r"^\[ONNXRuntimeError\] : \d+ : ")


class End(NamedTuple):
    """What goes into a graph, or comes out of it: name, type and shape, of whose numbers some have a name only."""

    name: str
    type: str
    shape: list[Any]

    @classmethod
    def of(cls, end: Any) -> Self:
        """What onnxruntime says of it, which fails on names that are no text."""
        return cls(end.name, end.type.removeprefix("tensor(").removesuffix(")"), list(end.shape))


@final
class OnnxModel:
    """An exported net: uint8 (batch, height, width, 3) -> float32 (batch, classes).

    The file is taken for a stranger's: it is read as data first, opens no other file, and brings no code along.

    Args:
        path: A file that ``vitcli export --out model.onnx`` has written.
        threads: How many compute; 0: as many as there are cores.

    Raises:
        ConfigError: onnxruntime is not installed.
        WeightsError: There is no such file, or it is none that vitcli export writes.
    """

    def __init__(self, path: str | os.PathLike[str], threads: int = 0) -> None:
        self.path = os.fspath(path)
        file = OnnxFile.read(self.path)
        self.contract = Contract.of(file)
        self.digest = file.digest
        try:
            import onnxruntime  # type: ignore[import-untyped]
        except ImportError as error:
            raise ConfigError(
                f"--model {self.path}: needs onnxruntime, which cannot be imported here ({error}); "
                'pip install "vitcli[onnx]"'
            ) from error
        self.runtime: str = onnxruntime.__version__
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = FATAL
        # threads that wait for the next batch would spin on cores that decode it
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        onnxruntime.set_default_logger_severity(FATAL)
        try:
            # without a second try, which it would tell of on stdout
            self._session: Any = onnxruntime.InferenceSession(
                file.content, options, providers=["CPUExecutionProvider"], enable_fallback=0
            )
            taken, given = (list(map(End.of, ends())) for ends in (self._session.get_inputs, self._session.get_outputs))
        except Exception as error:
            raise WeightsError(
                f"--model {self.path}: onnxruntime {self.runtime} cannot open it ({_reason(error)}); export it again"
            ) from error
        # pictures that the graph takes at once, where it does not take any number of them
        self.fixed = self._check_ends(taken, given)

    def _check_ends(self, taken: Sequence[End], given: Sequence[End]) -> int | None:
        """Check what goes in and what comes out.

        Raises:
            WeightsError: It is something else than vitcli export writes.
        """
        size, classes = self.contract.preprocess.size, self.contract.classes
        takes = f"takes {_described(taken)} and gives {_described(given)}"
        wanted = (
            f"wanted is {INPUT} uint8 (batch, {size[0]}, {size[1]}, 3) and {OUTPUT} float32 (batch, {len(classes)})"
        )
        if [one.name for one in taken] != [INPUT] or [one.name for one in given] != [OUTPUT]:
            raise WeightsError(f"--model {self.path}: {takes}; {wanted}, as vitcli export writes it")
        pixels, probabilities = taken[0], given[0]
        fits = (
            (pixels.type, probabilities.type) == ("uint8", "float")
            and len(pixels.shape) == 4
            and tuple(pixels.shape[1:]) == (*size, 3)
            and len(probabilities.shape) == 2
            # a name stands for a number that is known when it is run, and looked at then
            and (isinstance(probabilities.shape[1], str) or probabilities.shape[1] in (None, len(classes)))
        )
        if not fits:
            raise WeightsError(f"--model {self.path}: {takes}; {wanted}, as vitcli export writes it")
        batch = pixels.shape[0]
        return batch if isinstance(batch, int) and batch > 0 else None

    def probabilities(self, pixels: NDArray[np.uint8], tta: Tta = "none") -> NDArray[np.float32]:
        """What the net answers: float32 (batch, classes).

        Args:
            pixels: uint8 (batch, height, width, 3) in the size of the net; there may be none.
            tta: flip: the mean of the answers to each image and to its mirror image.

        Raises:
            WeightsError: The graph fails, or gives something else than it said.
        """
        if tta == "flip":
            both = self.probabilities(pixels), self.probabilities(np.ascontiguousarray(pixels[:, :, ::-1]))
            mean: NDArray[np.float32] = np.mean(both, axis=0, dtype=np.float32)
            return mean
        if not len(pixels):
            return np.empty((0, len(self.contract.classes)), dtype=np.float32)
        if self.fixed is None:
            return self._run(pixels)
        lacking = -len(pixels) % self.fixed
        filled = np.concatenate([pixels, np.repeat(pixels[-1:], lacking, axis=0)])
        parts = [self._run(filled[at : at + self.fixed]) for at in range(0, len(filled), self.fixed)]
        return np.concatenate(parts)[: len(pixels)]

    def _run(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        try:
            answered: NDArray[np.float32] = self._session.run([OUTPUT], {INPUT: pixels})[0]
        except Exception as error:
            if NO_MEMORY.search(str(error)):
                # onnxruntime's own kind of error is no RuntimeError
                raise MemoryError(_reason(error)) from error
            raise WeightsError(
                f"--model {self.path}: onnxruntime {self.runtime} cannot run it ({_reason(error)}); export it again"
            ) from error
        wanted = len(pixels), len(self.contract.classes)
        if answered.shape != wanted or answered.dtype != np.float32:
            raise WeightsError(
                f"--model {self.path}: answers with {answered.dtype} {answered.shape} instead of float32 {wanted}; "
                "export it again"
            )
        return answered


def _described(ends: Sequence[End]) -> str:
    return ", ".join(f"{end.name[:40]} {end.type} ({', '.join(map(str, end.shape[:6]))})" for end in ends[:3])


def _reason(error: Exception) -> str:
    """What onnxruntime says, in a line."""
    told = PREFIX.sub("", " ".join(str(error).split()))
    return told if len(told) <= LETTERS else f"{told[:LETTERS]} ..."
