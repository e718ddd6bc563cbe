"""Imports of Lightning and torchmetrics without what is never used: compilers, torchvision, SciPy and plots."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any, TypeVar, final

# torchmetrics imports them where they are installed: scipy.signal for a package on audio, matplotlib for plots,
# torchvision for metrics of detection and image quality
UNUSED = ("torchvision", "scipy", "matplotlib")
COMPILER = "torch._dynamo"
COUNTER = "torch.utils.flop_counter"
F = TypeVar("F")


@contextmanager
def lean_imports() -> Iterator[None]:
    """Within this, Lightning and torchmetrics are imported without what a command does not use: two seconds less.

    Metrics of classification, and everything else that vitcli needs, are the same. torchmetrics' metrics of detection
    and image quality lack torchvision in this process, so whoever may use them has to import without this.
    """
    # a machine that only predicts with an exported net, and evaluates its tables, has no Lightning
    if "lightning" in sys.modules or "torchmetrics" in sys.modules or find_spec("lightning") is None:
        yield
        return
    with _without_unused(), _without_compiler(), _without_triton():
        yield


@contextmanager
def _without_unused() -> Iterator[None]:
    imports: Any = importlib.import_module("lightning_utilities.core.imports")
    found, checked = imports.package_available, imports.RequirementCache.__bool__

    def package_available(name: str) -> bool:
        return name not in UNUSED and bool(found(name))

    def is_met(cache: Any) -> bool:
        return cache.requirement not in UNUSED and bool(checked(cache))

    imports.package_available = package_available
    imports.RequirementCache.__bool__ = is_met
    try:
        yield
    finally:
        imports.package_available = found
        imports.RequirementCache.__bool__ = checked


@contextmanager
def _without_triton() -> Iterator[None]:
    """Lightning's summaries import torch's counter of operations, and this triton, a language for kernels of GPUs.

    With triton it could count kernels that are registered with it, which nobody does here; anyone else finds triton as
    ever.
    """
    logger, finder = logging.getLogger(COUNTER), _NoTriton()
    before = logger.disabled
    sys.meta_path.insert(0, finder)
    # it says that triton is missing
    logger.disabled = True
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        logger.disabled = before


@final
class _NoTriton(MetaPathFinder):
    """Hides triton from torch's counter of operations while that is imported."""

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        counter = sys.modules.get(COUNTER)
        if name.partition(".")[0] == "triton" and getattr(getattr(counter, "__spec__", None), "_initializing", False):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


@contextmanager
def _without_compiler() -> Iterator[None]:
    """Lightning imports torch's compiler for an isinstance and a decorator."""
    if COMPILER in sys.modules:
        yield
        return
    whole = _WholeCompiler()
    sys.modules[COMPILER] = _Compiler(COMPILER)
    sys.meta_path.insert(0, whole)
    try:
        yield
    finally:
        sys.meta_path.remove(whole)
        if isinstance(sys.modules[COMPILER], _Compiler):
            del sys.modules[COMPILER]


class _IsCompiled(type):
    def __instancecheck__(cls, module: object) -> bool:
        # nothing is compiled by a compiler that has not been imported
        compiler = sys.modules.get(COMPILER)
        return compiler is not None and isinstance(module, compiler.OptimizedModule)


@final
class _OptimizedModule(metaclass=_IsCompiled):
    """In isinstance as good as torch's own."""


@final
class _Compiler(ModuleType):
    """In the place of torch's compiler, until anything but these two names is wanted of it."""

    OptimizedModule = _OptimizedModule
    __path__ = []  # noqa: RUF012 -- of a module

    @staticmethod
    def disable(function: F, *_: object, **__: object) -> F:
        """What torch.compiler.disable calls: Lightning marks how it logs, which no compiled net contains."""
        return function

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(_imported(), name)


@final
class _WholeCompiler(MetaPathFinder, Loader):
    """Imports all of torch's compiler when one of its modules is wanted."""

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name.startswith(f"{COMPILER}.") and _is_stood_in() else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        _imported()
        return importlib.import_module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """It is whole already."""


def _is_stood_in() -> bool:
    return isinstance(sys.modules.get(COMPILER), _Compiler)


def _imported() -> ModuleType:
    if _is_stood_in():
        del sys.modules[COMPILER]
    return importlib.import_module(COMPILER)
