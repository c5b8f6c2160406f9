"""Trees and welcomes that the page must refuse, with the rule that it names."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from snugroom.crypto.errors import SnugError, ValidationError
from snugroom.crypto.mls import (
    Add,
    Capabilities,
    CommitError,
    Extension,
    ExternalInit,
    ExternalPsk,
    GroupContextExtensions,
    Lifetime,
    PreSharedKey,
    Proposal,
    PskUsage,
    ReInit,
    Remove,
    Stage,
)
from snugroom.crypto.mls.codec import decode, opaque
from snugroom.crypto.mls.labels import verify_with_label
from snugroom.crypto.mls.messages import GroupInfo, PublicMessage, decode_message
from snugroom.crypto.mls.nodes import ExtensionType, ParentNode
from snugroom.crypto.mls.proposals import Commit, UpdatePath
from snugroom.crypto.mls.tree import RatchetTree, read_tree
from snugroom.crypto.primitives import suite_of
from tests.interop.page_room import PageBundle, PageError, PageGroup, PageRoom
from tests.interop.peer import PeerError
from tests.interop.test_page_rules import invited_with
from tests.interop.ts_peer import PageProcess
from tests.mls import rule_cases, rule_cases_entering
from tests.mls.rule_cases import (
    garbled,
    stage_with,
    switched_off,
)
from tests.mls.rule_cases_entering import another_parent_key, same_parent_keys, unmerged
from tests.mls.world import Room, add_of, forge, make_leaf, make_package, new_bundle, rng, state_of


def with_tree(change: Callable[[RatchetTree], None]) -> Callable[[GroupInfo], GroupInfo]:
    """The tree, and the hash of it, as the inviter would have them."""

    def changed(info: GroupInfo) -> GroupInfo:
        extensions = list(info.extensions)
        place = next(i for i, e in enumerate(extensions) if e.extension_type == ExtensionType.RATCHET_TREE)
        nodes = decode(extensions[place].data, read_tree)
        tree = RatchetTree.unverified(suite_of(1), nodes)
        change(tree)
        extensions[place] = Extension(ExtensionType.RATCHET_TREE, tree.encode())
        context = replace(info.context, tree_hash=tree.tree_hash())
        return replace(info, extensions=tuple(extensions), context=context)

    return changed


def without_the_newcomer(tree: RatchetTree) -> None:
    tree.remove(8)
    tree.truncate()


TREES: list[tuple[str, Callable[[RatchetTree], None]]] = [
    ("MLS-7.1-1", unmerged(7, 2, 1)),
    ("MLS-7.1-1", unmerged(7, 1, 1)),
    ("MLS-12.4.3-1", unmerged(1, 5)),
    ("MLS-12.4.3-1", unmerged(7, 99)),
    ("MLS-12.4.3-2", unmerged(7, 3)),
    ("MLS-12.4.3-3", same_parent_keys),
    ("MLS-7.9.2-1", another_parent_key),
    ("MLS-7.9.2-1", unmerged(13, 6)),
    ("MLS-12.4.3.1-9", without_the_newcomer),
    ("MLS-7.3-1", lambda tree: tree.set_node(6, tree.leaf(2))),
]


@pytest.fixture(scope="module")
def room_of_eight() -> Room:
    room = Room(8)
    for place in (1, 2, 4, 6):
        room.commit(by=place)
    return room


@pytest.fixture
def full(room_of_eight: Room, page: PageProcess) -> tuple[Room, PageBundle]:
    """A room that nothing changes, and a newcomer of this test's own: a key package enters one group."""
    return room_of_eight, PageBundle(page, "newcomer")


@pytest.mark.parametrize(("rule", "change"), TREES, ids=[rule for rule, _ in TREES])
def test_trees(full: tuple[Room, PageBundle], rule: str, change: Callable[[RatchetTree], None]) -> None:
    room, newcomer = full
    with pytest.raises(ValidationError) as caught:
        newcomer.join(invited_with(room, newcomer, with_tree(change)), {})
    assert caught.value.rule == rule


def test_a_leaf_that_vouches_for_a_parent_knows_its_secret(full: tuple[Room, PageBundle]) -> None:
    """All hashes are right; but the one leaf that vouches for node 13 is said to be unmerged there."""

    def change(tree: RatchetTree) -> None:
        for index in (15, 7, 11, 13):
            node = tree.parent_node(index)
            assert node is not None
            tree.set_node(index, ParentNode(node.encryption_key, node.parent_hash, (6,)))

    room, newcomer = full
    with pytest.raises(ValidationError) as caught:
        newcomer.join(invited_with(room, newcomer, with_tree(change), by=6), {})
    assert caught.value.rule == "MLS-7.9.2-1"


def test_the_same_newcomer_is_let_in_by_an_honest_welcome(full: tuple[Room, PageBundle]) -> None:
    room, newcomer = full
    with pytest.raises(ValidationError):
        newcomer.join(invited_with(room, newcomer, with_tree(without_the_newcomer)), {})
    assert newcomer.join(invited_with(room, newcomer, lambda info: info), {}).own_leaf == 8


def test_an_epoch_that_no_group_gets_to(page: PageProcess) -> None:
    room, newcomer = Room(2), PageBundle(page, "newcomer")
    welcome = invited_with(room, newcomer, rule_cases_entering.in_context(epoch=2**63))
    with pytest.raises(PageError, match="MalformedError"):
        newcomer.join(welcome, {})


# --- paths that don't open ---


def test_a_path_that_does_not_open_for_us_is_told_apart(page: PageProcess) -> None:
    room = PageRoom(page, 3)
    forged = stage_with(garbled)(room, switched_off)
    before = room.theirs.agreed()
    with pytest.raises(PeerError) as caught:
        room.theirs.peer.process(forged)
    assert "MLS-7.5-1" in str(caught.value)
    assert (caught.value.sender, caught.value.path) == (0, True)
    assert room.theirs.agreed() == before
    room.commit(by=1)
    with pytest.raises(PeerError) as plain:
        room.theirs.peer.process(forge(room[0], Commit((Remove(1), Remove(1)))))
    assert plain.value.path is False


# --- both judge alike, whatever comes ---


# where a path is sealed to each by itself, one may see that its part is bad, and the others only the tag
PRIVATE = ("MLS-7.5-1", "MLS-7.5-2", "MLS-12.4.2-3")


def verdict(process: Callable[[bytes], object], message: bytes) -> object:
    """The verdict on a message: None, or the rule and the blamed leaf, or the kind of a refusal."""
    try:
        process(message)
    except CommitError as error:
        return ("path or tag" if error.rule in PRIVATE else error.rule, error.sender)
    except ValidationError as error:
        return error.rule
    except PageError as error:
        return str(error).split(":")[0]
    except SnugError as error:
        return type(error).__name__
    return None


def content_of(stage: Stage) -> tuple[Commit, bytes]:
    """The content of a public commit, and its confirmation tag."""
    decoded = decode_message(stage.message)
    assert isinstance(decoded, PublicMessage)
    content, tag = decoded.content.framed.content, decoded.content.confirmation_tag
    assert isinstance(content, Commit)
    assert tag is not None
    return content, tag


def changed_bytes(encoded: bytes, seed: int, step: int) -> Iterator[bytes]:
    rand = random.Random(seed)
    for position in range(rand.randrange(step), len(encoded), step):
        changed = bytearray(encoded)
        changed[position] ^= rand.choice((0x01, 0x80, 0xFF, 1 << rand.randrange(8)))
        yield bytes(changed)


@pytest.mark.parametrize("private", [True, False], ids=["private", "public"])
@pytest.mark.parametrize("seed", [1, 2])
def test_commits_with_bytes_changed(page: PageProcess, private: bool, seed: int) -> None:
    """The committer signs each: nothing but the contents can refuse it."""
    room = PageRoom(page, 5)
    changes: list[Proposal] = [add_of(new_bundle("new")), Remove(3), GroupContextExtensions(())]
    content, tag = content_of(room[0].stage(changes, private=False))
    judged: list[object] = []
    for encoded in changed_bytes(content.encode(), seed, 11):
        try:
            forged = decode(encoded, Commit.read)
        except SnugError:
            continue
        message = forge(room[0], forged, private=private, tag=tag)
        ours, theirs = verdict(room[1].process, message), verdict(room.theirs.process, message)
        assert ours == theirs
        judged.append(ours)
    assert None not in judged
    assert len(judged) > 60
    room.groups.pop(0)
    room.check()


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_commits_of_any_lists(page: PageProcess, seed: int) -> None:
    """Lists that no honest member would commit, signed, with the path of an honest commit or with none."""
    rand = random.Random(seed)
    room = PageRoom(page, 5)
    paths: list[UpdatePath | None] = [None]
    lists: list[list[Proposal]] = [[], [Remove(3)], [add_of(new_bundle("new"))]]
    for honest in lists:
        content, _ = content_of(room[0].stage(honest, private=False))
        paths += [content.path, content.path]
    by_reference: list[Any] = [Remove(3), rule_cases.update(room), rule_cases.PSK, Remove(4)]
    references = []
    for proposal in by_reference:
        message = forge(room[1], proposal, private=False)
        for group in (room[0], room[2], room.theirs):
            verdict(group.process, message)
        references += [r for r in room[0].stored_proposals if r not in references]
    odd = new_bundle("odd", capabilities=Capabilities(extensions=(0xF001,)), extensions=())
    private = rng(32)

    def package(**leaf: Any) -> Add:
        return Add(make_package(make_leaf(private, **leaf), private))

    pool: list[Any] = [
        *references,
        bytes(32),
        *(Remove(leaf) for leaf in (0, 1, 2, 3, 4, 7, 2**32 - 1)),
        add_of(odd),
        package(),
        package(encryption_key=bytes(32)),
        package(capabilities=Capabilities(versions=(7,))),
        package(capabilities=Capabilities(cipher_suites=(3,))),
        package(extensions=(rule_cases.UNKNOWN,)),
        package(lifetime=Lifetime(0, 2**64 - 1)),
        rule_cases.key_of(room),
        rule_cases.PSK,
        PreSharedKey(ExternalPsk(b"id", bytes(31))),
        *(rule_cases.resumption(usage) for usage in PskUsage),
        rule_cases.GCE,
        GroupContextExtensions((rule_cases.REQUIRED,)),
        GroupContextExtensions(rule_cases.TWICE),
        GroupContextExtensions((Extension(3, b"?"),)),
        GroupContextExtensions((Extension(5, b"?"),)),
        GroupContextExtensions((Extension(5, b"\x00"),)),
        ReInit(b"next", 1, 1, ()),
        ReInit(b"next", 0, 1, ()),
        ExternalInit(bytes(32)),
        rule_cases.update(room),
    ]
    judged: list[object] = []
    for _ in range(250):
        items = tuple(rand.sample(pool, rand.choice((0, 1, 1, 1, 2, 2, 3))))
        forged = Commit(items, rand.choice(paths))
        message = forge(room[0], forged, private=rand.random() < 0.5)
        ours, theirs = verdict(room[2].process, message), verdict(room.theirs.process, message)
        assert ours == theirs, items
        judged.append(ours)
    assert len(set(judged)) > 15


def test_changed_bytes_get_the_same_verdict(page: PageProcess) -> None:
    """Bytes of the wire itself: what one takes for a message is one to the other."""
    room = PageRoom(page, 3)
    seen = []
    for message in (
        room[0].stage(private=False).message,
        room[0].protect(b"data"),
        room[0].propose(Remove(1), private=False),
    ):
        for changed in changed_bytes(message, len(message), 5):
            ours, theirs = verdict(room[1].process, changed), verdict(room.theirs.process, changed)
            assert ours == theirs
            seen.append(ours)
    assert {"MalformedError", "AuthenticationError", "MissingKeyError"} <= set(seen)


def test_a_length_that_is_longer_than_needed(page: PageProcess) -> None:
    room = PageRoom(page, 3)
    message = room[0].protect(b"data")
    head = bytes([0, 1, 0, 2])
    assert message.startswith(head + opaque(b"room"))
    long = head + bytes([0x40, 4]) + message[len(head) + 1 :]
    assert verdict(room[1].process, long) == verdict(room.theirs.process, long) == "MalformedError"
    assert room.theirs.process(message).data == b"data"


def test_padding_that_is_not_zero(page: PageProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    room = PageRoom(page, 3)
    assert room.theirs.process(room[0].protect(b"x", pad_to=lambda size: 512)).data == b"x"
    suite = state_of(room[0]).suite
    seal = type(suite).seal

    def dirty(self: object, key: bytes, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
        if plaintext.endswith(bytes(64)):
            plaintext = plaintext[:-1] + b"\x01"
        return seal(suite, key, nonce, plaintext, aad)

    with monkeypatch.context() as patch:
        patch.setattr(type(suite), "seal", dirty)
        bad = room[0].protect(b"x", pad_to=lambda size: 512)
    assert refused(room.theirs, bad).startswith("MalformedError")


def test_ones_own_message_come_back(page: PageProcess) -> None:
    room = PageRoom(page, 3)
    for message in (
        room.theirs.peer.protect(b"own"),
        room.theirs.peer.propose_remove(room.theirs.peer, private=False),
    ):
        assert refused(room.theirs, message).startswith("StateError")
    assert room.theirs.process(room[0].protect(b"another's")).data == b"another's"


def test_welcomes_with_bytes_of_the_tree_changed(page: PageProcess) -> None:
    room = Room(4)
    for place in range(4):
        room.commit(by=place)
    newcomer = PageBundle(page, "newcomer")
    size = len(room[0].ratchet_tree())
    for position in range(5, size, 29):

        def changed(info: GroupInfo, position: int = position) -> GroupInfo:
            extensions = list(info.extensions)
            [place] = [i for i, e in enumerate(extensions) if e.extension_type == ExtensionType.RATCHET_TREE]
            data = bytearray(extensions[place].data)
            data[position] ^= 0x80
            extensions[place] = replace(extensions[place], data=bytes(data))
            return replace(info, extensions=tuple(extensions))

        with pytest.raises(SnugError):
            newcomer.join(invited_with(room, newcomer, changed), {})


# --- keys are used once, and only by what is authentic ---


def refused(group: PageGroup, message: bytes) -> str:
    with pytest.raises(SnugError) as caught:
        group.process(message)
    return str(caught.value)


def test_each_message_is_read_once_in_any_order(page: PageProcess) -> None:
    room = PageRoom(page, 3)
    messages = [room[0].protect(bytes([n])) for n in range(12)]
    order = random.Random(3).sample(range(12), 12)
    assert [room.theirs.process(messages[n]).data for n in order] == [bytes([n]) for n in order]
    for message in messages:
        assert refused(room.theirs, message).startswith("ReplayError")


def test_the_gap_and_the_window_are_those_of_the_protocol(page: PageProcess) -> None:
    room = PageRoom(page, 3)
    messages = [room[0].protect(b"%d" % n) for n in range(202)]
    assert "SNUG-17" in refused(room.theirs, messages[201])
    assert room.theirs.process(messages[200]).data == b"200"
    assert room.theirs.process(messages[0]).data == b"0"
    more = [room[0].protect(b"%d" % n) for n in range(10)]
    assert room.theirs.process(more[9]).data == b"9"
    assert refused(room.theirs, messages[2]).startswith("ReplayError")  # the oldest went
    assert room.theirs.process(messages[100]).data == b"100"


def test_a_forged_message_uses_up_no_key(page: PageProcess) -> None:
    room = PageRoom(page, 3)
    message = room[0].protect(b"authentic")
    bad = forge(room[1], b"forged", signature_private=rng(32))
    assert refused(room.theirs, bad).startswith("AuthenticationError")
    assert room.theirs.process(room[1].protect(b"next")).data == b"next"
    assert refused(room.theirs, message[:-1] + bytes([message[-1] ^ 1])).startswith("AuthenticationError")
    assert room.theirs.process(message).data == b"authentic"


def test_a_bad_commit_uses_up_its_key(page: PageProcess) -> None:
    """Else a second commit under that key would be read by the page alone."""
    room = PageRoom(page, 3)
    bad = forge(room[0], Commit((Remove(1), Remove(1))))
    for group in (room[1], room.theirs):
        assert verdict(group.process, bad) == ("MLS-12.2-4", 0)
        assert verdict(group.process, bad) == "ReplayError"
    room.commit(by=0)
    room.commit(by=1)


def test_only_application_data_of_the_last_epoch_is_read(page: PageProcess) -> None:
    room = PageRoom(page, 4)
    late = [room[place].protect(b"late") for place in (0, 1, 2)]
    lost = room[1].stage()
    room.commit([Remove(2)])
    assert room.theirs.process(late[0]).data == b"late"
    assert "SNUG-17" in refused(room.theirs, late[2])
    assert refused(room.theirs, lost.message).startswith("MissingKeyError")
    room.commit()
    assert refused(room.theirs, late[1]).startswith("MissingKeyError")


def test_the_page_gives_the_same_signed_bytes_of_a_message(page: PageProcess) -> None:
    room = PageRoom(page, 3)
    message = room[0].protect(b"said")
    ours = room[1].process(message)
    got = room.theirs.peer.call("process", message=message)
    assert (bytes.fromhex(got["tbs"]), bytes.fromhex(got["signature"])) == (ours.tbs, ours.signature)  # type: ignore[union-attr]
    assert got["generation"] == 0


def test_our_leafs_signature_under_a_label_of_our_own(page: PageProcess) -> None:
    peer = PageBundle(page, "alone").peer
    peer.create(b"group")
    signature = bytes.fromhex(peer.call("sign", label="snug 1 beat", content=b"beat")["signature"])
    verify_with_label(peer.signature_key, "snug 1 beat", b"beat", signature)
    with pytest.raises(PeerError, match="StateError"):
        peer.call("sign", label="FramedContentTBS", content=b"beat")


def test_the_tree_as_it_is_shown(page: PageProcess) -> None:
    """Public keys are everybody's; the page says which private ones it holds: those on its own path."""
    room = PageRoom(page, 5)
    for place in (0, 2, 3):
        room.commit(by=place)
    nodes = room.theirs.peer.call("tree")["nodes"]
    tree = state_of(room[0]).tree
    assert len(nodes) == 2 * tree.size - 1
    for index, (kind, key, unmerged_leaves, _) in enumerate(nodes):
        node = tree.node(index)
        if node is None:
            assert (kind, key) == ("blank", None)
            continue
        assert key == node.encryption_key.hex()
        assert tuple(unmerged_leaves) == getattr(node, "unmerged_leaves", ())
    held = [index for index, node in enumerate(nodes) if node[3]]
    assert 2 * room.theirs.own_leaf in held
    assert len(held) > 1
    assert all(nodes[index][0] != "blank" for index in held)


def test_versions_that_nobody_knows_are_carried(page: PageProcess) -> None:
    """ts-mls as it comes refuses a member whose capabilities list a version besides mls10."""
    room = PageRoom(page, 2)
    odd = new_bundle("odd", capabilities=Capabilities(versions=(1, 0x0A0A)))
    stage = room.commit([add_of(odd)])
    room.enter(stage, odd)
    room.commit(by=2)
