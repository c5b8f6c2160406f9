"""Ours and mls-rs (suite 1), each as creator and as newcomer."""

from __future__ import annotations

import pytest

from snugroom.crypto.errors import ValidationError
from snugroom.crypto.mls import RequiredCapabilities
from tests.interop.meeting import Meeting
from tests.interop.our_peer import OurPeer
from tests.interop.peer import Changes, Manner, Peer, PeerError
from tests.interop.rs_peer import RsPeer
from tests.interop.ts_peer import TsProcess

both_ways = pytest.mark.parametrize("ours_first", [True, False], ids=["we create", "they create"])
both_wire_formats = pytest.mark.parametrize(
    "manner", [Manner(private=True), Manner(private=False)], ids=["private", "public"]
)
Pair = tuple[OurPeer, RsPeer]


@pytest.fixture
def pair() -> Pair:
    return OurPeer("ours"), RsPeer("theirs")


def both(pair: Pair) -> list[Peer]:
    return list(pair)


def meet(pair: Pair, ours_first: bool) -> Meeting:
    first, second = both(pair) if ours_first else both(pair)[::-1]
    meeting = Meeting(first)
    meeting.commit(first, Changes(adds=[second]))
    return meeting


@both_ways
def test_messages_both_ways(pair: Pair, ours_first: bool) -> None:
    ours, theirs = pair
    meeting = meet(pair, ours_first)
    for size in (0, 1, 255, 256, 1000, 70_000):
        meeting.say(ours, bytes(size))
        meeting.say(theirs, bytes(size))


@both_ways
@both_wire_formats
def test_updates_by_empty_commits(pair: Pair, ours_first: bool, manner: Manner) -> None:
    """The manner is that of ours; mls-rs sends PublicMessage."""
    meeting = meet(pair, ours_first)
    for _ in range(2):
        for peer in both(pair):
            meeting.commit(peer, manner=manner)


@both_ways
@both_wire_formats
def test_adds_and_removals_by_both(pair: Pair, ours_first: bool, manner: Manner) -> None:
    meeting = meet(pair, ours_first)
    for n, by in enumerate(both(pair)):
        ours, theirs = OurPeer(f"ours {n}"), RsPeer(f"theirs {n}")
        meeting.commit(by, Changes(adds=[ours, theirs]), manner)
        meeting.commit(ours, manner=manner)
        meeting.commit(theirs)
        for peer in meeting.members:
            meeting.say(peer, peer.name)
        meeting.commit(by, Changes(removes=[ours]), manner)
        meeting.commit(by, Changes(removes=[theirs]), manner)
    assert len(meeting.members) == 2


@both_ways
def test_both_remove_the_other(pair: Pair, ours_first: bool) -> None:
    meeting = meet(pair, ours_first)
    first, second = meeting.members
    meeting.commit(second, Changes(removes=[first]))
    assert meeting.members == [second]


@both_ways
@both_wire_formats
def test_by_reference(pair: Pair, ours_first: bool, manner: Manner) -> None:
    """Theirs propose an Add and a Remove that ours commits; ours an Update that theirs commits."""
    ours, theirs = pair
    meeting = meet(pair, ours_first)
    newcomer = RsPeer("newcomer")
    meeting.propose(theirs, theirs.propose_add(newcomer))
    staged = ours.stage(manner=manner)
    meeting.deliver(ours, staged.message)
    ours.adopt()
    assert staged.welcome is not None
    newcomer.join(staged.welcome)
    meeting.members.append(newcomer)
    meeting.check()

    meeting.propose(theirs, theirs.propose_remove(newcomer))
    meeting.commit(ours, manner=manner, leaving=[newcomer])

    meeting.propose(ours, ours.propose(ours.group.make_update(), private=manner.private))
    meeting.commit(theirs)
    meeting.commit(theirs)  # sealed to the key that the Update announced


def test_required_capabilities_that_mls_rs_has(pair: Pair) -> None:
    """The one extension of a GroupContext that its bindings know."""
    ours, theirs = pair
    wanted = RequiredCapabilities(credentials=(1,)).extension()
    meeting = Meeting(ours, extensions=[(wanted.extension_type, wanted.data)])
    meeting.commit(ours, Changes(adds=[theirs]))
    meeting.commit(theirs)
    meeting.commit(ours, Changes(extensions=[]))
    meeting.commit(theirs)
    with pytest.raises(ValidationError):
        ours.stage(Changes(extensions=[(0xF001, b"mls-rs does not know it")]))
    meeting.commit(ours)


@both_ways
def test_a_repeated_message_is_refused_by_both(pair: Pair, ours_first: bool) -> None:
    ours, theirs = pair
    meeting = meet(pair, ours_first)
    for sender, receiver in (both(pair), both(pair)[::-1]):
        message = sender.protect(b"once")
        assert receiver.process(message).data == b"once"
        with pytest.raises(PeerError):
            receiver.process(message)
    meeting.commit(ours)
    meeting.commit(theirs)


@pytest.mark.parametrize("creator", [0, 1, 2])
def test_all_three_kinds_in_one_group(ts: TsProcess, creator: int) -> None:
    peers: list[Peer] = [OurPeer("snug"), ts.member("ts-mls"), RsPeer("mls-rs")]
    peers = peers[creator:] + peers[:creator]
    first, second, third = peers
    meeting = Meeting(first)
    meeting.commit(first, Changes(adds=[second]))
    meeting.commit(second, Changes(adds=[third]))
    for manner in (Manner(private=True), Manner(private=False)):
        for peer in peers:
            meeting.commit(peer, manner=manner)
            meeting.say(peer, peer.name)
    for peer in peers:
        fresh: list[Peer] = [OurPeer("a"), ts.member("b"), RsPeer("c")]
        meeting.commit(peer, Changes(adds=fresh), cut=peer is second)
        for one in fresh:
            meeting.commit(one)
        meeting.commit(peer, Changes(removes=fresh))
    meeting.commit(third, Changes(removes=[first, second]))


@pytest.mark.parametrize("left_out", ["snug", "ts-mls", "mls-rs"])
def test_an_empty_half_of_the_tree(ts: TsProcess, left_out: str) -> None:
    """With leaves 4 and 5 alone, the root is on nobody's filtered direct path.

    The commit secret then follows from the last path secret (RFC 9420 12.4.1); ts-mls without our patch goes
    on to the root.
    """
    founders = [OurPeer(f"founder {n}") for n in range(4)]
    made: list[Peer] = [OurPeer("snug"), ts.member("ts-mls"), RsPeer("mls-rs")]
    last = [peer for peer in made if peer.kind != left_out]
    meeting = Meeting(founders[0])
    meeting.commit(founders[0], Changes(adds=founders[1:]))
    meeting.commit(founders[0], Changes(adds=last))
    meeting.commit(last[0], Changes(removes=founders))
    for peer in last:
        meeting.commit(peer)
        meeting.say(peer, peer.name)
    meeting.commit(last[1], Changes(adds=[OurPeer("newcomer")]))  # takes leaf 0: the root is in use again
    meeting.commit(last[0])


def test_a_group_of_thirty(ts: TsProcess) -> None:
    """Deep trees: ten of each kind are added at once, and half of them removed at once."""
    host = OurPeer("host")
    meeting = Meeting(host)
    crowd: list[Peer] = []
    for n in range(10):
        crowd += [OurPeer(f"snug {n}"), ts.member(f"ts-mls {n}"), RsPeer(f"mls-rs {n}")]
    meeting.commit(host, Changes(adds=crowd))
    for peer in (crowd[0], crowd[-1], crowd[13]):
        meeting.commit(peer)
    meeting.commit(crowd[-2], Changes(removes=crowd[:15]))
    for peer in (host, *crowd[15:18]):
        meeting.commit(peer)
        meeting.say(peer, peer.name)
