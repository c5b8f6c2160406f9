"""Judgments of the name, the certificate, the proxy, the WebSocket and the room: facts in, sentences out."""

from __future__ import annotations

from typing import Final

from snugroom.server.doctor.facts import Names, Page, Room, Signaling, Tls
from snugroom.server.doctor.verdict import Verdict, ok, shown
from snugroom.wire.limits import PROTOCOL_VERSION

#: Days before its end at which a certificate should have been renewed, and at which it is late. One that is
#: valid for days or hours is renewed later: these are then a quarter and a twelfth of its lifetime.
_RENEW: Final = 21
_LATE: Final = 7
#: Seconds of difference between two clocks.
_SKEW: Final = 30.0


def names(found: Names) -> Verdict:
    """Judge what the server's name resolves to."""
    check = "name"
    if found.error:
        return Verdict(
            "problem",
            check,
            f"{found.name} has no address",
            f"The resolver says: {found.error}. Nobody can find the server by its name.",
            "Add an A record (and AAAA for IPv6) for the name at your DNS provider, and wait until it is "
            "known.",
        )
    there = shown(found.addresses)
    if found.expected and not set(found.addresses) & set(found.expected):
        return Verdict(
            "warning",
            check,
            f"{found.name} leads to {there}, and media goes to {shown(found.expected)}",
            "That is right if a proxy elsewhere serves the page. Otherwise the name or media_address is "
            "out of date.",
            "Compare the DNS record and media_address with the machine's public address.",
        )
    return ok(check, f"{found.name} leads to {there}")


def _connection(found: Tls) -> dict[str, tuple[str, str, str]]:
    """Return what is said of a connection that could not be made."""
    place = f"{found.host}:{found.port}"
    return {
        "refused": (
            f"nothing listens on {place}",
            "The machine answers, and says that the port is closed.",
            "Start the proxy, or Snug with `tls`; `systemctl status` tells why a service does not run.",
        ),
        "silent": (
            f"no answer from {place}",
            "A firewall drops the packets, the address belongs to no machine, or the machine is off.",
            f"Let TCP port {found.port} through: in the machine's firewall, and in the one of the hosting "
            "provider.",
        ),
        "plain": (
            f"{place} speaks no TLS",
            f"The TLS handshake failed: {found.detail}.",
            "Have the proxy serve https on this port; TLS must be version 1.2 or newer.",
        ),
        "other": (
            f"no TLS connection to {place}",
            f"The reason: {found.detail}.",
            "Try it with: openssl s_client -connect " + place,
        ),
    }


def _certificate(found: Tls) -> dict[str, tuple[str, str, str]]:
    """Return what is said of a certificate that clients refuse."""
    return {
        "expired": (
            f"the certificate of {found.host} expired {-found.days_left:.0f} days ago",
            "Browsers and clients refuse to connect.",
            "Renew it, and reload the server that has it; then find out why it was not renewed by itself.",
        ),
        "name": (
            f"the certificate is for {shown(found.names) or 'no name'}, and not for {found.host}",
            "Browsers and clients refuse to connect.",
            f"Get a certificate for {found.host}, or use the name that the certificate has.",
        ),
        "issuer": (
            f"the certificate of {found.host} is "
            + ("signed by itself" if found.self_signed else "signed by nobody that is trusted here"),
            "Each client has to be told to trust it, and browsers warn. "
            + (
                f"Its SHA-256 is {found.fingerprint}."
                if found.self_signed
                else "Often the file lacks the certificates between it and the authority."
            ),
            "Give clients the file (`SSL_CERT_FILE=cert.pem snug join ...`) and this command --ca "
            "cert.pem, or get a "
            "certificate of a public authority."
            if found.self_signed
            else "Serve the whole chain (fullchain.pem), or give this command --ca FILE for an authority "
            "of yours.",
        ),
    }


def tls(found: Tls) -> Verdict:
    """Judge the connection and the certificate."""
    check = "certificate"
    if found.failure:
        sentences = {**_connection(found), **_certificate(found)}
        return Verdict("problem", check, *sentences[found.failure])
    if found.days_left < min(_RENEW, found.lifetime / 4):
        return Verdict(
            "problem" if found.days_left < min(_LATE, found.lifetime / 12) else "warning",
            check,
            f"the certificate of {found.host} expires in {found.days_left:.0f} days",
            "It should have been renewed by now: the renewal seems not to work.",
            "Look at the log of Caddy or certbot. After a renewal, reload the server that has the "
            "certificate.",
        )
    return ok(check, f"valid for {found.host} for {found.days_left:.0f} days more, over {found.version}")


def page(found: Page) -> Verdict:
    """Judge the answer to a plain request."""
    check = "proxy"
    if found.error:
        return Verdict(
            "problem",
            check,
            f"no answer to a request: {found.error}",
            "The server is not running, it listens on another port, or a firewall drops the packets.",
            "systemctl status snug-server, and the same for the proxy; compare the ports in their files.",
        )
    if found.status in (502, 503, 504):
        return Verdict(
            "problem",
            check,
            f"the proxy answers {found.status}",
            "The proxy runs, and does not reach Snug: it is not running, or listens elsewhere.",
            "systemctl status snug-server; then compare `listen` with the address in the proxy's file.",
        )
    if not found.healthy:
        return Verdict(
            "problem",
            check,
            f"this is not Snug: /healthz has the answer {found.status}",
            "The name leads to another server, or to another site of the proxy.",
            "Compare the proxy's file for this name with the example that `snug-server init` writes.",
        )
    return ok(check, "requests reach Snug")


def clock(found: Page) -> Verdict:
    """Judge the server's clock, by the Date header of its answer."""
    check = "clock"
    if found.skew is not None and abs(found.skew) > _SKEW:
        return Verdict(
            "problem",
            check,
            f"the server's clock differs from this machine's by {abs(found.skew):.0f} s",
            "TURN credentials and certificates have a time. Clients with the right time disagree with it.",
            "Turn on time synchronisation on the machine that is wrong: timedatectl set-ntp true",
        )
    return ok(
        check, "it agrees with this machine's" if found.skew is not None else "the server tells no time"
    )


def signaling(found: Signaling) -> Verdict:
    """Judge the WebSocket, and the origin that the server calls itself by."""
    check = "websocket"
    if found.told and found.told != found.origin:
        return Verdict(
            "problem",
            check,
            f"this server calls itself {found.told}, and links say {found.origin}",
            "Clients sign the origin, so that no server can pass them on to another. In another spelling "
            "no door opens.",
            f'Set origin = "{found.origin}" in snug.toml and restart, or use links with {found.told}.',
        )
    if found.told and found.version != PROTOCOL_VERSION:
        return Verdict(
            "problem",
            check,
            f"the server speaks version {found.version} of the protocol, and this command version "
            f"{PROTOCOL_VERSION}",
            "One of the two is older.",
            "Install the same version on both machines.",
        )
    if found.told:
        return ok(check, f"a WebSocket passes, and the server calls itself {found.told}")
    why, do = {
        200: (
            "The proxy passes on a plain request in place of the WebSocket.",
            "Have the proxy pass on the headers Upgrade and Connection, with HTTP/1.1.",
        ),
        400: (
            "The headers of the WebSocket handshake do not arrive: the proxy drops Upgrade and Connection.",
            "Have the proxy pass on the headers Upgrade and Connection, with HTTP/1.1.",
        ),
        403: (
            "The proxy or Snug forbids this connection.",
            "Look at rules for /ws in the proxy, and at `origin` in snug.toml.",
        ),
        404: ("The path /ws does not reach Snug.", "Have the proxy pass on all paths of this name."),
        **dict.fromkeys(
            (301, 302, 303, 307, 308),
            (
                "Clients follow no redirect, and this address redirects to another one.",
                "Give clients and links the other address, or have the proxy serve this one itself.",
            ),
        ),
    }.get(
        found.status,
        (
            f"The reason: {found.error}." if found.error else "",
            "Look at the proxy's file, and compare it with the example that `snug-server init` writes.",
        ),
    )
    status = f": status {found.status}" if found.status else ""
    return Verdict("problem", check, f"no WebSocket at {found.url}{status}", why, do)


def room(found: Room) -> Verdict:
    """Judge whether a room opened."""
    check = "room"
    if found.opened:
        return ok(check, "a room opens")
    if found.refused == "password":
        return Verdict(
            "problem",
            check,
            "the server refuses the password",
            "Its open_password_file has another one; it reads the file at its start.",
            "Compare the two files, and restart the server after a change.",
        )
    if found.refused == "permission":
        return Verdict(
            "warning",
            check,
            "no room could be opened, and so media and the relay have not been checked",
            "This server asks whoever opens a room for a password or a token.",
            "With a password, give this command --password-file FILE; with tokens, run it on the server "
            "itself.",
        )
    if found.refused in ("full", "memory", "stopping", "rate"):
        return Verdict(
            "problem",
            check,
            f"no room opens: {found.text}",
            "The server is at one of its limits, or about to stop: honest people are refused as well.",
            "snug-server disclose shows what it holds. Raise the limit, or let fewer people open rooms "
            "(`open`).",
        )
    return Verdict(
        "problem", check, f"no room opens: {found.text}", "", "Look at the server's log with journalctl."
    )
