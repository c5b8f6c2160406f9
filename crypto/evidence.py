"""Evidence that a server dropped a meeting, or told two stories of it: to be checked by a stranger, offline.

Protocol section 13. An *exhibit* is what one member shows: the signed beats that it had heard, the server's
receipts, what the server said last, and a *probe*: a room of the member's own, opened at the same server
after the drop under the chain value ::

    H("snug 1 probe" | H(number 16 | count 2, (key 32 | len32(beat)) |
                         count 2, (server key 32 | slot 8 | chain 32 | signature 64)))

The server's receipt for that room is its signature that it was alive and served others after those beats were
made. The member's leaf signs the exhibit as a whole, by SignWithLabel under "snug 1 evidence". Exhibits of
several members of one room stand beside each other in one file.

No names: keys alone, unless the member adds the signed leaf nodes (RFC 9420 7.2) that bear them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec

from crypto import one_form
from crypto.beats import Beat
from crypto.errors import AuthenticationError, MalformedError, SnugCryptoError
from crypto.fields import prefixed, uint
from crypto.invite import verify_receipt
from crypto.kdf import H
from crypto.mls.codec import decode
from crypto.mls.labels import verify_with_label
from crypto.mls.nodes import LeafNodeIn
from crypto.room_state import Identity

FORMAT: Final = "snug evidence 1"
LABEL: Final = "snug 1 evidence"
#: Exhibits in one file; beats, receipts and leaf nodes in one exhibit; words of the server's.
EXHIBITS_MAX: Final = 64
LISTED_MAX: Final = 64
LEAVES_MAX: Final = 1000
WORDS_MAX: Final = 16
#: Characters of a text in it.
TEXT_MAX: Final = 500
#: Bytes of one beat: 1,000 members with 8 streams each.
BEAT_MAX: Final = 128 * 1024
#: Bytes of a file.
FILE_MAX: Final = 32 * 2**20

Key = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Hash = Key
Number = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
Signature = Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]
Slot = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
Seconds = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
Text = Annotated[str, msgspec.Meta(max_length=TEXT_MAX)]


class SignedBeat(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A member's beat (protocol section 7) and the leaf key that signed it."""

    key: Key
    beat: Annotated[bytes, msgspec.Meta(max_length=BEAT_MAX)]


class Receipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The server's signature that a slot of this room has this chain value (protocol section 3)."""

    server_key: Key
    slot: Slot
    chain: Hash
    signature: Signature


class LastWord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the server said or did last, as the member tells it; `at` in Unix seconds by its clock."""

    at: Seconds
    code: Text
    text: Text


class ProbeReceipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The server's signature over the probe: of that room, at slot 0, under the chain value above."""

    number: Number
    server_key: Key
    signature: Signature


class Probe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What became of the probe: `receipt` proves it where the server signed, `text` is the member's word."""

    at: Seconds
    text: Text
    receipt: ProbeReceipt | None = None


class NamedLeaf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A signed LeafNode (RFC 9420 7.2): its own key says which name it bears, at that leaf of that group."""

    leaf: Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFF)]
    group_id: Annotated[bytes, msgspec.Meta(max_length=255)]
    node: Annotated[bytes, msgspec.Meta(max_length=8192)]


class Exhibit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One member's. As read nothing of it has been checked: `verify_exhibit`.

    `at` is when it was made; `dropped_at` when this member lost the room, None if it had not. `server_key` is
    the key by which the server last answered at the room's door.
    """

    at: Seconds
    origin: Text
    number: Number
    server_key: Key
    dropped_at: Seconds | None
    beats: Annotated[list[SignedBeat], msgspec.Meta(max_length=LISTED_MAX)]
    receipts: Annotated[list[Receipt], msgspec.Meta(max_length=LISTED_MAX)]
    last_words: Annotated[list[LastWord], msgspec.Meta(max_length=WORDS_MAX)]
    probe: Probe | None
    leaves: Annotated[list[NamedLeaf], msgspec.Meta(max_length=LEAVES_MAX)]
    key: Key
    signature: Signature

    def to_be_signed(self) -> bytes:
        """What the member's leaf signs under LABEL: H of all else, 32 bytes."""
        return H(msgspec.json.encode(msgspec.structs.replace(self, signature=bytes(64))))

    def signed(self, sign: Callable[[str, bytes], bytes]) -> Exhibit:
        """The same, signed; `sign` takes a label and what to sign, as `Group.sign` of crypto.mls."""
        return msgspec.structs.replace(self, signature=sign(LABEL, self.to_be_signed()))


class Evidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file: exhibits of members of one room."""

    format: Literal["snug evidence 1"]
    exhibits: Annotated[list[Exhibit], msgspec.Meta(min_length=1, max_length=EXHIBITS_MAX)]


def probe_chain(number: bytes, beats: Sequence[SignedBeat], receipts: Sequence[Receipt]) -> bytes:
    """The chain value (32 bytes) under which a probe is opened: it commits to these beats and receipts."""
    parts = [number, uint(len(beats), 2)]
    parts += [b.key + prefixed(b.beat, 4) for b in beats]
    parts.append(uint(len(receipts), 2))
    parts += [r.server_key + uint(r.slot, 8) + r.chain + r.signature for r in receipts]
    return H(b"snug 1 probe", H(*parts))


# -- the file ----------------------------------------------------------------------------------


def encode(evidence: Evidence) -> bytes:
    """One JSON object in its one form, UTF-8, with a line end."""
    return one_form.encode(evidence)


def decode_evidence(data: bytes) -> Evidence:
    """MalformedError for anything but what `encode` makes."""
    return one_form.decode(data, Evidence, "evidence", FILE_MAX)


def merge(files: Iterable[Evidence]) -> Evidence:
    """The exhibits of all, each once. MalformedError if they are of several rooms, or too many."""
    exhibits: dict[bytes, Exhibit] = {}
    for file in files:
        for exhibit in file.exhibits:
            exhibits[exhibit.to_be_signed() + exhibit.signature] = exhibit
    if len({(e.origin, e.number) for e in exhibits.values()}) > 1:
        raise MalformedError("these are of different rooms")
    if not 0 < len(exhibits) <= EXHIBITS_MAX:
        raise MalformedError(f"one file holds 1 to {EXHIBITS_MAX} exhibits")
    return Evidence(FORMAT, sorted(exhibits.values(), key=lambda e: (e.at, e.key, e.signature)))


# -- checking ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class LastBeat:
    """The newest beat of one key: Unix seconds by that member's clock, and where it stood."""

    key: bytes
    count: int  # of this key's beats in the file
    at: int
    slot: int
    chain: bytes


@dataclass(frozen=True)
class Signed:
    """One probe that the server signed: `at` by the exhibiting member's clock, and its key."""

    exhibit_key: bytes
    at: int
    server_key: bytes
    beats: int  # that the server signed over
    keys: int
    same_server: bool  # whether that key has also signed receipts of this room
    claimed_server: bool  # whether it is the key that the room was at by the member's word


@dataclass(frozen=True)
class Named:
    """A name that a leaf key has signed for itself."""

    key: bytes
    name: str


@dataclass(frozen=True)
class Findings:
    """What a file shows, once all of it has verified."""

    origin: str
    number: bytes
    exhibits: tuple[Exhibit, ...]
    members: tuple[LastBeat, ...]  # newest first
    #: (server key, slot) -> the different chain values that it signed: more than one is two stories.
    receipts: dict[tuple[bytes, int], tuple[bytes, ...]]
    #: Slot -> the different chain values that beats name for it.
    histories: dict[int, tuple[bytes, ...]]
    probes: tuple[Signed, ...]
    names: tuple[Named, ...]

    @property
    def two_stories(self) -> list[tuple[bytes, int]]:
        """(server key, slot) where one key signed different histories."""
        return sorted(place for place, chains in self.receipts.items() if len(chains) > 1)

    @property
    def split_slots(self) -> list[int]:
        """Slots of which members' beats name different histories."""
        return sorted(slot for slot, chains in self.histories.items() if len(chains) > 1)

    def served_by(self, member: LastBeat) -> list[bytes]:
        """The keys that signed the very history that this member's newest beat names, whosever they are."""
        return sorted(
            key
            for (key, slot), chains in self.receipts.items()
            if slot == member.slot and member.chain in chains
        )


def verify_exhibit(exhibit: Exhibit) -> None:
    """Check every signature; AuthenticationError or MalformedError, with a sentence, at the first bad one."""
    _signed(exhibit.key, LABEL, exhibit.to_be_signed(), exhibit.signature, "the member's own statement")
    for place, signed in enumerate(exhibit.beats, 1):
        beat = Beat.decode(signed.beat)
        try:
            beat.verify(exhibit.number, signed.key)
        except SnugCryptoError:
            raise AuthenticationError(f"beat {place} is not signed by its key for this room") from None
    for receipt in exhibit.receipts:
        verify_receipt(receipt.server_key, exhibit.number, receipt.slot, receipt.chain, receipt.signature)
    probe = None if exhibit.probe is None else exhibit.probe.receipt
    if probe is not None:
        chain = probe_chain(exhibit.number, exhibit.beats, exhibit.receipts)
        try:
            verify_receipt(probe.server_key, probe.number, 0, chain, probe.signature)
        except SnugCryptoError:
            raise AuthenticationError("the server did not sign a probe over these beats") from None
        if probe.number == exhibit.number:
            raise AuthenticationError("the probe is of this room, and not of one of its own")
    for leaf in exhibit.leaves:
        _name(leaf)


def verify_evidence(evidence: Evidence) -> Findings:
    """Check a file; errors as of `verify_exhibit`, and MalformedError for exhibits of several rooms."""
    for exhibit in evidence.exhibits:
        verify_exhibit(exhibit)
    first = evidence.exhibits[0]
    if any((e.origin, e.number) != (first.origin, first.number) for e in evidence.exhibits):
        raise MalformedError("the exhibits are of different rooms")
    receipts: dict[tuple[bytes, int], set[bytes]] = {}
    for exhibit in evidence.exhibits:
        for r in exhibit.receipts:
            receipts.setdefault((r.server_key, r.slot), set()).add(r.chain)
    histories: dict[int, set[bytes]] = {}
    for exhibit in evidence.exhibits:
        for signed in exhibit.beats:
            beat = Beat.decode(signed.beat)
            histories.setdefault(beat.slot, set()).add(beat.chain)
    names = {_name(leaf): None for exhibit in evidence.exhibits for leaf in exhibit.leaves}
    return Findings(
        origin=first.origin,
        number=first.number,
        exhibits=tuple(evidence.exhibits),
        members=_last_beats(evidence.exhibits),
        receipts={place: tuple(sorted(chains)) for place, chains in receipts.items()},
        histories={slot: tuple(sorted(chains)) for slot, chains in histories.items()},
        probes=tuple(
            Signed(
                exhibit_key=e.key,
                at=e.probe.at,
                server_key=e.probe.receipt.server_key,
                beats=len(e.beats),
                keys=len({b.key for b in e.beats}),
                same_server=any(key == e.probe.receipt.server_key for key, _ in receipts),
                claimed_server=e.probe.receipt.server_key == e.server_key,
            )
            for e in evidence.exhibits
            if e.probe is not None and e.probe.receipt is not None
        ),
        names=tuple(names),
    )


def _last_beats(exhibits: Iterable[Exhibit]) -> tuple[LastBeat, ...]:
    beats: dict[bytes, dict[bytes, Beat]] = {}
    for exhibit in exhibits:
        for signed in exhibit.beats:
            beats.setdefault(signed.key, {})[signed.beat] = Beat.decode(signed.beat)
    last = []
    for key, by_bytes in beats.items():
        newest = max(by_bytes.values(), key=lambda b: (b.since, b.seq))
        last.append(LastBeat(key, len(by_bytes), newest.at, newest.slot, newest.chain))
    return tuple(sorted(last, key=lambda m: (-m.at, m.key)))


def _signed(key: bytes, label: str, data: bytes, signature: bytes, what: str) -> None:
    try:
        verify_with_label(key, label, data, signature)
    except SnugCryptoError:
        raise AuthenticationError(f"{what} is not signed by its key, or was changed since") from None


def _name(leaf: NamedLeaf) -> Named:
    node = decode(leaf.node, LeafNodeIn.read)
    node.verify(leaf.group_id, leaf.leaf)
    return Named(node.signature_key, Identity.decode(node.credential.identity).name)
