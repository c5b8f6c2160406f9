"""Ours and ts-mls in suites 1 and 3, ours and the page's MLS in suite 1: each as creator and as newcomer."""

from __future__ import annotations

import pytest

from snugroom.crypto.errors import AuthenticationError, ReplayError, UnsupportedError, ValidationError
from snugroom.crypto.mls import RequiredCapabilities
from tests.interop.meeting import Meeting
from tests.interop.our_peer import OurPeer, key_package_of, to_bucket
from tests.interop.peer import Changes, Manner, Peer, PeerError, Psk
from tests.interop.ts_peer import PageProcess, TsPeer, TsProcess

POLICY = 0xF001
REQUIRED = (3, RequiredCapabilities(extensions=(POLICY,)).encode())
LINK = Psk(b"snug 1 link", b"\x11" * 32, b"\x22" * 32)
Pair = tuple[OurPeer, TsPeer]
PUBLIC, PRIVATE = Manner(private=False), Manner(private=True)
both_ways = pytest.mark.parametrize("ours_first", [True, False], ids=["we create", "they create"])
both_wire_formats = pytest.mark.parametrize("manner", [PRIVATE, PUBLIC], ids=["private", "public"])


STOCK = [("ts-mls", 1), ("ts-mls", 3)]


def name(world: tuple[str, int]) -> str:
    return f"{world[0]}, suite {world[1]}"


@pytest.fixture(params=[*STOCK, ("page", 1)], ids=name)
def world(request: pytest.FixtureRequest) -> tuple[str, int]:
    """The implementation that the others run, and the suite."""
    value: tuple[str, int] = request.param
    return value


# what only ts-mls by itself can be brought to do
by_stock_alone = pytest.mark.parametrize("world", STOCK, ids=name, indirect=True)


@pytest.fixture
def suite(world: tuple[str, int]) -> int:
    return world[1]


@pytest.fixture
def them(world: tuple[str, int], ts: TsProcess, page: PageProcess) -> TsProcess:
    return page if world[0] == "page" else ts


@pytest.fixture
def pair(them: TsProcess, suite: int) -> Pair:
    return OurPeer("ours", suite=suite, extensions=[POLICY]), them.member(
        "theirs", suite=suite, extensions=[POLICY]
    )


def both(pair: Pair) -> list[Peer]:
    return list(pair)


def meet(pair: Pair, ours_first: bool) -> Meeting:
    """The two of them in a group that has the policy extension and requires it."""
    first, second = both(pair) if ours_first else both(pair)[::-1]
    meeting = Meeting(first, extensions=[REQUIRED, (POLICY, b"policy 1")])
    meeting.commit(first, Changes(adds=[second]))
    return meeting


@both_ways
def test_messages_both_ways_padded(pair: Pair, ours_first: bool) -> None:
    ours, theirs = pair
    meeting = meet(pair, ours_first)
    for size in (0, 1, 255, 256, 511, 512, 1000, 70_000):
        meeting.say(ours, bytes(size))
        meeting.say(theirs, bytes(size))
    assert len(ours.protect(b"short")) == len(ours.protect(b"x" * 200)) == to_bucket(200)


@both_ways
def test_senders_and_authenticated_data_arrive(pair: Pair, ours_first: bool) -> None:
    ours, theirs = pair
    meet(pair, ours_first)
    got = theirs.process(ours.protect(b"data", authenticated_data=b"clear"))
    assert (got.sender, got.authenticated_data) == (ours.group.own_leaf, b"clear")
    got = ours.process(theirs.protect(b"data", authenticated_data=b"clear too"))
    assert (got.sender, got.authenticated_data) == (ours.leaf_of(theirs), b"clear too")


@both_ways
@both_wire_formats
def test_updates_by_empty_commits(pair: Pair, ours_first: bool, manner: Manner) -> None:
    meeting = meet(pair, ours_first)
    for _ in range(2):
        for peer in both(pair):
            before = peer.view().members
            made = meeting.commit(peer, manner=manner)
            assert all(got.proposals == () for got in made.values())
            assert peer.view().members == before


@both_ways
@both_wire_formats
def test_adds_and_removals_by_both(
    them: TsProcess, suite: int, pair: Pair, ours_first: bool, manner: Manner
) -> None:
    meeting = meet(pair, ours_first)
    for round_, by in enumerate(both(pair)):
        ours = [OurPeer(f"ours {round_}{n}", suite=suite, extensions=[POLICY]) for n in range(2)]
        theirs = [them.member(f"theirs {round_}{n}", suite=suite, extensions=[POLICY]) for n in range(2)]
        made = meeting.commit(by, Changes(adds=[ours[0], theirs[0]]), manner)
        assert all(got.proposals == ("add", "add") for got in made.values())
        meeting.commit(ours[0], Changes(adds=[theirs[1]]), manner)
        meeting.commit(theirs[0], Changes(adds=[ours[1]]), manner)
        for peer in meeting.members:
            meeting.say(peer, peer.name)
        meeting.commit(by, Changes(removes=[ours[0], theirs[0]]), manner)
        meeting.commit(ours[1], Changes(removes=[theirs[1]]), manner)
        meeting.commit(by, Changes(removes=[ours[1]]), manner)
    assert len(meeting.members) == 2


@both_ways
def test_both_remove_the_other(pair: Pair, ours_first: bool) -> None:
    first, second = both(pair) if ours_first else both(pair)[::-1]
    meeting = meet(pair, ours_first)
    late = first.protect(b"sent before, arrives after")
    meeting.commit(second, Changes(removes=[first]))
    assert meeting.members == [second]
    if second is pair[0]:
        with pytest.raises(PeerError, match="SNUG-17"):
            second.process(late)


@both_ways
def test_commits_without_a_path(them: TsProcess, suite: int, pair: Pair, ours_first: bool) -> None:
    manner = Manner(force_path=False)
    meeting = meet(pair, ours_first)
    for n, by in enumerate(both(pair)):
        theirs = them.member(f"theirs {n}", suite=suite, extensions=[POLICY])
        ours = OurPeer(f"ours {n}", suite=suite, extensions=[POLICY])
        meeting.commit(by, Changes(adds=[theirs]), manner)
        meeting.commit(by, Changes(adds=[ours]), manner)
        meeting.commit(theirs)
        meeting.commit(ours, Changes(removes=[theirs]))
    for peer in meeting.members:
        meeting.say(peer, peer.name)


@both_ways
def test_an_add_with_the_psk_of_the_link(them: TsProcess, suite: int, pair: Pair, ours_first: bool) -> None:
    """Our protocol's admission: external PSK and Add in one commit."""
    meeting = meet(pair, ours_first)
    for n, by in enumerate(both(pair)):
        for newcomer in (
            them.member(f"theirs {n}", suite=suite, extensions=[POLICY]),
            OurPeer(f"ours {n}", suite=suite, extensions=[POLICY]),
        ):
            psk = Psk(LINK.id, LINK.secret, bytes([n]) * 32)
            made = meeting.commit(by, Changes(adds=[newcomer], psks=[psk]))
            assert all(sorted(got.proposals) == ["add", "psk"] for got in made.values())
    meeting.say(meeting.members[-1], b"in")


@both_ways
def test_several_adds_with_one_psk_of_the_link(
    them: TsProcess, suite: int, pair: Pair, ours_first: bool
) -> None:
    """Each newcomer gets a Welcome with its own secrets alone."""
    meeting = meet(pair, ours_first)
    for n, by in enumerate(both(pair)):
        newcomers: list[Peer] = []
        for k in range(3):
            newcomers.append(them.member(f"theirs {n} {k}", suite=suite, extensions=[POLICY]))
            newcomers.append(OurPeer(f"ours {n} {k}", suite=suite, extensions=[POLICY]))
        psk = Psk(LINK.id, LINK.secret, bytes([n]) * 32)
        made = meeting.commit(by, Changes(adds=newcomers, psks=[psk]), cut=True)
        assert all(sorted(got.proposals) == ["add"] * 6 + ["psk"] for got in made.values())
        for newcomer in newcomers[1:3]:
            meeting.commit(newcomer)
            meeting.say(newcomer, b"in")


@both_ways
def test_several_psks_chain_in_the_same_order(pair: Pair, ours_first: bool) -> None:
    meeting = meet(pair, ours_first)
    psks = [Psk(bytes([n]), bytes([n]) * 32, bytes([9 - n]) * 32) for n in (3, 1, 2)]
    for peer in both(pair):
        meeting.commit(peer, Changes(psks=psks))


def test_a_wrong_psk_is_refused_on_both_sides(pair: Pair) -> None:
    ours, theirs = pair
    meeting = meet(pair, True)
    theirs.know([LINK])
    ours.know([Psk(LINK.id, b"\x33" * 32, b"")])
    staged = theirs.stage(Changes(psks=[LINK]))
    with pytest.raises(PeerError) as refused:
        ours.process(staged.message)
    assert isinstance(refused.value.__cause__, ValidationError)
    theirs.drop()

    ours.know([LINK])
    theirs.know([Psk(LINK.id, b"\x33" * 32, b"")])
    staged = ours.stage(Changes(psks=[LINK]))
    with pytest.raises(PeerError, match="confirmation tag"):
        theirs.process(staged.message)
    ours.drop()

    theirs.know([LINK])
    for peer in both(pair):  # nobody was harmed
        meeting.commit(peer, Changes(psks=[LINK]))


def test_a_missing_psk_is_refused_on_both_sides(pair: Pair) -> None:
    ours, theirs = pair
    meeting = meet(pair, False)
    staged = theirs.stage(Changes(psks=[LINK]))
    with pytest.raises(PeerError) as refused:
        ours.process(staged.message)
    assert isinstance(refused.value.__cause__, ValidationError)
    assert refused.value.__cause__.rule == "MLS-12.4.2-1"
    theirs.drop()
    other = Psk(b"another", b"\x44" * 32, b"\x55" * 32)
    staged = ours.stage(Changes(psks=[other]))
    with pytest.raises(PeerError, match=r"pskId|pre-shared key"):
        theirs.process(staged.message)
    ours.drop()
    meeting.commit(ours)


@both_ways
@both_wire_formats
def test_group_context_extensions(pair: Pair, ours_first: bool, manner: Manner) -> None:
    meeting = meet(pair, ours_first)
    for n, peer in enumerate(both(pair)):
        wanted = (REQUIRED, (POLICY, b"policy of %d" % n))
        made = meeting.commit(peer, Changes(extensions=wanted), manner)
        assert all(got.proposals == ("group_context_extensions",) for got in made.values())
        assert meeting.check().extensions == wanted


@both_ways
def test_policy_and_add_in_one_commit(them: TsProcess, suite: int, pair: Pair, ours_first: bool) -> None:
    meeting = meet(pair, ours_first)
    for n, by in enumerate(both(pair)):
        newcomer: Peer = them.member(f"theirs {n}", suite=suite, extensions=[POLICY])
        meeting.commit(by, Changes(adds=[newcomer], extensions=[REQUIRED, (POLICY, b"next")]))
        newcomer = OurPeer(f"ours {n}", suite=suite, extensions=[POLICY])
        meeting.commit(by, Changes(adds=[newcomer], extensions=[REQUIRED, (POLICY, b"after next")]))


def test_a_client_without_the_required_capability_is_not_added(
    them: TsProcess, suite: int, pair: Pair
) -> None:
    ours, theirs = pair
    meeting = meet(pair, True)
    for lacking in (them.member("plain", suite=suite), OurPeer("plain", suite=suite)):
        with pytest.raises(ValidationError):
            ours.stage(Changes(adds=[lacking]))
        with pytest.raises(PeerError):
            theirs.stage(Changes(adds=[lacking]))
    meeting.commit(ours)
    meeting.commit(theirs)


@both_ways
@both_wire_formats
def test_removes_by_reference(
    them: TsProcess, suite: int, pair: Pair, ours_first: bool, manner: Manner
) -> None:
    """Each asks to be removed, and the other kind commits it."""
    ours, theirs = pair
    meeting = meet(pair, ours_first)
    leaver = them.member("leaver", suite=suite, extensions=[POLICY])
    meeting.commit(ours, Changes(adds=[leaver]))
    meeting.propose(leaver, leaver.propose_remove(leaver, private=manner.private))
    assert meeting.commit(ours, manner=manner, leaving=[leaver])[them.kind].proposals == ("remove",)

    own = OurPeer("own leaver", suite=suite, extensions=[POLICY])
    meeting.commit(theirs, Changes(adds=[own]))
    meeting.propose(own, own.propose_remove(own, private=manner.private))
    assert meeting.commit(theirs, manner=manner, leaving=[own])["snug"].proposals == ("remove",)


@both_ways
@both_wire_formats
def test_our_update_by_reference(pair: Pair, ours_first: bool, manner: Manner) -> None:
    """ts-mls makes no Updates, but it must be able to commit ours."""
    ours, theirs = pair
    meeting = meet(pair, ours_first)
    before = ours.encryption_key
    meeting.propose(ours, ours.propose(ours.group.make_update(), private=manner.private))
    assert meeting.commit(theirs, manner=manner)["snug"].proposals == ("update",)
    assert ours.encryption_key != before
    meeting.commit(theirs)  # sealed to the key that the Update announced
    meeting.commit(ours)


@both_ways
def test_a_rejoin_in_one_commit(them: TsProcess, suite: int, pair: Pair, ours_first: bool) -> None:
    """Section 6 of our protocol: Remove, Add with the same signature key, and PSK in one commit."""
    meeting = meet(pair, ours_first)
    for by in both(pair):
        own = OurPeer("lost", suite=suite, extensions=[POLICY])
        own_again = OurPeer("lost", suite=suite, extensions=[POLICY], again=own)
        their = them.member("lost", suite=suite, extensions=[POLICY])
        their_again = them.member("lost", suite=suite, extensions=[POLICY], again=their)
        for lost, fresh in ((own, own_again), (their, their_again)):
            assert lost.signature_key == fresh.signature_key
            meeting.commit(by, Changes(adds=[lost]))
            meeting.commit(lost)
            before = meeting.check().members
            meeting.commit(by, Changes(removes=[lost], adds=[fresh], psks=[LINK]))
            assert meeting.check().members == before  # the same leaf
            meeting.commit(fresh)
            meeting.commit(by, Changes(removes=[fresh]))


def test_late_and_repeated_messages(pair: Pair) -> None:
    ours, theirs = pair
    meeting = meet(pair, True)
    first, second, third = (theirs.protect(bytes([n])) for n in range(3))
    assert [ours.process(m).data for m in (third, first, second)] == [b"\2", b"\0", b"\1"]
    with pytest.raises(PeerError) as refused:
        ours.process(second)
    assert isinstance(refused.value.__cause__, ReplayError)
    mine = [ours.protect(bytes([n])) for n in range(3)]
    assert [theirs.process(m).data for m in reversed(mine)] == [b"\2", b"\1", b"\0"]
    with pytest.raises(PeerError):
        theirs.process(mine[0])

    held = [ours.protect(b"of the last epoch"), theirs.protect(b"of the last epoch")]
    meeting.commit(ours)
    assert theirs.process(held[0]).data == ours.process(held[1]).data == b"of the last epoch"


def test_a_dropped_stage_of_ours_spends_its_generation(pair: Pair) -> None:
    ours, theirs = pair
    meeting = meet(pair, True)
    ours.stage()
    ours.drop()
    meeting.commit(ours)
    theirs.stage()
    theirs.drop()
    meeting.commit(theirs)


def test_the_winner_of_two_commits_is_followed(pair: Pair) -> None:
    ours, theirs = pair
    meeting = meet(pair, True)
    lost, won = theirs.stage(), ours.stage()
    assert theirs.process(won.message).kind == "commit"
    ours.adopt()
    meeting.check()
    with pytest.raises(PeerError):
        ours.process(lost.message)
    meeting.commit(theirs)


@both_wire_formats
def test_a_tampered_message_is_refused_and_does_no_harm(pair: Pair, manner: Manner) -> None:
    ours, theirs = pair
    meeting = meet(pair, True)
    staged = theirs.stage(manner=manner)
    for position in (-1, -40, len(staged.message) // 2):
        with pytest.raises(PeerError):
            ours.process(flipped(staged.message, position))
    assert ours.process(staged.message).kind == "commit"
    theirs.adopt()
    meeting.check()

    message = theirs.protect(b"authentic")
    with pytest.raises(PeerError) as refused:
        ours.process(flipped(message, -1))
    assert isinstance(refused.value.__cause__, AuthenticationError)
    assert ours.process(message).data == b"authentic"

    staged = ours.stage(manner=manner)
    with pytest.raises(PeerError):
        theirs.process(flipped(staged.message, len(staged.message) // 2))
    assert theirs.process(staged.message).kind == "commit"
    ours.adopt()
    meeting.check()


def flipped(message: bytes, position: int) -> bytes:
    changed = bytearray(message)
    changed[position] ^= 1
    return bytes(changed)


@by_stock_alone
@both_ways
def test_a_newcomer_by_external_commit_is_understood(
    them: TsProcess, suite: int, pair: Pair, ours_first: bool
) -> None:
    """Our policy refuses it; the mathematics must follow it all the same."""
    ours, theirs = pair
    meeting = meet(pair, ours_first)
    outsider = them.member("outsider", suite=suite, extensions=[POLICY])
    commit = outsider.join_by_external_commit(theirs.group_info())
    meeting.members.append(outsider)
    made = meeting.deliver(outsider, commit)
    assert made["snug"].sender is None
    assert made["snug"].proposals == ("external_init",)
    meeting.check()
    meeting.commit(ours)
    meeting.commit(outsider)


@by_stock_alone
def test_a_resync_by_external_commit_is_understood(them: TsProcess, suite: int, pair: Pair) -> None:
    """A member that lost its state replaces its own leaf; nobody else's could be replaced so."""
    ours, theirs = pair
    meeting = meet(pair, True)
    lost = them.member("lost", suite=suite, extensions=[POLICY])
    meeting.commit(ours, Changes(adds=[lost]))
    before = meeting.check().members
    meeting.members.remove(lost)
    fresh = them.member("lost", suite=suite, extensions=[POLICY], again=lost)
    commit = fresh.join_by_external_commit(theirs.group_info(), resync=True)
    meeting.members.append(fresh)
    assert sorted(meeting.deliver(fresh, commit)["snug"].proposals) == ["external_init", "remove"]
    assert meeting.check().members == before
    meeting.commit(ours)
    meeting.commit(fresh)


@by_stock_alone
def test_a_reinit_is_understood(pair: Pair) -> None:
    ours, theirs = pair
    meet(pair, True)
    message = theirs.propose({"kind": "reinit", "groupId": b"the next"})
    assert ours.process(message).proposals == ("reinit",)
    staged = theirs.stage(manner=Manner(force_path=False))
    assert ours.process(staged.message).proposals == ("reinit",)


@by_stock_alone
def test_an_unknown_proposal_is_refused(pair: Pair) -> None:
    """ts-mls lets itself commit a proposal of a type that nobody supports."""
    ours, theirs = pair
    meeting = meet(pair, True)
    with pytest.raises(PeerError) as refused:
        ours.process(theirs.propose({"kind": "custom", "type": 0xF0F0, "data": b"?"}))
    assert isinstance(refused.value.__cause__, UnsupportedError)
    with pytest.raises(PeerError) as refused:  # and the commit that refers to it
        ours.process(theirs.stage().message)
    assert isinstance(refused.value.__cause__, ValidationError)
    assert refused.value.__cause__.rule == "MLS-12.4-2"
    meeting.commit(ours)


def test_a_lapsed_key_package_is_judged_by_who_admits(them: TsProcess) -> None:
    lapsed = them.member("lapsed", lifetime=(1000, 2000))
    package = key_package_of(lapsed)
    package.verify(now=None)
    with pytest.raises(ValidationError) as refused:
        package.verify(now=2001)
    assert refused.value.rule == "MLS-7.3-5"
    package.verify(now=1500)
