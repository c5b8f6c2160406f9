"""A room under random interleavings, compared with a model of the protocol."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from snugroom.server.config import Settings
from snugroom.server.rooms.effects import Drop, Effect, Forget, MediaJoin, MediaLeave, Send
from snugroom.wire import limits, signed
from snugroom.wire.messages import (
    CatchUp,
    CaughtUp,
    Committed,
    Message,
    Opened,
    Refused,
    Relay,
    Relayed,
    Shown,
    Stale,
    Streams,
)
from tests.server.people import ZERO, Table, blob, commit, hosts_commit, media, opening, show

SLOT_BURST, SLOT_RATE = 6.0, 0.5
SLOTS_BACK = st.integers(0, 3)
#: So few that the room is often full.
MEMBERS_MAX = 4


@dataclass
class Person:
    """The state of one connection, as the protocol sees it."""

    outside_since: float
    won: int
    shown: int = -1
    seen: int = -1
    lost: int = -1
    admin: bool = False


@dataclass(frozen=True)
class Asked:
    """A commit without an answer; `signs`: the room admin has signed it."""

    slot: int
    blob: bytes
    signs: bool
    private: bool


class RoomMachine(RuleBasedStateMachine):
    """A few connections, some of which stop learning passes (they have been removed)."""

    people = Bundle("people")

    def __init__(self) -> None:
        super().__init__()
        self.table = Table(
            Settings(
                max_members=MEMBERS_MAX,
                ring_relays=8,
                catch_up_burst=1000,
                media_change_burst=1000,
                slot_burst=SLOT_BURST,
                slots_per_second=SLOT_RATE,
            )
        )
        self.persons: dict[bytes, Person] = {}
        self.slot = 0
        self.chain = ZERO
        #: Slots that the room admin has signed: the latest has closed the gates before it.
        self.closings: dict[int, float] = {0: 0.0}
        self.private: set[int] = set()  # slots whose gate fits no member's pass
        self.tokens, self.filled_at = SLOT_BURST, self.table.now
        self.blobs: dict[int, bytes] = {}
        self.pending: dict[bytes, Asked] = {}
        self.relayed = 0
        self.ssrcs: dict[bytes, int] = {}
        self.count = 0
        self.showing = 0
        self.signs = False
        self.chain_before = b""
        # one who stays, so that the room does
        self.table.opened(b"admin...")
        self.persons[b"admin..."] = Person(self.table.now, -1, shown=0, seen=0)

    # -- the model's judgement ---------------------------------------------------------------

    def is_inside(self, who: bytes) -> bool:
        return self.persons[who].shown >= max(self.closings)

    def may_receive(self, who: bytes) -> bool:
        shown = self.persons[who].shown
        if self.is_inside(who):
            return True
        closed = min((at for slot, at in self.closings.items() if slot > shown), default=-math.inf)
        return shown >= 0 and self.table.now < closed + limits.PASS_GRACE

    def tokens_now(self) -> float:
        return min(SLOT_BURST, self.tokens + (self.table.now - self.filled_at) * SLOT_RATE)

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
                self.take(message.slot, message.chain)
            assert message.blob == self.blobs[message.slot]
            window = person.shown > self.slot - limits.CATCH_UP_SLOTS and person.shown >= 0
            assert window if catching_up else self.may_receive(who)
        elif isinstance(message, Opened) and message.slot > self.slot:
            self.take(message.slot, message.chain)  # nobody may receive the blob itself
        elif isinstance(message, Relayed):
            assert self.may_receive(who)
        elif isinstance(message, Shown):
            assert message.slot in (self.slot, self.showing)
            assert (message.slot == self.slot) == (self.showing >= max(self.closings))
            person.shown = max(person.shown, self.showing)
            if self.is_inside(who):
                person.seen = self.slot
        elif isinstance(message, Stale):
            assert message.slot == self.slot
            if who in self.pending and self.pending[who].slot == message.asked:
                del self.pending[who]
            if message.asked in (self.slot, self.slot - 1) and self.may_receive(who):
                person.lost = self.slot
                person.admin = person.admin or (self.signs and message.asked == self.slot)

    def take(self, slot: int, chain: bytes) -> None:
        """A slot is taken: once, by one who had asked for it, and in its turn."""
        assert slot == self.slot + 1
        assert slot not in self.blobs
        [winner] = [
            w for w, a in self.pending.items() if signed.chain_next(self.chain, slot, a.blob) == chain
        ]
        asked = self.pending.pop(winner)
        assert asked.slot == slot
        if asked.signs:
            floor = max(self.closings)
            self.closings[slot] = self.table.now
            for who, person in self.persons.items():
                if person.shown >= floor:
                    person.outside_since = self.table.now + limits.PASS_GRACE
                    assert not self.is_inside(who)
        else:
            assert not any(a.signs for a in self.pending.values()), "hosts go first"
            assert self.is_inside(winner)
            assert self.tokens_now() > 1 - 1e-6, "few slots for members who are no hosts"
            self.tokens, self.filled_at = self.tokens_now() - 1, self.table.now
        self.chain_before, self.chain = self.chain, chain
        self.slot = slot
        self.blobs[slot] = asked.blob
        if asked.private:
            self.private.add(slot)
        self.persons[winner].won = slot
        self.persons[winner].lost = -1

    # -- what may happen -----------------------------------------------------------------------

    @rule(target=people)
    def arrives(self) -> bytes:
        self.count += 1
        who = b"p%07d" % self.count
        self.persons[who] = Person(self.table.now, self.slot)
        effects = self.table.arrive(who)
        if len(self.persons) > MEMBERS_MAX:
            # who is inside, or was until a host's slot a moment ago, is displaced by nobody
            outside = [p for w, p in self.persons.items() if w != who and not self.may_receive(w)]
            drop = next(e for e in effects if isinstance(e, Drop))
            if not outside:
                assert effects == [drop]
                assert drop.handle == who
            else:
                first = min(p.outside_since for p in outside)
                assert self.persons[drop.handle].outside_since == first
                assert not self.may_receive(drop.handle)
            self.forget(drop.handle)
            effects.remove(drop)
        self.judge(effects)
        return who if who in self.persons else b"admin..."

    def here(self, who: bytes) -> bytes:
        """`who`, or somebody else if that connection was dropped; the admin again if all were."""
        if not self.persons:
            self.persons[b"admin..."] = Person(self.table.now, self.slot)
            self.judge(self.table.arrive(b"admin..."))
        return who if who in self.persons else sorted(self.persons)[who[-1] % len(self.persons)]

    def forget(self, who: bytes) -> None:
        del self.persons[who]
        self.pending.pop(who, None)
        self.ssrcs.pop(who, None)

    @rule(who=consumes(people))
    def leaves(self, who: bytes) -> None:
        if who != b"admin..." and who in self.persons:
            self.forget(who)
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
        who = self.here(who)
        if self.slot >= back and self.slot - back not in self.private:
            was_empty = not any(map(self.is_inside, self.persons))
            self.showing = self.slot - back
            self.say(who, show(self.showing))
            if was_empty and self.is_inside(who):
                for person in self.persons.values():
                    person.outside_since = max(person.outside_since, self.table.now)

    @rule(who=people)
    def forges_a_pass(self, who: bytes) -> None:
        who = self.here(who)
        [answer] = self.say(who, show(self.slot, b"forged"))
        assert isinstance(answer, Refused)

    @rule(who=people, behind=st.integers(-1, 2), signs=st.booleans(), private=st.booleans())
    def commits(self, who: bytes, behind: int, signs: bool, private: bool) -> None:
        who = self.here(who)
        slot = self.slot + 1 - behind
        if slot < 1:
            return
        person = self.persons[who]
        self.count += 1
        twist = b"private" if private else b""
        message = commit(slot, f"{self.count}", twist=twist)
        if signs:
            before = self.chain if behind == 0 else self.chain_before
            message = hosts_commit(slot, before or bytes(32), f"{self.count}", twist)
        entitled = behind == 0 and (signs or self.is_inside(who)) and who not in self.pending
        hosts_wait = any(a.signs for a in self.pending.values())
        if entitled:
            self.pending[who] = Asked(slot, message.blob, signs, private)
            person.admin = person.admin or signs
        elif behind == 0 and signs:
            person.admin = True
        # fairness: somebody lost the last race who has won longer ago
        older = any(
            p.lost == self.slot and p.won < person.won and (p.admin or not signs)
            for w, p in self.persons.items()
            if w != who
        )
        waits = older or (not signs and (self.tokens_now() < 1 or hosts_wait))
        current, self.signs = self.slot, signs
        answers = self.say(who, message)
        if not entitled:
            assert self.slot == current
            assert isinstance(answers[0], Stale | Refused)
        else:
            assert self.slot == (current if waits else slot)

    @rule(who=people)
    def relays(self, who: bytes) -> None:
        who = self.here(who)
        if who in self.persons:
            self.count += 1
            answers = self.say(who, Relay(blob(f"relay {self.count}")))
            # a connection two slots behind may still receive, but no member has the keys of its blobs
            person = self.persons[who]
            if self.may_receive(who) and max(person.shown, person.seen) >= self.slot - 1:
                self.relayed += 1
                assert answers == [Relayed(self.relayed, blob(f"relay {self.count}"))]
            else:
                assert isinstance(answers[0], Refused)

    @rule(who=people, back=SLOTS_BACK, relay=st.integers(0, 20))
    def catches_up(self, who: bytes, back: int, relay: int) -> None:
        who = self.here(who)
        if self.slot < back:
            return
        slot = self.slot - back
        shown = self.persons[who].shown
        allowed = self.is_inside(who) or (shown >= 0 and shown > self.slot - limits.CATCH_UP_SLOTS)
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
        who = self.here(who)
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
        who = self.here(who)
        if who in self.persons and self.slot > 0 and any(map(self.is_inside, self.persons)):
            [answer] = self.say(who, opening())
            assert isinstance(answer, Refused)

    @rule(seconds=st.sampled_from([0.1, 0.3, 0.6, 3.0, 9.0, 11.0]))
    def waits(self, seconds: float) -> None:
        effects = self.table.wait(seconds)
        for effect in list(effects):
            if isinstance(effect, MediaLeave):
                assert not self.may_receive(effect.handle)
                self.ssrcs.pop(effect.handle, None)
            elif isinstance(effect, Drop):
                assert not self.may_receive(effect.handle)
                assert self.table.now >= self.persons[effect.handle].outside_since + limits.PASS_WAIT
                self.forget(effect.handle)
                effects.remove(effect)
        self.judge([e for e in effects if not isinstance(e, Send) or e.handle in self.persons])
        # whoever lost its pass lost its media, whoever kept it kept it
        assert all(self.may_receive(who) for who in self.ssrcs)
        if seconds > 1 / SLOT_RATE:
            assert not self.pending, "nobody is held for longer"
        for who, person in self.persons.items():
            late = self.table.now >= person.outside_since + limits.PASS_WAIT
            assert self.is_inside(who) or not late or not any(map(self.is_inside, self.persons))

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
