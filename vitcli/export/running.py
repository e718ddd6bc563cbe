"""Running: how an exported file is used, as the model card says it."""

from __future__ import annotations

from pathlib import Path

from vitcli.export.subject import KEY, Subject
from vitcli.names import quoted

PYTHON = "```python\n{}\n```"


def running(subject: Subject, out: Path, timm: bool) -> str:
    """Markdown: what a file is opened by, and what goes in and comes out.

    Args:
        subject: What was exported.
        out: The file.
        timm: Whether it is timm's tensors.
    """
    height, width = subject.preprocess.size
    io = (
        f"In go RGB pixels, uint8 (batch, {height}, {width}, 3), out come probabilities, float32 (batch, "
        f"{len(subject.classes)}); all else, such as how a photo becomes these pixels, is JSON in the file's metadata."
    )
    file = repr(out.name)
    if timm:
        return "The header names the arguments of timm.create_model:\n\n" + PYTHON.format(
            "import json\nimport timm\nfrom safetensors.torch import load_file, safe_open\n\n"
            f"with safe_open({file}, framework='pt') as opened:\n"
            "    args = json.loads(opened.metadata()['model_args'])\n"
            "    architecture = json.loads(opened.metadata()['architecture'])\n"
            "model = timm.create_model(architecture, **args).eval()\n"
            f"model.load_state_dict(load_file({file}), strict=True)"
        )
    if out.suffix == ".onnx":
        return (
            f"`vitcli predict --model {quoted(out.name)} photos/`, or with onnxruntime alone:\n\n"
            + PYTHON.format(
                f"import json\nimport onnxruntime\n\nsession = onnxruntime.InferenceSession({file})\n"
                f"told = json.loads(session.get_modelmeta().custom_metadata_map['{KEY}'])\n"
                "(probabilities,) = session.run(None, {'pixels': pixels})"
            )
            + f"\n\n{io}"
        )
    if out.suffix == ".pt2":
        return (
            PYTHON.format(
                f"import json\nimport torch\n\ntold = {{'{KEY}': ''}}\n"
                f"program = torch.export.load({file}, extra_files=told)\ntold = json.loads(told['{KEY}'])\n"
                "probabilities = program.module()(pixels)"
            )
            + f"\n\n{io}"
        )
    return (
        f"`vitcli predict --weights {quoted(out.name)} photos/`, or start a training from it by `vitcli fit --weights`."
    )
