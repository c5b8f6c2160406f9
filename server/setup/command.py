"""``snug-server init``: ask three questions, write the files of a server, and say what comes next."""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar, cast, get_args

from snugroom.server.doctor.verdict import is_private
from snugroom.server.setup import files
from snugroom.server.setup.files import AnswerError, Answers, File, Open

_POLICIES: Final = get_args(Open)
#: The service of Debian's package.
PACKAGED: Final = Path("/usr/lib/systemd/system/snug-server.service")
Answer = TypeVar("Answer")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="snug-server init",
        description="Write the files of a new server into a folder: settings, service, proxy, relay, "
        "firewall. "
        "It asks for what the options leave open, and changes nothing else on this machine.",
    )
    parser.add_argument("folder", metavar="FOLDER", type=Path, nargs="?", default=Path("snug-files"))
    parser.add_argument("--name", help="name of the server, like meet.example")
    parser.add_argument("--address", help="its public IPv4 address, and after a comma its IPv6 address")
    parser.add_argument("--open", choices=_POLICIES, help="who may open rooms")
    parser.add_argument(
        "--proxy",
        choices=get_args(files.Front),
        default="caddy",
        help="what has the TLS certificate: Caddy, nginx, or none: Snug itself (default: caddy)",
    )
    parser.add_argument("--no-turn", action="store_true", help="without a TURN relay on this machine")
    parser.add_argument(
        "--media-port", metavar="PORT", type=int, default=int(files.PORT), help=f"default: {files.PORT}"
    )
    return parser


def _resolved(name: str) -> str:
    """Return the first address of each family that `name` resolves to, for a suggestion."""
    try:
        found = socket.getaddrinfo(name, 443, type=socket.SOCK_STREAM)
    except OSError:
        return ""
    first = {family: str(address[0]) for family, _, _, _, address in reversed(found)}
    return ", ".join(first[family] for family in sorted(first))


def _ask(question: str, default: str, check: Callable[[str], Answer]) -> Answer:
    while True:
        shown = f" [{default}]" if default else ""
        answer = input(f"{question}{shown}: ").strip() or default
        try:
            return check(answer)
        except AnswerError as error:
            print(f"  {error}")


def _policy(text: str) -> Open:
    for policy in _POLICIES:
        if text and policy.startswith(text.lower()):
            return cast(Open, policy)
    raise AnswerError(f"answer {', '.join(_POLICIES[:-1])} or {_POLICIES[-1]}")


def _answers(arguments: argparse.Namespace) -> Answers:
    name = (
        files.checked_name(arguments.name)
        if arguments.name
        else _ask("Name of the server, like meet.example", "", files.checked_name)
    )
    addresses = (
        files.checked_addresses(arguments.address)
        if arguments.address
        else _ask("Its public address, IPv4 and perhaps IPv6", _resolved(name), files.checked_addresses)
    )
    policy = arguments.open or _ask("Who may open rooms: anyone, password, tokens", "anyone", _policy)
    if not 1024 <= arguments.media_port <= 65535:
        raise AnswerError("--media-port must be from 1024 to 65535")
    return Answers(
        name,
        addresses,
        policy,
        arguments.proxy,
        relay=not arguments.no_turn,
        port=arguments.media_port,
        command=shutil.which(sys.argv[0]) or files.COMMAND,
        packaged=PACKAGED.exists(),
    )


def write(folder: Path, made: Sequence[File]) -> None:
    """Write the files below `folder`. Raises OSError, or AnswerError if `folder` has anything in it."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise AnswerError(f"{folder} exists already: nothing has been written; name another folder")
    for file in made:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        # exclusive, and never readable by others, not even for a moment
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, file.mode)
        with open(descriptor, "w", encoding="utf-8") as output:
            output.write(file.content)
        path.chmod(file.mode)


def next_steps(folder: Path, answers: Answers) -> str:
    """Return what the administrator does with the files, as numbered steps."""
    steps = [f"Read the files in {folder}/etc: each line says what it is for."]
    if answers.front == "none":
        steps.append(
            f"Put the certificate for {answers.name} into /etc/ssl/certs/{answers.name}.pem, and its key "
            "into\n"
            f"/etc/ssl/private/{answers.name}.key (mode 640, group ssl-cert of Debian's package ssl-cert)."
        )
    steps.append(
        "Put them in their places; what they replace is kept beside them:\n"
        f"  sudo cp --recursive --backup=numbered {folder}/etc/. /etc/"
    )
    if answers.relay:
        steps.append("Let only the relay read its secret:\n  sudo chgrp turnserver /etc/turnserver.conf")
    if answers.open == "password":
        steps.append(
            "Give the password to those who may open rooms:\n"
            f"  sudo cat /{files.CREDENTIALS}/{files.POLICY_FILE['password'][1]}"
        )
    if answers.open == "tokens":
        key = f"/{files.CREDENTIALS}/{files.POLICY_FILE['tokens'][1]}"
        steps.append(f"Make the key of the tokens:\n  sudo {answers.command} tokens --new-key {key}")
    steps.append(
        "Have the firewall loaded at every boot. It lets in ssh, the web and media, and nothing else:\n"
        "  echo 'include \"/etc/snug/snug.nft\"' | sudo tee --append /etc/nftables.conf"
    )
    services = ["nftables", "snug-server"]
    services += [answers.front] if answers.front != "none" else []
    services += ["coturn"] if answers.relay else []
    steps.append(
        "Start everything, now and at every boot:\n"
        "  sudo systemctl daemon-reload\n"
        f"  sudo systemctl enable {' '.join(services)}\n"
        f"  sudo systemctl restart {' '.join(services)}"
    )
    steps.append(
        "Check it, here and from another machine:\n"
        f"  sudo {answers.command} doctor\n"
        f"  snug-server doctor --from-outside https://{answers.name}"
    )
    return "\n".join(f"{number}. {step}".replace("\n", "\n   ") for number, step in enumerate(steps, start=1))


def _warnings(answers: Answers) -> list[str]:
    found = []
    if any(map(is_private, answers.addresses)):
        found.append(
            "the address is a private one: only machines in the same network can hear and see each other"
        )
    if answers.command.startswith(("/home/", "/root/")):
        found.append(
            f"the service can't run {answers.command}, because it sees no home folders: install Snug in "
            "/opt/snug"
        )
    return found


def main(argv: Sequence[str]) -> int:
    """Run ``snug-server init``, and return the exit status: 0, or 2 if nothing has been written."""
    arguments = parser().parse_args(argv)
    try:
        answers = _answers(arguments)
        made = list(files.made(answers, lambda: secrets.token_urlsafe(24)))
        write(arguments.folder, made)
    except AnswerError as error:
        print(f"snug-server init: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"snug-server init: {error.filename} can't be written: {error.strerror}", file=sys.stderr)
        return 2
    except (EOFError, KeyboardInterrupt):
        print("\nsnug-server init: stopped; nothing has been written", file=sys.stderr)
        return 2
    print(f"\n{len(made)} files are in {arguments.folder}. What comes next:\n")
    print(next_steps(arguments.folder, answers))
    for warning in _warnings(answers):
        print(f"\nWarning: {warning}.")
    return 0
