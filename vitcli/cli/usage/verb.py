"""What help says of a verb, and which module does it."""

from __future__ import annotations


class Verb:
    """A verb: the module that does it, and what help says of it.

    A plain class: to import typing or dataclasses would take longer than the whole help.

    Args:
        module: Has ``run(verb, words)``, which returns the exit code.
        summary: What it does, in a line that begins with a small letter.
        options: Its usual options, of OPTIONS in ``options.py``.
        examples: Commands.
        note: What else there is to know, in one or two lines.
        positional: What comes before the options, such as ROOT.
        own: Options, each with what this verb says of it in words of its own.
        trains: Whether it has the many options of Trainer, model and data, which ``--help-all`` shows.
        light: The module that does it with an exported net, an .onnx, if there is one.
    """

    def __init__(
        self,
        module: str,
        summary: str,
        options: tuple[str, ...] = (),
        examples: tuple[str, ...] = (),
        note: str = "",
        positional: str = "",
        own: tuple[tuple[str, str], ...] = (),
        trains: bool = False,
        light: str = "",
    ) -> None:
        self.module = module
        self.summary = summary
        self.options = options
        self.examples = examples
        self.note = note
        self.positional = positional
        self.own = dict(own)
        self.trains = trains
        self.light = light

    def done_by(self, words: list[str]) -> str:
        """The module that does it; with an exported net, one that imports no torch.

        Args:
            words: The words after the verb.
        """
        names_net = any(word.partition("=")[0] == "--model" for word in words)
        is_exported = names_net or (words[0] if words else "").lower().endswith(".onnx")
        return self.light if self.light and is_exported else self.module
