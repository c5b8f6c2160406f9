"""A hostile member: it has a real membership, keys and all, and signs what no honest program would make.

It can do no more than post blobs with the pass that it has.
"""

from __future__ import annotations

import random

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.kernel.intents import HealIntent
from snugroom.crypto import mls
from snugroom.crypto.agreed import envelope
from snugroom.crypto.agreed.heartbeat import Heartbeat
from snugroom.crypto.agreed.room_state import POLICY_EXTENSION, CommitContext
from snugroom.crypto.errors import SnugError
from snugroom.crypto.kdf import H
from snugroom.lab.simulation.announcing import announce, signed
from snugroom.lab.simulation.dishonest import forged, fresh_leaf, post_commit, spoil_path
from snugroom.lab.simulation.patches import Patches
from snugroom.lab.simulation.world import Participant, World
from snugroom.wire import messages as wire
from snugroom.wire.limits import BUCKETS

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
        with Patches() as patch:
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
            server=self.w.rng(8),
            relay=self.chance.randrange(1 << 20),
            window=self.w.rng(32),
            words=self.chance.randrange(2**20),
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
