"""Evidence that a server dropped a meeting or signed conflicting histories, for third parties, offline.

docs/reference/protocol.md, section 13. An *exhibit* is one member's statement: the signed heartbeats that it
received, the server's receipts, the server's last messages, and a *probe*. A probe is a new room that the
member opens at the same server after the drop, with the chain value ::

    H("snug 1 probe" | H(number 16 | count 2, (key 32 | len32(beat)) |
                         count 2, (number 16 | server key 32 | opening id 8 | slot 8 | chain before 32
                                   | H(blob) 32 | signature 64)))

The server's signature that it opened the probe room proves that the server was alive, and served others,
after those heartbeats were made. The member's leaf signs the whole exhibit by SignWithLabel under "snug 1
evidence". One file holds the exhibits of several members of one room.

The file contains keys and no names, unless the member adds the signed leaf nodes (RFC 9420 7.2) with the
names.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec
from msgspec.structs import astuple

from snugroom.crypto.agreed.heartbeat import Heartbeat, server_mark
from snugroom.crypto.agreed.room_state import Identity
from snugroom.crypto.entry.invite import verify_opened, verify_taken
from snugroom.crypto.errors import AuthenticationError, MalformedError, SnugError
from snugroom.crypto.kdf import H
from snugroom.crypto.mls.codec import decode
from snugroom.crypto.mls.labels import verify_with_label
from snugroom.crypto.mls.nodes import LeafNodeIn
from snugroom.crypto.proof import canonical_json
from snugroom.wire.layout import U8, Bytes, Bytes8, Bytes16, Bytes32, Items, Layout, Named
from snugroom.wire.layout import Signature as SignatureField
from snugroom.wire.signed import ChainLink

FORMAT: Final = "snug evidence 2"
LABEL: Final = "snug 1 evidence"
#: Maximum of: exhibits per file; heartbeats and receipts (each) per exhibit; leaf nodes; server messages.
EXHIBITS_MAX: Final = 64
LISTED_MAX: Final = 64
LEAVES_MAX: Final = 1000
SERVER_EVENTS_MAX: Final = 16
#: Characters in one text.
TEXT_MAX: Final = 500
#: Bytes of one heartbeat: room for 1,000 members with 8 streams each.
HEARTBEAT_MAX: Final = 128 * 1024
#: Bytes of one file.
FILE_MAX: Final = 32 * 2**20

Key = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Hash = Key
Number = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
OpeningId = Annotated[bytes, msgspec.Meta(min_length=8, max_length=8)]
Signature = Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]
Slot = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
Seconds = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
Text = Annotated[str, msgspec.Meta(max_length=TEXT_MAX)]


class SignedHeartbeat(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A member's heartbeat (docs/reference/protocol.md, section 7) and the leaf key that signed it."""

    key: Key
    beat: Annotated[bytes, msgspec.Meta(max_length=HEARTBEAT_MAX)]


class Receipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The server's signature that a blob took a slot of this room (`wire.signed.SlotTaken`).

    docs/reference/protocol.md, section 3. `number` is the room's at that time: it changes with the keys of
    the hosts. `blob` is H(blob).
    """

    number: Number
    server_key: Key
    opening_id: OpeningId
    slot: Slot
    before: Hash
    blob: Hash
    signature: Signature

    @property
    def chain(self) -> bytes:
        """The chain value after the slot, 32 bytes."""
        return ChainLink(self.before, self.slot, self.blob).value


class ServerEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The server's last message or action, as the member reports it; `at` in Unix seconds by its clock."""

    at: Seconds
    code: Text
    text: Text


class ProbeReceipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The server's signature that it opened the room `number` at slot 0, with the chain value above."""

    number: Number
    server_key: Key
    opening_id: OpeningId
    signature: Signature


class Probe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The outcome of the probe: `receipt` is the server's signature if any, `text` the member's report."""

    at: Seconds
    text: Text
    receipt: ProbeReceipt | None = None


class NamedLeaf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A signed LeafNode (RFC 9420 7.2): its key signs the name in it, for that leaf of that group."""

    leaf: Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFF)]
    group_id: Annotated[bytes, msgspec.Meta(max_length=255)]
    node: Annotated[bytes, msgspec.Meta(max_length=8192)]


class Exhibit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The exhibit of one member. Decoding verifies nothing: call `verify_exhibit`.

    `at` is the time of creation; `dropped_at` the time at which this member lost the room, None if it had
    not. `server_key` is the key with which the server last authenticated at the room's door.
    """

    at: Seconds
    origin: Text
    number: Number
    server_key: Key
    dropped_at: Seconds | None
    beats: Annotated[list[SignedHeartbeat], msgspec.Meta(max_length=LISTED_MAX)]
    receipts: Annotated[list[Receipt], msgspec.Meta(max_length=LISTED_MAX)]
    last_words: Annotated[list[ServerEvent], msgspec.Meta(max_length=SERVER_EVENTS_MAX)]
    probe: Probe | None
    leaves: Annotated[list[NamedLeaf], msgspec.Meta(max_length=LEAVES_MAX)]
    key: Key
    signature: Signature

    def to_be_signed(self) -> bytes:
        """Return the bytes that the member's leaf signs under LABEL: H of all other fields, 32 bytes."""
        return H(msgspec.json.encode(msgspec.structs.replace(self, signature=bytes(64))))

    def signed(self, sign: Callable[[str, bytes], bytes]) -> Exhibit:
        """Return a signed copy; `sign` takes (label, data to sign), like `Group.sign` of crypto.mls."""
        return msgspec.structs.replace(self, signature=sign(LABEL, self.to_be_signed()))


class Evidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file with the exhibits of members of one room."""

    format: Literal["snug evidence 2"]
    exhibits: Annotated[list[Exhibit], msgspec.Meta(min_length=1, max_length=EXHIBITS_MAX)]


def statement(
    *,
    origin: str,
    number: bytes,
    server_key: bytes,
    dropped_at: int,
    at: int,
    key: bytes,
    signature: bytes = b"",
) -> Exhibit:
    """Return a short exhibit: the member with this leaf key lost the room then. `signature` may follow."""
    return Exhibit(at, origin, number, server_key, dropped_at, [], [], [], None, [], key, signature)


_Beat = Annotated[tuple[Bytes32, Annotated[bytes, Bytes(4)]], Named("key", "beat")]
_Receipt = Annotated[
    tuple[Bytes16, Bytes32, Bytes8, U8, Bytes32, Bytes32, SignatureField],
    Named("number", "server_key", "opening_id", "slot", "before", "blob", "signature"),
]


@dataclass(frozen=True)
class Probed(Layout, name="probed"):
    """The data to which a probe's chain value commits."""

    number: Bytes16
    beats: Annotated[tuple[_Beat, ...], Items(2, most=0xFFFF)]
    receipts: Annotated[tuple[_Receipt, ...], Items(2, most=0xFFFF)]


def probe_chain(number: bytes, beats: Sequence[SignedHeartbeat], receipts: Sequence[Receipt]) -> bytes:
    """Return the chain value (32 bytes) of a probe room: it commits to these heartbeats and receipts."""
    probed = Probed(number, tuple(map(astuple, beats)), tuple(map(astuple, receipts)))
    return H(b"snug 1 probe", H(probed.encode()))


# -- the file ----------------------------------------------------------------------------------


def encode(evidence: Evidence) -> bytes:
    """Encode as one canonical JSON object in UTF-8, with a final newline."""
    return canonical_json.encode(evidence)


def decode_evidence(data: bytes) -> Evidence:
    """Decode a file. MalformedError for anything that `encode` does not produce."""
    return canonical_json.decode(data, Evidence, "evidence", FILE_MAX)


def merge(files: Iterable[Evidence]) -> Evidence:
    """Combine the exhibits of several files, without duplicates. MalformedError: several rooms, too many."""
    exhibits: dict[bytes, Exhibit] = {}
    for file in files:
        for exhibit in file.exhibits:
            exhibits[exhibit.to_be_signed() + exhibit.signature] = exhibit
    if len({(e.origin, e.number) for e in exhibits.values()}) > 1:
        raise MalformedError("the exhibits are of different rooms")
    if not 0 < len(exhibits) <= EXHIBITS_MAX:
        raise MalformedError(f"one file holds 1 to {EXHIBITS_MAX} exhibits")
    return Evidence(FORMAT, sorted(exhibits.values(), key=lambda e: (e.at, e.key, e.signature)))


# -- checking ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class LastHeartbeat:
    """The newest heartbeat of one key: Unix seconds by that member's clock, and its slot and chain.

    `present` is the number of members in the room according to that heartbeat, its author included.
    """

    key: bytes
    count: int  # number of this key's heartbeats in the file
    at: int
    slot: int
    chain: bytes
    present: int


@dataclass(frozen=True)
class SignedProbe:
    """One probe that the server signed: `at` by the exhibiting member's clock, and the server's key."""

    exhibit_key: bytes
    at: int
    server_key: bytes
    beats: int  # number of distinct heartbeats that the server signed over
    keys: int  # number of distinct leaf keys of these heartbeats
    same_server: bool  # whether `server_key` has also signed receipts of this room
    claimed_server: bool  # whether `server_key` is the room's server key according to the member


@dataclass(frozen=True)
class Loss:
    """The keys that signed that they lost the room at one server; each key counts once.

    `first` and `last` are the earliest and latest `dropped_at`, in Unix seconds by each member's own clock.
    """

    server_key: bytes  # according to these exhibits
    keys: tuple[bytes, ...]
    heard: int  # number of these keys with a heartbeat in the file
    first: int
    last: int
    #: The key of an exhibit whose probe `server_key` has signed, and the seconds between its `dropped_at` and
    #: that probe by its clock. Of several, the shortest time; None without one.
    probed: tuple[bytes, int] | None


@dataclass(frozen=True)
class ServerStart:
    """One start of the server, as heartbeats name it: its incarnation, and when they did (Unix seconds).

    `named`: server key -> the leaf keys whose heartbeats name it; empty: a key that is not in the file.
    """

    incarnation: bytes
    first: int
    last: int
    named: dict[bytes, tuple[bytes, ...]]


@dataclass(frozen=True)
class NamedKey:
    """A name that a leaf key has signed for itself."""

    key: bytes
    name: str


@dataclass(frozen=True)
class Findings:
    """Verified contents of a file."""

    origin: str
    number: bytes
    exhibits: tuple[Exhibit, ...]
    members: tuple[LastHeartbeat, ...]  # newest first
    #: (server key, opening id, slot) -> the distinct chain values that the key signed: more than one proves
    #: equivocation.
    receipts: dict[tuple[bytes, bytes, int], tuple[bytes, ...]]
    #: Slot -> the distinct chain values that heartbeats report for it.
    histories: dict[int, tuple[bytes, ...]]
    probes: tuple[SignedProbe, ...]
    names: tuple[NamedKey, ...]
    losses: tuple[Loss, ...]  # by server key
    starts: tuple[ServerStart, ...]  # in the order of their first heartbeats

    @property
    def equivocations(self) -> list[tuple[bytes, int]]:
        """Return the (server key, slot) pairs for which one key signed different histories of one opening."""
        return sorted({(key, slot) for (key, _, slot), chains in self.receipts.items() if len(chains) > 1})

    @property
    def split_slots(self) -> list[int]:
        """Return the slots for which members' heartbeats report different histories."""
        return sorted(slot for slot, chains in self.histories.items() if len(chains) > 1)

    def served_by(self, member: LastHeartbeat) -> list[bytes]:
        """Return all keys that signed the slot and chain value of this member's newest heartbeat."""
        return sorted(
            {
                key
                for (key, _, slot), chains in self.receipts.items()
                if slot == member.slot and member.chain in chains
            }
        )


def verify_exhibit(exhibit: Exhibit) -> None:
    """Check every signature. AuthenticationError or MalformedError, with the reason, at the first bad one."""
    _signed(exhibit.key, LABEL, exhibit.to_be_signed(), exhibit.signature, "the member's own statement")
    for place, signed in enumerate(exhibit.beats, 1):
        heartbeat = Heartbeat.decode(signed.beat)
        try:
            heartbeat.verify(exhibit.number, signed.key)
        except SnugError:
            raise AuthenticationError(f"beat {place} is not signed by its key for this room") from None
    for r in exhibit.receipts:
        try:
            verify_taken(r.server_key, r.number, r.opening_id, r.slot, r.before, r.blob, r.signature)
        except SnugError:
            text = f"the server's receipt for slot {r.slot} is not signed by its key"
            raise AuthenticationError(text) from None
    probe = None if exhibit.probe is None else exhibit.probe.receipt
    if probe is not None:
        chain = probe_chain(exhibit.number, exhibit.beats, exhibit.receipts)
        try:
            verify_opened(probe.server_key, probe.number, probe.opening_id, 0, chain, probe.signature)
        except SnugError:
            raise AuthenticationError("the server did not sign a probe over these beats") from None
        if probe.number in (exhibit.number, *(r.number for r in exhibit.receipts)):
            raise AuthenticationError("the probe is of this room, and not of one of its own")
    for leaf in exhibit.leaves:
        _name(leaf)


def verify_evidence(evidence: Evidence) -> Findings:
    """Check a file. Raises as `verify_exhibit` does.

    MalformedError for exhibits of different rooms, and for an exhibit listed twice: readers count exhibits.
    """
    if len({e.to_be_signed() for e in evidence.exhibits}) < len(evidence.exhibits):
        raise MalformedError("the file lists an exhibit twice")
    for exhibit in evidence.exhibits:
        verify_exhibit(exhibit)
    first = evidence.exhibits[0]
    if any((e.origin, e.number) != (first.origin, first.number) for e in evidence.exhibits):
        raise MalformedError("the exhibits are of different rooms")
    receipts: dict[tuple[bytes, bytes, int], set[bytes]] = {}
    for exhibit in evidence.exhibits:
        for r in exhibit.receipts:
            receipts.setdefault((r.server_key, r.opening_id, r.slot), set()).add(r.chain)
    histories: dict[int, set[bytes]] = {}
    for exhibit in evidence.exhibits:
        for signed in exhibit.beats:
            heartbeat = Heartbeat.decode(signed.beat)
            histories.setdefault(heartbeat.slot, set()).add(heartbeat.chain)
    names = {_name(leaf): None for exhibit in evidence.exhibits for leaf in exhibit.leaves}
    members = _last_heartbeats(evidence.exhibits)
    return Findings(
        origin=first.origin,
        number=first.number,
        exhibits=tuple(evidence.exhibits),
        members=members,
        receipts={place: tuple(sorted(chains)) for place, chains in receipts.items()},
        histories={slot: tuple(sorted(chains)) for slot, chains in histories.items()},
        probes=tuple(
            SignedProbe(
                exhibit_key=e.key,
                at=e.probe.at,
                server_key=e.probe.receipt.server_key,
                beats=len({(b.key, b.beat) for b in e.beats}),
                keys=len({b.key for b in e.beats}),
                same_server=any(key == e.probe.receipt.server_key for key, _, _ in receipts),
                claimed_server=e.probe.receipt.server_key == e.server_key,
            )
            for e in evidence.exhibits
            if e.probe is not None and e.probe.receipt is not None
        ),
        names=tuple(names),
        losses=_losses(evidence.exhibits, {member.key for member in members}),
        starts=_starts(evidence.exhibits),
    )


def _starts(exhibits: Iterable[Exhibit]) -> tuple[ServerStart, ...]:
    """Collect by incarnation which of the servers' keys in the file the members' heartbeats name."""
    exhibits = list(exhibits)
    probes = (e.probe.receipt for e in exhibits if e.probe is not None)
    known = {e.server_key for e in exhibits} | {receipt.server_key for receipt in probes if receipt}
    starts: dict[bytes, tuple[list[int], dict[bytes, set[bytes]]]] = {}
    for key, raw in {(signed.key, signed.beat) for e in exhibits for signed in e.beats}:
        heartbeat = Heartbeat.decode(raw)
        marks = (each for each in known if server_mark(heartbeat.prev, each) == heartbeat.server)
        times, named = starts.setdefault(heartbeat.incarnation, ([], {}))
        times.append(heartbeat.at)
        named.setdefault(next(marks, b""), set()).add(key)
    found = [
        ServerStart(
            incarnation, min(times), max(times), {k: tuple(sorted(v)) for k, v in sorted(named.items())}
        )
        for incarnation, (times, named) in starts.items()
    ]
    return tuple(sorted(found, key=lambda start: (start.first, start.incarnation)))


def _last_heartbeats(exhibits: Iterable[Exhibit]) -> tuple[LastHeartbeat, ...]:
    beats: dict[bytes, dict[bytes, Heartbeat]] = {}
    for exhibit in exhibits:
        for signed in exhibit.beats:
            beats.setdefault(signed.key, {})[signed.beat] = Heartbeat.decode(signed.beat)
    last = []
    for key, by_bytes in beats.items():
        newest = max(by_bytes.values(), key=lambda b: (b.since, b.seq))
        present = len({newest.leaf, *(got.leaf for got in newest.got)})
        last.append(LastHeartbeat(key, len(by_bytes), newest.at, newest.slot, newest.chain, present))
    return tuple(sorted(last, key=lambda m: (-m.at, m.key)))


def _losses(exhibits: Iterable[Exhibit], heard: Collection[bytes]) -> tuple[Loss, ...]:
    lost: dict[bytes, list[tuple[int, Exhibit]]] = {}
    for exhibit in exhibits:
        if exhibit.dropped_at is not None:
            lost.setdefault(exhibit.server_key, []).append((exhibit.dropped_at, exhibit))
    losses = []
    for server_key, rows in sorted(lost.items()):
        keys = tuple(sorted({e.key for _, e in rows}))
        probed = [
            (e.probe.at - at, e.key)
            for at, e in rows
            if e.probe is not None and e.probe.receipt is not None and e.probe.at >= at
            if e.probe.receipt.server_key == server_key
        ]
        seconds, key = min(probed, default=(0, b""))
        times = [at for at, _ in rows]
        losses.append(
            Loss(
                server_key,
                keys,
                sum(each in heard for each in keys),
                min(times),
                max(times),
                (key, seconds) if probed else None,
            )
        )
    return tuple(losses)


def _signed(key: bytes, label: str, data: bytes, signature: bytes, what: str) -> None:
    try:
        verify_with_label(key, label, data, signature)
    except SnugError:
        raise AuthenticationError(f"{what} is not signed by its key, or was changed since") from None


def _name(leaf: NamedLeaf) -> NamedKey:
    node = decode(leaf.node, LeafNodeIn.read)
    node.verify(leaf.group_id, leaf.leaf)
    return NamedKey(node.signature_key, Identity.decode(node.credential.identity).name)
