"""Messages of a newcomer behind its door message, before the server has let it in (decision 81)."""

from __future__ import annotations

from collections.abc import Callable

from snugroom.client.session import events as ev
from snugroom.lab.simulation.world import Link, Participant, World
from snugroom.server.rooms.hub import Hub
from snugroom.wire.messages import Entered, Media, Refused, Show, Shown, decode_client, encode

MEDIA = ev.Publish("ufrag", "p" * 22, bytes(32), ((7, "audio", 0),))


class Noting(World):
    """A world that notes what each participant sends to the room, and whether it was inside."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.sent: list[tuple[str, str, bool]] = []
        self.inside: set[str] = set()
        #: Called with each connection to the room before it is made.
        self.before_joining: Callable[[Participant], None] = lambda who: None
        #: Replaces what a participant sends to the room.
        self.altered: Callable[[str, bytes], bytes] = lambda label, frame: frame

    def _join(self, who: Participant, endpoint: ev.Endpoint, hub: Hub) -> None:
        if endpoint == ev.ROOM:
            self.inside.discard(who.label)
            self.before_joining(who)
        super()._join(who, endpoint, self.hub)

    def _feed(self, who: Participant, what: ev.Input) -> None:
        if isinstance(what, ev.Received) and what.endpoint == ev.ROOM and isinstance(what.message, Entered):
            self.inside.add(who.label)
        super()._feed(who, what)

    def _ascend(self, link: Link, frame: bytes) -> None:
        if link.endpoint == ev.ROOM:
            kind = str(type(decode_client(frame)).__struct_config__.tag)
            self.sent.append((link.who.label, kind, link.who.label in self.inside))
            frame = self.altered(link.who.label, frame)
        super()._ascend(link, frame)

    def of(self, label: str) -> list[tuple[str, bool]]:
        return [(kind, inside) for who, kind, inside in self.sent if who == label]

    def streams(self) -> list[str]:
        """The streams that the server knows."""
        return [kind for room in self.hub.rooms() for kind in room.streams]


def arriving(w: Noting) -> tuple[Participant, Participant]:
    """A host, and a newcomer that has media."""
    ada = w.host("Ada")
    w.until(lambda: bool(ada.of(ev.InviteMade)))
    bo = w.guest(w.link_of(ada), "Bo")
    w.do(bo, MEDIA)
    return ada, bo


def joined(w: Noting) -> tuple[Participant, Participant]:
    """A host, and a guest whose media are there before its answer."""
    ada, bo = arriving(w)
    w.until(lambda: w.agreed([ada, bo]) and "Bo" in w.inside)
    w.run(5)
    return ada, bo


def test_a_newcomer_shows_its_pass_and_publishes_behind_its_door_message() -> None:
    w = Noting(8100)
    _, bo = joined(w)
    assert w.of("Bo")[:3] == [("room_door", False), ("show", False), ("media", False)]
    assert [kind for kind, _ in w.of("Bo")].count("show") == 1
    assert [kind for kind, _ in w.of("Bo")].count("media") == 1
    assert w.streams() == ["audio"]
    assert not bo.alarms


def test_other_parameters_follow_when_they_come() -> None:
    w = Noting(8101)
    _, bo = joined(w)
    w.do(bo, ev.Publish("other", "p" * 22, bytes(32), ((8, "audio", 0), (9, "video", 1))))
    w.run(1)
    assert [kind for kind, _ in w.of("Bo")].count("media") == 2
    assert sorted(w.streams()) == ["audio", "video"]


def test_a_founder_and_a_member_that_is_back_wait_until_they_are_inside() -> None:
    w = Noting(8102)
    ada, bo = joined(w)
    assert ("show", False) not in w.of("Ada")
    w.do(ada, MEDIA)
    w.sent.clear()
    w.cut(bo.links[ev.ROOM])
    w.until(lambda: "media" in [kind for kind, _ in w.of("Bo")])
    assert [kind for kind, inside in w.of("Bo") if not inside] == ["room_door"]


def test_what_came_before_the_room_was_open_is_sent_again_and_nobody_is_alarmed() -> None:
    w = Noting(8103)
    died: list[float] = []

    def die(who: Participant) -> None:
        if who.label == "Bo" and not died:
            died.append(w.now)
            w.kill_server()
            w.start_server()

    w.before_joining = die
    ada, bo = joined(w)
    assert died
    assert [kind for kind, _ in w.of("Bo")].count("media") == 2
    assert w.streams() == ["audio"]
    assert not bo.alarms
    w.do(bo, ev.Say("here"))
    w.until(lambda: ("Bo", "here") in ada.said)


def test_a_pass_that_did_not_fit_is_shown_again_with_what_followed_it() -> None:
    w = Noting(8104)
    spoilt: list[bytes] = []

    def spoil(label: str, frame: bytes) -> bytes:
        if label == "Bo" and not spoilt and isinstance(decode_client(frame), Show):
            spoilt.append(frame)
            return encode(Show([bytes(32)]))
        return frame

    w.altered = spoil
    _, bo = joined(w)
    assert spoilt
    assert [kind for kind, _ in w.of("Bo")].count("show") == 2
    assert [kind for kind, _ in w.of("Bo")].count("media") == 2
    assert w.streams() == ["audio"]
    assert not bo.alarms


def test_a_server_that_refuses_media_forever_is_not_asked_forever() -> None:
    w = Noting(8105)

    def refuse(label: str, frame: bytes) -> bytes:
        if label == "Bo" and isinstance(decode_client(frame), Media):
            link = w.people[1].links[ev.ROOM]
            w._deliver(link, encode(Refused("pass", "show the pass first", "media")))
        return frame

    w.altered = refuse
    w.down_filter = lambda who, message: who.label != "Bo" or not isinstance(message, Shown)
    arriving(w)
    w.until(lambda: "Bo" in w.inside)
    w.run(5)
    assert [kind for kind, _ in w.of("Bo")].count("media") == 1
