"""Lists of media signatures at the server: only the receivers of a stream get them, and it keeps few."""

from __future__ import annotations

import pytest

from snugroom.server.config import Settings
from snugroom.server.rooms.effects import MediaSubscribe, Send
from snugroom.server.rooms.memory import BLOB
from snugroom.wire import limits
from snugroom.wire.messages import Broadcast, Broadcasted, Message, Subscribe
from tests.server.people import Table, blob, media, show
from tests.server.test_room import A, B, C, D, codes

AUDIO, VIDEO = 10, 11


def lists(messages: list[Message]) -> list[str]:
    """The names of the blobs among the messages."""
    return [m.blob.rstrip(b".").decode() for m in messages if isinstance(m, Broadcasted)]


def signed(name: str, ssrc: int = VIDEO, size: int = 576) -> Broadcast:
    return Broadcast(blob(name, size), ssrc)


def table(*, settings: Settings | None = None) -> Table:
    """A sends sound and video; B and C receive all, D has no media."""
    t = Table(settings or Settings(media_change_burst=100)).opened(A, B, C, D)
    t.says(A, media(AUDIO, VIDEO))
    t.says(B, media(20))
    t.says(C, media(30))
    t.inbox.clear()
    t.effects.clear()
    return t


def test_a_list_reaches_the_receivers_of_its_stream_alone() -> None:
    t = table()
    t.says(B, Subscribe([AUDIO, 30]))
    t.wait(limits.LISTS_LINGER)
    t.inbox.clear()
    t.says(A, signed("video"))
    t.says(A, signed("sound", AUDIO))
    assert lists(t.heard(B)) == ["sound"]
    assert lists(t.heard(C)) == ["video", "sound"], "who asked for nothing receives all"
    assert lists(t.heard(D)) == [], "who has no media receives nothing"
    assert lists(t.heard(A)) == [], "nor does the sender"


def test_without_a_stream_a_blob_reaches_all() -> None:
    t = table()
    t.says(B, Subscribe([]))
    t.wait(limits.LISTS_LINGER)
    t.says(A, Broadcast(blob("heartbeat")))
    assert [lists(t.heard(who)) for who in (B, C, D)] == [["heartbeat"]] * 3


def test_whoever_leaves_a_stream_gets_the_lists_of_what_it_has_received() -> None:
    t = table()
    t.says(B, Subscribe([AUDIO]))
    t.wait(limits.LISTS_LINGER - 0.1)
    t.says(A, signed("of frames before"))
    t.says(B, Subscribe([]))  # it leaves another one meanwhile
    t.wait(0.2)
    t.says(A, signed("of frames since"))
    t.says(A, signed("sound", AUDIO))
    assert lists(t.heard(B)) == ["of frames before", "of frames since", "sound"], (
        "each change lets them linger"
    )
    t.wait(limits.LISTS_LINGER)
    t.says(A, signed("much too late"))
    t.says(A, signed("late sound", AUDIO))
    assert lists(t.heard(B)) == []


def test_whoever_joins_a_stream_gets_its_last_lists_at_once_and_first() -> None:
    t = table()
    t.says(B, Subscribe([AUDIO]))
    t.wait(limits.LISTS_LINGER)
    for number in range(8):
        t.says(A, signed(f"video {number}"))
        t.says(A, signed(f"sound {number}", AUDIO))
        t.wait(0.5)
    t.inbox.clear()
    t.effects.clear()
    got = t.says(B, Subscribe([AUDIO, VIDEO]))
    assert lists(got) == ["video 4", "video 5", "video 6", "video 7"], "and none that it had"
    kinds = [type(effect) for effect in t.effects]
    assert kinds == [Send] * 4 + [MediaSubscribe], "before the first frame"
    t.says(A, signed("video 8"))
    assert lists(t.heard(B))[4:] == ["video 8"]


def test_nothing_is_sent_twice_to_whoever_comes_back_in_time() -> None:
    t = table()
    t.says(A, signed("0"))
    t.says(B, Subscribe([AUDIO]))
    t.wait(1.0)
    t.says(A, signed("1"))
    t.says(B, Subscribe(None))
    assert lists(t.heard(B)) == ["0", "1"]


def test_the_server_keeps_lists_for_seconds_and_few_of_them() -> None:
    t = table()
    before = t.room.media.list_memory
    for _ in range(3):
        t.says(A, signed("x", size=512))
    assert t.room.facts().signature_lists == (512,) * 3
    assert t.room.media.list_memory == before + 3 * (512 + BLOB)
    t.wait(limits.LISTS_KEPT - 0.1)
    assert len(t.room.facts().signature_lists) == 3
    t.wait(0.2)
    assert t.room.facts().signature_lists == ()
    for _ in range(100):
        t.says(A, signed("x", size=512))
    assert len(t.room.facts().signature_lists) == limits.LISTS_KEPT_MAX
    for _ in range(3):
        t.says(A, signed("x", size=limits.LIST_BLOB_MAX))
    assert sum(t.room.facts().signature_lists) <= limits.LISTS_KEPT_BYTES


def test_lists_are_counted_and_forgotten_with_their_senders_media() -> None:
    for ending in ("leave", "refused", "lost", "restart"):
        t = table()
        ledger = t.room.backlog._ledger
        held = ledger.blobs
        t.says(A, signed("x"))
        assert ledger.blobs == held + 576 + BLOB
        match ending:
            case "leave":
                t.leave(A)
            case "refused":
                t.room.media.refused(A)
            case "lost":
                t.room.media.lost([A])
            case _:
                t.room._restart(7, bytes(32), bytes(32), t.now)
                t.room.media.lapse(t.now)
        assert ledger.blobs <= held, ending
        assert t.room.facts().signature_lists == (), ending


def test_new_media_begins_with_all_streams_and_other_media_keeps_the_choice() -> None:
    t = table()
    t.says(B, Subscribe([AUDIO]))
    t.wait(limits.LISTS_LINGER)
    t.says(B, media(20, ufrag="efgh"))
    t.inbox.clear()
    t.says(A, signed("video"))
    assert lists(t.heard(B)) == [], "the SFU keeps the subscription of a path that goes on"
    t.room.media.lost([B])
    t.says(B, media(20))
    t.inbox.clear()
    t.says(A, signed("video"))
    assert lists(t.heard(B)) == ["video"]


def test_a_sender_without_media_is_passed_on_and_nothing_of_it_is_kept() -> None:
    """A sender that has come back sends its last lists before its media."""
    t = table()
    t.says(D, signed("again", 40))
    assert lists(t.heard(C)) == ["again"]
    assert t.room.facts().signature_lists == ()


def test_nobody_receives_lists_without_a_pass() -> None:
    t = table()
    t.host_takes(A, 1)
    for who in (A, C):
        t.says(who, show(1))
    t.now += limits.PASS_GRACE + 0.1  # before the room looks who may no longer receive
    t.inbox.clear()
    t.says(A, signed("x"))
    assert lists(t.heard(C)) == ["x"]
    assert lists(t.heard(B)) == []
    assert codes(t.says(B, signed("x"))) == ["pass"]


@pytest.mark.parametrize(
    ("size", "accepted"),
    [
        (512, True),
        (576, True),
        (1024, True),
        (32_768, True),
        (520, False),
        (575, False),
        (32_832, False),
        (65_536, False),
    ],
)
def test_the_size_of_a_list(size: int, accepted: bool) -> None:
    t = table()
    assert codes(t.says(A, signed("x", size=size))) == ([] if accepted else ["size"])
    assert len(lists(t.heard(C))) == accepted
    assert codes(t.says(A, Broadcast(blob("x", 576)))) == ["size"], "other blobs fill buckets"


def test_a_choice_that_changes_without_end_is_bounded() -> None:
    t = table()
    t.says(B, Subscribe([]))
    t.wait(limits.LISTS_LINGER)
    for turn in range(40):
        t.says(B, Subscribe(list(range(1 + 1000 * turn, 1001 + 1000 * turn))))
    seat = t.room._seats[B]
    assert seat.subscription is not None
    assert seat.subscription._before is None, "then it gets the lists of all"
    assert seat.subscription.includes(VIDEO, t.now)
    assert not seat.subscription.includes(VIDEO, t.now + limits.LISTS_LINGER)
