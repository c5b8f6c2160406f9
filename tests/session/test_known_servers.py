"""A program contacts servers that were not in its link only with its person's word."""

from __future__ import annotations

from dataclasses import replace

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.kernel.known_servers import QUESTIONS_MAX, KnownServers, Questions
from snugroom.client.session.options import Options
from snugroom.crypto.entry.invite import HostSeed
from snugroom.lab.simulation.servers import listed
from tests.session.test_strange_servers import FIRST, METADATA, SECOND, Public, told

ASKS = Options(servers="ask")
INSIDE = "https://inside.example"
LINK = HostSeed(bytes(32)).invite(FIRST, bytes(16), 0, (INSIDE,))


def test_the_links_servers_are_known_and_others_with_the_persons_word() -> None:
    known = KnownServers(LINK, ASKS)
    assert known.led([FIRST, INSIDE, SECOND]) == (FIRST, INSIDE)
    known.allow([SECOND, METADATA])
    assert known.leads(SECOND)
    assert not known.leads(METADATA), "a word for a server is none for a private network"
    assert KnownServers(LINK, Options(servers="any")).leads(SECOND)
    assert KnownServers(known.kept(LINK), ASKS).leads(SECOND), "after coming back too"


def test_a_withdrawn_question_is_told_and_may_come_again() -> None:
    known = KnownServers(LINK, ASKS)
    assert known.listed([SECOND, METADATA, INSIDE], b"Ada") == Questions([SECOND], [], [])
    assert known.listed([SECOND], b"Ada") == Questions([], [], []), "once"
    assert known.listed([], b"Ada") == Questions([], [], [SECOND])
    assert known.listed([SECOND], b"Ada") == Questions([SECOND], [], [])


@pytest.mark.parametrize("step", [1, 3, 8])
def test_a_host_that_walks_members_across_a_network_has_so_many_questions(step: int) -> None:
    """A meeting in a private network may lead anywhere there."""
    known = KnownServers(replace(LINK, origin="http://127.0.0.1:8000"), ASKS)
    ports = [f"http://127.0.0.1:{port}" for port in range(8001, 8037)]
    told = [known.listed(ports[at : at + step], b"Ada") for at in range(0, len(ports), step)]
    assert known.led(ports) == ()
    assert sum(len(each.asked) for each in told) == QUESTIONS_MAX
    assert sum(bool(each.passed) for each in told) == 1, "that there are more is told, once"
    assert known.listed(["http://10.0.0.1"], b"Bo").asked == ["http://10.0.0.1"], "of another host"


def test_nobody_is_led_to_a_named_server_without_their_word() -> None:
    w = Public(31)
    ada = w.opened(Options(mirror=True))
    w.until(lambda: bool(ada.of(ev.InviteMade)))
    bo, cem = (w.guest(w.link_of(ada), name, options=ASKS) for name in ("Bo", "Cem"))
    people = [ada, bo, cem]
    w.until(lambda: w.agreed(people))
    others = [f"https://s{number}.example" for number in range(QUESTIONS_MAX)]
    w.down.update(others)
    w.do(ada, ev.NameServers(tuple(others)))
    w.until(lambda: len(told(bo, "server_asked")) == 1)
    w.do(ada, ev.NameServers((SECOND,)))
    w.until(lambda: len(told(bo, "server_asked")) == 2)
    w.do(ada, ev.Move(SECOND))
    w.until(lambda: len(told(cem, "server_asked")) == 3)
    assert not any(w.connects(bo, origin) for origin in [SECOND, *others]), "not for heartbeats either"
    asked, many, moved = told(bo, "server_asked")
    assert all(origin in asked for origin in others)
    assert "more than 6 servers" in many
    assert SECOND in moved, "a call is told, whatever was asked before"
    causes = [each.cause for each in bo.incidents.open]
    assert "server_asked" not in causes, "those are not listed any more"
    assert "many_servers" in causes
    with pytest.raises(ValueError, match="not among"):
        w.do(bo, ev.AllowServer("https://elsewhere.example"))
    w.do(bo, ev.AllowServer(SECOND))
    w.until(lambda: "Bo" in w.at(SECOND), 5)
    w.fails(FIRST)
    w.run(12)
    assert w.connects(cem, SECOND) == 0, "not even when its own server is gone"
    assert told(bo, "moving") == told(cem, "moving") == []


def test_the_list_of_servers_says_where_the_program_does_not_go() -> None:
    w = Public(33)
    ada = w.opened(Options())
    w.until(lambda: bool(ada.of(ev.InviteMade)))
    bo = w.guest(w.link_of(ada), "Bo", options=ASKS)
    w.until(lambda: w.agreed([ada, bo]))
    w.do(ada, ev.NameServers((SECOND,)))
    w.until(lambda: len(told(bo, "server_asked")) == 1)
    for who in (ada, bo):
        w.do(who, ev.ListServers())
    assert f"only if you allow it: {SECOND}" in told(bo, "servers")[0]
    assert len(told(bo, "servers")) == 2
    assert len(told(ada, "servers")) == 1, "whoever has named it goes there"
    w.do(bo, ev.AllowServer(SECOND))
    w.do(bo, ev.ListServers())
    assert len(told(bo, "servers")) == 3, "the list alone: it goes there now"


def test_servers_of_the_link_need_no_word() -> None:
    w = Public(32)
    ada = w.opened(Options())
    w.until(lambda: bool(ada.of(ev.InviteMade)))
    listed(w, ada, SECOND)
    w.do(ada, ev.NewInvite("", once=False))
    bo = w.guest(ada.of(ev.InviteMade)[-1].link, "Bo", options=ASKS)
    w.until(lambda: w.agreed([ada, bo]))
    w.do(ada, ev.Move(SECOND))
    w.until(lambda: {"Ada", "Bo"} <= w.at(SECOND), 10)
    assert told(bo, "server_asked") == []
