"""Hostile members act at random: all honest members stay in the room, and agree.

Protocol section 6. A hostile member here has a real membership, keys and all, and signs what no honest
program would make; it can't do more than post blobs with the pass that it has.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.kernel.intents import HealIntent
from snugroom.crypto import mls
from snugroom.crypto.agreed import envelope
from snugroom.crypto.agreed.heartbeat import Heartbeat
from snugroom.crypto.agreed.room_state import POLICY_EXTENSION, CommitContext
from snugroom.crypto.errors import SnugError
from snugroom.crypto.kdf import H
from snugroom.crypto.mls import treekem
from snugroom.wire import messages as wire
from snugroom.wire.limits import BUCKETS
from tests.session.announcing import announce, signed
from tests.session.dishonest import forged, fresh_leaf, post_commit, spoil_path
from tests.session.test_failures import two_hosts
from tests.session.world import Participant, World

HONEST = ("Ada", "Bo", "Cem")


class Mallory:
    """A member that does one hostile thing after another."""

    def __init__(self, w: World, who: Participant, chance: random.Random) -> None:
        self.w = w
        self.who = who
        self.chance = chance
        self.heard: list[bytes] = []
        self.acts = [
            self.garbage_commit,
            self.forged_removal,
            self.forged_policy,
            self.forged_context,
            self.unknown_invite,
            self.wrong_gate,
            self.spoiled_path,
            self.spoiled_path_and_gate,
            self.uncarried_proposal,
            self.old_commit_again,
            self.relay_garbage,
            self.false_end,
            self.false_grant,
            self.steal_streams,
            self.commit_in_the_relay,
            self.quick_heals,
            self.cut_off,
            self.bad_box,
            self.false_introduction,
            self.odd_leavings,
            self.lie_in_a_beat,
        ]

    def act(self) -> None:
        """Do one of the acts, or nothing while it is not in the room."""
        room = self.who.session._room
        if self.who.ended is not None or room is None or ev.ROOM not in self.who.links or room.needs_rejoin:
            return
        try:
            self.chance.choice(self.acts)()
        except (SnugError, ValueError):
            return  # it was removed, or is out of step itself

    @property
    def membership(self):  # type: ignore[no-untyped-def]
        return self.who.room.membership

    def say(self, message: wire.Message) -> None:
        self.w._ascend(self.who.links[ev.ROOM], wire.encode(message))

    def relay(self, what: content.AnyContent) -> None:
        self.say(wire.Relay(self.membership.protect(content.encode(what))))

    def victims(self) -> list[Participant]:
        return [p for p in self.w.people if p.label in HONEST and p.session._room is not None]

    def garbage_commit(self) -> None:
        post_commit(self.w, self.who, self.w.rng(self.chance.choice(BUCKETS[:3])))

    def _post(self, proposals: list[mls.Proposal], **context: object) -> None:
        post_commit(self.w, self.who, forged(self.who, proposals, **context))

    def forged_removal(self) -> None:
        self._post([mls.Remove(self.victims()[0].room.membership.own_leaf)])

    def forged_policy(self) -> None:
        changed = self.membership.policy.with_host(self.membership.signature_key(self.membership.own_leaf))
        kept = self.membership.group.extensions[0]
        self._post([mls.GroupContextExtensions((kept, mls.Extension(POLICY_EXTENSION, changed.encode())))])

    def forged_context(self) -> None:
        field, value = self.chance.choice([("chain", bytes(32)), ("ledger", bytes(32)), ("slot", 1)])
        self._post([], **{field: value})

    def unknown_invite(self) -> None:
        self._post([], invites=(self.chance.randrange(1 << 16),))

    def wrong_gate(self) -> None:
        post_commit(self.w, self.who, forged(self.who, [], self.w.rng(32)))

    def spoiled_path(self, *, gate: bool = True) -> None:
        with pytest.MonkeyPatch.context() as patch:
            spoil_path(patch, self.who, self.chance.choice(self.victims()))
            blob = forged(self.who, [], None if gate else self.w.rng(32))
        post_commit(self.w, self.who, blob)

    def spoiled_path_and_gate(self) -> None:
        self.spoiled_path(gate=False)

    def uncarried_proposal(self) -> None:
        m = self.membership
        reference = m.leave_proposals._references[H(m.leave_proposals.propose())]
        context = CommitContext(m.room, m.journal.slot + 1, m.journal.chain, m.ledger.digest())
        stage = m.group.stage(
            [],
            include_stored=[reference],
            authenticated_data=context.encode(),
            leaf_extensions=fresh_leaf(m),
        )
        blob = m.cover_commit([stage.message], self.w.rng(32))
        stage.drop()
        post_commit(self.w, self.who, blob)

    def old_commit_again(self) -> None:
        entries = [e for e in self.membership.journal._entries if e.blob is not None]
        if entries:
            post_commit(self.w, self.who, self.chance.choice(entries).blob)

    def relay_garbage(self) -> None:
        for size in BUCKETS[:3]:
            self.say(wire.Relay(self.w.rng(size)))
            self.say(wire.Broadcast(self.w.rng(size)))
        self.say(wire.Relay(self.membership.protect(b"{}")))

    def false_end(self) -> None:
        self.say(
            wire.Relay(self.membership.protect(content.encode(content.End(self.membership.journal.chain))))
        )

    def false_grant(self) -> None:
        leaf = self.victims()[-1].room.membership.own_leaf
        grant = content.Grant(leaf, self.w.rng(32), self.w.rng(48))
        self.say(wire.Relay(self.membership.protect(content.encode(grant))))

    def steal_streams(self) -> None:
        streams = [content.OwnStream(77, "audio", 0)]
        self.relay(announce(signed(self.membership, streams=streams)))

    def bad_box(self) -> None:
        self.relay(announce(signed(self.membership, count=2**31 + 1)))

    def false_introduction(self) -> None:
        """All members' announcements, each signed by this one; and none of them."""
        leaves = [leaf for leaf, _, _ in self.membership.members()]
        self.relay(content.Announce(0, 2**32 - 1, [signed(self.membership, leaf=leaf) for leaf in leaves]))
        self.relay(content.Announce(0, 2**32 - 1, []))

    def odd_leavings(self) -> None:
        for proposal in (
            mls.Remove(self.victims()[0].room.membership.own_leaf),
            mls.PreSharedKey.external(b"x"),
        ):
            leaving = content.Leaving(self.membership.group.propose(proposal, private=False))
            self.say(wire.Relay(self.membership.protect(content.encode(leaving))))

    def lie_in_a_beat(self) -> None:
        m = self.membership
        beat = Heartbeat(
            leaf=m.own_leaf,
            handle=self.w.rng(8),
            since=self.chance.choice([0, m.journal.slot]),
            seq=1 + self.chance.randrange(99),
            prev=self.w.rng(32),
            at=int(self.w.now),
            epoch=m.group.epoch + self.chance.randrange(2),
            slot=m.journal.slot + self.chance.randrange(3),
            chain=self.w.rng(32),
            authenticator=self.w.rng(32),
            incarnation=self.w.rng(8),
            relay=self.chance.randrange(1 << 20),
            window=self.w.rng(32),
            sent=(),
            want=True,
            got=(),
        ).signed(m.room, m.sign)
        self.say(
            wire.Broadcast(
                envelope.seal(
                    m.heartbeat_key, "beat", m.room, m.epoch_slot, beat.encode(), BUCKETS, rng=self.w.rng
                )
            )
        )

    def commit_in_the_relay(self) -> None:
        m = self.membership
        context = CommitContext(m.room, m.journal.slot + 1, m.journal.chain, m.ledger.digest())
        stage = m.group.stage(
            [], authenticated_data=context.encode(), psks=m._psks, leaf_extensions=fresh_leaf(m)
        )
        self.say(wire.Relay(m._cover("relay", envelope.pack([stage.message]))))
        stage.drop()

    def quick_heals(self) -> None:
        for _ in range(3):
            self.who.room.queue(HealIntent(self.membership.group.epoch), self.w.now)

    def cut_off(self) -> None:
        self.w.cut(self.who.links[ev.ROOM])


def together(people: list[Participant]) -> bool:
    """Whether the honest are in one epoch with one code, and all of them are in the roster."""
    return len({p.code for p in people}) == 1 and all(
        {q.label for q in people} <= set(p.roster) for p in people
    )


def play(seed: int, steps: int = 10) -> None:
    w = World(seed, latency=0.05)
    chance = random.Random(seed)
    honest = two_hosts(w, "Cem") if seed % 2 else w.meeting(*HONEST)
    hostile = []
    for name in ("Mallory", "Oscar")[: 1 + seed % 2]:
        hostile.append(Mallory(w, w.guest(w.link_of(honest[0]), name), chance))
        w.until(lambda: w.agreed([*honest, *(h.who for h in hostile)]), 20)
    said: list[tuple[str, str]] = []
    for step in range(steps):
        chance.choice(hostile).act()
        if chance.random() < 0.5:
            speaker = chance.choice(honest)
            said.append((speaker.label, f"{step}"))
            w.do(speaker, ev.Say(f"{step}"))
        if chance.random() < 0.2:
            chance.choice(honest).room.queue(HealIntent(honest[0].epoch), w.now)
        w.run(chance.choice([0.0, 0.1, 0.5, 2.0]))
    w.until(lambda: together(honest), 60, f"seed {seed}")
    w.run(10)
    w.until(lambda: together(honest), 30, f"seed {seed}, and stays so")
    assert all(p.ended is None for p in honest), "no honest member is lost"
    # the room goes on: a host removes them, and somebody new comes in
    for h in hostile:
        leaf = next(
            (leaf for leaf, name, _ in honest[0].room.membership.members() if name == h.who.label), None
        )
        if leaf is not None:
            w.do(honest[0], ev.Remove(leaf))
    w.until(lambda: sorted(honest[0].roster) == sorted(HONEST) and together(honest), 40, f"seed {seed}")
    dana = w.guest(w.link_of(honest[0]), "Dana")
    w.until(lambda: w.agreed([*honest, dana]), 30, f"seed {seed}")
    w.run(5)
    blamed = {a.text for p in honest for a in p.told if isinstance(a, ev.Alarm) and a.kind == "void_commit"}
    for text in blamed:
        assert not any(f"It came from \u201c{name}\u201d " in text for name in HONEST), (
            "no honest member is blamed"
        )
    for listener in honest:
        others = [words for words in said if words[0] != listener.label]
        heard = [words for words in listener.said if words[0] in HONEST]
        assert len(heard) == len(set(heard)), "nothing twice"
        assert set(heard) <= set(others), "nothing that nobody said"
        for label, text in set(others) - set(heard):
            author = next(p for p in honest if p.label == label)
            told = any(isinstance(e, ev.Alarm) and f"\u201c{text}\u201d" in e.text for e in author.told)
            assert told or "missed" in listener.alarms or "rejoining" in listener.alarms, (
                f"seed {seed}: {text}"
            )


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32 - 1))
def test_honest_members_stay_together_whatever_others_do(seed: int) -> None:
    play(seed)


def test_the_acts_are_what_they_are_called() -> None:
    """Each act makes an honest program object, or is accepted: otherwise the test above shows nothing."""
    for name in ("forged_removal", "forged_policy", "forged_context", "unknown_invite", "garbage_commit"):
        w = World(7)
        ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
        w.run(1)
        mallory = Mallory(w, w.guest(w.link_of(ada), "Mallory"), random.Random(1))
        w.until(lambda: w.agreed([*people, mallory.who]))
        w.run(1)
        getattr(mallory, name)()
        w.until(lambda: all("void_commit" in p.alarms for p in people), 5, name)
    w = World(8)
    ada, cem, bo = people = w.meeting("Ada", "Cem", "Bo")
    mallory = Mallory(w, w.guest(w.link_of(ada), "Mallory"), random.Random(1))
    w.until(lambda: w.agreed([*people, mallory.who]))
    w.run(1)
    mallory.victims = lambda: [bo]  # type: ignore[method-assign]  # Mallory's neighbour in the tree
    mallory.spoiled_path()
    w.until(lambda: "stuck" in bo.alarms, 5)
    assert "stuck" not in [*ada.alarms, *cem.alarms]


def test_two_whom_a_commit_shuts_out_name_its_author_to_the_host() -> None:
    w = World(9)
    # where they sit nobody has committed yet: the path secret goes to each leaf by itself
    ada, first, *others = people = w.meeting("Ada", "Mallory", "Bo", "Cem")
    w.run(1)
    mallory = Mallory(w, first, random.Random(1))
    epoch = ada.epoch
    with pytest.MonkeyPatch.context() as patch:
        bad = [p.room.membership.signature_key(p.room.membership.own_leaf) for p in others]
        spoil_for(patch, mallory.who, bad)
        blob = forged(mallory.who, [])
    post_commit(w, mallory.who, blob)
    w.until(lambda: all("stuck" in p.alarms for p in others), 5)
    took = w.until(lambda: ada.epoch > epoch + 2 and w.agreed(people), 30)
    assert took < 15
    told = [e.text for e in ada.told if isinstance(e, ev.Alarm) and e.kind == "unreadable_commit"]
    assert len(told) == 1
    assert "Mallory" in told[0]


def spoil_for(patch: pytest.MonkeyPatch, committer: Participant, keys: list[bytes]) -> None:
    """As `spoil_path`, for several."""
    real = treekem.encrypt_with_label  # type: ignore[attr-defined]  # what the test replaces
    tree = committer.room.membership.group._live.tree
    bad = {n.encryption_key for _, n in tree.leaves() if n.signature_key in keys}

    def spoiled(suite, public, label, context, plaintext, rng):  # type: ignore[no-untyped-def]
        return real(suite, public, label, context, bytes(len(plaintext)) if public in bad else plaintext, rng)

    patch.setattr(treekem, "encrypt_with_label", spoiled)
