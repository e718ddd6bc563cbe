"""Lightning is imported without what vitcli never uses, and isinstance and torch's compiler are as before."""

from __future__ import annotations

import subprocess
import sys

import pytest

WITHIN = """
import sys
import torch
from vitcli.machine.lean import lean_imports
with lean_imports():
    {within}
    import lightning.pytorch
"""


def run(script: str) -> str:
    """What a new Python prints."""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.slow
def test_lightning_brings_no_compiler_and_a_compiled_module_is_known_as_one_afterwards():
    heavy = '["torch._dynamo", "torchvision", "scipy", "matplotlib", "triton"]'
    script = WITHIN.format(within="pass") + (
        f"print([name for name in {heavy} if name in sys.modules])\n"
        "from lightning.fabric import wrappers\n"
        "net = torch.nn.Linear(2, 2)\n"
        "print(isinstance(net, wrappers.OptimizedModule))\n"
        "compiled = torch.compile(net, backend='eager')\n"
        "compiled(torch.zeros(1, 2))\n"
        "print(isinstance(compiled, wrappers.OptimizedModule), isinstance(net, wrappers.OptimizedModule))\n"
    )

    assert run(script).split() == ["[]", "False", "True", "False"]


@pytest.mark.slow
def test_who_wants_the_compiler_meanwhile_gets_all_of_it_and_torchmetrics_finds_its_packages_afterwards():
    script = WITHIN.format(within="import torch._dynamo.utils as utils; from torch._dynamo import config") + (
        "print(utils is sys.modules['torch._dynamo.utils'], utils is torch._dynamo.utils)\n"
        "print(config is torch._dynamo.config)\n"
        "from lightning_utilities.core.imports import RequirementCache, package_available\n"
        "print(bool(RequirementCache('torchvision')), package_available('scipy'))\n"
    )

    assert run(script).split() == ["True"] * 5


@pytest.mark.slow
def test_triton_is_left_out_of_the_imports_alone():
    script = WITHIN.format(within="pass") + (
        "print('triton' in sys.modules)\n"
        "from torch.utils._triton import has_triton_package\n"
        "from importlib.util import find_spec\n"
        "print(has_triton_package() == (find_spec('triton') is not None))\n"
    )

    assert run(script).split() == ["False", "True"]


@pytest.mark.slow
def test_predict_imports_no_optimiser_of_scipys():
    script = (
        "import sys\nfrom vitcli.__main__ import main\n"
        "code = main(['predict', '--weights', 'missing.safetensors', '--data.root', '.'])\n"
        "print(code, 'torch' in sys.modules)\n"
        "print([name for name in ('scipy.optimize', 'scipy.stats', 'triton', 'pandas') if name in sys.modules])\n"
    )

    assert run(script).split("\n") == ["2 True", "[]"]
