"""The presentation language (RFC 9420 section 2.1): every structure has one encoding."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.crypto.errors import MalformedError, UnsupportedError
from snugroom.crypto.mls import Credential, Extension, Group, KeyPackageIn, Lifetime
from snugroom.crypto.mls.codec import (
    MAX_VECTOR,
    Reader,
    decode,
    opaque,
    optional,
    u8,
    u16,
    u32,
    u64,
    varint,
    vector,
)
from snugroom.crypto.mls.messages import (
    AuthenticatedContent,
    ContentType,
    FramedContent,
    GroupContext,
    GroupSecrets,
    Sender,
    SenderType,
    decode_message,
    encode_message,
    read_content_type,
)
from snugroom.crypto.mls.nodes import Capabilities, LeafNodeIn, LeafNodeSource, ParentNode
from snugroom.crypto.mls.proposals import (
    AddIn,
    Commit,
    ExternalInit,
    ExternalPsk,
    GroupContextExtensions,
    HpkeCiphertext,
    PreSharedKey,
    PskUsage,
    ReInit,
    Remove,
    ResumptionPsk,
    UpdateIn,
    UpdatePath,
    UpdatePathNode,
    encode_proposal,
    read_proposal,
    read_psk_id,
)
from snugroom.crypto.mls.tree import RatchetTree, read_tree
from tests.mls.world import Room, SeededRng, add_of, new_bundle, state_of

# --- the language ---


@pytest.mark.parametrize(
    ("header", "length"), [("25", 37), ("7bbd", 15293), ("9d7f3e7d", 494878333), ("00", 0), ("4040", 64)]
)
def test_the_examples_of_the_rfc(header: str, length: int) -> None:
    assert decode(bytes.fromhex(header), Reader.varint) == length
    assert varint(length).hex() == header


@given(st.integers(0, MAX_VECTOR))
def test_headers_round_trip_and_are_the_shortest(length: int) -> None:
    header = varint(length)
    assert decode(header, Reader.varint) == length
    assert len(header) == (1 if length < 2**6 else 2 if length < 2**14 else 4)


@pytest.mark.parametrize("length", [0, 1, 63])
def test_headers_longer_than_needed_are_refused(length: int) -> None:
    for header in (u16(length | 0x4000), u32(length | 0x8000_0000)):
        with pytest.raises(MalformedError, match="longer than needed"):
            decode(header, Reader.varint)
    with pytest.raises(MalformedError, match="longer than needed"):
        decode(u32(0x3FFF | 0x8000_0000), Reader.varint)


@pytest.mark.parametrize("first", range(0xC0, 0x100, 9))
def test_the_prefix_11_is_refused(first: int) -> None:
    with pytest.raises(MalformedError, match="prefix 11"):
        decode(bytes([first]) + bytes(8), Reader.varint)


def test_a_value_too_long_for_its_length_is_not_written() -> None:
    with pytest.raises(ValueError, match="too long"):
        varint(MAX_VECTOR + 1)


@pytest.mark.parametrize("presence", [2, 255])
def test_a_presence_octet_is_0_or_1(presence: int) -> None:
    with pytest.raises(MalformedError, match="presence"):
        decode(bytes([presence, 0]), lambda reader: reader.optional(Reader.u8))


@given(st.binary(max_size=70), st.lists(st.integers(0, 2**16 - 1), max_size=40), st.none() | st.binary())
def test_vectors_and_optionals_round_trip(data: bytes, numbers: list[int], maybe: bytes | None) -> None:
    encoded = opaque(data) + vector(map(u16, numbers)) + optional(None if maybe is None else opaque(maybe))
    reader = Reader(encoded)
    assert reader.opaque() == data
    assert reader.vector(Reader.u16) == tuple(numbers)
    assert reader.optional(Reader.opaque) == maybe
    reader.finish()


def test_integers_are_big_endian() -> None:
    reader = Reader(u8(1) + u16(2) + u32(3) + u64(4))
    assert (reader.u8(), reader.u16(), reader.u32(), reader.u64()) == (1, 2, 3, 4)


def test_bytes_left_over_are_refused() -> None:
    with pytest.raises(MalformedError, match="left over"):
        decode(b"\x01\x00", Reader.u8)


def test_an_item_may_not_reach_beyond_its_vector() -> None:
    with pytest.raises(MalformedError):
        decode(opaque(b"\x00\x01\x02"), lambda reader: reader.vector(Reader.u16))


# --- structures ---

numbers = st.lists(st.integers(0, 2**16 - 1), max_size=4).map(tuple)
short = st.binary(max_size=40)
extensions = st.lists(st.builds(Extension, st.integers(0, 2**16 - 1), short), max_size=3).map(tuple)
credentials = st.builds(Credential, short) | st.builds(
    lambda chain: Credential(credential_type=2, certificates=tuple(chain)), st.lists(short, max_size=3)
)
capabilities = st.builds(Capabilities, numbers, numbers, numbers, numbers, numbers)
u64s = st.integers(0, 2**64 - 1)


@st.composite
def leaves(draw: st.DrawFn) -> LeafNodeIn:
    source = draw(st.sampled_from(LeafNodeSource))
    lifetime = draw(st.builds(Lifetime, u64s, u64s)) if source == LeafNodeSource.KEY_PACKAGE else None
    parent_hash = draw(short) if source == LeafNodeSource.COMMIT else b""
    parts = (draw(short), draw(short), draw(credentials), draw(capabilities))
    return LeafNodeIn(*parts, source, lifetime, parent_hash, draw(extensions), draw(short))


packages = st.builds(KeyPackageIn, st.just(1), st.integers(0, 9), short, leaves(), extensions, short)
psk_ids = st.builds(ExternalPsk, short, short) | st.builds(
    ResumptionPsk, st.sampled_from(PskUsage), short, u64s, short
)
proposals = (
    st.builds(AddIn, packages)
    | st.builds(UpdateIn, leaves())
    | st.builds(Remove, st.integers(0, 2**32 - 1))
    | st.builds(PreSharedKey, psk_ids)
    | st.builds(ReInit, short, st.integers(0, 9), st.integers(0, 9), extensions)
    | st.builds(ExternalInit, short)
    | st.builds(GroupContextExtensions, extensions)
)
ciphertexts = st.lists(st.builds(HpkeCiphertext, short, short), max_size=3).map(tuple)
paths = st.builds(
    UpdatePath, leaves(), st.lists(st.builds(UpdatePathNode, short, ciphertexts), max_size=3).map(tuple)
)
commits = st.builds(Commit, st.lists(proposals | short, max_size=3).map(tuple), st.none() | paths)
senders = st.builds(
    Sender, st.sampled_from([SenderType.MEMBER, SenderType.EXTERNAL]), st.integers(0, 2**32 - 1)
) | st.builds(Sender, st.sampled_from([SenderType.NEW_MEMBER_COMMIT, SenderType.NEW_MEMBER_PROPOSAL]))
framed = st.builds(FramedContent, short, u64s, senders, short, short | proposals | commits)


@given(proposals)
def test_proposals_round_trip(proposal: AddIn) -> None:
    encoded = encode_proposal(proposal)
    assert decode(encoded, read_proposal) == proposal
    assert encode_proposal(decode(encoded, read_proposal)) == encoded


@given(commits)
def test_commits_round_trip(commit: Commit) -> None:
    assert decode(commit.encode(), Commit.read) == commit


@given(framed)
def test_framed_content_round_trips(content: FramedContent) -> None:
    assert decode(content.encoded, FramedContent.read) == content


@given(
    st.builds(GroupContext, st.integers(0, 9), short, u64s, short, short, extensions, st.just(1)),
    st.builds(GroupSecrets, short, st.none() | short, st.lists(psk_ids, max_size=3).map(tuple)),
    st.builds(ParentNode, short, short, st.lists(st.integers(0, 2**32 - 1), max_size=3).map(tuple)),
)
def test_contexts_secrets_and_parents_round_trip(
    context: GroupContext, secrets: GroupSecrets, parent: ParentNode
) -> None:
    assert decode(context.encoded, GroupContext.read) == context
    assert decode(secrets.encode(), GroupSecrets.read) == secrets
    assert decode(parent.encode(), ParentNode.read) == parent


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_one_of_two_errors_or_round_trip(data: bytes) -> None:
    for head in (b"", b"\x00\x01\x00\x01", b"\x00\x01\x00\x02", b"\x00\x01\x00\x03", b"\x00\x01\x00\x05"):
        try:
            message = decode_message(head + data)
        except (MalformedError, UnsupportedError):
            continue
        assert encode_message(message) == head + data


# --- types that don't exist ---


@pytest.mark.parametrize(
    ("data", "read"),
    [
        (b"\x00", read_content_type),
        (b"\x04", read_content_type),
        (b"\x00", Sender.read),
        (b"\x05", Sender.read),
        (b"\x00\x03\x00", AuthenticatedContent.read),
        (b"\x03", read_psk_id),
        (b"\x02\x04", read_psk_id),
        (vector([b"\x03"]), Commit.read),
        (vector([b"\x01\x03"]), read_tree),
        (b"\x00\x00" + vector([]) * 5 + b"\x04", lambda reader: LeafNodeIn.read(_with_basic(reader))),
    ],
)
def test_values_that_do_not_exist_are_malformed(data: bytes, read: object) -> None:
    with pytest.raises(MalformedError):
        decode(data, read)  # type: ignore[arg-type] # the table's readers have different results


def _with_basic(reader: Reader) -> Reader:
    """A reader whose leaf gets a basic credential between keys and capabilities."""
    data = reader.rest()
    return Reader(data[:2] + b"\x00\x01\x00" + data[2:])


@pytest.mark.parametrize("data", [b"\x00\x02\x00\x01", b"\x00\x01\x00\x06", b"\x00\x01\x0a\x0a"])
def test_other_versions_and_wire_formats_are_unsupported(data: bytes) -> None:
    with pytest.raises(UnsupportedError):
        decode_message(data)


@pytest.mark.parametrize("kind", [0, 8, 0x0A0A, 0xF000])
def test_other_proposal_types_are_unsupported(kind: int) -> None:
    with pytest.raises(UnsupportedError):
        decode(u16(kind), read_proposal)


def test_other_credential_types_are_unsupported() -> None:
    with pytest.raises(UnsupportedError):
        decode(b"\x00\x03\x00", Credential.read)


# --- trees ---


def test_a_tree_that_ends_in_a_blank_or_is_empty_is_malformed() -> None:
    leaf = b"\x01\x01" + new_bundle("a").key_package.leaf_node.encoded
    assert len(decode(vector([leaf]), read_tree)) == 1
    for nodes in ([], [leaf, b"\x00"], [leaf, leaf], [b"\x00", b"\x00"]):
        with pytest.raises(MalformedError, match="tree"):
            decode(vector(nodes), read_tree)
    parent = b"\x01\x02" + ParentNode(b"key").encode()
    with pytest.raises(MalformedError, match="wrong type"):
        decode(vector([parent]), read_tree)


def test_an_odd_tree_is_extended_by_blanks() -> None:
    room = Room(3)
    nodes = decode(room[0].ratchet_tree(), read_tree)
    tree = RatchetTree.verified(state_of(room[0]).suite, nodes, b"room")
    assert (len(nodes), tree.size) == (5, 4)
    assert tree.encode() == room[0].ratchet_tree()
    assert tree.tree_hash() == room[0].tree_hash


# --- truncation: of every kind of message, at every byte ---


def _messages() -> dict[str, bytes]:
    room = Room(2)
    alice = room[0]
    bundle = room.bundle("carol")
    stage = alice.stage([add_of(bundle), PreSharedKey.external(b"id", SeededRng("psk"))], psks={b"id": b"x"})
    assert stage.welcome is not None
    return {
        "application": alice.protect(b"data"),
        "private proposal": alice.propose(alice.make_update()),
        "private commit": stage.message,
        "public proposal": alice.propose(Remove(1), private=False),
        "public commit": alice.stage(private=False).message,
        "welcome": stage.welcome,
        "group info": alice.group_info(),
        "key package": b"\x00\x01\x00\x05" + bundle.encoded,
    }


@pytest.fixture(scope="module")
def messages() -> dict[str, bytes]:
    return _messages()


KINDS = (
    "application",
    "private proposal",
    "private commit",
    "public proposal",
    "public commit",
    "welcome",
    "group info",
    "key package",
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_cut_anywhere_is_malformed(messages: dict[str, bytes], kind: str) -> None:
    message = messages[kind]
    assert encode_message(decode_message(message)) == message
    for length in range(len(message)):
        with pytest.raises(MalformedError):
            decode_message(message[:length])
    with pytest.raises(MalformedError):
        decode_message(message + b"\x00")


@pytest.mark.parametrize("kind", ["application", "private commit", "public commit", "public proposal"])
def test_a_cut_message_is_one_clear_error_to_a_group(kind: str) -> None:
    room = Room(2)
    made = {
        "application": lambda g: g.protect(b"data"),
        "private commit": lambda g: g.stage().message,
        "public commit": lambda g: g.stage(private=False).message,
        "public proposal": lambda g: g.propose(Remove(1), private=False),
    }
    message = made[kind](room[0])
    for length in range(0, len(message), 3):
        with pytest.raises(MalformedError):
            room[1].process(message[:length])
    assert room[1].process(message)


def test_messages_of_other_kinds_are_malformed_to_a_group(messages: dict[str, bytes]) -> None:
    room = Room(1)
    for kind in ("welcome", "group info", "key package"):
        with pytest.raises(MalformedError, match="neither"):
            room[0].process(messages[kind])
    with pytest.raises(MalformedError, match="not a Welcome"):
        Group.join(messages["group info"], room.bundle("x"))


def test_content_types_are_those_of_the_contents() -> None:
    assert [
        FramedContent(b"", 0, Sender(SenderType.MEMBER), b"", c).content_type for c in (b"", Remove(0))
    ] == [
        ContentType.APPLICATION,
        ContentType.PROPOSAL,
    ]
