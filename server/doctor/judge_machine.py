"""Judgments of the machine: settings, secrets, the process and its limits."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from snugroom.server.doctor.facts import Machine, Secret
from snugroom.server.doctor.verdict import Verdict, ok


def secret(found: Secret) -> Verdict:
    """Judge a file with a secret."""
    check = "secrets"
    if found.error:
        return Verdict(
            "problem",
            check,
            f"{found.path} can't be read: {found.error}",
            f"The setting {found.setting} names it; without it the server does not start.",
            "Make the file, or correct the setting. Run this command as root to see files of the service.",
        )
    if found.others:
        return Verdict(
            "problem",
            check,
            f"{found.path} is not secret: {found.others}",
            f"Every user of this machine gets what {found.setting} protects.",
            f"chmod 600 {found.path} (640 if a group must read it), and make a new secret: the old one "
            "may be known.",
        )
    return ok(check, f"{found.path} is readable by its owner only")


def machine(found: Machine) -> list[Verdict]:
    """Judge the process and its limits."""
    versions = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    verdicts = [ok("versions", versions)]
    if not found.running:
        verdicts.append(
            Verdict(
                "problem",
                "process",
                "no server is running on this machine",
                "It was not started, or it has ended.",
                "systemctl start snug-server; journalctl -u snug-server tells why it ended.",
            )
        )
    else:
        verdicts.append(ok("process", "a server is running"))
    if found.page:
        verdicts.append(
            Verdict(
                "problem",
                "page",
                found.page,
                "People with a browser get one line of text in place of the meeting page.",
                "Install Snug again.",
            )
        )
    if found.files < found.files_wanted:
        verdicts.append(
            Verdict(
                "warning",
                "limits",
                f"the process may open {found.files:,} files, and max_connections needs "
                f"{found.files_wanted:,}",
                "Every connection is a file: beyond the limit nobody comes in.",
                f"Set LimitNOFILE={found.files_wanted} in the unit, or lower max_connections.",
            )
        )
    if found.buffer < found.buffer_wanted:
        verdicts.append(
            Verdict(
                "warning",
                "limits",
                f"the kernel gives media sockets {found.buffer:,} bytes, and media.socket_buffer is "
                f"{found.buffer_wanted:,}",
                "In large meetings, bursts of packets are lost.",
                f"sysctl -w net.core.rmem_max={found.buffer_wanted} net.core.wmem_max={found.buffer_wanted}; "
                "put both into a file in /etc/sysctl.d.",
            )
        )
    if found.files >= found.files_wanted and found.buffer >= found.buffer_wanted:
        verdicts.append(ok("limits", "open files and buffers suffice"))
    return verdicts


def clock(found: Machine) -> Verdict:
    """Judge the machine's clock, by the kernel's own word."""
    if found.synchronised is False:
        return Verdict(
            "warning",
            "clock",
            "nothing keeps this machine's clock right",
            "It may drift by seconds a day. TURN credentials and certificates have a time.",
            "timedatectl set-ntp true (Debian's package systemd-timesyncd)",
        )
    return ok("clock", "it is synchronised" if found.synchronised else "the kernel tells nothing about it")


def settings(origin: str, error: str, *, trusts_proxy: bool, behind_proxy: bool) -> Verdict:
    """Judge the settings: `error` is why they could not be read; `origin` what they say."""
    check = "settings"
    if error:
        return Verdict(
            "problem", check, error, "The server does not start with these settings.", "Correct the file."
        )
    parts = urlsplit(origin)
    if parts.scheme != "https" and not _local(parts.hostname or ""):
        return Verdict(
            "problem",
            check,
            f"the origin {origin} is not https",
            "Browsers allow camera, microphone and encryption on https only.",
            'Set origin = "https://NAME", with a proxy in front or with `tls`.',
        )
    if behind_proxy and not trusts_proxy:
        return Verdict(
            "warning",
            check,
            "all clients have the proxy's address",
            "Limits for each client do not apply, and one client can use up all rooms.",
            'Set trusted_proxies = ["127.0.0.1"], and have the proxy send X-Forwarded-For.',
        )
    return ok(check, f"they are valid, for {origin}")


def _local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
