"""The process of a trial: vitcli with the words that follow, asked to stop and save when its searcher has died.

To be started as ``python -P -m vitcli.search.child SEARCHER fit ...``, where SEARCHER is a process number.
"""

from __future__ import annotations

import runpy
import signal
import sys

from vitcli.machine.signals import end_with_parent

if __name__ == "__main__":
    end_with_parent(int(sys.argv.pop(1)), signal.SIGTERM)
    runpy.run_module("vitcli", run_name="__main__", alter_sys=True)
