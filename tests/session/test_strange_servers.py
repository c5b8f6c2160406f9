"""A meeting that began at a public https server leads nobody into private networks, whoever names what."""

from __future__ import annotations

import pytest

from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.client.session.catalogue.sentence import CommandError
from snugroom.client.session.options import Options
from snugroom.crypto.entry.invite import Invite
from snugroom.lab.simulation.servers import Servers, listed
from snugroom.lab.simulation.world import Participant, seeded
from tests.session.hosts import deputised

FIRST = "https://meet.example"
SECOND = "https://other.example"
METADATA = "http://169.254.169.254"
LAPTOP = "https://192.168.1.5:8443"
#: A name that leads into a private network: only the shell finds that out.
NAMED = "https://rebound.example"
ANYWHERE = Options(private_servers=True)


class Public(Servers):
    """The first server is public."""

    def __init__(self, seed: int) -> None:
        #: Origins that the shells refuse when they have looked their names up.
        self.strange: set[str] = set()
        super().__init__(seed)
        self.hubs = {o: self.new_hub(origin=o) for o in (FIRST, SECOND, METADATA, LAPTOP, NAMED)}
        self.hub = self.hubs[FIRST]

    def _connect(self, who: Participant, endpoint: ev.Endpoint) -> None:
        origin = who.origins[endpoint] = who.origins.get(endpoint) or FIRST
        if origin in self.strange and who.label != "Ada":
            if endpoint == ev.ROOM:
                self.tried.append((who.label, origin))
            self._feed(who, ev.Lost(endpoint, "its name", strange=True))
        else:
            super()._connect(who, endpoint)

    def opened(self, options: Options) -> Participant:
        """Ada opens a meeting."""
        session = Session.host(
            origin=FIRST,
            name="Ada",
            admission="all",
            options=options,
            now=self.now,
            rng=seeded(self.random.getrandbits(32)),
        )
        return self.add("Ada", session)

    def connects(self, who: Participant, origin: str) -> int:
        """How often the session had its shell connect there, for whatever, ahead of time too."""
        return sum(
            isinstance(each, ev.Connect | ev.ConnectSoon) and each.origin == origin for each in who.performed
        )


def meeting(seed: int, *, mirror: bool = False) -> tuple[Public, list[Participant]]:
    """Ada hosts it, and her program goes anywhere: she may be hostile, or have a server at home."""
    w = Public(seed)
    ada = w.opened(Options(private_servers=True, mirror=mirror))
    w.until(lambda: bool(ada.of(ev.InviteMade)))
    people = [ada, *(w.guest(w.link_of(ada), name) for name in ("Bo", "Cem"))]
    w.until(lambda: w.agreed(people))
    w.run(3)
    return w, people


def talk(w: Public, who: Participant, to: list[Participant], text: str, most: float = 10.0) -> float:
    w.do(who, ev.Say(text))
    return w.until(lambda: all((who.label, text) in other.said for other in to), most)


def told(who: Participant, kind: str) -> list[str]:
    return [e.text for e in who.of(ev.Status) if e.kind == kind]


def test_nobody_goes_to_a_strange_server_of_the_list() -> None:
    w, (ada, bo, cem) = meeting(1)
    listed(w, ada, METADATA, SECOND)
    assert talk(w, bo, [ada, cem], "as before") < 2
    w.fails(FIRST)
    assert talk(w, bo, [cem], "at the public one", 15) < 10
    assert {"Bo", "Cem"} <= w.at(SECOND)
    for who in (bo, cem):
        assert w.connects(who, METADATA) == 0
        (text,) = told(who, "strange_server")
        assert METADATA in text
        assert "perhaps by mistake" in text
    assert told(ada, "strange_server") == []


def test_who_names_and_calls_only_a_strange_server_silences_nobody() -> None:
    w, (ada, bo, cem) = meeting(2)
    listed(w, ada, LAPTOP)
    for _ in range(3):
        w.do(ada, ev.Move(LAPTOP))
        w.run(5)
        assert {"Bo", "Cem"} <= w.at(FIRST)
        assert talk(w, bo, [cem], f"still here at {w.now}") < 2
        w.do(ada, ev.Move(FIRST))
        w.run(5)
    for who in (bo, cem):
        assert w.connects(who, LAPTOP) == 0
        assert told(who, "moving") == []
        refused = told(who, "move_refused")
        assert len(refused) == 3
        assert all("Ada" in text and LAPTOP in text for text in refused)
    deputised(w, ada, bo)
    with pytest.raises(ValueError, match="can't be on the list"):
        w.do(bo, ev.Move(LAPTOP))


def test_a_name_that_leads_into_a_private_network_costs_a_moment_once_a_call() -> None:
    w, (ada, bo, cem) = meeting(3)
    w.strange = {NAMED}
    listed(w, ada, NAMED)
    w.do(ada, ev.Move(NAMED))
    w.run(4)
    assert {"Bo", "Cem"} <= w.at(FIRST), "they are back where they were"
    w.run(60)
    assert talk(w, bo, [cem], "still here") < 2
    for who in (bo, cem):
        assert w.tried.count((who.label, NAMED)) <= 6, "not in a tight loop"
        assert len(told(who, "strange_server")) == 1
        assert "its name leads into a private network" in told(who, "strange_server")[0]
        assert {"misnamed", "untrusted", "dropped"}.isdisjoint(who.alarms)


def test_a_name_that_leads_there_while_the_first_server_is_gone_is_tried_as_seldom_as_any_other() -> None:
    w, (ada, bo, cem) = meeting(4)
    w.strange = {NAMED}
    listed(w, ada, NAMED)
    w.fails(FIRST)
    w.run(60)
    assert all(w.tried.count((who.label, NAMED)) < 40 for who in (bo, cem))
    w.restart(FIRST)
    w.until(lambda: {"Bo", "Cem"} <= w.at(FIRST), 40)


def test_the_mirror_is_at_the_next_server_to_which_we_go() -> None:
    w, (ada, bo, cem) = meeting(5, mirror=True)
    listed(w, ada, METADATA, SECOND)
    w.until(lambda: {"Bo", "Cem"} <= w.at(SECOND, ev.SECOND), 10)
    listed(w, ada, METADATA)
    w.run(5)
    assert w.at(SECOND, ev.SECOND) == set()
    assert all(w.connects(who, METADATA) == 0 for who in (bo, cem))
    assert w.at(METADATA, ev.SECOND) == {"Ada"}


def test_a_link_is_a_strangers_word_too() -> None:
    w, (ada, _, _) = meeting(6)
    listed(w, ada, METADATA, SECOND, LAPTOP)
    w.do(ada, ev.NewInvite("", once=False))
    link = ada.of(ev.InviteMade)[-1].link
    assert Invite.parse(link).servers == (METADATA, SECOND, LAPTOP)
    w.kill(ada)
    dana, emil = w.guest(link, "Dana"), w.guest(link, "Emil", options=ANYWHERE)
    w.run(60)
    assert {at for at, _ in w.lobby_visits(dana)} == {FIRST, SECOND}
    assert w.connects(dana, METADATA) == w.connects(dana, LAPTOP) == 0
    assert [METADATA in text or LAPTOP in text for text in told(dana, "strange_server")] == [True, True]
    assert {at for at, _ in w.lobby_visits(emil)} == {FIRST, SECOND, METADATA, LAPTOP}
    assert told(emil, "strange_server") == []


def test_what_was_told_in_the_lobby_is_not_told_again_in_the_room() -> None:
    w, (ada, _, _) = meeting(7)
    listed(w, ada, METADATA)
    w.do(ada, ev.NewInvite("", once=False))
    dana = w.guest(ada.of(ev.InviteMade)[-1].link, "Dana")
    w.until(lambda: "Dana" in ada.roster)
    w.run(5)
    assert len(told(dana, "strange_server")) == 1


def test_a_host_is_told_at_once_that_others_will_not_come() -> None:
    w = Public(8)
    ada = w.opened(Options())
    w.until(lambda: bool(ada.of(ev.InviteMade)))
    for strange, why in ((METADATA, "without https"), (LAPTOP, "private network")):
        with pytest.raises(CommandError, match=why):
            w.do(ada, ev.NameServers([strange]))  # type: ignore[arg-type]  # as the commands give it
        with pytest.raises(CommandError, match=why):
            Session.host(origin=FIRST, servers=[SECOND, strange], name="Ada", now=w.now, rng=seeded(1))
    assert ada.room.membership.policy.origins == ()
    Session.host(origin=LAPTOP, servers=[METADATA], name="Ada", now=w.now, rng=seeded(1))


def test_a_returning_host_goes_nowhere_strange_either() -> None:
    w, (ada, bo, _) = meeting(9)
    listed(w, ada, METADATA, SECOND)
    kept = ada.session.kept()
    assert kept is not None
    w.kill(ada)
    w.fails(FIRST)
    again = w.add("again", Session.rejoin_as_host(kept, now=w.now, rng=seeded(2)))
    w.until(lambda: "again" in w.at(SECOND), 90)
    assert w.connects(again, METADATA) == 0
    assert w.connects(bo, METADATA) == 0


@pytest.mark.parametrize(
    "command", [ev.NameServers(("nonsense",)), ev.Move("nonsense"), ev.AllowServer("nonsense")]
)
def test_a_command_with_what_is_no_address_is_refused_as_any_other(command: ev.Input) -> None:
    w = Servers(3306)
    ada, _ = w.meeting("Ada", "Bo")
    with pytest.raises(CommandError, match="no server address"):
        w.do(ada, command)
