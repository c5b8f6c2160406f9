"""The rules on real groups: others judge commits, messages and frames of dishonest members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.kernel.intents import HealIntent, MemberKnock, RejoinIntent
from snugroom.client.session.kernel.journal import KEPT
from snugroom.client.session.kernel.membership import Membership
from snugroom.client.session.kernel.verdict import Valid, Void
from snugroom.crypto import mls
from snugroom.crypto.agreed import envelope
from snugroom.crypto.agreed.room_state import ANY_HOST, CommitContext, HostReturn, RejoinTicket
from snugroom.crypto.agreed.slot_author import Place, SlotPayload
from snugroom.crypto.errors import (
    AuthenticationError,
    MalformedError,
    MissingKeyError,
    ReplayError,
    SnugError,
    ValidationError,
)
from snugroom.crypto.media import clear_header
from snugroom.crypto.media.keys import FutureEpochError, seal_frame
from snugroom.crypto.media.sframe import Header
from snugroom.crypto.mls.proposals import Commit
from snugroom.lab.simulation.announcing import announce, signed
from snugroom.lab.simulation.dishonest import forged, fresh_leaf, package_with
from snugroom.lab.simulation.world import Participant, World
from snugroom.wire import messages as wire
from tests.mls.world import forge

AUDIO = 1001


def context_of(m: Membership) -> bytes:
    prior_state = m.prior_state()
    return CommitContext(m.room, prior_state.slot, prior_state.chain, m.ledger.digest()).encode()


def cover(m: Membership, *messages: bytes) -> bytes:
    return m.cover_commit(messages, bytes(32))


def heal(w: World, who: Participant, everybody: list[Participant]) -> None:
    """One commit more, by `who`, that changes nothing but keys."""
    slot = who.room.membership.journal.slot
    who.room.queue(HealIntent(who.room.membership.group.epoch), w.now)
    w.do(who, ev.Tick())
    w.until(lambda: all(p.room.membership.journal.slot == slot + 1 for p in everybody))


# -- commits -------------------------------------------------------------------------------------------


def judged(blob: bytes, *people: Participant) -> list[tuple[int | None, str] | None]:
    """(author, rule) as each says, None for a valid commit; nobody's state changes by judging."""
    verdicts: list[tuple[int | None, str] | None] = []
    for who in people:
        m = who.room.membership
        before = (m.group.epoch, m.journal.slot, m.ledger, m.policy)
        verdict = m.judge(blob)
        assert (m.group.epoch, m.journal.slot, m.ledger, m.policy) == before
        if isinstance(verdict, Void):
            verdicts.append((verdict.author, verdict.rule))
        else:
            assert isinstance(verdict, Valid)
            verdicts.append(None)
    return verdicts


def test_a_commit_in_clear_is_void_and_its_author_named() -> None:
    ada, bo, cem = World(201).meeting("Ada", "Bo", "Cem")
    m = bo.room.membership
    fresh = fresh_leaf(m)
    stage = m.group.stage([], authenticated_data=context_of(m), private=False, leaf_extensions=fresh)
    assert judged(cover(m, stage.message), ada, cem) == [(1, "SNUG-2")] * 2
    stage.drop()
    honest = m.group.stage([], authenticated_data=context_of(m), leaf_extensions=fresh)
    assert judged(cover(m, honest.message), ada, cem) == [None] * 2, "the same under encryption is valid"


def test_a_commit_that_mls_refuses_is_void_and_its_author_named() -> None:
    ada, bo, cem = World(202).meeting("Ada", "Bo", "Cem")
    m = bo.room.membership
    nobody = forge(m.group, Commit((mls.Remove(9),), None), authenticated_data=context_of(m))
    assert judged(cover(m, nobody), ada, cem) == [(1, "SNUG-16")] * 2


def test_a_commit_with_anothers_signature_names_who_put_it_in_a_slot() -> None:
    ada, bo, cem = World(203).meeting("Ada", "Bo", "Cem")
    m = bo.room.membership
    false = forge(m.group, Commit((), None), authenticated_data=context_of(m), signature_private=bytes(32))
    assert judged(cover(m, false), ada, cem) == [(1, "SNUG-16")] * 2


def test_anothers_commit_in_a_blob_of_ones_own_is_void_and_names_who_did_it() -> None:
    ada, bo, cem = World(208).meeting("Ada", "Bo", "Cem")
    m = ada.room.membership
    stage = m.group.stage([], authenticated_data=context_of(m), leaf_extensions=fresh_leaf(m))
    assert judged(cover(bo.room.membership, stage.message), cem) == [(1, "SNUG-2")]
    assert judged(cover(m, stage.message), bo) == [None], "from its author it is valid"


@pytest.mark.parametrize("what", ["gate", "leaf", "slot", "chain", "signature"])
def test_a_blob_that_its_author_has_not_signed_like_this_is_void_and_names_nobody(what: str) -> None:
    ada, bo, cem = World(209).meeting("Ada", "Bo", "Cem")
    m = bo.room.membership
    stage = m.group.stage([], authenticated_data=context_of(m))
    packed, gate, prior_state = envelope.pack([stage.message]), bytes(32), m.prior_state()
    place = Place(m.room, prior_state.slot + (what == "slot"), prior_state.chain)
    if what == "chain":
        place = Place(m.room, place.slot, bytes(32))
    signed = SlotPayload.signed(packed, m.own_leaf, place, gate, m.sign)
    if what == "leaf":
        signed = SlotPayload(packed, 0, signed.signature)
    elif what == "signature":
        signed = SlotPayload(packed, m.own_leaf, bytes(64))
    blob = m._cover("commit", signed.encode(), b"g" * 32 if what == "gate" else gate)
    assert judged(blob, ada, cem) == [(None, "SNUG-2")] * 2


def test_a_blob_that_is_no_commit_takes_a_slot_in_vain() -> None:
    ada, bo, cem = World(204).meeting("Ada", "Bo", "Cem")
    m = bo.room.membership
    said = m.group.protect(b"hello")
    proposed = m.leave_proposals.propose()
    assert judged(cover(m, said), ada, cem) == [(1, "SNUG-2")] * 2, "signed by a member, who is named"
    assert judged(cover(m, proposed), ada, cem) == [(1, "SNUG-2")] * 2
    assert judged(m._cover("relay", envelope.pack([said])), ada) == [(None, "SNUG-2")], "of the other kind"
    assert judged(bytes(512), ada) == [(None, "SNUG-2")]
    assert judged(b"", ada) == [(None, "SNUG-2")]


@pytest.mark.parametrize(
    ("context", "rule"),
    [
        ({"room": bytes(16)}, "SNUG-1"),
        ({"ledger": bytes(32)}, "SNUG-1"),
        ({"host_return": HostReturn(1, bytes(64))}, "SNUG-9"),
        ({"invites": (3,)}, "SNUG-12"),
    ],
)
def test_the_context_of_a_commit_is_checked(context: dict[str, object], rule: str) -> None:
    ada, bo, cem = World(205).meeting("Ada", "Bo", "Cem")
    blob = forged(bo, [], **context)
    assert judged(blob, ada, cem) == [(1, rule)] * 2


def test_a_hosts_return_is_refused_from_a_host_too() -> None:
    ada, bo, cem = World(206).meeting("Ada", "Bo", "Cem")
    blob = forged(ada, [], host_return=HostReturn(1, bytes(64)))
    assert judged(blob, bo, cem) == [(0, "SNUG-9")] * 2


def returning(who: Participant, now: float, **changes: object) -> tuple[mls.KeyPackage, RejoinTicket]:
    """The KeyPackage and ticket of a member that has lost its state."""
    m = who.room.membership
    ticket = RejoinTicket(m.group.group_id, m.journal.slot, m.journal.chain, bytes(16), by=1)
    ticket = replace(ticket, **changes)  # type: ignore[arg-type]  # a test's liberty
    bundle = package_with(who, ticket, now)
    return mls.KeyPackageIn.decode(bundle.encoded).verify(m.group.suite, now=int(now)), ticket


def test_a_rejoin_is_judged_alike_by_who_was_there_and_by_who_came_later() -> None:
    """A ticket of another history: old members know that slot's chain and a newcomer doesn't."""
    w = World(207)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    for _ in range(KEPT + 1):  # newcomers learn the last slots before their own
        heal(w, ada, people)
    dana = w.guest(w.link_of(ada), "Dana")
    w.until(lambda: w.agreed([*people, dana]))
    package, _ = returning(cem, w.now, slot=2, chain=bytes(32))
    for_a_host, its_ticket = returning(cem, w.now, slot=2, chain=bytes(32), by=ANY_HOST)
    link = mls.PreSharedKey.external(b"snug 1 link", w.rng)
    blob = forged(bo, [mls.Remove(2), link, mls.Add(package)])
    assert 2 in ada.room.membership.journal.chains
    assert 2 not in dana.room.membership.journal.chains
    assert judged(blob, ada, dana) == [None] * 2
    # so a member comes back that alone has had the last change before the server crashed
    assert (
        ada.room.membership.stage(RejoinIntent(MemberKnock(1), for_a_host, its_ticket.encode(), "Cem"))
        is not None
    )


def test_a_ticket_is_used_once() -> None:
    w = World(208)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    package, ticket = returning(cem, w.now, by=ANY_HOST)
    staged = ada.room.membership.stage(RejoinIntent(MemberKnock(1), package, ticket.encode(), "Cem"))
    assert staged is not None
    verdict = bo.room.membership.judge(staged.blob)
    assert isinstance(verdict, Valid)
    for who, step in ((ada, staged), (bo, verdict)):
        who.room.membership.adopt(step, staged.blob, w.now)
    assert ada.room.membership.ledger == bo.room.membership.ledger
    assert [r.nonce for r in bo.room.membership.ledger.rejoins] == [ticket.nonce]
    assert bo.room.membership.ledger.invite_of(2) == 0, "the invite that let Cem in still does"
    assert ada.room.membership.stage(RejoinIntent(MemberKnock(2), package, ticket.encode(), "Cem")) is None, (
        "done already"
    )
    again, _ = returning(cem, w.now, nonce=ticket.nonce)
    link = mls.PreSharedKey.external(b"snug 1 link", w.rng)
    blob = forged(bo, [mls.Remove(2), link, mls.Add(again)])
    assert judged(blob, ada) == [(1, "SNUG-8")]


@pytest.mark.parametrize("context", [{"slot": 9}, {"chain": bytes(32)}])
def test_a_commit_for_another_place_than_its_blob_names_its_author(context: dict[str, object]) -> None:
    ada, bo, cem = World(205).meeting("Ada", "Bo", "Cem")
    blob = forged(bo, [], **context)
    assert judged(blob, ada, cem) == [(1, "SNUG-1")] * 2


def test_a_removal_is_laundered_through_no_host() -> None:
    ada, bo, cem = World(209).meeting("Ada", "Bo", "Cem")
    proposal = bo.room.membership.group.propose(mls.Remove(2), private=False)
    m = ada.room.membership
    stored = m.group.process(proposal)
    assert isinstance(stored, mls.ReceivedProposal)
    stage = m.group.stage(
        [],
        include_stored=[stored.reference],
        authenticated_data=context_of(m),
        psks=m._psks,
        leaf_extensions=fresh_leaf(m),
    )
    assert judged(cover(m, proposal, stage.message), bo, cem) == [(0, "SNUG-3")] * 2


# -- messages: SNUG-17, SNUG-18 --------------------------------------------------------------------------


def test_a_message_of_the_last_epoch_is_heard_and_an_older_one_is_not() -> None:
    w = World(210)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    early, late = (bo.room.membership.protect(text) for text in (b"one", b"two"))
    heal(w, cem, people)
    assert ada.room.membership.open_relay(early).data == b"one"
    heal(w, cem, people)
    with pytest.raises(MissingKeyError):
        ada.room.membership.open_relay(late)


def test_a_message_too_far_ahead_is_refused_and_costs_nothing() -> None:
    ada, bo = World(211).meeting("Ada", "Bo")
    blobs = [bo.room.membership.protect(b"%d" % n) for n in range(203)]
    while True:  # what Bo's client had said before counts as well
        try:
            first = int(ada.room.membership.open_relay(blobs[0]).data)
            break
        except ReplayError:
            blobs.pop(0)
    assert first == 0
    for blob in (blobs[-1], blobs[-1]):
        with pytest.raises(ValidationError) as caught:
            ada.room.membership.open_relay(blob)
        assert caught.value.rule == "SNUG-17"
    assert ada.room.membership.open_relay(blobs[201]).data == b"201", "200 ahead of the next is not too far"
    assert ada.room.membership.open_relay(blobs[-1]).data == b"202", "and then nor is this"
    assert ada.room.membership.open_relay(blobs[1]).data == b"1", "late ones are kept for"
    with pytest.raises(ReplayError):
        ada.room.membership.open_relay(blobs[-1])


def test_a_message_of_a_removed_member_is_heard_no_more() -> None:
    w = World(212)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    last = bo.room.membership.protect(b"one more thing")
    of_cem = cem.room.membership.protect(b"me too")
    w.do(ada, ev.Remove(1))
    w.until(lambda: w.agreed([ada, cem]))
    for who in (ada, cem):
        with pytest.raises(ValidationError) as caught:
            who.room.membership.open_relay(last)
        assert caught.value.rule == "SNUG-17"
    assert ada.room.membership.open_relay(of_cem).data == b"me too", "others' last words are heard"


def test_a_relay_blob_carries_one_message_and_no_handshake() -> None:
    ada, bo = World(213).meeting("Ada", "Bo")
    m = bo.room.membership
    for messages in ([m.group.protect(b"a"), m.group.protect(b"b")], [m.leave_proposals.propose()]):
        with pytest.raises(MalformedError):
            ada.room.membership.open_relay(m._cover("relay", envelope.pack(messages)))
    with pytest.raises(SnugError):
        ada.room.membership.open_relay(m._cover("commit", envelope.pack([m.group.protect(b"a")]), bytes(32)))
    with pytest.raises(MalformedError):
        ada.room.membership.leave_proposals.store(m.group.protect(b"a"))


@pytest.mark.parametrize(("by_host", "now"), [(False, True), (True, False)])
def test_an_end_that_is_none(by_host: bool, now: bool) -> None:
    w = World(214)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    sender = ada if by_host else bo
    chain = sender.room.membership.journal.chain if now else bytes(32)
    blob = sender.room.membership.protect(content.encode(content.End(chain)))
    w._ascend(sender.links[ev.ROOM], wire.encode(wire.Relay(blob)))
    w.until(lambda: "false_end" in cem.alarms)
    assert cem.ended is None
    assert any("SNUG-18" in e.text for e in cem.told if isinstance(e, ev.Alarm))


def test_an_end_by_the_host() -> None:
    w = World(215)
    ada, bo = w.meeting("Ada", "Bo")
    w.do(ada, ev.EndMeeting())
    w.until(lambda: bo.ended is not None)
    assert bo.ended == ev.Ended("ended", "\u201cAda\u201d ended the meeting.")


# -- media: SNUG-20, SNUG-21 -----------------------------------------------------------------------------


def with_audio(seed: int) -> tuple[World, Participant, Participant, Participant]:
    w = World(seed)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    w.do(bo, ev.Publish("ufrag", "passwordOfIceParameters", bytes(32), ((AUDIO, "audio", 0),)))
    w.until(lambda: all(AUDIO in p.room.announcements.streams(1) for p in (ada, cem)))
    w.run(1)  # past the switch to the newest epoch's keys
    return w, ada, bo, cem


def test_a_frame_is_opened_by_its_announcers_key_only() -> None:
    w, ada, bo, cem = with_audio(220)
    frame = bo.room.frames.seal("audio", 0, b"opus", w.now)
    assert frame is not None
    opened = ada.room.frames.open(AUDIO, "audio", frame, w.now)
    assert (opened.leaf, opened.stream, opened.frame) == (1, 0, b"opus")
    of_cem = cem.room.frames.seal("audio", 0, b"opus", w.now)
    with pytest.raises(ValidationError) as caught:
        ada.room.frames.open(AUDIO, "audio", of_cem, w.now)
    assert caught.value.rule == "SNUG-20"
    other_stream = seal_frame(bo.room.membership.media, "audio", 2, b"opus", w.now)
    with pytest.raises(ValidationError) as caught:
        ada.room.frames.open(AUDIO, "audio", other_stream, w.now)
    assert caught.value.rule == "SNUG-20"
    with pytest.raises(FutureEpochError):
        ada.room.frames.open(AUDIO + 1, "audio", frame, w.now)


def test_nobody_takes_anothers_ssrc_by_announcing_it() -> None:
    w, ada, bo, cem = with_audio(221)
    w.do(
        cem,
        ev.Publish("ufrag", "passwordOfIceParameters", bytes(32), ((AUDIO, "audio", 0), (7, "audio", 0))),
    )
    w.until(lambda: 7 in ada.room.announcements.streams(2))
    frame = bo.room.frames.seal("audio", 0, b"opus", w.now)
    assert ada.room.frames.open(AUDIO, "audio", frame, w.now).leaf == 1, "the owner is heard as before"
    mine = cem.room.frames.seal("audio", 0, b"opus", w.now)
    assert ada.room.frames.open(AUDIO, "audio", mine, w.now).leaf == 2, "and the other as who it is"


def test_a_frame_has_its_whole_tag_and_is_opened_once() -> None:
    w, ada, bo, cem = with_audio(222)
    frame = bo.room.frames.seal("audio", 0, b"opus", w.now)
    assert frame is not None
    _, sealed = clear_header.split("audio", frame)
    assert len(sealed) == Header.decode(sealed).size + len(b"opus") + 16
    for cut in (1, 8, 12, 15, 16):
        with pytest.raises((AuthenticationError, MalformedError)):
            ada.room.frames.open(AUDIO, "audio", frame[:-cut], w.now)
    for at in range(len(frame)):
        with pytest.raises(SnugError):
            ada.room.frames.open(AUDIO, "audio", frame[:at] + bytes([frame[at] ^ 1]) + frame[at + 1 :], w.now)
    assert ada.room.frames.open(AUDIO, "audio", frame, w.now).frame == b"opus", "none of that used it up"
    with pytest.raises(ReplayError):
        ada.room.frames.open(AUDIO, "audio", frame, w.now)
    assert cem.room.frames.open(AUDIO, "audio", frame, w.now).frame == b"opus"


def test_a_removed_members_frames_are_opened_no_more() -> None:
    w, ada, bo, cem = with_audio(223)
    frame = bo.room.frames.seal("audio", 0, b"opus", w.now)
    w.do(ada, ev.Remove(1))
    w.until(lambda: w.agreed([ada, cem]))
    with pytest.raises(SnugError):
        cem.room.frames.open(AUDIO, "audio", frame, w.now)
    assert bo.room.frames.seal("audio", 0, b"opus", w.now) is None


def test_an_older_announcement_does_not_undo_a_newer_one() -> None:
    """Catching up brings messages that were said before those which have come in meanwhile."""
    w, ada, bo, _ = with_audio(224)
    screen = [content.OwnStream(AUDIO, "audio", 0), content.OwnStream(AUDIO + 1, "audio", 2)]

    def blob(count: int, streams: Sequence[content.OwnStream]) -> bytes:
        m = bo.room.membership
        sealed: bytes = m.protect(content.encode(announce(signed(m, count=count, streams=streams))))
        return sealed

    older, newer = blob(2**31, []), blob(2**31 + 1, screen)
    for each in (newer, older):
        ada.room.messages.relayed(each, w.now)
    assert ada.room.announcements.streams(1) == {AUDIO: 0, AUDIO + 1: 2}
    ada.room.messages.relayed(blob(2**31 + 2, []), w.now)
    assert ada.room.announcements.streams(1) == {}, "and the newest counts"


def test_streams_published_on_entering_are_known_to_all() -> None:
    for seed in range(300, 320):
        with_audio(seed)
