"""A room under random interleavings, compared with a model of the protocol."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from snugroom.server.config import Settings
from snugroom.server.rooms.effects import Drop, Effect, Forget, MediaJoin, MediaLeave, Send
from snugroom.server.wire import limits, signed
from snugroom.server.wire.messages import (
    CatchUp,
    CaughtUp,
    Committed,
    Message,
    Refused,
    Relay,
    Relayed,
    Shown,
    Stale,
    Streams,
)
from tests.server.people import ZERO, Table, blob, commit, media, opening, show

SLOTS_BACK = st.integers(0, 3)


@dataclass
class Person:
    """The state of one connection, as the protocol sees it."""

    shown: int = -1
    won: int = -1
    lost: int = -1


class RoomMachine(RuleBasedStateMachine):
    """Five or so connections, some of which stop learning passes (they have been removed)."""

    people = Bundle("people")

    def __init__(self) -> None:
        super().__init__()
        self.table = Table(
            Settings(max_members=6, ring_relays=8, catch_up_burst=1000, media_change_burst=1000)
        )
        self.persons: dict[bytes, Person] = {}
        self.slot = 0
        self.chain = ZERO
        self.taken_at: dict[int, float] = {}
        self.blobs: dict[int, bytes] = {}
        self.pending: dict[bytes, tuple[int, bytes]] = {}
        self.relayed = 0
        self.ssrcs: dict[bytes, int] = {}
        self.count = 0
        # one who stays, so that the room does
        self.table.opened(b"admin...")
        self.persons[b"admin..."] = Person(shown=0)

    # -- the model's judgement ---------------------------------------------------------------

    def may_receive(self, who: bytes) -> bool:
        shown = self.persons[who].shown
        if shown == self.slot:
            return True
        taken = self.taken_at.get(shown + 1, -math.inf) if shown >= 0 else -math.inf
        return self.table.now < taken + limits.PASS_GRACE

    def judge(self, effects: list[Effect], asker: bytes | None = None, catching_up: bool = False) -> None:
        """Every effect must be one that the protocol allows, given what the model knows."""
        for effect in effects:
            if isinstance(effect, Send):
                self.judge_message(effect.handle, effect.message, catching_up and effect.handle == asker)
            elif isinstance(effect, MediaJoin):
                assert self.may_receive(effect.handle)
            else:
                assert not isinstance(effect, Drop | Forget), effect

    def judge_message(self, who: bytes, message: Message, catching_up: bool) -> None:
        person = self.persons[who]
        if isinstance(message, Committed):
            if message.slot > self.slot:
                self.take(message)
            assert message.blob == self.blobs[message.slot]
            window = person.shown > self.slot - limits.CATCH_UP_SLOTS and person.shown >= 0
            assert window if catching_up else self.may_receive(who)
        elif isinstance(message, Relayed):
            assert self.may_receive(who)
        elif isinstance(message, Shown):
            person.shown = max(person.shown, message.slot)
        elif isinstance(message, Stale):
            assert message.slot == self.slot
            self.pending.pop(who, None)
            if message.asked in (self.slot, self.slot - 1) and person.shown >= message.asked - 1:
                person.lost = self.slot

    def take(self, message: Committed) -> None:
        """A slot is taken: once, by one who had asked for it, and in its turn."""
        assert message.slot == self.slot + 1
        assert message.slot not in self.blobs
        [winner] = [w for w, (_, b) in self.pending.items() if b == message.blob]
        assert self.persons[winner].shown == self.slot
        self.chain = signed.next_chain(self.chain, message.slot, message.blob)
        assert message.chain == self.chain
        self.slot = message.slot
        self.blobs[message.slot] = message.blob
        self.taken_at[message.slot] = self.table.now
        self.persons[winner].won = self.slot
        self.persons[winner].lost = -1
        del self.pending[winner]

    # -- what may happen -----------------------------------------------------------------------

    @rule(target=people)
    def arrives(self) -> bytes:
        self.count += 1
        who = b"p%07d" % self.count
        if len(self.persons) == 6:
            [drop] = self.table.arrive(who)
            assert isinstance(drop, Drop)
            return b"admin..."
        self.persons[who] = Person()
        self.judge(self.table.arrive(who))
        return who

    @rule(who=consumes(people))
    def leaves(self, who: bytes) -> None:
        if who != b"admin..." and who in self.persons:
            del self.persons[who]
            self.pending.pop(who, None)
            self.ssrcs.pop(who, None)
            effects = self.table.leave(who)
            assert not [e for e in effects if isinstance(e, Send) and e.handle == who]
            self.judge(effects)

    def say(self, who: bytes, message: object, catching_up: bool = False) -> list[Message]:
        before = len(self.table.effects)
        answers = self.table.says(who, message)  # type: ignore[arg-type]  # any of them is a client's message
        self.judge(self.table.effects[before:], who, catching_up)
        return answers

    @rule(who=people, back=SLOTS_BACK)
    def shows(self, who: bytes, back: int) -> None:
        if who in self.persons and self.slot >= back:
            self.say(who, show(self.slot - back))

    @rule(who=people)
    def forges_a_pass(self, who: bytes) -> None:
        if who in self.persons:
            [answer] = self.say(who, show(self.slot, b"forged"))
            assert isinstance(answer, Refused)

    @rule(who=people, behind=st.integers(-1, 2))
    def commits(self, who: bytes, behind: int) -> None:
        slot = self.slot + 1 - behind
        if who not in self.persons or slot < 1:
            return
        person = self.persons[who]
        self.count += 1
        message = commit(slot, f"{self.count}")
        entitled = behind == 0 and person.shown == self.slot and who not in self.pending
        if entitled:
            self.pending[who] = (slot, message.blob)
        # fairness: somebody lost the last race who has won longer ago
        older = any(p.lost == self.slot and p.won < person.won for w, p in self.persons.items() if w != who)
        current = self.slot
        answers = self.say(who, message)
        if not entitled:
            assert self.slot == current
            assert isinstance(answers[0], Stale | Refused)
        else:
            assert self.slot == (current if older else slot)

    @rule(who=people)
    def relays(self, who: bytes) -> None:
        if who in self.persons:
            self.count += 1
            answers = self.say(who, Relay(blob(f"relay {self.count}")))
            # a connection two slots behind may still receive, but no member has the keys of its blobs
            if self.may_receive(who) and self.persons[who].shown >= self.slot - 1:
                self.relayed += 1
                assert answers == [Relayed(self.relayed, blob(f"relay {self.count}"))]
            else:
                assert isinstance(answers[0], Refused)

    @rule(who=people, back=SLOTS_BACK, relay=st.integers(0, 20))
    def catches_up(self, who: bytes, back: int, relay: int) -> None:
        if who not in self.persons or self.slot < back:
            return
        slot = self.slot - back
        allowed = self.persons[who].shown >= max(0, slot - 1)
        answers = self.say(who, CatchUp(slot, relay), catching_up=True)
        if not allowed:
            assert isinstance(answers[0], Refused)
            return
        assert [m.slot for m in answers if isinstance(m, Committed)] == list(range(slot + 1, self.slot + 1))
        assert isinstance(answers[-1], CaughtUp)
        if self.may_receive(who):
            after = relay if relay <= self.relayed else 0
            held = [m.relay for m in answers if isinstance(m, Relayed)]
            assert held == list(range(max(after, self.relayed - 8) + 1, self.relayed + 1))
            assert answers[-1].missing == self.relayed - after - len(held)

    @rule(who=people, ssrc=st.integers(1, 4))
    def sends_media(self, who: bytes, ssrc: int) -> None:
        if who in self.persons:
            taken = any(s == ssrc for w, s in self.ssrcs.items() if w != who)
            answers = self.say(who, media(ssrc))
            if any(isinstance(m, Refused) for m in answers):
                assert taken or not self.may_receive(who)
            else:
                assert not taken
                self.ssrcs[who] = ssrc

    @rule(who=people)
    def opens_again(self, who: bytes) -> None:
        if who in self.persons and self.slot > 0:
            [answer] = self.say(who, opening())
            assert isinstance(answer, Refused)

    @rule(seconds=st.sampled_from([0.1, 0.3, 0.6, 3.0, 9.0, 11.0]))
    def waits(self, seconds: float) -> None:
        effects = self.table.wait(seconds)
        for effect in effects:
            if isinstance(effect, MediaLeave):
                assert not self.may_receive(effect.handle)
                del self.ssrcs[effect.handle]
        self.judge(effects)
        # whoever lost its pass lost its media, whoever kept it kept it
        assert all(self.may_receive(who) for who in self.ssrcs)
        if seconds > limits.FAIRNESS_HOLD:
            assert not self.pending, "nobody is held for longer"

    @invariant()
    def the_last_view_is_the_truth(self) -> None:
        for who in self.ssrcs:
            views = [m for m in self.table.inbox[who] if isinstance(m, Streams)]
            expected = {(w, s) for w, s in self.ssrcs.items() if w != who}
            assert {(s.handle, s.ssrc) for s in views[-1].streams} == expected

    @invariant()
    def the_room_agrees(self) -> None:
        assert self.table.room.slot == self.slot
        assert self.table.room.chain == self.chain


TestRoomMachine = RoomMachine.TestCase
TestRoomMachine.settings = settings(
    max_examples=150, stateful_step_count=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
