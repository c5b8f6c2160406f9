"""This client's own clock notices connections that carry nothing any more; honest silence is fine."""

from __future__ import annotations

from collections import Counter

import pytest

from snugroom.client.proxy import SLOWNESS
from snugroom.client.session import events as ev
from snugroom.client.session.catalogue.sentence import sentence
from snugroom.client.session.kernel import backoff, liveness
from snugroom.client.session.kernel.first_contact import CONTACT_TIME, FirstContact
from snugroom.client.session.kernel.liveness import Liveness
from snugroom.lab.simulation.servers import OTHERS
from snugroom.lab.simulation.world import ORIGIN, Participant, World, seeded
from snugroom.wire import messages as wire
from tests.session.test_places import moving, talk

ENTERED = wire.Entered(bytes(8), bytes(8))
TICK = 0.1


class Line:
    """One connection of a client, whose clock the test turns."""

    def __init__(self, slowness: float = 1.0) -> None:
        self.now = 100.0
        self.liveness = Liveness(self.now, slowness)
        self.liveness.performed([ev.Connect(ev.ROOM)])

    def after(self, seconds: float) -> tuple[int, int]:
        """Tick for so long; return the numbers of pings, and of times that it was given up."""
        pings = cuts = 0
        for _ in range(round(seconds / TICK)):
            self.now += TICK
            silent = self.liveness.tick(self.now)
            pings, cuts = pings + len(silent.asked), cuts + len(silent.dead)
            if silent.dead:
                self.liveness.lost(ev.ROOM)
        return pings, cuts

    def hears(self, message: wire.ServerMessage = wire.Pong()) -> None:  # noqa: B008 - frozen
        self.liveness.heard(ev.ROOM, message)


def test_an_answered_ping_keeps_a_connection_and_comes_again_and_again() -> None:
    line = Line()
    line.hears(ENTERED)
    for _ in range(15):
        assert line.after(liveness.PING_EVERY + TICK) == (1, 0)
        line.hears()


def test_other_messages_need_no_ping() -> None:
    line = Line()
    line.hears(ENTERED)
    for _ in range(20):
        assert line.after(liveness.PING_EVERY - TICK) == (0, 0)
        line.hears(wire.Left(bytes(8)))


def test_a_dead_connection_is_given_up_within_some_five_seconds() -> None:
    line = Line()
    line.hears(ENTERED)
    assert line.after(liveness.PING_EVERY + liveness.PING_WAIT - TICK) == (1, 0)
    assert line.after(4 * TICK) == (0, 1)
    assert liveness.PING_EVERY + liveness.PING_WAIT <= 5


def test_a_connection_that_never_lets_us_in_is_given_up_and_gets_no_ping() -> None:
    line = Line()
    line.hears(wire.Challenge(1, ORIGIN, bytes(32), bytes(32)))
    assert line.after(9.5) == (0, 0)
    assert line.after(1.0) == (0, 1)


def test_a_machine_that_stood_still_waits_for_the_answer_as_long_as_it_runs() -> None:
    line = Line()
    line.hears(ENTERED)
    assert line.after(liveness.PING_EVERY + TICK) == (1, 0)
    line.now += 3600.0  # asleep, or busy: in that time no answer could be read
    assert line.after(liveness.PING_WAIT - liveness.TICK_MAX - 3 * TICK) == (0, 0)
    assert line.after(0.9) == (0, 1)


def test_what_we_send_ourselves_gives_the_answer_time() -> None:
    line = Line()
    line.hears(ENTERED)
    line.liveness.performed([ev.Transmit(ev.ROOM, wire.Relay(bytes(131_072)))])
    assert line.after(12.5) == (1, 0)
    assert line.after(1.0) == (0, 1)


@pytest.mark.parametrize("certain", [False, True])
def test_another_network(certain: bool) -> None:
    line = Line()
    line.hears(ENTERED)
    silent = line.liveness.network_changed(certain)
    assert (len(silent.asked), len(silent.dead)) == ((0, 1) if certain else (1, 0))
    if not certain:
        assert line.after(1.4) == (0, 0)
        assert line.after(0.3) == (0, 1)


# -- whole sessions ------------------------------------------------------------------------------


def statuses(who: Participant) -> list[str]:
    return [e.text for e in who.told if isinstance(e, ev.Status)]


def cuts(who: Participant) -> int:
    return who.performed.count(ev.Disconnect(ev.ROOM))


def test_a_host_alone_for_an_hour_is_never_cut() -> None:
    w = World(3)
    ada = w.host("Ada")
    w.run(3600.0)
    assert cuts(ada) == 0
    assert not ada.alarms


def test_a_dead_connection_costs_some_eight_seconds_and_one_sentence_that_accuses_nobody() -> None:
    w = World(4)
    ada, bo = w.meeting("Ada", "Bo")
    w.do(ada, ev.Say("just now"))
    w.until(lambda: ("Ada", "just now") in bo.said, 3.0)
    dead = bo.links[ev.ROOM]
    # nothing comes through it any more, in either direction, and neither end is told
    w.down_filter = lambda who, message: who is not bo or bo.links.get(ev.ROOM) is not dead
    ascend = w._ascend
    w._ascend = lambda link, frame: None if link is dead else ascend(link, frame)  # type: ignore[method-assign]
    before = len(statuses(bo))
    assert w.until(lambda: cuts(bo) == 1, 9.0) > 3.5
    w.until(lambda: bo.links.get(ev.ROOM) not in (None, dead), 5.0)
    w.do(bo, ev.Say("here again"))
    w.until(lambda: ("Bo", "here again") in ada.said, 5.0)
    told = statuses(bo)[before:]
    assert told == [
        "The connection to the server was lost (it does not answer); your network may have changed. "
        "Trying again...",
        "Connected to the server again.",
    ]
    assert not bo.alarms


def test_another_address_costs_no_wait_at_all() -> None:
    w = World(5)
    ada, bo = w.meeting("Ada", "Bo")
    dead = bo.links[ev.ROOM]
    w.do(bo, ev.NetworkChanged(certain=True))
    w.until(lambda: bo.links.get(ev.ROOM) not in (None, dead), 0.3)
    w.do(bo, ev.Say("here"))
    w.until(lambda: ("Bo", "here") in ada.said, 3.0)
    assert not bo.alarms


# -- the way back --------------------------------------------------------------------------------


def test_a_crowd_does_not_return_at_once() -> None:
    """Full jitter: the whole span is random, and twice as long after each failure, up to a limit."""
    for failures, span in ((0, 0.5), (1, 1.0), (2, 2.0), (3, 4.0), (60, 4.0)):
        delays = [backoff.delay(failures, seeded(client)) for client in range(1000)]
        assert all(0 <= delay < span for delay in delays)
        tenths = Counter(int(10 * delay / span) for delay in delays)
        assert sorted(tenths) == list(range(10))
        assert max(tenths.values()) < 150, "none of ten slices gets more than half again its share"


def test_members_of_a_restarted_server_do_not_come_back_at_one_moment() -> None:
    """As sessions, not as a function: the delay is drawn by each from its own randomness."""
    w = World(6)
    people = w.meeting("Ada", "Bo", "Cem", "Dana", "Eve")
    began = w.now
    w.kill_server()
    w.start_server()
    came: dict[str, float] = {}

    def all_back() -> bool:
        for who in people:
            if ev.ROOM in who.links:
                came.setdefault(who.label, w.now - began)
        return len(came) == len(people)

    w.until(all_back, 5.0)
    assert max(came.values()) - min(came.values()) > 0.12
    assert max(came.values()) < 0.8


def test_behind_a_proxy_answers_may_take_longer() -> None:
    line = Line(SLOWNESS)
    assert line.after(SLOWNESS * liveness.ENTRY_WAIT - 1) == (0, 0)
    line.hears(ENTERED)
    assert line.after(liveness.PING_EVERY + SLOWNESS * liveness.PING_WAIT - 1) == (1, 0)
    assert line.after(2.0) == (0, 1)
    line = Line(SLOWNESS)
    assert line.after(SLOWNESS * liveness.ENTRY_WAIT + 1) == (0, 1)


# -- the first contact ---------------------------------------------------------------------------


def lonely(session_of: str) -> tuple[World, Participant]:
    w = World(7)
    link = w.link_of(w.host("Ada"))
    w.kill_server()
    return w, (w.host("Bo") if session_of == "host" else w.guest(link, "Bo"))


@pytest.mark.parametrize("session_of", ["host", "guest"])
def test_without_any_contact_a_session_ends_and_says_why(session_of: str) -> None:
    w, bo = lonely(session_of)
    w.run(CONTACT_TIME - 0.5)
    assert not bo.session.inside
    assert not [e for e in bo.told if isinstance(e, ev.Ended)]
    w.run(1.0)
    assert bo.ended is not None
    assert (bo.ended.reason, bo.session.contacted) == ("failed", False)
    assert bo.ended.text.startswith(f"No connection to the server at {ORIGIN}: refused. ")


def test_the_first_contact_through_a_proxy_may_take_longer_and_the_proxy_is_named() -> None:
    contact = FirstContact(ORIGIN, 100.0, SLOWNESS)
    contact.lost(sentence("terminal.proxy_wants"))
    assert contact.overdue(100.0 + SLOWNESS * CONTACT_TIME - 1) is None
    ended = contact.overdue(100.0 + SLOWNESS * CONTACT_TIME + 1)
    assert ended is not None
    assert ended.text == (
        f"No connection to {ORIGIN}: the proxy wants a user name and a password. Check the addresses of the "
        "proxy and of the server, or ask whoever runs the proxy."
    )


@pytest.mark.parametrize("session_of", ["host", "guest"])
def test_who_leaves_before_is_told_so(session_of: str) -> None:
    w, bo = lonely(session_of)
    w.run(1.0)
    w.do(bo, ev.Leave())
    assert bo.ended == ev.Ended("left", f"It ended before the server at {ORIGIN} had let you in (refused).")


def test_a_certificate_that_proves_nothing_ends_a_session_before_and_is_an_alarm_in_a_meeting() -> None:
    w, bo = lonely("guest")
    w.do(bo, ev.Lost(ev.Endpoint(1), "broke", distrust="it expired"))
    assert bo.ended is not None
    assert bo.ended.reason == "untrusted"
    w = World(8)
    ada, _ = w.meeting("Ada", "Bo")
    w.cut(ada.links[ev.ROOM])
    for _ in range(3):
        w.do(ada, ev.Lost(ev.ROOM, "broke", distrust="it expired"))
    assert ada.alarms == ["untrusted"], "once, however often it is tried again"
    assert ada.ended is None


def test_another_name_of_the_server_ends_a_session_before_and_is_a_lost_connection_later() -> None:
    w, bo = lonely("host")
    challenge = wire.Challenge(1, "https://other.example", bytes(32), bytes(32))
    w.do(bo, ev.Received(ev.ROOM, challenge))
    assert bo.ended is not None
    assert bo.ended.reason == "unserved"
    assert "calls itself https://other.example, and the link says " + ORIGIN in bo.ended.text
    w = World(9)
    ada, _ = w.meeting("Ada", "Bo")
    w.do(ada, ev.Received(ev.ROOM, challenge))
    assert ada.ended is None
    assert cuts(ada) == 1
    assert "it now calls itself https://other.example" in statuses(ada)[-1]


@pytest.mark.parametrize("seed", range(1516, 1520))
def test_a_server_that_falls_silent_is_left_within_six_and_a_half_seconds(seed: int) -> None:
    w, (ada, bo, cem) = moving(seed, "Ada", "Bo", "Cem")
    w.run(1)
    w.holes.add(ORIGIN)
    w.tried.clear()
    assert talk(w, bo, [ada, cem], "still here?") < 6.5
    # Each waits for the host there, and does not ask the silent server again.
    assert sorted(w.tried) == [(name, OTHERS[0]) for name in ("Ada", "Bo", "Cem")]
    w.run(30)
    assert [*ada.alarms, *bo.alarms, *cem.alarms] == []
