"""``vitcli serve``: a trained net behind HTTP: JSON for programs, a page for people."""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vitcli.cli.exit import DONE, ended
from vitcli.cli.plain_parser import PlainParser
from vitcli.errors import ConfigError
from vitcli.machine.blas import one_thread
from vitcli.machine.openmp import never_spin
from vitcli.names import at_home, counted, printable

if TYPE_CHECKING:
    from vitcli.serve.engine import Engine

# modules of the extra
NEEDED = ("starlette", "uvicorn", "python_multipart")
MODEL = ".onnx"
METHOD = "relevance"
# what an exported net has no use for, and why
IDLE = {
    "device": "onnxruntime computes it on the CPU; leave it out",
    "map": "it makes no maps; serve the run it was exported from, or leave it out",
    "temperature": "its temperature is in the file; leave it out",
}


def run(verb: str, words: Sequence[str]) -> int:
    """Serve until a signal comes.

    Args:
        verb: serve.
        words: The words after it.

    Returns:
        Exit code: 0 after a signal, once all that was accepted is answered; 128 and the signal's number where it was
        not; 2 for a mistake of the user's, told in one line.
    """
    return ended(verb, lambda: _serve(words))


def _serve(words: Sequence[str]) -> int:
    told = _parser().parse_args(list(words))
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise ConfigError(f'serve: needs {", ".join(missing)}, which is not installed; pip install "vitcli[serve]"')
    if told.model.lower().endswith(MODEL):
        # of NumPy, which resamples there, in threads that decode
        one_thread()
    # here, because a mistake in the words is told at once
    from vitcli.images.decode.encoded import strict
    from vitcli.serve.app import Service
    from vitcli.serve.limits import Limits, queue_for
    from vitcli.serve.listen import address_of, bound, is_loopback
    from vitcli.serve.server import Life

    if told.batch_size < 1:
        raise ConfigError(f"--batch_size {told.batch_size}: below 1; a batch holds at least one image")
    # before the net is opened, which takes seconds
    queue = told.max_images if told.max_queue is None else told.max_queue
    Limits(told.max_bytes, told.max_pixels, told.max_images, queue, told.timeout)
    with bound(told.host, told.port) as listening:
        engine = _opened(told)
        height, width = engine.preprocess.size
        if told.max_queue is None:
            queue = max(told.max_images, queue_for(3 * height * width))
        limits = Limits(told.max_bytes, told.max_pixels, told.max_images, queue, told.timeout)
        service = Service(engine, limits, told.batch_size)
        address = address_of(listening)

        def start() -> None:
            kinds = f"{len(engine.classes):,} class{'es' if len(engine.classes) != 1 else ''}"
            if not is_loopback(listening.getsockname()[0]):
                print(
                    f"--host {printable(told.host)}: anyone who reaches this machine can ask; there is no password and "
                    "no encryption, so put a proxy in front that has both",
                    flush=True,
                )
            print(
                printable(f"{address} answers with {told.model} ({kinds}, {engine.device}); Ctrl-C ends it"), flush=True
            )

        # Pillow's settings are the process's, and hold for all threads
        with strict(limits.max_pixels):
            try:
                signal = Life(service, listening, start).serve()
            finally:
                service.close()
    requests, images = service.metrics.requests.total(), service.metrics.images.total()
    by = "" if signal is None else f" by {signal.name}"
    print(f"ended{by}: {counted(requests, 'request')}, {counted(images, 'image')}")
    return DONE


def _opened(told: argparse.Namespace) -> Engine:
    """The net; each kind imports what it needs, and an exported one no torch."""
    path = at_home(told.model)
    if path.lower().endswith(MODEL):
        return _exported(told, path)
    never_spin()
    from vitcli.predictor import Predictor
    from vitcli.serve.torch_engine import TorchEngine

    predictor = Predictor(
        path,
        device=told.device,
        temperature=1.0 if told.temperature is None else told.temperature,
        tta=told.tta,
        threshold=told.threshold,
        max_pixels=told.max_pixels,
    )
    return TorchEngine(told.model, predictor, told.map or METHOD)


def _exported(told: argparse.Namespace, path: str) -> Engine:
    for name, remedy in IDLE.items():
        if (typed := getattr(told, name)) is not None:
            raise ConfigError(f"--{name} {typed}: is not for an exported net; {remedy}")
    from vitcli.light import OnnxPredictor
    from vitcli.serve.onnx_engine import OnnxEngine

    predictor = OnnxPredictor(path, tta=told.tta, threshold=told.threshold, max_pixels=told.max_pixels)
    return OnnxEngine(told.model, predictor)


def _parser() -> argparse.ArgumentParser:
    parser = PlainParser(prog="vitcli serve", add_help=False, allow_abbrev=False)
    parser.add_argument("model", metavar="RUN|MODEL")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--device")
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--map")
    parser.add_argument("--temperature", type=_temperature)
    parser.add_argument("--threshold", type=float)
    parser.add_argument("--tta", choices=["none", "flip"], default="none")
    parser.add_argument("--max_bytes", type=int, default=32 * 2**20)
    parser.add_argument("--max_pixels", type=int, default=50_000_000)
    parser.add_argument("--max_images", type=int, default=64)
    parser.add_argument("--max_queue", type=int)
    parser.add_argument("--timeout", type=float, default=60.0)
    return parser


def _temperature(typed: str) -> float | str:
    try:
        return typed if typed == "auto" else float(typed)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{typed} is no number; say auto, or a number such as 1.5") from error
