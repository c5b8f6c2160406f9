"""Why nothing is sent, and what people are told of it: never that it goes on while something holds it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue.sentence import Sentence
from snugroom.client.session.monitor.freshness import FRESH, LEASE, Freshness
from snugroom.client.session.monitor.heartbeats import INTERVAL_MIN
from snugroom.client.session.monitor.monitor import Monitor
from snugroom.client.session.options import Options
from snugroom.lab.simulation.liars import Liar, ahead, held_by
from snugroom.lab.simulation.servers import OTHERS, Servers, listed
from snugroom.lab.simulation.world import ORIGIN, Participant, World, heal
from snugroom.wire import messages as wire
from tests.session.forked import monitor, signed_by, texts
from tests.session.hosts import deputised
from tests.session.seeds import EVERY_TICK
from tests.session.test_absence import closes
from tests.session.test_comeback import come_back, meeting

#: Sentences that say that sound, video and messages no longer wait; and those that say it of messages alone.
GO_ON = {"status.cleared.fresh", "status.override", "status.override.follows"}
MESSAGES_GO_ON = GO_ON | {"status.override.messages"}


@contextmanager
def truthful(w: World) -> Iterator[Counter[str]]:
    """While it lasts, nobody is told that something goes on which is held. Gives the sentences told."""
    told: Counter[str] = Counter()
    performed = w._perform

    def perform(who: Participant, effects: Sequence[ev.Effect]) -> None:
        performed(who, effects)
        for effect in effects:
            text = (
                effect.event.text
                if isinstance(effect, ev.Tell) and isinstance(effect.event, ev.Status)
                else ""
            )
            key = text.key if isinstance(text, Sentence) else ""
            if key in MESSAGES_GO_ON:
                told[key] += 1
                assert who.room.feature(Monitor).hold_reason(w.now) is None, key
            if key in GO_ON:
                assert who.room.pause_reason(w.now) is None, key

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(w, "_perform", perform)
        yield told


def override(w: World, who: Participant) -> None:
    if who.ended is None and who.session._room and monitor(who).hold_reason(w.now) is not None:
        w.do(who, ev.Override())


# -- an override -------------------------------------------------------------------------------------------


def test_an_override_lasts_while_a_claim_stands_and_nobody_is_told_that_nothing_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    w = World(480)
    ada, bo, cem, who = w.meeting("Ada", "Bo", "Cem", "Dana")
    deputised(w, ada, who)
    w.run(20)
    liar = Liar(monkeypatch, w, who)
    with truthful(w) as told:
        liar.lie = ahead()
        liar.beat()
        w.until(lambda: "\u201cDana\u201d reports a change" in held_by(bo, w.now), 3)
        w.do(bo, ev.Override())
        for _ in range(80):
            w.run(0.1)
            assert held_by(bo, w.now) == ""
        assert held_by(cem, w.now) != "", "this is each person's own decision"
        assert told == {"status.override": 1}
        assert texts(bo, "withheld")[0].startswith("\u201cDana\u201d, a host, reports")


def test_nobody_ends_anothers_override_by_coming_in_again(monkeypatch: pytest.MonkeyPatch) -> None:
    w = World(481)
    ada, bo, _, who = w.meeting("Ada", "Bo", "Cem", "Dana")
    w.run(20)
    liar = Liar(monkeypatch, w, who)
    w.kill(ada)
    w.until(lambda: bool(texts(bo, "stale")), 65)
    w.do(bo, ev.Override())
    for lie in (None, ahead()):
        liar.lie = lie
        w.until(liar.comes_in_again, 60)
        w.run(2)
        assert held_by(bo, w.now) == ""
    assert len(texts(bo, "stale")) == 1


def test_an_override_ends_when_a_second_member_says_so_too(monkeypatch: pytest.MonkeyPatch) -> None:
    w = World(482)
    ada, bo, cem, who, _ = w.meeting("Ada", "Bo", "Cem", "Dana", "Eve")
    w.run(20)
    liar = Liar(monkeypatch, w, who)
    with truthful(w):
        liar.lie = ahead()
        liar.beat()
        w.until(lambda: held_by(bo, w.now) != "", 3)
        w.do(bo, ev.Override())
        w.down_filter = lambda who, message: not (who is bo and isinstance(message, wire.Committed))
        heal(w, cem)
        w.until(lambda: held_by(bo, w.now) != "", 5)
        assert "report a change" in held_by(bo, w.now)
        w.until(lambda: any("have signed" in text for text in texts(bo, "withheld")), 10)
        w.until(lambda: bool(texts(ada, "withheld")), 5)
        assert texts(ada, "withheld")[0].startswith("\u201cDana\u201d reports"), "and Ada is told of one liar"


def test_where_sound_cannot_go_on_an_override_says_so() -> None:
    """The server keeps a change back for so long that Bo asks to be let in again."""
    w = World(483)
    ada, bo, _ = w.meeting("Ada", "Bo", "Cem")
    w.run(20)
    w.down_filter = lambda who, message: (
        not (who is bo and isinstance(message, wire.Committed | wire.CaughtUp | wire.Posted))
    )
    heal(w, ada)
    w.until(lambda: bo.room.seeks_readmission, 20)
    w.run(0.5)
    with truthful(w) as told:
        w.do(bo, ev.Override())
        assert told == {"status.override.messages": 1}
    assert "Sound and video still wait. We fell out of step" in texts(bo, "override")[0]


STEPS = st.one_of(
    st.tuples(st.just("lie"), st.sampled_from([ahead(1), ahead(5000), None])),
    st.tuples(st.just("rejoin"), st.integers(1, 3)),
    st.tuples(st.just("silence"), st.integers(0, 3)),
    st.tuples(st.just("hear"), st.none()),
    st.tuples(st.just("withhold"), st.integers(0, 3)),
    st.tuples(st.just("cut"), st.integers(0, 3)),
    st.tuples(st.just("join"), st.none()),
    st.tuples(st.just("remove"), st.none()),
    st.tuples(st.just("commit"), st.integers(0, 3)),
    st.tuples(st.just("move"), st.sampled_from([ORIGIN, OTHERS[0]])),
    st.tuples(st.just("wait"), st.sampled_from([4.0, 9.0, 17.0])),
)


def step(w: Servers, people: list[Participant], liar: Liar, what: str, how: object) -> None:
    """Do one thing, if it is possible now."""
    who = people[how] if isinstance(how, int) else people[0]
    if who.ended is not None or who.session._room is None:
        return
    match what:
        case "lie":
            liar.lie = how  # type: ignore[assignment]
            liar.beat()
        case "rejoin":
            who.room.give_up()
        case "cut" if ev.ROOM in who.links:
            w.cut(who.links[ev.ROOM])
        case "join":
            w.guest(w.link_of(people[0]), f"Guest {len(w.people)}")
        case "remove":
            leaves = [leaf for leaf, name, _ in who.room.membership.members() if "Guest" in name]
            for leaf in leaves[:1]:
                w.do(who, ev.Remove(leaf))
        case "commit":
            heal(w, who)
        case "move" if who.room.here.origin != how:
            w.do(who, ev.Move(str(how)))


@pytest.mark.timeout(900)  # every tick of sixty plays takes 250 s on a slow and busy machine
@settings(
    max_examples=60 if EVERY_TICK else 10,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.lists(st.tuples(STEPS, st.booleans()), min_size=6, max_size=12))
def test_nobody_is_told_that_nothing_waits_while_something_holds(
    steps: list[tuple[tuple[str, object], bool]],
) -> None:
    w = Servers(484)
    people = w.meeting("Ada", "Bo", "Cem", "Dana")
    listed(w, people[0], OTHERS[0])
    w.run(8)
    quiet: set[str] = set()
    without: set[str] = set()

    def carries(who: Participant, message: object) -> bool:
        if isinstance(message, wire.Broadcasted):
            return who.label not in quiet
        return not (isinstance(message, wire.Committed | wire.CaughtUp) and who.label in without)

    w.down_filter = carries
    with pytest.MonkeyPatch.context() as patch, truthful(w):
        liar = Liar(patch, w, people[3])
        for (what, how), overrides in steps:
            if what in ("silence", "withhold") and isinstance(how, int):
                (quiet if what == "silence" else without).add(people[how].label)
            elif what == "hear":
                quiet.clear()
                without.clear()
            else:
                step(w, people, liar, what, how)
            w.run(how if isinstance(how, float) else 0.5)
            for who in people if overrides else ():
                override(w, who)
            w.run(1.0)
        quiet.clear()
        without.clear()
        liar.lie = None
        w.run(20)


# -- a host that goes --------------------------------------------------------------------------------------


def test_when_the_only_host_closes_its_page_the_others_learn_why_they_are_silent() -> None:
    w = World(485)
    ada, bo, cem = meeting(w, "Ada", "Bo", "Cem")
    w.run(10)
    with truthful(w) as told:
        closes(w, ada)
        assert w.until(lambda: held_by(bo, w.now) != "", 65) > LEASE - 10
        assert held_by(bo, w.now).endswith("no host's program has answered lately.")
        w.run(1)
        for who in (bo, cem):
            (text,) = texts(who, "stale")
            assert text.startswith("Your program hears no host: \u201cAda\u201d hasn't answered for a while.")
            assert "They go on when a host is back." in text
            assert "a second host" in text
            assert text.endswith("/override sends them now.")
            assert not texts(who, "silent"), "Ada has said so"
        w.run(60)
        assert len(texts(bo, "stale")) == 1
        ada = come_back(w, ada)
        w.until(lambda: all(texts(who, "cleared") for who in (bo, cem)), 20)
        assert told["status.cleared.fresh"] == 2
        assert held_by(bo, w.now) == held_by(cem, w.now) == ""


@pytest.mark.parametrize("strict", [False, True])
def test_a_hosts_word_lets_more_than_half_go_on_for_a_minute_or_for_15_s_if_strict(strict: bool) -> None:
    w = World(488)
    ada = w.host("Ada", options=Options(strict=strict))
    people = [ada, *(w.guest(w.link_of(ada), name) for name in ("Bo", "Cem"))]
    w.until(lambda: w.agreed(people))
    _, bo, cem = people
    assert bo.room.membership.policy.strict is strict
    w.run(16)
    w.kill(ada)
    w.until(lambda: held_by(bo, w.now) != "", 65)
    last = monitor(bo)._members.last_heard(ada.room.membership.own_leaf)
    lease = FRESH[0] if strict else LEASE
    assert lease - INTERVAL_MIN - 0.5 <= w.now - last <= lease, "since Bo said what Ada answered to"
    w.run(INTERVAL_MIN)
    assert held_by(cem, w.now) != ""


def test_a_host_that_comes_in_again_keeps_its_lease_and_gets_no_other_by_that() -> None:
    w = World(489)
    ada, bo, cem = meeting(w, "Ada", "Bo", "Cem")
    w.run(16)
    w.kill(ada)
    gone = w.now
    w.run(40)
    again = come_back(w, ada)
    w.down_filter = lambda who, message: (
        who is again
        or not isinstance(message, wire.Broadcasted)
        or (signed_by(who, message.blob) != again.session.own_leaf)
    )
    w.until(lambda: w.agreed([again, bo, cem]), 20)
    assert held_by(bo, w.now) == ""
    w.until(lambda: held_by(bo, w.now) != "", 65)
    assert LEASE - 2 * INTERVAL_MIN - 0.5 <= w.now - gone <= LEASE


def test_a_hosts_lease_ends_with_its_word_for_a_change_that_has_not_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Then it is 15 s, as of everybody, even if the server lets nothing more of the host through."""
    w = World(489)
    ada, bo, cem = meeting(w, "Ada", "Bo", "Cem")
    w.run(10)
    liar = Liar(monkeypatch, w, ada)
    liar.lie = ahead()
    w.until(lambda: held_by(bo, w.now) != "", 6)
    w.kill(ada)
    w.run(25)
    assert held_by(bo, w.now) != "", "and a lease of 65 s would not have been over"
    assert held_by(cem, w.now) != ""


def follows(who: Participant) -> list[str]:
    """Return what somebody was told about following more than half."""
    return [text for text in texts(who, "override") if text.startswith("More than half go on")]


def test_where_more_than_half_go_on_without_the_host_the_others_follow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    w = World(490)
    ada, bo, cem, dana, eve = people = meeting(w, "Ada", "Bo", "Cem", "Dana", "Eve")
    w.run(10)
    w.kill(ada)
    w.until(lambda: all(held_by(p, w.now) != "" for p in people[1:]), 65)
    with truthful(w):
        for who in (bo, cem):
            w.do(who, ev.Override())
        w.run(12)
        assert held_by(eve, w.now) != "", "two of five have said so"
        w.do(dana, ev.Override())
        assert w.until(lambda: held_by(eve, w.now) == "", 6) < 3
        assert len(follows(eve)) == 1
        assert "without \u201cAda\u201d" in follows(eve)[0]
        assert [follows(p) for p in (bo, cem, dana)] == [[]] * 3, "they have decided it themselves"
        w.run(30)
        assert len(follows(eve)) == 1
        assert [line for line in eve.incidents.open if line.cause == "stale"] == []
        liar = Liar(monkeypatch, w, bo)
        liar.lie = ahead()
        w.run(6)
        liar.lie = None
        w.run(30)
        ada = come_back(w, ada)
        w.until(lambda: bool(texts(eve, "cleared")), 20)


def test_nobody_follows_where_more_than_a_host_is_missing() -> None:
    w = World(491)
    ada, bo, cem, dana, eve = people = meeting(w, "Ada", "Bo", "Cem", "Dana", "Eve")
    w.run(10)
    w.kill(ada)
    w.until(lambda: all(held_by(p, w.now) != "" for p in people[1:]), 65)
    leaf = eve.room.membership.own_leaf
    w.down_filter = lambda who, message: (
        not (isinstance(message, wire.Broadcasted) and signed_by(who, message.blob) == leaf)
    )
    w.run(40)  # nobody answers Eve any more
    for who in (bo, cem, dana):
        w.do(who, ev.Override())
    w.run(30)
    assert held_by(eve, w.now).endswith("no host and too few of the others have answered lately.")
    assert follows(eve) == []


def test_too_few_is_said_only_where_it_is_so() -> None:
    w = World(486)
    ada, bo, cem, dana, eve = meeting(w, "Ada", "Bo", "Cem", "Dana", "Eve")
    deputised(w, ada, bo)
    w.run(10)
    for who in (cem, dana, eve):
        w.kill(who)
    w.until(lambda: held_by(ada, w.now) != "", 20)
    assert held_by(ada, w.now).endswith(": too few of the others have answered lately.")
    w.until(lambda: bool(texts(ada, "stale")), 3)
    assert texts(ada, "stale")[0].startswith(
        "\u201cCem\u201d, \u201cDana\u201d and \u201cEve\u201d haven't answered"
    )
    w.kill(ada)
    w.run(20)
    assert held_by(bo, w.now).endswith(": too few of the others have answered lately."), "Bo is a host"


def test_the_reason_changes_with_what_is_missing() -> None:
    w = World(487)
    ada, bo, cem, dana = meeting(w, "Ada", "Bo", "Cem", "Dana")
    w.run(10)
    w.kill(ada)
    w.until(lambda: bool(texts(bo, "stale")), 65)
    assert held_by(bo, w.now).endswith("no host's program has answered lately.")
    w.kill(dana)
    w.kill(cem)
    w.until(
        lambda: held_by(bo, w.now).endswith("no host and too few of the others have answered lately."), 20
    )
    w.until(lambda: len(texts(bo, "stale")) == 2, 40)
    last = texts(bo, "stale")[-1]
    assert last.startswith(
        "Your program hears no host, and \u201cAda\u201d, \u201cCem\u201d and \u201cDana\u201d haven't"
    )


@given(
    st.dictionaries(st.integers(1, 9), st.booleans(), max_size=8),
    st.sets(st.integers(1, 9)),
    st.sets(st.integers(1, 9)),
    st.booleans(),
    st.sampled_from((5.0, 10.0, 55.0)),
    st.sampled_from((5.0, 12.0, 60.0)),
)
def test_a_reason_is_missing_exactly_while_nothing_is_fresh(
    others: dict[int, bool], confirmed: set[int], ended: set[int], host: bool, lease: float, now: float
) -> None:
    freshness = Freshness()
    for leaf in confirmed:
        freshness.confirm(leaf, 10.0, lease)
    for leaf in ended:
        freshness.end_lease(leaf)
    no_host, few = freshness.lacks(others, now, host=host)
    assert (freshness.until(others, host=host) > now) == (not no_host and not few)
    if no_host and not few:  # a host's return is enough
        for leaf in (leaf for leaf, is_host in others.items() if is_host):
            freshness.confirm(leaf, 100.0, 100.0)
        assert freshness.until(others, host=host) > now
