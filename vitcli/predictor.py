"""Predictor: a trained net for use from Python: files, images or arrays -> the rows of predict; without Lightning."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, final

import torch

from vitcli.answers.answer import answer
from vitcli.answers.asked import Asked, Tta
from vitcli.answers.rows import rows_of
from vitcli.errors import ConfigError, WeightsError
from vitcli.evaluate.temperature import fitted_temperature
from vitcli.images.decode.encoded import MAX_PIXELS
from vitcli.images.index.handed import Cropped, Given, Handed, cropped, handed, named, stacked
from vitcli.names import at_home
from vitcli.run import resolve_checkpoint, run_of
from vitcli.table.columns import BEST, NARROW, Columns
from vitcli.table.row import Row
from vitcli.weights.checkpoint import read_checkpoint
from vitcli.weights.open import open_pretrained

# of a net, too, calls take turns
TURN = threading.Lock()


@final
class Predictor:
    """A trained net: files, Pillow's images or arrays of any size -> a row for each, as ``vitcli predict`` writes them.

    It may be used by several threads; their calls take turns.

    Args:
        run: The folder of a run (its best checkpoint), a ``.ckpt`` file, or weights as ``--weights`` takes them, such
            as a file written by ``vitcli import``.
        device: ``cpu``, ``cuda`` or another of torch's; None takes a GPU if there is one.
        batch_size: Images that go through the net at once.
        temperature: By which logits are divided; ``auto`` is the one that fits the val images of the run.
        tta: ``flip`` averages the probabilities of each image and of its mirror image.
        threshold: The second of two classes is predicted from this probability on; None: the likelier class.
        max_pixels: Larger images are not decoded.

    Raises:
        WeightsError: There is no such run or file, or it holds no net that knows classes.
        ConfigError: A number out of range, a threshold for other than two classes, a run that keeps no temperature for
            its checkpoint, or a device that is not there.
    """

    def __init__(
        self,
        run: str | os.PathLike[str],
        *,
        device: str | torch.device | None = None,
        batch_size: int = 64,
        temperature: float | Literal["auto"] = 1.0,
        tta: Tta = "none",
        threshold: float | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        for name, value in (("batch_size", batch_size), ("max_pixels", max_pixels)):
            if not isinstance(value, int) or value < 1:
                raise ConfigError(f"{name} {value!r}: is no whole number of at least 1")
        if temperature != "auto" and not isinstance(temperature, int | float):
            raise ConfigError(f"temperature {temperature!r}: is neither a number nor auto")
        path = at_home(os.fspath(run))
        try:
            pretrained = open_pretrained(path)
        except WeightsError as error:
            # nobody has typed an option here
            raise WeightsError(str(error).removeprefix("--weights ")) from error
        self.preprocess = pretrained.contract(str(run))
        self.classes = tuple(pretrained.names())
        self.asked = Asked(_fitted(path) if temperature == "auto" else temperature, tta, threshold)
        self.asked.check(self.classes)
        self.device = _device(device)
        self.net = pretrained.net.to(self.device).eval()
        self.batch_size = batch_size
        self.max_pixels = max_pixels
        self.columns = Columns(self.classes, 0 if len(self.classes) <= NARROW else BEST)

    def predict(self, images: Given | Iterable[Given]) -> list[Row]:
        """A row for each image, in their order; one that cannot be read has the status ``error`` and the reason.

        Of more than 100 classes a row names the best five, as in the table of ``vitcli predict``.

        Args:
            images: One or several of these: the path of an image; of a folder, zip or tar, which stands for all files
                in it in natural order; a pattern such as ``photos/**/*.jpg``; an image of Pillow's, of any mode; an
                array of uint8, (height, width, 3) as red, green and blue or (height, width) as grey. The rows of a
                folder that is given alone name its files by their place in it, other rows by the path as given; what
                is no file has an empty path.

        Raises:
            DataError: Something of another kind, an array of other numbers, a folder that cannot be listed, or a
                damaged archive.
        """
        rows: list[Row] = []
        for batch, read in cropped(handed(images), self.preprocess, self.batch_size, self.max_pixels):
            with TURN, torch.inference_mode():
                rows += self._rows(batch, read)
        return rows

    def _rows(self, batch: Sequence[Handed], read: Sequence[Cropped]) -> Iterator[Row]:
        images = torch.from_numpy(stacked(read, self.preprocess.size)).to(self.device).permute(0, 3, 1, 2)
        probabilities = answer(self.net, self.preprocess, images, self.asked)["probabilities"].cpu().numpy()
        return named(batch, read, rows_of(probabilities, self.columns, threshold=self.asked.threshold))


def _fitted(path: str) -> float:
    """The temperature that a run keeps for its checkpoint."""
    if Path(path).is_dir():
        path = str(resolve_checkpoint(f"{path}/", "predict", None, path))
    run = run_of(Path(path))
    return fitted_temperature(run, 0 if run is None else int(read_checkpoint(path)["global_step"]))


def _device(wished: str | torch.device | None) -> torch.device:
    if wished is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wished)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = " ".join(str(error).split())[:120]
        raise ConfigError(f"device {wished}: cannot be used here ({reason}); say cpu, or leave it out") from error
    return device
