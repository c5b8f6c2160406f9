"""The client of a connection: headers of trusted proxies, and the PROXY protocol."""

from __future__ import annotations

import contextlib
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.server.rooms.addresses import PROXY_MAX, Proxies, ProxyError, prefix, proxy_header

X, F = "X-Forwarded-For", "Forwarded"
PROXIES = Proxies(["10.0.0.0/8", "fd00::1"])
V2 = b"\r\n\r\n\x00\r\nQUIT\n"


def test_a_client_is_an_ipv4_address_or_64_bits_of_ipv6() -> None:
    assert prefix("192.0.2.7") == bytes([192, 0, 2, 7])
    assert prefix("::ffff:192.0.2.7") == prefix("192.0.2.7")
    assert (
        prefix("2001:db8:1:2::9") == prefix("2001:db8:1:2:ffff::1%eth0") == bytes.fromhex("20010db800010002")
    )
    assert prefix("2001:db8:1:3::9") != prefix("2001:db8:1:2::9")
    assert prefix("a name") is None


@pytest.mark.parametrize(
    ("peer", "lines", "name", "client"),
    [
        ("192.0.2.1", ["198.51.100.1"], X, "192.0.2.1"),  # nobody's claim counts unless the peer is trusted
        ("10.0.0.1", ["198.51.100.1"], X, "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6, 198.51.100.1"], X, "198.51.100.1"),  # what stands before is the client's own
        ("10.0.0.1", ["6.6.6.6", "198.51.100.1, 10.9.9.9"], X, "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.1:4711"], X, "198.51.100.1"),
        ("fd00::1", ["[2001:db8::1]:80"], X, "2001:db8::1"),
        ("10.0.0.1", ["2001:db8::1"], X, "2001:db8::1"),
        ("10.0.0.1", ["10.0.0.2"], X, "10.0.0.2"),
        ("10.0.0.1", [], X, None),
        ("10.0.0.1", [""], X, None),
        ("10.0.0.1", ["198.51.100.1, unknown"], X, None),
        ("10.0.0.1", ["1" * 300], X, None),
        ("10.0.0.1", ['for="a, for=198.51.100.1;proto=https'], F, "198.51.100.1"),
        ("10.0.0.1", ['proto=https;For="[2001:db8::1]:4711"'], F, "2001:db8::1"),
        ("10.0.0.1", ["for=_hidden"], F, None),
        ("10.0.0.1", ["proto=https"], F, None),
        ("127.0.0.1", ["198.51.100.1"], X, "127.0.0.1"),
    ],
)
def test_the_last_address_that_no_trusted_proxy_has_is_the_client(
    peer: str, lines: list[str], name: str, client: str | None
) -> None:
    assert PROXIES.client(peer, lines, name) == client


def test_without_proxies_programs_on_this_machine_look_alike() -> None:
    nobody = Proxies([])
    assert nobody.client("127.0.0.1", ["198.51.100.1"], X) is None
    assert nobody.client("::1", [], X) is None
    assert nobody.client("192.0.2.1", ["198.51.100.1"], X) == "192.0.2.1"


def v2(source: str, target: str = "192.0.2.9", command: int = 0x21, more: bytes = b"") -> bytes:
    a, b = ipaddress.ip_address(source), ipaddress.ip_address(target)
    body = a.packed + b.packed + b"\x00\x01\x00\x02" + more
    return V2 + bytes([command, 0x11 if a.version == 4 else 0x21]) + len(body).to_bytes(2, "big") + body


GOOD = [
    (b"PROXY TCP4 198.51.100.1 192.0.2.9 4711 443\r\n", "198.51.100.1"),
    (b"PROXY TCP6 2001:db8::1 2001:db8::2 4711 443\r\n", "2001:db8::1"),
    (b"PROXY UNKNOWN\r\n", None),
    (v2("198.51.100.1"), "198.51.100.1"),
    (v2("2001:db8::1", "2001:db8::2", more=b"\x04\x00\x01x"), "2001:db8::1"),
    (V2 + b"\x20\x00\x00\x00", None),
]


@pytest.mark.parametrize(("header", "client"), GOOD)
def test_a_proxy_header_is_read_and_leaves_what_follows(header: bytes, client: str | None) -> None:
    assert proxy_header(header + b"GET / HTTP/1.1") == (client, len(header))
    for end in range(len(header)):
        assert proxy_header(header[:end]) is None


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"PROXY TCP4 198.51.100.1 192.0.2.9 4711\r\n",
        b"PROXY TCP4 2001:db8::1 2001:db8::2 4711 443\r\n",
        b"PROXY TCP4 198.51.100.1 192.0.2.9 4711 99999\r\n",
        b"PROXY TCP4 x y 1 2\r\n",
        b"PROXY " + b"a" * 200,
        V2 + b"\x31\x11\x00\x0c" + bytes(12),
        V2 + b"\x21\x11\x00\x04" + bytes(4),
        V2 + b"\x21\x31\x00\xd8" + bytes(216),
        V2 + b"\x21\x11\xff\xff",
    ],
)
def test_anything_else_is_an_error(data: bytes) -> None:
    with pytest.raises(ProxyError):
        proxy_header(data)


@given(st.one_of(st.binary(max_size=300), st.sampled_from(GOOD).map(lambda good: good[0])), st.data())
def test_no_input_waits_for_ever(data: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(data)))
    changed = data[:at] + draw.draw(st.binary(max_size=4)) + data[at:]
    try:
        found = proxy_header(changed)
    except ProxyError:
        return
    if found is None:
        with contextlib.suppress(ProxyError):
            assert proxy_header(changed + bytes(PROXY_MAX) + b"\r\n") is not None
    else:
        assert 0 < found[1] <= len(changed)
