"""Links, host seeds, and the texts that are signed for the server."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.crypto.entry import invite, link
from snugroom.crypto.entry.invite import HostKeys, HostSeed, Invite, SigningKey, canonical_origin
from snugroom.crypto.errors import AuthenticationError, MalformedError, UnsupportedError
from snugroom.crypto.kdf import KDF
from snugroom.wire import signed

ORIGIN = "https://meet.example"
SECRET = bytes(range(16))
SEED = HostSeed(bytes(range(32)))

origins = st.builds(
    lambda scheme, host, port: canonical_origin(f"{scheme}://{host}{port}"),
    st.sampled_from(["http", "https"]),
    st.sampled_from(["a.example", "127.0.0.1", "[::1]", "localhost", "x-y_z.b"]),
    st.one_of(st.just(""), st.integers(1, 65535).map(lambda n: f":{n}")),
)
invites = st.builds(
    Invite,
    origins,
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=32, max_size=32),
    st.integers(0, 65535),
    st.binary(min_size=16, max_size=16),
)


# -- origins ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://meet.example", "https://meet.example"),
        ("HTTPS://Meet.Example/", "https://meet.example"),
        ("https://meet.example:443", "https://meet.example"),
        ("https://meet.example:8443/", "https://meet.example:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost:80", "http://localhost"),
        ("http://meet.example:443", "http://meet.example:443"),
        ("https://meet.example:0443", "https://meet.example"),
        ("https://[2001:DB8:0:0::1]:443", "https://[2001:db8::1]"),
        ("https://[::ffff:192.0.2.1]", "https://[::ffff:c000:201]"),
        ("https://[1:0:0:2:0:0:0:3]", "https://[1:0:0:2::3]"),
        ("https://[1:0:0:2:3:0:0:4]", "https://[1::2:3:0:0:4]"),
        ("https://[10:0:2:3:4:5:6:0]", "https://[10:0:2:3:4:5:6:0]"),
        ("https://[0:0:0:0:0:0:0:0]", "https://[::]"),
        ("https://[1:0:0:0:0:0:0:0]", "https://[1::]"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("http://snug_server", "http://snug_server"),
    ],
)
def test_canonical_origin(url: str, origin: str) -> None:
    assert canonical_origin(url) == origin
    assert canonical_origin(origin) == origin


@pytest.mark.parametrize(
    "url",
    [
        "",
        "meet.example",
        "ftp://meet.example",
        "https://",
        "https:///",
        "https://meet.example/room",
        "https://meet.example//",
        "https://meet.example?",
        "https://meet.example#",
        "https://meet.example/?x",
        "https://user@meet.example",
        "https://user:pw@meet.example",
        "https://meet.example:",
        "https://meet.example:0",
        "https://meet.example:65536",
        "https://meet.example:-1",
        "https://meet.example: 80",
        "https://meet.example\n",
        " https://meet.example",
        "https://bücher.example",
        "https://meet..example",
        "https://meet.example.",
        "https://-meet.example",
        "https://meet-.example",
        "https://" + "a" * 64 + ".example",
        "https://" + ".".join(["a" * 60] * 5),
        "https://127.1",
        "https://127.0.0.256",
        "https://1.2.3.04",
        "https://[::1",
        "https://[fe80::1%eth0]",
        "https://[::1]x:80",
        "https://[zz]",
        "https://::1",
        "https://meet%2eexample",
        "javascript://meet.example",
    ],
)
def test_no_origin(url: str) -> None:
    with pytest.raises(MalformedError):
        canonical_origin(url)


# -- the host's seed ----------------------------------------------------------------------------


def test_everything_of_a_host_comes_from_its_seed() -> None:
    same = HostSeed(SEED.seed)
    assert same.host_public == SEED.host_key.public
    assert same.room_admin_key(b"g").public == SEED.room_admin_key(b"g").public
    assert same.invite_token(7) == SEED.invite_token(7)
    assert SEED.host_key.seed == KDF(SEED.seed, "snug 1 host")
    assert SEED.return_key.seed == KDF(SEED.seed, "snug 1 returns")
    distinct = {
        SEED.host_public,
        SEED.return_public,
        SEED.room_admin_key(b"g").public,
        SEED.room_admin_key(b"h").public,
    }
    distinct |= {HostSeed.from_random().host_public, HostSeed.from_random().host_public}
    distinct |= {SEED.invite_token(i) for i in range(300)}
    assert len(distinct) == 6 + 300
    assert repr(SEED.seed) not in repr(SEED)
    assert SEED.seed.hex() not in repr(SEED)


def test_host_keys_keep_the_first_generation_and_the_latest() -> None:
    seeds = [HostSeed(bytes([n]) * 32) for n in range(20)]
    keys = HostKeys((seeds[0],))
    for seed in seeds[1:]:
        keys = keys.with_next(seed)
    assert keys.seeds == (seeds[0], *seeds[5:])
    assert keys.current == seeds[19]
    assert HostKeys.decode(keys.encode()) == keys
    for seed in (seeds[0], seeds[7]):
        admin = seed.room_admin_key(b"g")
        found = keys.room_admin_key(b"g", admin.public)
        assert found is not None
        assert found.seed == admin.seed
    assert keys.room_admin_key(b"g", seeds[1].room_admin_key(b"g").public) is None
    for wrong in ((), (seeds[0], seeds[0]), tuple(seeds)):
        with pytest.raises(MalformedError):
            HostKeys(wrong)
    assert seeds[0].seed.hex() not in repr(keys)


def test_a_seed_has_32_bytes_and_an_index_16_bits() -> None:
    with pytest.raises(MalformedError):
        HostSeed(bytes(31))
    with pytest.raises(MalformedError):
        HostSeed.from_random(lambda n: bytes(n + 1))
    for index in (-1, 65536):
        with pytest.raises(MalformedError):
            SEED.invite_token(index)


# -- the link -----------------------------------------------------------------------------------


def test_the_link_s_layout() -> None:
    link = SEED.invite(ORIGIN, SECRET, 0x0102).link()
    head, code = link.split("#2")
    assert head == "https://meet.example/"
    raw = base64.urlsafe_b64decode(code + "==")
    body = b"\0" + SECRET + SEED.host_public + b"\x01\x02" + SEED.invite_token(0x0102) + b"\0\0"
    check = hashlib.sha256(b"snug 1 link check" + b"\0\x14https://meet.example" + body).digest()[:4]
    assert raw == body + check
    assert len(link) == 121


@given(invites)
def test_links_round_trip(one: Invite) -> None:
    assert Invite.parse(one.link()) == one
    assert Invite.parse(f"  {one.link()}\n") == one


@given(invites, st.lists(origins, min_size=1, max_size=8, unique=True))
def test_links_with_servers_round_trip(one: Invite, servers: list[str]) -> None:
    others = tuple(server for server in servers if server != one.origin)
    with_servers = Invite(one.origin, one.secret, one.host_public, one.index, one.token, others)
    link = with_servers.link()
    assert Invite.parse(link) == with_servers
    assert len(link) > len(one.link()) or not others
    for at in others:
        link = with_servers.link(at)
        found = Invite.parse(link)
        assert link.startswith(f"{at}/#2")
        assert (found.origin, found.servers[0], {*found.servers}) == (one.origin, at, {*others})
        assert found.link(at) == link
    for first in (one.origin, "https://elsewhere.example"):
        assert first in others or with_servers.link(first) == with_servers.link()


def test_a_link_at_a_further_server_names_the_first() -> None:
    with pytest.raises(MalformedError, match="missing or changed"):
        Invite.parse(_coded(b"\1" + FIXED[1:] + b"\0\0"))


@given(invites, st.data())
def test_a_changed_or_cut_link_is_another_or_none(one: Invite, data: st.DataObject) -> None:
    link = one.link()
    start = link.index("#")
    for cut in range(start, len(link)):
        with pytest.raises(MalformedError):
            Invite.parse(link[:cut])
    at = data.draw(st.integers(start + 2, len(link) - 1))
    char = data.draw(st.characters(min_codepoint=33, max_codepoint=0x17F).filter(lambda c: c != link[at]))
    try:
        other = Invite.parse(link[:at] + char + link[at + 1 :])
    except MalformedError:
        return
    assert other != one, "two texts of one invite"


def _coded(raw: bytes, origin: str = ORIGIN) -> str:
    whole = raw + link._checksum(origin, raw)
    return f"{origin}/#2" + base64.urlsafe_b64encode(whole).rstrip(b"=").decode()


FIXED = b"\0" + SECRET + SEED.host_public + b"\0\1" + SEED.invite_token(1)
GOOD = _coded(FIXED + b"\0\0")


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("hello", "not a Snug link"),
        ("https://meet.example", "not a Snug link"),
        ("https://meet.example#2abc", "not a Snug link"),
        ("https://meet.example/room#2abc", "not a Snug link"),
        (f"{ORIGIN}/#2" + "A" * 5000, "not a Snug link"),
        ("https://meet example/#2abc", "no server address"),
        (f"{ORIGIN}/#", "cut off"),
        (f"{ORIGIN}/#2", "missing or changed"),
        (f"{ORIGIN}/#2AAAA", "missing or changed"),
        (GOOD[:-1], "missing or changed"),
        (GOOD[:-4], "missing or changed"),
        (GOOD[:60] + "%" + GOOD[60:], "'%'"),
        (GOOD + "=", "'='"),
        (GOOD + "B", "missing or changed"),
        (GOOD[:-1] + ("A" if GOOD[-1] != "A" else "Q"), "missing or changed"),
        (GOOD.replace("meet", "meat"), "missing or changed"),
        (_coded(FIXED + b"\0"), "missing or changed"),
        (_coded(FIXED + b"\0\0\0"), "missing or changed"),
        (_coded(FIXED + b"\1\x09http://a\0"), "missing or changed"),
        (_coded(FIXED + b"\1\x08http://a!\0"), "missing or changed"),
        (_coded(FIXED + b"\1\x08http://\xe4\0"), "missing or changed"),
        (_coded(FIXED + b"\1\x08HTTP://a\0"), "not in canonical form"),
        (_coded(FIXED + b"\1\x14" + ORIGIN.encode() + b"\0"), "each once"),
        (_coded(FIXED + b"\2\x08http://a\x08http://a\0"), "each once"),
        (
            _coded(FIXED + b"\x09" + b"".join(b"\x08http://" + bytes((97 + i,)) for i in range(9)) + b"\0"),
            "missing or changed",
        ),
    ],
)
def test_the_error_says_what_is_wrong_with_a_link(link: str, words: str) -> None:
    with pytest.raises(MalformedError, match=words):
        Invite.parse(link)


def test_a_link_that_needs_more_than_this_program_has_is_told_apart() -> None:
    with pytest.raises(UnsupportedError, match="version '1'"):
        Invite.parse(GOOD.replace("#2", "#1"))
    relays = b"\1" + b"\1\x09https://b" + b"\1" + bytes(32)
    for raw in (b"\2" + FIXED[1:] + b"\0\0", b"\x80" + FIXED[1:] + b"more", FIXED + b"\0" + relays):
        with pytest.raises(UnsupportedError, match="newer program"):
            Invite.parse(_coded(raw))


def test_one_wrong_character_anywhere_is_found() -> None:
    start = GOOD.index("#2") + 2
    for at in range(start, len(GOOD)):
        other = "A" if GOOD[at] != "A" else "B"
        with pytest.raises(MalformedError, match="missing or changed"):
            Invite.parse(GOOD[:at] + other + GOOD[at + 1 :])


def test_invites_are_checked_when_made() -> None:
    with pytest.raises(MalformedError, match="canonical"):
        SEED.invite("https://Meet.Example", SECRET, 1)
    with pytest.raises(MalformedError):
        SEED.invite(ORIGIN, SECRET[:15], 1)
    with pytest.raises(MalformedError):
        Invite(ORIGIN, SECRET, bytes(31), 1, bytes(16))
    with pytest.raises(MalformedError):
        Invite(ORIGIN, SECRET, bytes(32), 1, bytes(15))
    with pytest.raises(MalformedError):
        Invite(ORIGIN, SECRET, bytes(32), 65536, bytes(16))


def test_an_invite_s_secrets_don_t_print() -> None:
    one = SEED.invite(ORIGIN, SECRET, 1)
    assert repr(one.secret) not in repr(one)
    assert repr(one.token) not in repr(one)


# -- from the secret ----------------------------------------------------------------------------


def test_the_lobby_moves_each_day_and_with_the_server() -> None:
    base = invite.lobby_key(SECRET, ORIGIN, 20_000)
    info = b"snug 1 lobby" + len(ORIGIN).to_bytes(2, "big") + ORIGIN.encode() + (20_000).to_bytes(4, "big")
    assert base.seed == KDF(SECRET, info)
    keys = [
        base.seed,
        invite.lobby_envelope_key(SECRET, ORIGIN, 20_000),
        invite.lobby_key(SECRET, ORIGIN, 20_001).seed,
        invite.lobby_envelope_key(SECRET, ORIGIN, 20_001),
        invite.lobby_key(SECRET, "https://b.example", 20_000).seed,
        invite.lobby_key(os.urandom(16), ORIGIN, 20_000).seed,
        invite.link_psk(SECRET),
    ]
    assert len(set(keys)) == len(keys)
    assert {len(key) for key in keys} == {32}
    assert invite.link_psk(SECRET) == KDF(SECRET, "snug 1 psk")
    for derive in (invite.lobby_key, invite.lobby_envelope_key):
        with pytest.raises(MalformedError):
            derive(SECRET + b"\0", ORIGIN, 1)
        with pytest.raises(MalformedError):
            derive(SECRET, "HTTPS://meet.example", 1)
        with pytest.raises(MalformedError):
            derive(SECRET, ORIGIN, -1)
    with pytest.raises(MalformedError):
        invite.link_psk(bytes(32))


def test_days_are_utc() -> None:
    assert invite.day_of(0) == 0
    assert invite.day_of(86_399.9) == 0
    assert invite.day_of(86_400) == 1
    assert invite.day_of(1_763_995_000) == 20_416


# -- for the server -----------------------------------------------------------------------------

H32, N16 = b"h" * 32, b"n" * 16


def test_messages_byte_by_byte() -> None:
    length = len(ORIGIN).to_bytes(2, "big")
    slot = (258).to_bytes(8, "big")
    assert invite.door_message(ORIGIN, N16, b"s" * 32, b"c" * 32) == (
        b"snug 1 door" + length + ORIGIN.encode() + N16 + b"s" * 32 + b"c" * 32
    )
    assert invite.door_message(ORIGIN, H32, b"s" * 32, b"c" * 32)[-96:-64] == H32
    assert signed.Opening(N16, 258, b"g" * 32, b"c" * 32).encode() == (
        b"snug 1 open" + N16 + slot + b"g" * 32 + b"c" * 32
    )
    opened = signed.RoomOpened(N16, b"o" * 8, 258, b"c" * 32)
    assert opened.encode() == b"snug 1 opened" + N16 + b"o" * 8 + slot + b"c" * 32
    taken = signed.SlotTaken(N16, b"o" * 8, 258, b"c" * 32, H32)
    assert taken.encode() == b"snug 1 taken" + N16 + b"o" * 8 + slot + b"c" * 32 + H32
    assert (
        invite.room_number(b"d" * 32, b"s" * 32)
        == (hashlib.sha256(b"snug 1 room" + b"d" * 32 + b"s" * 32).digest()[:16])
    )
    assert invite.gate(H32) == hashlib.sha256(H32).digest()
    blob = hashlib.sha256(b"blob").digest()
    assert invite.chain_next(b"c" * 32, 258, b"blob") == hashlib.sha256(b"c" * 32 + slot + blob).digest()


def test_messages_refuse_wrong_sizes() -> None:
    short = b"x" * 31
    attempts: list[Callable[[], object]] = [
        lambda: invite.door_message(ORIGIN, b"x" * 17, H32, H32),
        lambda: invite.door_message(ORIGIN, N16, short, H32),
        lambda: invite.door_message(ORIGIN, N16, H32, short),
        lambda: invite.door_message("https://Meet.example", N16, H32, H32),
        lambda: signed.Opening(H32, 1, H32, H32).encode(),
        lambda: signed.Opening(N16, -1, H32, H32).encode(),
        lambda: signed.Opening(N16, 2**64, H32, H32).encode(),
        lambda: signed.Opening(N16, 1, short, H32).encode(),
        lambda: signed.Opening(N16, 1, H32, short).encode(),
        lambda: signed.RoomOpened(N16, bytes(8), 1, short).encode(),
        lambda: signed.SlotTaken(N16, bytes(7), 1, H32, H32).encode(),
        lambda: signed.SlotTaken(N16, bytes(8), 1, H32, short).encode(),
        lambda: invite.room_number(short, H32),
        lambda: invite.room_number(H32, short),
        lambda: invite.chain_next(short, 1, b""),
        lambda: invite.gate(short),
    ]
    for attempt in attempts:
        with pytest.raises(MalformedError):
            attempt()


def test_receipts() -> None:
    server = SigningKey.generate()
    number, opening_id, before, digest = N16, b"o" * 8, H32, b"b" * 32
    taken = server.sign(signed.SlotTaken(number, opening_id, 3, before, digest).encode())
    opened = server.sign(signed.RoomOpened(number, opening_id, 3, before).encode())
    invite.verify_taken(server.public, number, opening_id, 3, before, digest, taken)
    invite.verify_opened(server.public, number, opening_id, 3, before, opened)
    for n, o, slot, b in (
        (b"m" * 16, opening_id, 3, before),
        (number, b"p" * 8, 3, before),
        (number, opening_id, 4, before),
        (number, opening_id, 3, b"g" * 32),
    ):
        with pytest.raises(AuthenticationError):
            invite.verify_taken(server.public, n, o, slot, b, digest, taken)
        with pytest.raises(AuthenticationError):
            invite.verify_opened(server.public, n, o, slot, b, opened)
    with pytest.raises(AuthenticationError):
        invite.verify_taken(server.public, number, opening_id, 3, before, b"c" * 32, taken)


def test_openings() -> None:
    room_admin, gate, chain = SigningKey.generate(), b"g" * 32, b"c" * 32
    signature = room_admin.sign(signed.Opening(N16, 3, gate, chain).encode())
    invite.verify_opening(room_admin.public, N16, 3, gate, chain, signature)
    for wrong in (
        (b"m" * 16, 3, gate, chain),
        (N16, 4, gate, chain),
        (N16, 3, chain, chain),
        (N16, 3, gate, gate),
    ):
        with pytest.raises(AuthenticationError):
            invite.verify_opening(room_admin.public, *wrong, signature)
