"""Which addresses a meeting leads to: literal ones, in every form in which they can be written."""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.client.session.addresses import is_confined, is_public, objection
from snugroom.crypto.entry.invite import canonical_origin

FIRST = "https://meet.example"
#: Global for Python: an old relay's, and two anycast services'.
OLDER = [ipaddress.ip_network(n) for n in ("192.88.99.0/24", "192.0.0.9/32", "192.0.0.10/32")]
PRIVATE = ["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"]
PRIVATE += ["192.168.0.0/16", "224.0.0.0/4", "240.0.0.0/4"]


@st.composite
def fours(draw: st.DrawFn) -> IPv4Address:
    """Any address, or one at an edge of a private network."""
    if draw(st.booleans()):
        return IPv4Address(draw(st.integers(0, 2**32 - 1)))
    network = ipaddress.IPv4Network(draw(st.sampled_from(PRIVATE)))
    edge = draw(st.sampled_from([int(network[0]), int(network[-1])]))
    return IPv4Address(min(max(edge + draw(st.integers(-1, 1)), 0), 2**32 - 1))


def embedded(four: IPv4Address) -> dict[str, IPv6Address]:
    """Every form in which an IPv6 address can stand for an IPv4 address, or lead to it."""
    n = int(four)
    wrong = int(IPv4Address("8.8.8.8"))
    high, low = n >> 16, n & 0xFFFF
    local = 0x0064_FF9B_0001 << 80
    return {
        "mapped": IPv6Address(0xFFFF << 32 | n),
        "NAT64": IPv6Address(0x0064_FF9B << 96 | n),
        "local NAT64, /96": IPv6Address(local | n),
        "local NAT64, /48": IPv6Address(local | high << 64 | low << 40 | wrong),
        "local NAT64, /56": IPv6Address(local | (n >> 24) << 64 | (n & 0xFFFFFF) << 32 | wrong),
        "local NAT64, /64": IPv6Address(local | n << 24 | (wrong & 0xFFFFFF)),
        "6to4": IPv6Address(0x2002 << 112 | n << 80 | 1),
        "Teredo client": IPv6Address(0x2001 << 112 | wrong << 64 | (n ^ 0xFFFFFFFF)),
        "Teredo server": IPv6Address(0x2001 << 112 | n << 64 | (wrong ^ 0xFFFFFFFF)),
    }


@given(fours())
def test_an_ipv4_address_is_judged_as_the_registry_has_it(four: IPv4Address) -> None:
    known = four.is_global and not four.is_multicast and not any(four in each for each in OLDER)
    assert is_public(str(four)) == known


@given(fours())
def test_what_an_ipv6_address_embeds_is_what_counts(four: IPv4Address) -> None:
    for form, six in embedded(four).items():
        if int(four) < 1 << 24 and form.startswith("local NAT64") and form != "local NAT64, /96":
            continue  # nothing is at 0.0.0.0/8 behind a translator, and ordinary subnets look so
        if is_public(str(four)):
            assert form.startswith("local NAT64, /") or is_public(str(six)), form
        else:
            assert not is_public(str(six)), form


def test_a_translator_of_the_network_itself_leads_to_public_addresses() -> None:
    assert is_public("64:ff9b:1::8.8.8.8")
    assert is_public("64:ff9b:1::93.184.215.14")


@given(st.integers(0, 2**128 - 1) | st.integers(0, 2**125 - 1).map(lambda n: 1 << 125 | n))
def test_an_ipv6_address_is_public_only_where_the_registry_says_so(n: int) -> None:
    six = IPv6Address(n)
    if is_public(str(six)) and six.teredo is None and six not in ipaddress.ip_network("64:ff9b:1::/48"):
        assert six.is_global or six.ipv4_mapped is not None
        assert not six.is_multicast


OTHER_IPV6 = """
:: ::1 fe80::1 fe80::1%eth0 fd00::1 fc00::1 ff02::1 fec0::1 2001:db8::1 3fff::1 ::ffff:0:10.0.0.1 ::10.0.0.1
100::1 5f00::1 2001:10::1 2001:20::1 2001:2::1
"""


@pytest.mark.parametrize("address", OTHER_IPV6.split())
def test_other_ipv6_addresses_are_private(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["2606:4700:4700::1111", "2a00:1450::1", "2620:fe::fe", "2001:4860:4860::8888"]
)
def test_the_internets_are_public(address: str) -> None:
    assert is_public(address)


#: Origin, and the objection to it in a meeting that began at a public https server; the page has the same.
ORIGINS = {
    "https://meet.example": None,
    "https://other.example:8443": None,
    "https://9.9.9.9": None,
    "https://[2606:4700:4700::1111]": None,
    "http://ada2onionexample.onion": None,
    "https://ada2onionexample.onion": None,
    "http://other.example": "http",
    "http://9.9.9.9:8080": "http",
    "http://169.254.169.254": "http",
    "https://169.254.169.254": "private",
    "https://127.0.0.1:8443": "private",
    "https://100.64.0.1": "private",
    "https://[::1]": "private",
    "https://[::ffff:a9fe:a9fe]": "private",
    "https://[64:ff9b::a00:1]": "private",
    "https://[64:ff9b:1::a00:1]": "private",
    "https://[2002:a00:1::]": "private",
    "https://[fe80::1]": "private",
    "https://localhost": "private",
    "https://snug.localhost:8443": "private",
    "https://printer.local": "private",
    "https://metadata.google.internal": "private",
    "https://router.home.arpa": "private",
    "https://intranet": "private",
    "https://0x7f000001": "private",
    "https://127.0.0.0x1": "private",
}


@pytest.mark.parametrize("origin", ORIGINS)
def test_an_origin_is_judged_by_its_form(origin: str) -> None:
    assert canonical_origin(origin) == origin
    assert objection(FIRST, origin) == ORIGINS[origin]
    assert objection(FIRST, origin, anywhere=True) is None
    assert objection(origin, origin) is None


@pytest.mark.parametrize("first", [o for o, why in ORIGINS.items() if why or o.startswith("http:")])
def test_a_meeting_that_began_in_a_private_place_may_lead_anywhere(first: str) -> None:
    assert not is_confined(first)
    assert [objection(first, origin) for origin in ORIGINS] == [None] * len(ORIGINS)
