"""Errors of object stores in words: what a store refuses for good, what may be asked for again, and what to do."""

from __future__ import annotations

import re
from enum import Enum

from vitcli.images.source.remote.address import Address

# where each store looks for who is asking
ENVIRONMENT = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or AZURE_STORAGE_CONNECTION_STRING",
    "hf": "HF_TOKEN",
    "https": "~/.netrc",
    "http": "~/.netrc",
}
# of an address in a message: a store may sign it there
QUERY = re.compile(r"(https?://[^\s?\"']+)\?[^\s\"']*")
NO_CREDENTIALS = (
    *("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "DefaultCredentialsError"),
    *("Unable to locate credentials", "unable to connect to account for Must provide"),
)


class Kind(Enum):
    """What an error of a store means."""

    MISSING = "missing"
    NOBODY = "nobody"
    DENIED = "denied"
    FAILED = "failed"


KINDS = {401: Kind.NOBODY, 403: Kind.DENIED, 404: Kind.MISSING}


def kind_of(error: BaseException) -> Kind:
    """What an error means, whichever library has raised it.

    Args:
        error: Of fsspec, botocore, gcsfs, azure, aiohttp or huggingface_hub.
    """
    causes = _causes(error)
    said = " ".join(f"{type(one).__name__} {one}" for one in causes)
    if any(word in said for word in NO_CREDENTIALS):
        return Kind.NOBODY
    # fsspec says of a web server that cannot be reached that there is no such file, so that the first cause decides
    for one in reversed(causes):
        status = _status(one)
        if status in KINDS:
            return KINDS[status]
        if isinstance(one, PermissionError) or str(one).startswith("Forbidden"):
            return Kind.DENIED
        if isinstance(one, FileNotFoundError | IsADirectoryError):
            return Kind.MISSING
        if status is not None or isinstance(one, OSError | TimeoutError):
            return Kind.FAILED
    return Kind.FAILED


def told(kind: Kind, error: BaseException, address: Address, what: str = "") -> str:
    """One line about an error that ends what was asked for.

    Args:
        kind: What it means.
        error: Itself.
        address: The root.
        what: The object in it; empty for the root.
    """
    where = f"data.root {address.root}" + (f": {what}" if what else "")
    who = f"give it {ENVIRONMENT[address.scheme]} in the environment (docs/stores.md)"
    if kind is Kind.MISSING:
        return f"{where}: no such bucket, folder or object; check the address"
    if kind is Kind.NOBODY:
        return f"{where}: the store does not know who is asking (no credentials); {who}"
    if kind is Kind.DENIED:
        return f"{where}: access denied by the store ({reason(error)}); ask its owner for access, or {who}"
    if any("WRONG_VERSION_NUMBER" in str(one) for one in _causes(error)):
        return f"{where}: the server there does not encrypt; write http:// if that is meant"
    return f"{where}: the store has failed ({reason(error)}); check the network, then start again, and the run goes on"


def reason(error: BaseException) -> str:
    """What an error says, shortly."""
    # the first cause is what has happened; what was made of it may be no more than the name of the object
    first = next((one for one in reversed(_causes(error)) if str(one)), error)
    words = str(first.message) if _is_of_answer(first) else str(first)  # type: ignore[attr-defined]
    said, status = QUERY.sub(r"\1", " ".join(words.split()))[:150], _status(first)
    if not said:
        # as time-outs have no words
        said = "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
    return said if status is None or str(status) in said else f"{said}, status {status}"


def _is_of_answer(error: BaseException) -> bool:
    """Whether an answer came, but not whole or not as HTTP; the code of such an error is not the server's."""
    return type(error).__module__ == "aiohttp.http_exceptions"


def _causes(error: BaseException) -> list[BaseException]:
    """An error and what has caused it, one behind another."""
    causes = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and cause not in causes:
        causes.append(cause)
    return causes


def _status(error: BaseException) -> int | None:
    """The HTTP status in an error, whatever its library calls it."""
    if _is_of_answer(error):
        return None
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        found = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return found if isinstance(found, int) else None
    for holder in (error, response):
        for name in ("status", "status_code", "code"):
            found = getattr(holder, name, None)
            if isinstance(found, int) or (isinstance(found, str) and found.isdigit()):
                return int(found)
    return None
