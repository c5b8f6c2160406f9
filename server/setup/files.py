"""The files of a server, made from the examples in `packaging` and an administrator's answers.

The examples are valid as they stand. `filled` replaces their example values, and leaves out each line that
names a value which this server does not have.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Final, Literal

Open = Literal["anyone", "password", "tokens"]
Front = Literal["caddy", "nginx", "none"]

#: The example values.
NAME: Final = "meet.example"
IPV4: Final = "203.0.113.7"
IPV6: Final = "2001:db8::7"
PORT: Final = "40000"
SECRET: Final = "LONG-RANDOM-TEXT"  # noqa: S105  # an example
COMMAND: Final = "/usr/bin/snug-server"
#: Where root puts secrets, and where systemd shows them to the service (ImportCredential=).
CREDENTIALS: Final = "etc/credstore"
SHOWN: Final = "/run/credentials/snug-server.service"

_LABEL: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)\Z")


class AnswerError(ValueError):
    """An answer can't be used. The text is one sentence with the reason."""


@dataclass(frozen=True)
class Answers:
    """The decisions of an administrator. `front` is the proxy; `command` is the path of ``snug-server``.

    `packaged`: Debian's package is installed, and has the service.
    """

    name: str
    addresses: tuple[str, ...]
    open: Open = "anyone"
    front: Front = "caddy"
    relay: bool = True
    port: int = int(PORT)
    command: str = COMMAND
    packaged: bool = False

    @property
    def ipv4(self) -> str:
        return next(a for a in self.addresses if ":" not in a)

    @property
    def ipv6(self) -> str | None:
        return next((a for a in self.addresses if ":" in a), None)


@dataclass(frozen=True)
class File:
    """A file to write: its path from the root of the file system, its permissions and its content."""

    path: str
    mode: int
    content: str


def checked_name(text: str) -> str:
    """Return the host name in `text`, also of an URL, in lower case. Raises AnswerError."""
    name = text.strip().lower().removeprefix("https://").rstrip("/.")
    labels = name.split(".")
    if len(name) > 253 or len(labels) < 2 or labels[-1].isdigit() or not all(map(_LABEL.match, labels)):
        raise AnswerError(f"{text.strip()!r} is not the name of a server, like meet.example")
    return name


def checked_addresses(text: str) -> tuple[str, ...]:
    """Return one IPv4 address and at most one IPv6 address of `text`. Raises AnswerError."""
    found = []
    for word in text.replace(",", " ").split():
        try:
            address = ipaddress.ip_address(word)
        except ValueError:
            raise AnswerError(f"{word!r} is not an IP address, like 203.0.113.7") from None
        if address.is_unspecified or address.is_multicast:
            raise AnswerError(f"nobody can send to {word}: give the address that the internet knows")
        found.append(address)
    if [a.version for a in sorted(found, key=lambda a: a.version)] not in ([4], [4, 6]):
        raise AnswerError("give one IPv4 address, and at most one IPv6 address besides it")
    return tuple(str(a) for a in sorted(found, key=lambda a: a.version))


def _example(path: str) -> str:
    return files("snugroom").joinpath("packaging", *path.split("/")).read_text(encoding="utf-8")


def filled(text: str, answers: Answers, secret: str) -> str:
    """Return an example with this server's values."""
    values = {
        NAME: answers.name,
        IPV4: answers.ipv4,
        IPV6: answers.ipv6,
        SECRET: secret,
        COMMAND: answers.command,
    }
    lines = [
        line for line in text.splitlines(True) if not any(v is None and k in line for k, v in values.items())
    ]
    for last in (0, 3):  # a port for each of four workers
        values[str(int(PORT) + last)] = str(answers.port + last)
    pattern = re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, values)) + r")(?![\w])")
    return pattern.sub(lambda m: values[m[0]] or "", "".join(lines))


def _settings(answers: Answers) -> str:
    """Return the example of the settings, changed for this server's proxy, relay and policy."""
    text = _example("snug/snug.toml")
    if answers.front == "none":
        listen = "[::]:443" if answers.ipv6 else "0.0.0.0:443"
        text = text.replace(
            "# Only the proxy on this machine reaches the server, and the proxy has the certificate.\n"
            'listen = "127.0.0.1:8080"\ntrusted_proxies = ["127.0.0.1"]\n',
            "# The server has a certificate of its own. `systemctl reload snug-server` reads a renewed one.\n"
            f'listen = "{listen}"\n'
            f'tls = ["/etc/ssl/certs/{NAME}.pem", "/etc/ssl/private/{NAME}.key"]\n',
        )
    if not answers.relay:
        text = text.partition("\n# A relay")[0] + "\n"
    if answers.open != "anyone":
        setting, name = POLICY_FILE[answers.open]
        text = text.replace('open = "anyone"\n', f'open = "{answers.open}"\n{setting} = "{SHOWN}/{name}"\n')
    return text


#: For each policy, the setting that names its file, and the file's name.
POLICY_FILE: Final = {
    "password": ("open_password_file", "snug.open-password"),
    "tokens": ("tokens_key_file", "snug.tokens-key"),
}


def made(answers: Answers, random_text: Callable[[], str]) -> Iterator[File]:
    """Yield all files of this server. `random_text` makes a new secret."""
    secret = random_text()

    def file(path: str, content: str, mode: int = 0o644) -> File:
        return File(path, mode, filled(content, answers, secret))

    yield file("etc/snug/snug.toml", _settings(answers))
    if not answers.packaged:
        yield file("etc/systemd/system/snug-server.service", _example("systemd/snug-server.service"))
        yield file("etc/sysctl.d/snug.conf", _example("sysctl/snug.conf"))
    yield file("etc/snug/snug.nft", _example("nftables/snug.nft"))
    if answers.front == "caddy":
        yield file("etc/caddy/Caddyfile", _example("caddy/Caddyfile"))
    elif answers.front == "nginx":
        yield file("etc/nginx/conf.d/snug.conf", _example("nginx/snug.conf"))
    else:
        yield file("etc/systemd/system/snug-server.service.d/tls.conf", _example("systemd/tls.conf"))
    if answers.relay:
        yield file("etc/turnserver.conf", _example("coturn/turnserver.conf"), 0o640)
        yield file(f"{CREDENTIALS}/snug.turn-secret", f"{SECRET}\n", 0o600)
    if answers.open == "password":
        yield File(f"{CREDENTIALS}/snug.open-password", 0o600, random_text() + "\n")
