"""Ten meetings in memory. A seed decides what members do, when links break, and when the server fails."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.entry.contacts import Contacts
from snugroom.client.session.options import Options
from snugroom.server.wire.messages import decode_client, decode_server
from tests.session.world import START, Link, Participant, World, seeded
from tests.traces.canonical import Trace

SEEDS: Final = range(1, 11)
STEPS: Final = 60
PEOPLE_MAX: Final = 6
GUESTS_MAX: Final = 9
_PNG: Final = bytes.fromhex("89504e470d0a1a0a") + bytes(40)
_REACTIONS: Final = ("yes", "applause", "heart", "laugh", "surprise", "party")


class TracedWorld(World):
    """A world that writes down each frame, input, effect and event, in order."""

    def __init__(self, seed: int) -> None:
        self.trace = Trace()
        super().__init__(seed)

    def note(self, who: str, what: str, value: object) -> None:
        self.trace.add(round(self.now - START, 6), who, what, value)

    def _deliver(self, link: Link, frame: bytes) -> None:
        self.note(link.who.label, "is sent", decode_server(frame))
        super()._deliver(link, frame)

    def _ascend(self, link: Link, frame: bytes) -> None:
        self.note(link.who.label, "sends", decode_client(frame))
        super()._ascend(link, frame)

    def _perform(self, who: Participant, effects: Sequence[ev.Effect]) -> None:
        for effect in effects:
            if not isinstance(effect, ev.Transmit):  # noted as a frame
                self.note(who.label, "does", effect)
        super()._perform(who, effects)


@contextmanager
def contents_noted(world: TracedWorld) -> Iterator[None]:
    """Write down the contents of sealed messages as well."""
    encode = content.encode

    def noted(what: content.AnyContent) -> bytes:
        world.note("somebody", "seals", what)
        return encode(what)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(content, "encode", noted)
        yield


class Meeting:
    """A meeting in which members do things at random."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(1000 + seed)
        self.world = TracedWorld(seed)
        self.seed = seed
        self.count = 0
        self.held_back = ""
        self.world.down_filter = lambda who, message: who.label != self.held_back

    def run(self) -> Trace:
        world, chance = self.world, self.random
        with contents_noted(world):
            world.host(
                "Ada",
                title="Traces" if chance.random() < 0.5 else "",
                admission=chance.choice(["ask", "all"]),
                options=self._options(reports=self.seed % 3 == 0),
            )
            world.run(1)
            for _ in range(STEPS):
                self._step()
                world.run(chance.uniform(0.1, 3))
            self.held_back = ""
            for person in self._inside():
                self._tell(person, ev.ShowCode())
                self._tell(person, ev.SaveEvidence("evidence.json", names=True))
            for person in self._inside():
                self._tell(person, ev.EndMeeting())
                world.run(3)
                self._tell(person, ev.Leave())
            world.run(10)
        return world.trace

    def _options(self, *, reports: bool = False) -> Options:
        contacts = None
        if self.random.random() < 0.5:
            contacts = Contacts.new(seeded(self.random.getrandbits(32)))
        return Options(contacts=contacts, show_identity=self.random.random() < 0.5, reports=reports)

    def _inside(self) -> list[Participant]:
        return [p for p in self.world.people if p.alive and p.ended is None]

    def _leaf(self, of: Participant) -> int:
        rosters = of.of(ev.Roster)
        return self.random.choice(rosters[-1].members).leaf if rosters else 0

    def _step(self) -> None:
        """One member does one thing, or something goes wrong."""
        chance = self.random
        people = self._inside()
        if not people or (len(people) < PEOPLE_MAX and self.count < GUESTS_MAX and chance.random() < 0.3):
            self._comes()
            return
        who = chance.choice(people)
        for knocked in who.of(ev.Knocked)[-2:]:
            self._tell(who, ev.Admit(knocked.knock) if chance.random() < 0.8 else ev.Refuse(knocked.knock))
        what = chance.choice(self._deeds())
        made = what(who)
        if made is not None:
            self._tell(who, made)

    def _tell(self, who: Participant, what: ev.Input) -> None:
        """Have a member do that, or be refused."""
        self.world.note(who.label, "is told to", what)
        try:
            self.world.do(who, what)
        except ValueError as error:
            self.world.note(who.label, "refuses", type(error).__name__)

    def _comes(self) -> None:
        self.count += 1
        links = [e.link for p in self.world.people for e in p.of(ev.InviteMade)]
        name = f"{self.random.choice(['Bo', 'Cem', 'Dee'])} {self.count}"
        self.world.guest(self.random.choice(links[-2:]), name, options=self._options())

    def _deeds(self) -> list[Callable[[Participant], ev.Input | None]]:
        chance, leaf = self.random, self._leaf
        often: list[Callable[[Participant], ev.Input | None]] = [
            lambda who: ev.Say(f"Message {chance.randrange(100)}"),
            lambda who: ev.SetState(*(chance.random() < 0.5 for _ in range(5))),
            lambda who: self._publish(),
            lambda who: ev.SelectStreams(None if chance.random() < 0.5 else ()),
        ]
        seldom: list[Callable[[Participant], ev.Input | None]] = [
            lambda who: ev.SendImage("a.png", _PNG),
            lambda who: ev.SendFile("a.txt", "a.txt", "text/plain", chance.randbytes(70_000)),
            lambda who: ev.RaiseHand(chance.random() < 0.5),
            lambda who: ev.React(chance.choice(_REACTIONS)),
            lambda who: ev.RunPage(bytes([chance.randrange(2)]) * 32),
            lambda who: ev.Remove(leaf(who)),
            lambda who: ev.Deputise(leaf(who)),
            lambda who: ev.Undeputise(leaf(who)),
            lambda who: ev.HandOver(leaf(who)),
            lambda who: ev.Lock(chance.random() < 0.3),
            lambda who: ev.NewInvite("a label", once=chance.random() < 0.5),
            lambda who: ev.ListInvites(),
            lambda who: ev.Revoke(chance.randrange(3)),
            lambda who: ev.Vouch(leaf(who)),
            lambda who: ev.Know(leaf(who)),
            lambda who: ev.Verified(leaf(who)),
            lambda who: ev.Compare(),
            lambda who: ev.Compared(chance.random() < 0.8),
            lambda who: ev.Override(),
            lambda who: ev.SaveReport(tuple(e.id for e in who.of(ev.Said))[-2:], "report.json"),
            lambda who: ev.Leave() if chance.random() < 0.3 else None,
            self._cut,
            self._hold_back,
            self._restart,
        ]
        return often * 3 + seldom

    def _publish(self) -> ev.Publish:
        first = self.random.randrange(1, 1 << 30)
        streams = ((first, "audio", 0), (first + 1, "video", 1))
        return ev.Publish("abcd", "x" * 22, bytes(32), streams, layers={first + 1: (first + 2, first + 3)})  # type: ignore[arg-type]

    def _cut(self, who: Participant) -> None:
        for link in list(who.links.values()):
            self.world.cut(link)

    def _hold_back(self, who: Participant) -> None:
        """The server sends one member nothing, for a time."""
        self.held_back = "" if self.held_back else who.label

    def _restart(self, who: Participant) -> None:
        """The server is killed, and comes back without memory."""
        if self.random.random() < 0.3:
            self.world.kill_server()
            self.world.run(self.random.uniform(0, 5))
            self.world.start_server()
