"""TorchEngine: a run, checkpoint or weights behind the server, by Predictor, with maps of vitcli.explain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
import torch
from torch import Tensor

from vitcli.answers.answer import answer, normalised
from vitcli.answers.rows import rows_of
from vitcli.errors import ConfigError
from vitcli.explain import METHODS, maps_of
from vitcli.images.decode.pixels import Rgb
from vitcli.net import watch
from vitcli.predictor import Predictor
from vitcli.serve.engine import Engine, Map
from vitcli.table.row import Row

# methods that need no attention of ours
OF_PIXELS = ("gradients", "occlusion")


@final
class TorchEngine(Engine):
    """A net of torch's.

    Args:
        name: As the user typed it.
        predictor: The opened net, and how it is asked.
        method: Of the maps, a name of ``vitcli.explain.METHODS``, or ``none``.

    Raises:
        ConfigError: There is no such method.
    """

    def __init__(self, name: str, predictor: Predictor, method: str) -> None:
        if method not in (*METHODS, "none"):
            raise ConfigError(f"--map {method}: there is {', '.join(METHODS)} and none")
        no_maps = "the server was started with --map none" if method == "none" else ""
        if method not in (*OF_PIXELS, "none"):
            no_maps = _unwatchable(predictor)
        shown = "" if no_maps else method
        super().__init__(name, predictor.classes, predictor.preprocess, str(predictor.device), shown, no_maps)
        self._predictor = predictor
        # maps of relevance ask for gradients of the image and of what follows from it, never of the net
        predictor.net.requires_grad_(False)

    def answer(self, images: Sequence[Rgb]) -> list[Row]:
        """A row for each image, without path and size."""
        asked, columns = self._predictor.asked, self._predictor.columns
        with torch.inference_mode():
            answers = answer(self._predictor.net, self.preprocess, self._batch(images), asked)
            return rows_of(answers["probabilities"].cpu().numpy(), columns, threshold=asked.threshold)

    def map_of(self, image: Rgb, predicted: str) -> Map:
        """What of an image speaks for a class: float32 (rows, columns)."""
        net = self._predictor.net
        pixels = normalised(net, self.preprocess, self._batch([image]))
        label = torch.tensor([self.classes.index(predicted)], device=pixels.device)
        found: Map = maps_of(self.method, net, pixels, label)[0].detach().float().cpu().numpy()
        return found

    def _batch(self, images: Sequence[Rgb]) -> Tensor:
        # channels last, as predict has them, so that the net adds up in the same order
        stacked = torch.from_numpy(np.stack([image.transpose(1, 2, 0) for image in images]))
        return stacked.to(self._predictor.device).permute(0, 3, 1, 2)


def _unwatchable(predictor: Predictor) -> str:
    """Why the attention of a net cannot be watched; empty where it can."""
    try:
        with watch(predictor.net):
            return ""
    except ConfigError as error:
        return str(error)
