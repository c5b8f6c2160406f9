"""Probes of the machine that a server runs on: files, limits, clock, versions."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import resource
import ssl
import sys
from pathlib import Path
from typing import Final

from snugroom.installed import VERSION
from snugroom.server import page
from snugroom.server.config import Settings
from snugroom.server.disclosure.command import servers
from snugroom.server.doctor.facts import Machine, Secret
from snugroom.server.tls import SELF_SIGNED, key_problem

#: Where systemd shows credentials to the service, and where root has put them.
_SHOWN: Final = Path("/run/credentials/snug-server.service")
_STORED: Final = Path("/etc/credstore")
#: The value that adjtimex(2) returns if nothing synchronises the clock.
_TIME_ERROR: Final = 5
_OPEN_FILES: Final = re.compile(r"^Max open files\s+\d+\s+(\d+)", re.MULTILINE)


def secrets(settings: Settings) -> list[Secret]:
    """Look at each file with a secret that the settings name."""
    named = {f"turn[{n}].secret_file": relay.secret_file for n, relay in enumerate(settings.turn)}
    if len(settings.tls) == 2 and settings.tls != [SELF_SIGNED]:
        named["tls"] = settings.tls[1]
    for name in ("open_password_file", "tokens_key_file"):
        named[name] = getattr(settings, name)
    return [_secret(setting, path) for setting, path in named.items() if path]


def place_of(path: str) -> Path:
    """Return where a file of the settings is now: systemd shows credentials to the running service only."""
    place = Path(path)
    return _STORED / place.name if place.parent == _SHOWN and not place.exists() else place


def _secret(setting: str, path: str) -> Secret:
    place = place_of(path)
    try:
        others = key_problem(str(place)) or ""
        place.read_bytes()
    except OSError as error:
        return Secret(setting, str(place), error.strerror or "unknown")
    return Secret(setting, str(place), others=others)


def machine(settings: Settings) -> Machine:
    """Look at the process, its limits and this machine."""
    running = servers()
    try:
        page.load()
        damaged = ""
    except page.PageError as error:
        damaged = str(error)
    return Machine(
        running=len(running),
        files=_open_files(running),
        files_wanted=2 * settings.max_connections + settings.media.tcp_connections * settings.media_tcp + 64,
        buffer=min(_kernel("net/core/rmem_max"), _kernel("net/core/wmem_max")),
        buffer_wanted=settings.media.socket_buffer,
        synchronised=synchronised(),
        page=damaged if settings.page else "",
        versions=versions(),
    )


def _open_files(running: list[int]) -> int:
    for process in running:
        try:
            found = _OPEN_FILES.search(Path(f"/proc/{process}/limits").read_text(encoding="ascii"))
        except OSError:
            continue
        if found is not None:
            return int(found[1])
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit


def _kernel(name: str) -> int:
    try:
        return int(Path("/proc/sys", name).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return sys.maxsize  # not to be seen here, in a container for example


def synchronised() -> bool | None:
    """Return whether something keeps the kernel's clock right; None if the kernel does not tell."""
    buffer = ctypes.create_string_buffer(512)  # struct timex, with no mode set: nothing is changed
    try:
        state = ctypes.CDLL(None).adjtimex(buffer)
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR


def versions() -> dict[str, str]:
    """Return the versions that a report of a fault needs."""
    return {
        "Snug": VERSION,
        "Python": platform.python_version(),
        ssl.OPENSSL_VERSION.partition(" ")[0]: ssl.OPENSSL_VERSION.split()[1],
        "Linux": os.uname().release,
    }
