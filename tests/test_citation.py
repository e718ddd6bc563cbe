"""The version stands in one place, and the file for citations agrees with it."""

from __future__ import annotations

import yaml

from tests.conftest import REPOSITORY
from vitcli import __version__


def test_the_citation_names_this_version_and_licence():
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__
    assert f'license = "{citation["license"]}"' in (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
