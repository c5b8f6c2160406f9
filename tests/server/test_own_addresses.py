"""Addresses that a server chooses where the settings name none, and the lines that it prints for people."""

from __future__ import annotations

import datetime
import os
import pty
import termios
from pathlib import Path
from typing import Any

import pytest

from snugroom.server import addresses, announcement, config, qr, tls
from snugroom.server.addresses import Addresses, Found, choose, usable
from snugroom.server.announcement import Screen
from snugroom.server.config import ConfigError, Settings

WIFI = Found("wlan0", "192.168.1.5", hardware=True, default=True)
CABLE = Found("eth0", "10.0.0.7", hardware=True)
DOCKER = Found("docker0", "172.17.0.1")
TUNNEL = Found("tun0", "10.8.0.2", default=True)
WIFI6 = Found("wlan0", "2001:db8::5", hardware=True)
NEVER = [
    Found("lo", "127.0.0.1"),
    Found("lo", "::1"),
    Found("wlan0", "fe80::1", hardware=True, default=True),
    Found("usb0", "169.254.3.4", hardware=True, default=True),
]
EVERY = [*NEVER, DOCKER, TUNNEL, WIFI6, CABLE, WIFI]
ANY, ANY6 = "0.0.0.0", "::"  # noqa: S104 - nothing is bound


def chosen(listen: str = "127.0.0.1", found: list[Found] | None = None, **settings: Any) -> Addresses:
    """The choice of a server that listens there, on a machine with these addresses."""
    made = config.checked(dict(settings))
    return choose(made, listen, listen, EVERY if found is None else found, "desk")


# -- which one -----------------------------------------------------------------------------------------


def test_network_cards_come_first_and_what_nobody_reaches_never() -> None:
    assert usable(EVERY) == [WIFI, CABLE, WIFI6, TUNNEL, DOCKER]
    assert usable(NEVER) == []


def test_a_server_on_loopback_has_media_beside_it() -> None:
    where = chosen()
    assert (where.host, where.media, where.bind, where.beside) == ("127.0.0.1",) * 3 + ("192.168.1.5",)
    # Firefox reaches IPv6 too, but one family has one socket
    assert chosen(found=[WIFI6]).beside == "2001:db8::5"
    assert chosen("::1", [WIFI6]).beside is None
    assert chosen("::1").beside == "192.168.1.5"


@pytest.mark.parametrize(
    "settings",
    [
        {"media_beside_loopback": False},
        # participants elsewhere would be told the address: an onion service hides it
        {"origin": "http://x.onion"},
        {"trusted_proxies": ["127.0.0.1"]},
        {"proxy_protocol": True},
        # somebody has said which ones
        {"media_address": "127.0.0.1"},
        {"media_bind": "127.0.0.1"},
        {"media_also": ["::1"]},
        {"nodes": {"node": 1, "secret_file": "secret"}},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_it_tells_no_address_that_the_settings_do_not_leave_open(settings: dict[str, Any]) -> None:
    assert chosen(**settings).beside is None


def test_without_another_address_loopback_is_all() -> None:
    assert chosen(found=NEVER).beside is None
    # a server that is in the network is there already
    assert chosen("192.168.1.5").beside is None


def test_a_certificate_of_its_own_makes_every_address_one() -> None:
    where = chosen(ANY, tls=["self-signed"])
    assert (where.host, where.media, where.bind) == ("192.168.1.5",) * 3
    assert where.names == ["192.168.1.5", "desk", "localhost"]
    assert (where.chosen, where.others) == (WIFI, [CABLE, TUNNEL, DOCKER])
    assert chosen(ANY6, tls=["self-signed"]).host == "2001:db8::5"


def test_settings_go_before_the_choice() -> None:
    own: dict[str, Any] = {"tls": ["self-signed"]}
    told = chosen(ANY, media_address="10.0.0.7", **own)
    assert (told.host, told.media, told.bind, told.chosen) == ("10.0.0.7", "10.0.0.7", ANY, None)
    named = chosen(ANY, origin="https://meet.test:8443", **own)
    assert (named.media, named.bind, named.names) == ("192.168.1.5", "192.168.1.5", ["meet.test"])
    both = chosen(ANY, origin="https://meet.test", media_address="10.0.0.7")
    assert (both.media, both.bind, both.chosen) == ("10.0.0.7", ANY, None)


def test_on_every_address_a_server_without_one_says_what_is_missing() -> None:
    with pytest.raises(ConfigError, match="set origin and media_address, or in a local network use --tls"):
        chosen(ANY)
    with pytest.raises(ConfigError, match="this machine has none that others reach"):
        chosen(ANY, NEVER, tls=["self-signed"])
    with pytest.raises(ConfigError, match="none that others reach"):
        chosen(ANY6, [WIFI], tls=["self-signed"])


def test_a_certificate_names_what_people_may_write() -> None:
    assert chosen("127.0.0.1").names == ["127.0.0.1", "localhost"]
    assert chosen("10.0.0.7").names == ["10.0.0.7", "desk", "localhost"]
    # one for a name tells nobody the others
    assert chosen("10.0.0.7", origin="https://meet.test").names == ["meet.test"]
    for machine in ("", "a_b", "-a", "a" * 64, "two..dots"):
        assert choose(Settings(), "10.0.0.7", "10.0.0.7", [], machine).names == ["10.0.0.7", "localhost"]


def test_this_machine_has_a_loopback_address() -> None:
    assert "127.0.0.1" in {each.address for each in addresses.found()}


# -- a certificate that stays --------------------------------------------------------------------------

NAMES = ["192.168.1.5", "desk", "localhost"]


def own(path: Path, names: list[str]) -> tls.Certificate:
    return tls.Certificate(["self-signed", str(path)], names)


def test_a_kept_certificate_is_the_same_at_the_next_start(tmp_path: Path) -> None:
    file = tmp_path / "kept.pem"
    first = own(file, NAMES)
    assert (first.made, first.file, file.stat().st_mode & 0o777) == (True, str(file), 0o600)
    again = own(file, NAMES)
    assert (again.made, again.fingerprint) == (False, first.fingerprint)
    # the machine's name may change, its address may not
    assert own(file, ["192.168.1.5", "table"]).fingerprint == first.fingerprint
    moved = own(file, ["192.168.1.6", "desk"])
    assert moved.made
    assert moved.fingerprint != first.fingerprint
    assert own(file, ["192.168.1.6"]).fingerprint == moved.fingerprint
    assert list(tmp_path.iterdir()) == [file]


def test_it_is_made_anew_before_it_ends(tmp_path: Path) -> None:
    file = tmp_path / "kept.pem"
    for age, anew in ((360, False), (370, True)):
        made = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=age)
        file.touch(0o600)
        file.write_bytes(b"".join(tls.self_signed(NAMES, made)))
        assert own(file, NAMES).made is anew


def test_no_other_file_is_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "precious"
    for held in (b"no certificate", tls.self_signed(NAMES, datetime.datetime.now(datetime.UTC))[1]):
        file.write_bytes(held)
        file.chmod(0o600)
        with pytest.raises(tls.TlsError, match="name another file"):
            own(file, NAMES)
        assert file.read_bytes() == held
    with pytest.raises(tls.TlsError, match=r"can't be kept in .*: No such file"):
        own(tmp_path / "nowhere" / "kept.pem", NAMES)
    file.write_bytes(b"".join(tls.self_signed(NAMES, datetime.datetime.now(datetime.UTC))))
    file.chmod(0o644)
    with pytest.raises(tls.TlsError, match="others may read"):
        own(file, NAMES)


# -- what people read ----------------------------------------------------------------------------------

ORIGIN = "https://192.168.1.5:8443"
WIDE = Screen(80, "utf-8")


def test_people_read_where_to_go_and_what_to_compare() -> None:
    mine = tls.Certificate(["self-signed"], NAMES)
    where = chosen(ANY, tls=["self-signed"])
    told = announcement.lines(ORIGIN, where, mine, WIDE)
    code = [line.removeprefix("\x1b[30;47m").removesuffix("\x1b[0m") for line in told[1:-3]]
    assert code == qr.lines(ORIGIN)
    assert told[0] == f"open {ORIGIN} on any device in this network, or scan it:"
    assert told[-3] == (
        "The server chose the address 192.168.1.5 (wlan0). This machine also has 10.0.0.7 (eth0), 10.8.0.2 "
        "(tun0), 172.17.0.1 (docker0). For another one, start with --listen 10.0.0.7:8443."
    )
    assert "compare its SHA-256 fingerprint with the one above" in told[-2]
    assert told[-1].startswith("The certificate is new at each start")
    assert "--tls self-signed FILE" in told[-1]


def test_a_code_needs_a_place_and_another_device() -> None:
    mine = tls.Certificate(["self-signed"], NAMES)
    alone = Addresses(ORIGIN, "192.168.1.5", "192.168.1.5", chosen=WIFI)
    for seen in (None, Screen(20, "utf-8"), Screen(80, "ascii")):
        told = announcement.lines(ORIGIN, alone, mine, seen)
        assert (told[0], len(told)) == (f"open {ORIGIN} on any device in this network", 3)
    assert len(announcement.lines("https://127.0.0.1:8443", chosen(), mine, WIDE)) == 2


def test_a_kept_certificate_is_said_to_be_kept(tmp_path: Path) -> None:
    for says in ("is new. It is kept in", "is the one kept in"):
        told = announcement.lines(ORIGIN, chosen(), own(tmp_path / "kept.pem", NAMES), None)
        assert f"{says} {tmp_path}" in told[-1]


def test_nothing_is_said_of_an_authoritys_certificate(tmp_path: Path) -> None:
    certificate, private = tls.self_signed(NAMES, datetime.datetime.now(datetime.UTC))
    for name, data in (("cert.pem", certificate), ("key.pem", private)):
        (tmp_path / name).touch(0o600)
        (tmp_path / name).write_bytes(data)
    files = [str(tmp_path / name) for name in ("cert.pem", "key.pem")]
    assert announcement.lines(ORIGIN, chosen(), tls.Certificate(files, NAMES), WIDE) == []


def test_a_terminal_has_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    kept = os.dup(1)
    try:
        termios.tcsetwinsize(theirs, (24, 97))
        monkeypatch.setenv("TERM", "xterm")
        os.dup2(theirs, 1)
        seen = announcement.screen()
        monkeypatch.setenv("TERM", "dumb")
        none = announcement.screen()
    finally:
        os.dup2(kept, 1)
        for fd in (ours, theirs, kept):
            os.close(fd)
    assert seen is not None
    assert seen.columns == 97
    assert none is None
