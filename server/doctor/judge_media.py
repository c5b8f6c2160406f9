"""Judgments of the ways of media: the media port, and the relay."""

from __future__ import annotations

from snugroom.server.doctor.facts import Path, Relay
from snugroom.server.doctor.verdict import Verdict, is_private, ok, shown


def paths(found: list[Path], *, inside: bool) -> list[Verdict]:
    """Judge the ways to the media port: UDP by every address, and TCP."""
    verdicts = []
    for transport in ("udp", "tcp"):
        tried = [path for path in found if path.transport == transport and not path.impossible]
        verdicts += [_path(path, inside) for path in tried]
    if all(path.transport == "udp" for path in found) and found:
        verdicts.append(
            Verdict(
                "warning",
                "media tcp",
                "media goes by UDP only",
                "Members in networks that block UDP hear and see nothing.",
                "Set media_tcp = true, and open the media port for TCP as well.",
            )
        )
    skipped = sorted({path.address for path in found if path.impossible})
    if skipped:
        verdicts.append(
            Verdict(
                "warning",
                "media",
                f"{shown(skipped)} has not been checked",
                "This machine has no way to addresses of that kind.",
                "Run this command from a machine that has one.",
            )
        )
    return verdicts


def _path(path: Path, inside: bool) -> Verdict:
    check, place = f"media {path.transport}", f"{path.address} port {path.port}"
    if path.rtt is not None:
        return ok(check, f"{place} answers in {path.rtt * 1000:.0f} ms")
    if is_private(path.address) and not inside:
        return Verdict(
            "problem",
            check,
            f"clients are told to send media to {path.address}, which only the server's own network reaches",
            "media_address is an address behind NAT, or of a container.",
            "Set media_address to the public address, and media_bind to the address of the machine.",
        )
    if path.error == "refused":
        why = "The port is closed: Snug does not listen at this address, or a firewall says so."
        do = "Compare media_address, media_bind and media_port with the machine's addresses (ip address)."
    elif inside:
        why = (
            "A firewall drops the packets, or a router does not lead the machine's public address back to it."
        )
        do = f"Open port {path.port} for UDP and TCP. Then run this command from outside, which is what "
        "counts."
    else:
        why = "A firewall drops the packets: the machine's own, or that of the hosting provider."
        do = f"Open port {path.port} for {path.transport.upper()}; with several workers, one port for each."
    return Verdict("problem", check, f"no answer from {place}", why, do)


def relay(found: Relay) -> list[Verdict]:
    """Judge a TURN server: that it relays to the media address, and nowhere else."""
    check = "turn"
    if not found.allocated:
        why, do = {
            401: (
                "It does not accept the server's credentials: the two have different secrets, or clocks.",
                "Compare static-auth-secret in turnserver.conf with the secret of [[turn]], and both clocks.",
            ),
            486: (
                "Its quota is used up.",
                "Raise user-quota and total-quota in turnserver.conf, or wait ten minutes.",
            ),
        }.get(
            found.code,
            (
                f"The reason: {found.error}.",
                "Start coturn (systemctl status coturn), and open its port for UDP and TCP.",
            ),
        )
        return [Verdict("problem", check, f"{found.url} gives no relay", why, do)]
    verdicts = []
    if found.open_to:
        verdicts.append(
            Verdict(
                "problem",
                check,
                f"{found.url} relays to {shown(found.open_to)}",
                "Any member can use it to reach machines of your own network, and the metadata service of "
                "your "
                "provider.",
                "Use the turnserver.conf that `snug-server init` writes: it allows the media address only.",
            )
        )
    if not found.media:
        verdicts.append(
            Verdict(
                "problem",
                check,
                f"{found.url} does not relay to the media address",
                "It gives relays that lead nowhere: members who need one hear and see nothing.",
                "Set allowed-peer-ip in turnserver.conf to media_address, and to each of media_also.",
            )
        )
    return verdicts or [ok(check, f"{found.url} relays to the media address, and not to private networks")]
