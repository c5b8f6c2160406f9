"""Encodings on which all members agree: each value has one, and no other bytes decode."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.crypto.agreed.ledger import Away, Ledger, Rejoined
from snugroom.crypto.agreed.room_state import (
    HOSTS_MAX,
    LATER_KEYS_MAX,
    MIRROR,
    REPORTS,
    SERVERS_MAX,
    SIXTEEN,
    STRICT,
    TITLE_MAX,
    CommitContext,
    HostReturn,
    Identity,
    Mode,
    Policy,
    PolicyServer,
    RejoinTicket,
)
from snugroom.crypto.errors import MalformedError
from tests.policy.commits import LEDGER, POLICY, TICKET, h

b16, b32, b64 = (st.binary(min_size=n, max_size=n) for n in (16, 32, 64))
# of 8 bytes a number takes at most 53 bits: a browser holds no more
u16, u32, u64 = (st.integers(0, 2**n - 1) for n in (16, 32, 53))


def short(most: int) -> st.SearchStrategy[str]:
    return st.text(st.characters(codec="utf-8"), max_size=most).filter(lambda t: len(t.encode()) <= most)


policies = st.builds(
    Policy,
    version=u32,
    hosts=st.sets(b32, max_size=HOSTS_MAX).map(lambda hosts: tuple(sorted(hosts))),
    host_public=b32,
    mode=st.sampled_from(Mode),
    title=short(TITLE_MAX),
    servers=st.lists(st.builds(PolicyServer, short(255), b32), max_size=SERVERS_MAX).map(tuple),
    flags=st.sampled_from((0, REPORTS, SIXTEEN, STRICT, REPORTS | MIRROR | SIXTEEN | STRICT)),
    return_public=b32,
    room_admin_public=b32,
    later_keys=st.sets(b32, max_size=LATER_KEYS_MAX).map(tuple),
).filter(lambda policy: policy.host_public not in policy.later_keys)
identities = st.builds(Identity, name=short(80), flags=st.integers(0, 255))
tickets = st.builds(
    RejoinTicket,
    group_id=st.binary(max_size=255),
    slot=u64,
    chain=b32,
    nonce=b16,
    stuck=st.booleans(),
    by=st.integers(0, 2**32 - 1),
    signatures=st.lists(b64, max_size=3).map(tuple),
)
contexts = st.builds(
    CommitContext,
    room=b16,
    slot=u64,
    chain=b32,
    ledger=b32,
    invites=st.lists(u16, max_size=70).map(tuple),
    host_return=st.none() | st.builds(HostReturn, slot=u64, signature=b64),
    absent=st.booleans(),
    withdrawn=st.frozensets(b32, max_size=3).map(lambda keys: tuple(sorted(keys))),
)
ways_back = st.builds(
    Away,
    signature_key=b32,
    rejoin_key=b32,
    identity=st.binary(max_size=70),
    invite=st.none() | u16,
    slot=u64,
)
ledgers = st.builds(
    Ledger,
    used=st.frozensets(u16, max_size=20),
    revoked=st.frozensets(u16, max_size=20),
    keys=st.frozensets(b32, max_size=8),
    invites=st.dictionaries(u32, u16, max_size=20).map(lambda d: tuple(sorted(d.items()))),
    rejoins=st.dictionaries(u64, st.tuples(b32, b16), max_size=6).map(
        lambda d: tuple(Rejoined(slot, key, nonce) for slot, (key, nonce) in sorted(d.items()))
    ),
    returned=u64,
    hosted=u64,
    rotation_due=st.booleans(),
    away=st.lists(ways_back, max_size=4, unique_by=lambda each: each.signature_key).map(
        lambda some: tuple(sorted(some, key=lambda each: each.signature_key))
    ),
)
Value = Policy | Identity | RejoinTicket | CommitContext | Ledger
anything: st.SearchStrategy[Value] = st.one_of(policies, identities, tickets, contexts, ledgers)

FULL: list[Value] = [
    replace(POLICY, hosts=tuple(sorted((h(1), h(2))))),
    TICKET,
    CommitContext(h("room")[:16], 3, h("chain"), h("ledger"), (7,), HostReturn(2, h(0) * 2)),
    CommitContext(h("room")[:16], 3, h("chain"), h("ledger")),
    CommitContext(h("room")[:16], 3, h("chain"), h("ledger"), absent=True),
    CommitContext(h("room")[:16], 3, h("chain"), h("ledger"), withdrawn=tuple(sorted((h(1), h(2))))),
    LEDGER,
]


@given(anything)
def test_encoded_values_decode_to_themselves(value: Value) -> None:
    assert type(value).decode(value.encode()) == value


@given(anything, st.data())
def test_equal_bytes_are_equal_values_and_no_others(value: Value, data: st.DataObject) -> None:
    """A changed byte is refused, or it is another value whose encoding it is."""
    raw = bytearray(value.encode())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    try:
        other = type(value).decode(bytes(raw))
    except MalformedError:
        return
    assert other != value
    assert other.encode() == raw


@pytest.mark.parametrize("kind", [Policy, Identity, RejoinTicket, CommitContext, Ledger])
@given(data=st.binary(max_size=200))
def test_bytes_of_any_kind_are_read_whole_or_refused(kind: Any, data: bytes) -> None:
    try:
        value = kind.decode(data)
    except MalformedError:
        return
    assert value.encode() == data


@pytest.mark.parametrize("value", FULL, ids=lambda v: type(v).__name__)
def test_cut_anywhere_or_with_more_behind_it_is_refused(value: Value) -> None:
    raw = value.encode()
    for size in range(len(raw)):
        with pytest.raises(MalformedError):
            type(value).decode(raw[:size])
    for more in (b"\0", b"\1", raw):
        with pytest.raises(MalformedError):
            type(value).decode(raw + more)


@pytest.mark.parametrize(
    "value", [v for v in FULL if not isinstance(v, RejoinTicket)], ids=lambda v: type(v).__name__
)
def test_another_format_is_refused(value: Value) -> None:
    raw = value.encode()
    for version in (0, 2, 255):
        with pytest.raises(MalformedError):
            type(value).decode(bytes([version]) + raw[1:])


@pytest.mark.parametrize("flag", [2, 3, 128, 255])
def test_flags_are_0_or_1(flag: int) -> None:
    ticket = TICKET.encode()
    with pytest.raises(MalformedError, match="a flag, 0 or 1"):
        RejoinTicket.decode(ticket[:-2] + bytes([flag, 0]))
    bare = CommitContext(bytes(16), 1, bytes(32), bytes(32)).encode()
    with pytest.raises(MalformedError, match="a flag, 0 or 1"):
        CommitContext.decode(bare[:-3] + bytes([flag]) + bytes(72) + bare[-2:])
    with pytest.raises(MalformedError, match="a flag, 0 or 1"):
        CommitContext.decode(bare[:-2] + bytes([flag]) + bare[-1:])


def test_a_commit_names_as_many_invites_as_it_says() -> None:
    several = CommitContext(bytes(16), 1, bytes(32), bytes(32), (7, 0x8007, 7))
    encoded = several.encode()
    assert encoded[-10:] == bytes.fromhex("03 0007 8007 0007 00 00 00")
    assert CommitContext.decode(encoded) == several
    for count in (2, 4):
        with pytest.raises(MalformedError):
            CommitContext.decode(encoded[:-10] + bytes([count]) + encoded[-9:])


def test_a_ticket_has_at_most_eight_signatures() -> None:
    one = bytes(64)
    for count in range(9):
        ticket = replace(TICKET, signatures=(one,) * count)
        assert RejoinTicket.decode(ticket.encode()) == ticket
    nine = TICKET.encode()[:-1] + b"\x09" + one * 9
    with pytest.raises(MalformedError, match="0 to 8 entries, not 9"):
        RejoinTicket.decode(nine)


def test_a_credential_is_utf8_behind_its_flags() -> None:
    assert Identity.decode(b"\0Zo\xc3\xab") == Identity("Zoë")
    assert Identity.decode(b"\0") == Identity("")
    for bad in (b"", b"\0\xff", b"\0\xc3", b"\0\xed\xa0\x80", b"\0\xc0\xaf"):
        with pytest.raises(MalformedError):
            Identity.decode(bad)


# -- policy --------------------------------------------------------------------------------------------


def raw_policy(
    hosts: list[bytes],
    *,
    mode: int = 0,
    title: bytes = b"",
    servers: tuple[bytes, ...] = (),
    flags: bytes = b"\0",
) -> bytes:
    parts = [b"\1", bytes(4), bytes([len(hosts)]), *hosts, bytes(96), b"\0", bytes([mode, len(title)]), title]
    return b"".join(
        [*parts, bytes([len(servers)]), *(bytes([len(s)]) + s + bytes(32) for s in servers), flags]
    )


def test_a_policy_in_raw_bytes() -> None:
    one, two = sorted((h(1), h(2)))
    raw = raw_policy([one, two], mode=2, title=b"t", servers=(b"a", b""), flags=b"\1")
    servers = (PolicyServer("a", bytes(32)), PolicyServer("", bytes(32)))
    assert Policy.decode(raw) == Policy(
        0, (one, two), bytes(32), mode=Mode.LOCKED, title="t", servers=servers, flags=REPORTS
    )
    assert Policy.decode(raw).reports


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (raw_policy(sorted((h(1), h(2)), reverse=True)), "hosts is not in order"),
        (raw_policy([h(1), h(1)]), "hosts is not in order"),
        (raw_policy(sorted(h(n) for n in range(HOSTS_MAX + 1))), "hosts has 0 to 16 entries, not 17"),
        (raw_policy([], mode=3), "mode has the unknown value 3"),
        (raw_policy([], mode=255), "mode has the unknown value 255"),
        (raw_policy([], title=b"t" * (TITLE_MAX + 1)), "title has 129 bytes"),
        (raw_policy([], title=b"\xff"), "UTF-8"),
        (raw_policy([], servers=(b"s",) * (SERVERS_MAX + 1)), "servers has 0 to 8 entries, not 9"),
        (raw_policy([], servers=(b"\xc3",)), "UTF-8"),
        (raw_policy([], flags=b"\x10"), "not defined"),
        (raw_policy([], flags=b"\x81"), "not defined"),
        (raw_policy([], flags=b""), "cut short"),
        (raw_policy([], flags=b"\1\0"), "too many"),
    ],
)
def test_a_policy_that_is_none(raw: bytes, why: str) -> None:
    with pytest.raises(MalformedError, match=why):
        Policy.decode(raw)


def test_a_policy_at_its_limits() -> None:
    most = Policy(
        2**32 - 1,
        tuple(sorted(h(n) for n in range(HOSTS_MAX))),
        h("host"),
        mode=Mode.LOCKED,
        title="é" * (TITLE_MAX // 2),
        servers=(PolicyServer("s" * 255, h("admin")),) * SERVERS_MAX,
        later_keys=tuple(h("later", n) for n in range(LATER_KEYS_MAX)),
    )
    for keys in ((*most.later_keys, h("one more")), (h("host"),), (h(1), h(1))):
        with pytest.raises(MalformedError, match=r"later_keys has|first links is there twice"):
            Policy.decode(replace(most, later_keys=keys).encode())
    assert Policy.decode(most.encode()) == most
    for changed in (
        replace(most, version=2**32),
        replace(most, title="t" * 256),
        replace(most, servers=(PolicyServer("s" * 256, h("admin")),)),
    ):
        with pytest.raises(MalformedError):
            changed.encode()


def test_the_order_in_which_hosts_are_named_makes_no_difference() -> None:
    one, two = Policy(1, (h(1), h(2)), h(0)), Policy(1, (h(2), h(1)), h(0))
    assert one.encode() == two.encode()


def test_hosts_come_and_go_a_version_at_a_time() -> None:
    policy = Policy(1, (h(1),), h(0))
    more = policy.with_host(h(2)).with_host(h(2))
    assert (more.version, set(more.hosts)) == (3, {h(1), h(2)})
    assert Policy.decode(more.encode()) == more
    fewer = more.without_host(h(1)).without_host(h(9))
    assert (fewer.version, fewer.hosts) == (5, (h(2),))
