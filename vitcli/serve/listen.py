"""The address: a socket bound to it, or one line why it cannot be had."""

from __future__ import annotations

import errno
import ipaddress
import socket

from vitcli.errors import ConfigError

HIGHEST_PORT = 65535


def bound(host: str, port: int) -> socket.socket:
    """A socket that has the address, and does not listen yet.

    Args:
        host: A name or an address of this machine.
        port: 0 for one that is free.

    Raises:
        ConfigError: It is in use, not of this machine, or not for this user.
    """
    if not 0 <= port <= HIGHEST_PORT:
        raise ConfigError(f"--port {port}: outside 0 to {HIGHEST_PORT}; 0 takes one that is free")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"--host {host}: is no name or address ({error}); say 127.0.0.1 or 0.0.0.0") from error
    family, kind, protocol, _, address = found[0]
    made = socket.socket(family, kind, protocol)
    try:
        # at once after a server that has ended; it takes no address from one that listens
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        # of two that have bound the same port, the system lets one listen
        made.listen(1)
    except OSError as error:
        made.close()
        raise ConfigError(_why(host, port, error)) from error
    return made


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address, as a socket names it."""
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def address_of(made: socket.socket) -> str:
    """The address of a socket as a browser takes it."""
    host, port = made.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _why(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"--port {port}: is in use by another program at {host}; name another one, or 0 for one that is free"
    if error.errno == errno.EACCES:
        return f"--port {port}: is not for this user; name one from 1024 on"
    return f"--host {host}: is not an address of this machine ({error.strerror}); say 127.0.0.1 or 0.0.0.0"
