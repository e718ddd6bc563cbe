"""File systems of fsspec for each scheme, without their own retries and listings, as ours know what is asked for."""

from __future__ import annotations

import importlib
import logging
import os
import threading
from types import MethodType
from typing import Any

from vitcli.errors import DataError
from vitcli.images.source.remote.address import EXTRAS, Address
from vitcli.images.source.remote.options import Remote

# by process and by all that decides what a store answers: opening one of S3's takes a quarter of a second
HELD: dict[tuple[object, ...], Any] = {}
# what botocore has read of the descriptions of AWS's services, most of that quarter; forked workers then have it
DESCRIBED: list[Any] = []
# by process: a fork leaves none locked
LOCKS: dict[int, threading.Lock] = {}
ENVIRONMENT = ("AWS_", "AZURE_", "BOTO_", "FSSPEC_", "GCE_", "GCSFS_", "GOOGLE_", "HF_", "STORAGE_", "HOME")


def opened(address: Address, remote: Remote, refused: Any = None) -> Any:
    """A file system of fsspec for an address, shared by all that this process reads from the same store.

    Connections are not shared with a process that was forked from this one.

    Args:
        address: For its scheme.
        remote: Requests at once and time-outs.
        refused: One whose credentials the store refuses: they are looked for again, by the first of many threads.

    Raises:
        DataError: What reads it is not installed.
    """
    told = tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith(ENVIRONMENT)))
    key = (os.getpid(), address.scheme, remote.requests, remote.timeout_seconds, told)
    # threads that begin together would each open one
    with LOCKS.setdefault(os.getpid(), threading.Lock()):
        held = HELD.get(key)
        # two that are made alike are equal to fsspec
        if held is None or held is refused:
            HELD[key] = _opened(address, remote)
        return HELD[key]


def _opened(address: Address, remote: Remote) -> Any:
    # fsspec would hand out one that was opened before, and answer from what it listed then
    apart: dict[str, Any] = {"skip_instance_cache": True, "use_listings_cache": False}
    try:
        if address.scheme == "s3":
            return _s3(apart, remote)
        if address.scheme == "gs":
            # otherwise gRPC is imported, whose threads do not survive a fork, to look for a kind of bucket that is rare
            os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
            return _once(importlib.import_module("gcsfs").GCSFileSystem(**apart))
        if address.scheme == "az":
            return importlib.import_module("adlfs").AzureBlobFileSystem(**apart)
        if address.scheme == "hf":
            # its own retries, of which it would warn, come before ours
            logging.getLogger("huggingface_hub.utils._http").setLevel(logging.ERROR)
            return importlib.import_module("fsspec").filesystem("hf", **apart)
        return _web(apart, address, remote)
    except ImportError as error:
        extra = EXTRAS[address.scheme]
        remedy = f"pip install 'vitcli[{extra}]'" if extra else "install vitcli again"
        raise DataError(f"data.root {address.root}: {error.name or error} is not installed; {remedy}") from error


def _s3(apart: dict[str, Any], remote: Remote) -> Any:
    seconds = remote.timeout_seconds
    config = {
        "connect_timeout": seconds,
        "read_timeout": seconds,
        "max_pool_connections": remote.requests,
        "retries": {"total_max_attempts": 1},
    }
    s3fs = importlib.import_module("s3fs")
    # a session of its own, which looks for credentials anew
    session = importlib.import_module("aiobotocore.session").AioSession()
    if DESCRIBED:
        session.register_component("data_loader", DESCRIBED[0])
    else:
        DESCRIBED.append(session.get_component("data_loader"))
    s3 = s3fs.S3FileSystem(**apart, session=session, config_kwargs=config)
    # its own retries would multiply ours
    s3.retries = 1
    return s3


def _once(gs: Any) -> Any:
    """Google's without the six tries, of a minute together, that are decorated onto its requests; ours are instead."""
    plain = getattr(type(gs)._request, "__wrapped__", None)
    if plain is not None:
        gs._request = MethodType(plain, gs)
    return gs


def _web(apart: dict[str, Any], address: Address, remote: Remote) -> Any:
    from aiohttp import ClientTimeout

    limits = ClientTimeout(total=None, sock_connect=remote.timeout_seconds, sock_read=remote.timeout_seconds)
    # a compressed answer would have another length; proxies and ~/.netrc are the user's environment
    session = {"timeout": limits, "headers": {"Accept-Encoding": "identity"}, "trust_env": True}
    return importlib.import_module("fsspec").filesystem(address.scheme, **apart, client_kwargs=session)
