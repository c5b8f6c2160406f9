"""Keys end: a former member opens no later frame, and a newcomer no earlier one."""

from __future__ import annotations

import struct
from typing import Final

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.kernel.verdict import Valid
from snugroom.crypto.errors import MissingKeyError, SnugError, StateError
from snugroom.crypto.media.clear_header import Kind
from snugroom.crypto.media.keys import MediaKeys, Stream, open_frame
from snugroom.lab.simulation.world import Participant, World
from snugroom.wire.messages import Committed, Ready, Relayed
from tests.proof.kept_keys import KeptKeys
from tests.proof.meeting import Person, Record, mostly_opened
from tests.proof.witness import EPOCH, REMOVAL, SEALED_AUDIO, SEALED_VIDEO, Tap

FRAMES: Final = 20
Sealed = tuple[Kind, bytes]


def _talk(w: World, who: Participant) -> list[Sealed]:
    """Frames of both kinds, spread over time, sealed as the client seals them."""
    out: list[Sealed] = []
    for number in range(FRAMES):
        for kind, stream in (("audio", Stream.AUDIO), ("video", Stream.VIDEO)):
            frame = bytes([number % 2]) + number.to_bytes(2, "big") * 40
            sealed = who.room.frames.seal(kind, stream, frame, w.now)
            assert sealed is not None
            out.append((kind, sealed))  # type: ignore[arg-type]  # a literal
        w.run(0.02)
    return out


def _opened(kept: KeptKeys, frames: list[Sealed]) -> int:
    return sum(kept.opens(kind, sealed) for kind, sealed in frames)


class _Blobs:
    """All blobs that the server handed to anybody."""

    def __init__(self, w: World) -> None:
        self.commits: list[bytes] = []
        self.relays: list[bytes] = []
        #: Gets no commits any more: it is for the test to hand them over.
        self.withheld_from: Participant | None = None
        w.down_filter = self._note

    def _note(self, who: Participant, message: object) -> bool:
        kept = self.commits if isinstance(message, Committed) else self.relays
        if isinstance(message, Committed | Relayed) and message.blob not in kept:
            kept.append(message.blob)
        return not (who is self.withheld_from and isinstance(message, Committed))


@pytest.mark.parametrize("how", ["removed", "left"])
def test_a_member_who_is_gone_opens_no_later_frames(how: str) -> None:
    w = World(31)
    blobs = _Blobs(w)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    w.run(1)
    membership = bo.room.membership
    kept = KeptKeys.of_group(membership.group)
    before = _talk(w, ada) + _talk(w, cem)
    assert _opened(kept, before) == len(before) == 4 * FRAMES, "as long as Bo is there he opens all"

    commits = len(blobs.commits)
    blobs.withheld_from = bo
    if how == "removed":
        w.do(ada, ev.Remove(1))
    else:
        w.do(bo, ev.Leave())
    w.until(lambda: w.agreed([ada, cem]))
    relays = len(blobs.relays)
    after = _talk(w, ada) + _talk(w, cem)
    w.do(ada, ev.Say("he is gone"))
    w.until(lambda: ("Ada", "he is gone") in cem.said)

    # he keeps everything that he had, and is handed every commit, every frame and every message
    assert _opened(kept, after) == 0
    assert _opened(kept, before) == len(before), "what he could open he always can"
    (commit,) = blobs.commits[commits:]
    verdict = membership.judge(commit)
    assert isinstance(verdict, Valid)
    assert verdict.removes_us
    with pytest.raises(StateError):
        membership.group.adopt(verdict.candidate)
    kept += KeptKeys.of_group(membership.group)
    assert _opened(kept, after) == 0, "the commit tells him no key"
    assert len(blobs.relays) > relays
    for blob in blobs.relays[relays:]:
        with pytest.raises(SnugError):
            membership.open_relay(blob)

    assert _opened(KeptKeys.of_group(cem.room.membership.group), after) == len(after)


def test_a_newcomer_opens_nothing_that_came_before() -> None:
    w = World(32)
    blobs = _Blobs(w)
    ada, bo = w.meeting("Ada", "Bo")
    w.run(1)
    w.do(ada, ev.Say("before"))
    w.until(lambda: ("Ada", "before") in bo.said)
    before = _talk(w, ada) + _talk(w, bo)
    commits, relays = list(blobs.commits), list(blobs.relays)
    assert _opened(KeptKeys.of_group(ada.room.membership.group), before) == len(before)
    cem = w.guest(w.link_of(ada), "Cem")
    w.until(lambda: w.agreed([ada, bo, cem]))
    w.run(1)  # senders have changed to the new epoch
    after = _talk(w, ada) + _talk(w, bo)

    membership = cem.room.membership
    kept = KeptKeys.of_group(membership.group)
    assert _opened(kept, before) == 0
    assert _opened(kept, after) == len(after)
    for blob in relays:
        with pytest.raises(MissingKeyError):
            membership.open_relay(blob)
    for blob in commits:
        assert not isinstance(membership.judge(blob), Valid)
    assert cem.said == []


def test_between_the_commit_and_the_change_a_newcomer_opens_nothing_either() -> None:
    """Until a newcomer's slot is ready, senders go on with the old keys, which the newcomer never gets."""
    w = World(33)
    w.down_filter = lambda who, message: not isinstance(message, Ready)
    ada, _ = w.meeting("Ada", "Bo")
    w.run(1)
    cem = w.guest(w.link_of(ada), "Cem")
    w.until(lambda: len(ada.roster) == 3)
    between = [s for s in (ada.room.frames.seal("audio", 0, bytes([n]) * 99, w.now) for n in range(9)) if s]
    w.until(lambda: cem.room is not None)
    assert len(between) == 9
    assert _opened(KeptKeys.of_group(cem.room.membership.group), [("audio", s) for s in between]) == 0


def test_clients_let_go_of_what_they_must_not_have() -> None:
    w = World(34)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    w.run(1)
    keys: MediaKeys = bo.room.membership.media
    his, others = _talk(w, bo), _talk(w, ada)
    w.do(ada, ev.Remove(1))
    w.until(lambda: bo.ended is not None and w.agreed([ada, cem]))
    assert keys.sending_epoch(w.now) is None, "his client has forgotten its keys"
    for kind, sealed in others:
        with pytest.raises(MissingKeyError):
            open_frame(keys, kind, sealed, w.now)
    for kind, sealed in his:
        with pytest.raises(MissingKeyError, match="has been removed"):
            open_frame(cem.room.membership.media, kind, sealed, w.now)
    for kind, sealed in others:  # what Ada had sealed before may still arrive for two seconds
        assert open_frame(cem.room.membership.media, kind, sealed, w.now).leaf == 0
    w.run(2.1)
    for kind, sealed in _talk(w, ada)[:2]:
        assert open_frame(cem.room.membership.media, kind, sealed, w.now).leaf == 0


# -- once more with processes, a server and real media -------------------------------------------


def _spans(record: Record, person: Person) -> dict[str, list[Sealed]]:
    """A participant's sealed frames from before Bob's entrance, while he was in, and after his removal."""
    out: dict[str, list[Sealed]] = {"before": [], "during": [], "after": []}
    span = "before"
    for kind, data in Tap.read(person.tap):
        if kind in (EPOCH, REMOVAL):
            (epoch,) = struct.unpack(">Q", data)
            span = "after" if epoch >= record.removal else "during" if epoch >= record.entrance else "before"
            assert kind == REMOVAL or epoch != record.removal
        elif kind in (SEALED_AUDIO, SEALED_VIDEO):
            out[span].append(("audio" if kind == SEALED_AUDIO else "video", data))
    return out


@pytest.mark.parametrize("sender", ["ada", "cem"])
def test_real_frames_before_and_after_a_member(meeting: Record, sender: str) -> None:
    spans = _spans(meeting, meeting.people[sender])
    for frames in spans.values():
        assert {kind for kind, _ in frames} == {"audio", "video"}
        assert len(frames) > 50
    bob = KeptKeys.of_witness(meeting.people["bob"].secrets)
    assert len(bob) == 1, "Bob was there for one epoch"
    assert _opened(bob, spans["before"]) == 0
    assert _opened(bob, spans["after"]) == 0
    during = [bob.opens(kind, sealed) for kind, sealed in spans["during"]]
    assert sum(during) > 50
    assert during == sorted(during), "the old epoch for half a second, then his to the end"
    ada = KeptKeys.of_witness(meeting.people["ada"].secrets)
    for frames in spans.values():
        assert _opened(ada, frames) == len(frames), "Ada was there all the time"


@pytest.mark.parametrize("sender", ["ada", "cem"])
def test_real_counters_of_a_member_that_came_late_and_was_removed(meeting: Record, sender: str) -> None:
    spans = _spans(meeting, meeting.people[sender])
    bob = meeting.people["bob"]
    kept = KeptKeys.of_witness(bob.secrets)
    for kind in ("audio", "video"):
        his = sum(kept.opens(k, s) for k, s in spans["during"] if k == kind)
        assert 10 < bob.opened(sender, kind) <= his
    assert bob.of("end")[-1]["reason"] == "removed"
    for who, other in (("ada", "cem"), ("cem", "ada")):
        person = meeting.people[who]
        assert person.opened(other, "audio") > meeting.opened_at_removal[who] + 50, "the others went on"
        # the last count of each stream: a busy machine opens little at first
        last = {(row["from"], row["stream"]): row for row in person.of("media")}
        assert all(mostly_opened(row) for row in last.values()), last
