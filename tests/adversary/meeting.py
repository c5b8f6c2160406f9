"""A meeting under attack: what honest people, the server, the network and hostile members do, step by step.

Every method is one step of a script, does nothing where it makes no sense, and is judged at once (`Safety`).
`Stage.stop` ends the attack and judges liveness. The state machine prints a find as a script of these steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.client.session.features.host_key_transfer import HostKeyTransfer
from snugroom.lab.simulation.tale import SERVER, STRANGERS, Person
from snugroom.lab.simulation.world import seeded
from snugroom.wire import messages as wire
from tests.adversary.hostile import Theft
from tests.adversary.inventions import endpoint_for
from tests.adversary.network import Doing, Meddling, Way
from tests.adversary.safety import Pending
from tests.adversary.stage import EVERYBODY, Ignore, Stage

NETWORK: Final = "the network"
CLOCK: Final = "the clock"


class Meeting(Stage):
    """A meeting and all steps that are possible in it. `deputies` are hosts from the beginning."""

    def __init__(
        self,
        people: Sequence[str] = ("Ada", "Bo", "Cem", "Mallory"),
        *,
        seed: int = 1,
        deputies: Sequence[str] = (),
        ignore: Ignore = lambda violation, stage: False,
    ) -> None:
        super().__init__(people, seed=seed, ignore=ignore)
        for name in deputies:
            self.deputises(people[0], name)
            first = self.person(people[0]).room
            assert first is not None
            key_transfer = first.feature(HostKeyTransfer)
            self.w.until(lambda: name in self.names_of_hosts() and bool(key_transfer.confirmed))
        self.wait(1.0)

    # -- honest people -------------------------------------------------------------------------------

    def _ordered(self, host: str, whom: str) -> tuple[Person, int] | None:
        """Return the person that gives an order, and the leaf that the order is about."""
        by, about = self.tale.people.get(host), self.tale.people.get(whom)
        if by is None or about is None or by.room is None or by is about:
            return None
        leaves = by.room.membership.members()
        leaf = next((at for at, _, _ in leaves if by.room.membership.signature_key(at) == about.key), None)
        return None if leaf is None else (by, leaf)

    def says(self, who: str) -> None:
        """Somebody writes a message."""
        for person in self.people(who):
            self.write(person)
        self.wait(0.3)

    def talks(self, who: str) -> None:
        """Somebody makes sound, if their program permits it."""
        for person in self.people(who):
            self.make_sound(person)
        self.wait(0.1)

    def removes(self, host: str, whom: str) -> None:
        """A host removes somebody."""
        ordered = self._ordered(host, whom)
        if ordered is not None and self.command(ordered[0], ev.Remove(ordered[1]), "removes", whom):
            self.removal_ordered(ordered[0], self.person(whom))
        self.wait(0.2)

    def removal_ordered(self, host: Person, gone: Person) -> None:
        """Note an order to remove somebody."""
        gone.removed_by.add(host.label)
        gone.removed_at = min(gone.removed_at, self.w.now)
        if host.honest:
            self.safety.pending.append(Pending(host, gone, self.w.now))

    def deputises(self, host: str, whom: str) -> None:
        """A host makes somebody a host."""
        ordered = self._ordered(host, whom)
        if ordered is not None:
            self.command(ordered[0], ev.Deputise(ordered[1]), "makes a host of", whom)
        self.wait(1.0)

    def demotes(self, host: str, whom: str) -> None:
        """A host takes the host role from somebody, who keeps what a host has."""
        if whom in self.hostile:
            self.hostile[whom].keeps_secrets()
        ordered = self._ordered(host, whom)
        if ordered is not None:
            self.command(ordered[0], ev.Undeputise(ordered[1]), "demotes", whom)
        self.wait(1.0)

    def locks(self, host: str, on: bool) -> None:
        """A host locks or unlocks the room."""
        self.command(self.tale.people.get(host), ev.Lock(on), "locks the room" if on else "unlocks the room")
        self.wait(0.3)

    def leaves(self, who: str) -> None:
        """Somebody leaves."""
        if who in self.hostile:
            self.hostile[who].keeps_secrets()
        for person in self.people(who):
            if self.command(person, ev.Leave(), "leaves"):
                person.wanted, person.disturbed_at = False, self.w.now
        self.wait(0.5)

    def joins(self, name: str) -> None:
        """Somebody new knocks."""
        link = self.link()
        if name not in self.tale.people and link:
            self.record(name, "knocks")
            self.add(name, self.w.guest(link, name), honest=True)
        self.wait(1.0)

    def crashes(self, who: str) -> None:
        """Somebody's program ends without a word."""
        for person in self.people(who):
            if person.honest and person.wanted and person.room is not None:
                self.record(person.label, "crashes")
                person.wanted, person.crashed, person.disturbed_at = False, True, self.w.now
                self.w.kill(person.who)
        self.wait(0.2)

    def returns(self, who: str) -> None:
        """A host that crashed returns with its recovery file."""
        person = self.tale.people.get(who)
        again = f"{who} again"
        if person is not None and person.crashed and again not in self.tale.people:
            kept = person.who.session.kept()
            if kept is not None:
                self.record(who, "returns")
                session = Session.rejoin_as_host(
                    kept, now=self.w.now, rng=seeded(self.chance.getrandbits(32))
                )
                self.add(again, self.w.add(again, session), honest=True).wanted = False
        self.wait(1.0)

    def ends(self, host: str) -> None:
        """A host ends the meeting for all."""
        person = self.tale.people.get(host)
        if self.command(person, ev.EndMeeting(), "ends the meeting"):
            self.tale.ended_by.add(host)
        self.wait(1.0)

    # -- network and clocks ----------------------------------------------------------------------------

    def loses_connection(self, who: str) -> None:
        """Somebody's connections break."""
        for person in self.people(who):
            self.record(NETWORK, "cuts off", person.label)
            person.disturbed_at = self.w.now
            for link in list(person.who.links.values()):
                self.w.cut(link)
        self.wait(0.3)

    def server_restarts(self) -> None:
        """The server restarts, as an honest one does."""
        self.record(NETWORK, "restarts the server")
        for person in self.tale.people.values():
            person.disturbed_at = self.w.now
        self.w.kill_server()
        self.wait(0.5)
        self.w.start_server()
        self.wait(0.5)

    def sleeps(self, who: str, seconds: float) -> None:
        """Somebody's machine is suspended: its clock leaps forward when it wakes."""
        for person in self.people(who):
            self.record(CLOCK, f"leaps {seconds:.0f} s ahead for", person.label)
            person.disturbed_at = self.w.now
            self.w.ahead[person.label] = self.w.ahead.get(person.label, 0.0) + seconds
        self.wait(0.3)

    # -- the server ------------------------------------------------------------------------------------

    def server_meddles(self, doing: Doing, whom: str, way: Way, kind: str, count: int) -> None:
        """The server drops, holds or repeats messages of one type to or from somebody; count -1: all."""
        labels = [p.label for p in self.tale.honest()] if whom == EVERYBODY else [whom]
        for label in labels:
            self.record(SERVER, f"{doing} {way} {kind} x{count} of", label)
            self.w.meddling.append(Meddling(label, way, kind, doing, count))

    def server_keeps_in_the_past(self, whom: str) -> None:
        """The server withholds all further changes from somebody, and all that would tell of them."""
        for kind in ("committed", "opened", "broadcasted", "refused"):
            self.server_meddles("drops", whom, "down", kind, -1)
        self.server_meddles("backdates", whom, "down", "entered", -1)

    def server_releases(self, which: int) -> None:
        """The server delivers one of the messages that it holds."""
        if self.w.held:
            held = self.w.held.pop(which % len(self.w.held))
            self.record(SERVER, "delivers late to or from", held.link.who.label)
            self.w.pass_on(held)
        self.wait(0.2)

    def server_releases_all(self) -> None:
        """The server delivers all messages that it holds, in their order, and holds no more."""
        if self.w.held:
            self.record(SERVER, f"delivers {len(self.w.held)} messages late")
        self.w.stop_meddling(deliver=True)
        self.wait(0.2)

    def server_refuses(self, whom: str, code: str, about: str, fatal: bool = False) -> None:
        """The server refuses what nobody has asked for."""
        for person in self.people(whom):
            message = wire.Refused(code, f"code {code}", about, fatal)
            if self.w.invent(person.who, ev.ROOM, message):
                self.record(SERVER, f"refuses {about} with {code} to", person.label)
        self.wait(0.2)

    def server_invents(self, kind: str, whom: str, away: int, pick: int) -> None:
        """The server invents a message of any type."""
        for person in self.people(whom):
            message = self.inventor.make(kind, person, away, pick)
            if message is not None and self.w.invent(person.who, endpoint_for(person, kind), message):
                self.record(SERVER, f"invents {kind} ({away}, {pick}) for", person.label)
        self.wait(0.2)

    def server_cuts(self, whom: str) -> None:
        """The server closes somebody's connections."""
        for person in self.people(whom):
            self.record(SERVER, "cuts off", person.label)
            for link in list(person.who.links.values()):
                self.w.cut(link)
        self.wait(0.3)

    def server_relents(self) -> None:
        """The server passes on everything again, but not what it has dropped."""
        if self.w.meddling:
            self.record(SERVER, "relents")
        self.w.meddling.clear()

    # -- hostile members, and others with keys ----------------------------------------------------------

    def signs(self, who: str, act: str) -> None:
        """A hostile member does something with its own leaf."""
        if who in self.hostile and self.hostile[who].signs(act):
            self.record(who, "signs", act)
            victim = next((p for p in self.tale.honest() if p.who in self.hostile[who].victims()), None)
            if act == "forged_removal" and victim is not None and self.is_host(victim, self.person(who)):
                self.removal_ordered(self.person(who), victim)  # a hostile host is a host
            if act == "false_end" and victim is not None and self.is_host(victim, self.person(who)):
                self.tale.ended_by.add(who)
        self.wait(0.3)

    def takes_slots(self, who: str, seconds: float) -> None:
        """A member takes slots from several connections, each with a private gate."""
        if who in self.hostile and self.hostile[who].takes_slots(seconds):
            self.record(who, "takes slots with private gates", f"for {seconds:.0f} s")
        self.wait(1.0)

    def crowds(self, who: str, count: int) -> None:
        """Somebody with the door key fills seats with connections that show no pass."""
        if who in self.hostile and self.hostile[who].connects(count):
            self.record(STRANGERS, "fill seats", str(count))
        self.wait(0.3)

    def rekeys(self, who: str, times: int) -> None:
        """A host, or a former one, hands the room at the server to other keys, one after another."""
        if who in self.hostile:
            self.hostile[who].keeps_secrets()
        if who in self.hostile and self.hostile[who].rekeys(times):
            self.record(who, "hands the room to other keys", str(times))
        self.wait(0.5)

    def opens_ahead(self, who: str, slots: int) -> None:
        """The server restarts, and a former host is the first to open the room, far ahead."""
        if who in self.hostile and self.hostile[who].kept is not None:
            self.record(NETWORK, "restarts the server")
            self.record(who, f"opens the room {slots} slots ahead")
            for person in self.tale.people.values():
                person.disturbed_at = self.w.now
            self.w.kill_server()
            self.w.start_server()
            self.hostile[who].opens_ahead(slots)
        self.wait(1.0)

    def returns_by_seed(self, who: str, name: str) -> None:
        """A hostile host, present, former or removed, returns by the host seed under some name."""
        label = f"{who} as {name}"
        if who in self.hostile and label not in self.tale.people:
            self.hostile[who].keeps_secrets()
            returned = self.hostile[who].returns_by_seed(name)
            if returned is not None:
                self.record(who, "returns by the host seed as", name)
                self.add(label, returned, honest=False, admitted=False)
        self.wait(2.0)

    def steals(self, whom: str) -> None:
        """A thief copies all that a member's program holds."""
        person = self.tale.people.get(whom)
        if person is not None and person.honest and person.room is not None and whom not in self.thefts:
            self.record("a thief", "copies the keys of", whom)
            self.thefts[whom] = Theft(self.w, person)

    def thief_rejoins(self, whom: str) -> None:
        """The thief uses the copy, in a way that only its owner should be able to."""
        label = f"thief of {whom}"
        if whom in self.thefts and label not in self.tale.people and self.person(whom).room is not None:
            theft = self.thefts[whom]
            self.record("a thief", "rejoins as", whom)
            self.add(label, theft.rejoins(), honest=False, admitted=not theft.outdated(self.tale.honest()))
        self.wait(2.0)
