"""Colours of the charts: what each is for, and its value on white paper; the page gives it another one in the dark."""

from __future__ import annotations

from typing import Final

# Blue and orange are told apart with every common kind of colour blindness (Okabe and Ito 2008); on white both have a
# contrast above 4.5. A colour stands for one thing only, because inline charts are coloured by what it stands for.
INK: Final = "#1d2128"
MUTED: Final = "#5a6270"
LINE: Final = "#d8dce2"
PAPER: Final = "#ffffff"
RIGHT: Final = "#1f5fbe"
WRONG: Final = "#b5500b"
OTHER: Final = "#7b8493"
SHADE: Final = "#dbe6f7"

# the variable of templates/report.css for each
VARIABLES: Final = {
    INK: "--ink",
    MUTED: "--muted",
    LINE: "--line",
    PAPER: "--paper",
    RIGHT: "--right",
    WRONG: "--wrong",
    OTHER: "--other",
    SHADE: "--shade",
}
# of the runs of a comparison, in their order: each another colour and another dash
SERIES: Final = ((RIGHT, "-"), (WRONG, "--"), (INK, ":"), (OTHER, "-."))
