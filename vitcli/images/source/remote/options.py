"""Remote: the choices for reading from object stores: the local cache, requests at once, retries, time-outs."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path

from vitcli.errors import ConfigError
from vitcli.names import at_home, is_url


@dataclass(frozen=True)
class Remote:
    """Reading from object stores (``s3://``, ``gs://``, ``az://``, ``https://``, ``hf://``); a disk needs none of it.

    Args:
        cache_gb: Most that is kept on the local disk of what was read, in GB; 0 keeps nothing. All processes of the
            machine share it.
        cache_dir: Where it is kept; null: ``~/.cache/vitcli/objects``. Name a local disk where the home folder is none.
        requests: How many requests one process makes at once.
        retries: How often a request that failed is made again, each time after twice as long, some seconds at most.
        timeout_seconds: After how long a request that brings nothing is given up, and made again.

    Raises:
        ConfigError: A number out of range.
    """

    cache_gb: float = 20.0
    cache_dir: str | None = None
    requests: int = 32
    retries: int = 6
    timeout_seconds: float = 30.0

    def __post_init__(self) -> None:
        if not self.cache_gb >= 0:
            raise ConfigError(f"data.remote.cache_gb {self.cache_gb:g}: below 0; 0 keeps nothing on the disk")
        if self.requests < 1:
            raise ConfigError(f"data.remote.requests {self.requests}: below 1; 32 is usual")
        if self.retries < 0:
            raise ConfigError(f"data.remote.retries {self.retries}: below 0; 0 gives up at the first failure")
        if not self.timeout_seconds > 0:
            raise ConfigError(f"data.remote.timeout_seconds {self.timeout_seconds:g}: is no time; 30 is usual")

    @property
    def folder(self) -> Path:
        """Where objects are kept."""
        if self.cache_dir is not None:
            return Path(at_home(self.cache_dir))
        above = os.environ.get("XDG_CACHE_HOME") or os.path.join("~", ".cache")
        return Path(at_home(above), "vitcli", "objects")

    @property
    def most_bytes(self) -> int:
        """How many bytes are kept at most."""
        return int(self.cache_gb * 1e9)


# frozen, so one instance serves all
REMOTE = Remote()


def unused(*roots: str) -> dict[str, str]:
    """The settings of Remote that roots make no use of, and why: all of them, unless one is an address."""
    if any(map(is_url, roots)):
        return {}
    return {f"data.remote.{one.name}": f"{roots[0]} lies on a disk" for one in fields(Remote)}
