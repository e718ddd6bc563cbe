"""Servers to compare with: FastAPI as one writes it first, and LitServe with batches; same net, same photos.

    python benchmarks/serve_peers.py fastapi|litserve PORT WEIGHTS

The net is vitcli's, so that only the serving differs; the photo is decoded and resized as torchvision's users do.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import litserve as ls
import torch
from PIL import Image
from torchvision.transforms import v2

from vitcli.weights.open import open_pretrained

FIELD = "content"


def opened(weights: str) -> tuple[torch.nn.Module, list[str], v2.Transform]:
    """The net, its classes, and how a photo is prepared for it."""
    pretrained = open_pretrained(weights)
    size = pretrained.net.image_size[0]
    mean, std = pretrained.preprocess.get("mean"), pretrained.preprocess.get("std")
    transform = v2.Compose(
        [
            v2.Resize(round(size / 0.9), v2.InterpolationMode.BICUBIC),
            v2.CenterCrop(size),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(mean or [0.5] * 3, std or [0.5] * 3),
        ]
    )
    return pretrained.net.eval(), pretrained.names(), transform


def photo(content: bytes, transform: v2.Transform) -> torch.Tensor:
    tensor: torch.Tensor = transform(Image.open(io.BytesIO(content)).convert("RGB"))
    return tensor


def answers(net: torch.nn.Module, names: list[str], images: torch.Tensor) -> list[dict[str, Any]]:
    with torch.inference_mode():
        shares, places = net(images).softmax(dim=1).max(dim=1)
    pairs = zip(places.tolist(), shares.tolist(), strict=True)
    return [{"predicted": names[place], "confidence": share} for place, share in pairs]


def fastapi(port: int, weights: str) -> None:
    import uvicorn
    from fastapi import FastAPI, UploadFile

    net, names, transform = opened(weights)
    app = FastAPI()

    # a plain function, which FastAPI calls in a thread, as its documentation says
    def predict(content: UploadFile) -> dict[str, Any]:
        return answers(net, names, photo(content.file.read(), transform)[None])[0]

    # the annotations of this file are texts
    predict.__annotations__ = {"content": UploadFile}
    app.post("/predict")(predict)
    uvicorn.run(app, port=port, log_level="critical", access_log=False)


class Api(ls.LitAPI):
    """LitServe's way: each step of a request a method, batches gathered for five milliseconds.

    Here and not in a function, because the process that computes gets it pickled.
    """

    def __init__(self, weights: str) -> None:
        super().__init__(max_batch_size=32, batch_timeout=0.005)
        self.weights = weights

    def setup(self, device: str) -> None:
        self.net, self.names, self.transform = opened(self.weights)

    # without a type of its own, which FastAPI would look for in the address
    def decode_request(self, request):
        return photo(request[FIELD].file.read(), self.transform)

    def batch(self, inputs: list[torch.Tensor]) -> torch.Tensor:
        return torch.stack(inputs)

    def predict(self, batch: torch.Tensor) -> list[dict[str, Any]]:
        return answers(self.net, self.names, batch)

    def unbatch(self, output: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return output

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        return output


def litserve(port: int, weights: str) -> None:
    server = ls.LitServer(Api(weights), accelerator="cpu", timeout=120)
    server.run(port=port, host="127.0.0.1", generate_client_file=False, log_level="critical")


if __name__ == "__main__":
    kind, port, weights = sys.argv[1:4]
    assert Path(weights).exists(), weights
    {"fastapi": fastapi, "litserve": litserve}[kind](int(port), weights)
