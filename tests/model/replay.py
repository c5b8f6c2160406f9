"""A trail of the models, replayed with real sessions: who commits, and what a hostile server gives to whom.

``python -m tests.model.run MODEL --trail MUTANT`` prints a trail: a step a line, ``name key=number ...``. A
mutant is a model without one check. `without` takes the same check out of the real cores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.kernel import verdict
from snugroom.client.session.kernel.intents import HealIntent
from snugroom.client.session.kernel.membership import Membership
from snugroom.crypto.agreed import policy
from snugroom.crypto.agreed.slot_author import SlotPayload
from snugroom.lab.simulation.dishonest import forged, spoil_path
from snugroom.lab.simulation.world import Participant, World
from snugroom.server.rooms.room_signatures import RoomSignatures
from snugroom.wire import messages as wire

TRAILS: Final = Path(__file__).parent / "trails"
#: The verdicts' numbers in `docs/model/verdicts.pml`.
VALID, VOID, STUCK = 1, 2, 3
#: The honest members of `docs/model/verdicts.pml`, in the order of their numbers.
HONEST: Final = ("Ada", "Bo", "Cem")
NOISE: Final = b"noise".ljust(512, b".")
Verdict = verdict.Valid | verdict.Void | verdict.Stuck


@dataclass(frozen=True)
class Step:
    """One line of a trail."""

    name: str
    values: dict[str, int]

    def __getitem__(self, key: str) -> int:
        return self.values[key]


def parse(text: str) -> list[Step]:
    """Read a trail. ValueError if a line is no step."""
    steps = []
    for line in text.splitlines():
        name, *pairs = line.split()
        steps.append(Step(name, {key: int(value) for key, value in (pair.split("=") for pair in pairs)}))
    return steps


def trail(mutant: str) -> list[Step]:
    """Return the committed trail of that mutant."""
    return parse((TRAILS / f"{mutant}.txt").read_text(encoding="utf-8"))


@contextmanager
def without(mutant: str) -> Iterator[None]:
    """Take the check that the mutant lacks out of the real cores."""
    with pytest.MonkeyPatch.context() as patch:
        match mutant:
            case "NO_PLACE":
                checks = tuple(check for check in policy.COMMIT_CHECKS if check is not policy.snug_1)
                patch.setattr(policy, "COMMIT_CHECKS", checks)
                patch.setattr(SlotPayload, "verify", lambda *_: None)
            case "NAME_AT_PLACE":
                # SNUG-1 alone finds the place wrong, when the author is known
                patch.setattr(SlotPayload, "verify", lambda *_: None)
            case "STUCK_IS_VOID":
                judge = Membership._judge

                def judged(membership: Membership, blob: bytes) -> Verdict:
                    found = judge(membership, blob)
                    if isinstance(found, verdict.Stuck):
                        return verdict.Void(None, "SNUG-16", "its path cannot be read")
                    return found

                patch.setattr(Membership, "_judge", judged)
            case _:
                raise ValueError(f"no check of the real cores belongs to {mutant}")
        yield


@dataclass
class Verdicts:
    """The world of `docs/model/verdicts.pml`: three honest members, Mallory, and a server that lies."""

    world: World
    people: list[Participant]
    blobs: dict[int, bytes] = field(default_factory=lambda: {0: NOISE})
    #: The chain that the author of a blob had.
    bases: dict[int, bytes] = field(default_factory=dict)
    authors: dict[int, int] = field(default_factory=dict)
    #: (member, verdict) for each slot, in the order of the steps.
    seen: list[tuple[int, int]] = field(default_factory=list)
    #: Whether a commit was adopted after another history than its author's.
    foreign: bool = False

    @classmethod
    def begin(cls, seed: int) -> Verdicts:
        world = World(seed)
        # Mallory can encrypt a path secret wrongly for her sibling in the tree alone: she sits beside Ada.
        ada, mallory, bo, cem = world.meeting("Ada", "Mallory", "Bo", "Cem")
        world.run(1)
        return cls(world, [ada, bo, cem, mallory])

    def play(self, steps: list[Step]) -> None:
        """Do the steps of a trail. No time passes: only the trail decides what reaches whom."""
        acts: dict[str, Callable[[Step], None]] = {
            "commit": self._commit,
            "hostile": self._hostile,
            "slot": self._slot,
        }
        for step in steps:
            acts[step.name](step)

    def _commit(self, step: Step) -> None:
        """An honest member sends a commit, which the server keeps."""
        who = self.people[step["member"]]
        membership = who.room.membership
        who.room.queue(HealIntent(membership.group.epoch), self.world.now)
        sent = [e.message for e in who.room.effects if isinstance(e, ev.Transmit)]
        commit = next(m for m in sent if isinstance(m, wire.Commit))
        self._made(step["blob"], step["member"], commit.blob, membership.journal.chain)

    def _hostile(self, step: Step) -> None:
        """Mallory makes a commit whose path Ada cannot read."""
        mallory = self.people[3]
        assert (step["breaks"], step["spoiled"]) == (0, 1), "no trail has another commit"
        with pytest.MonkeyPatch.context() as patch:
            spoil_path(patch, mallory, self.people[0])
            blob = forged(mallory, [])
        self._made(step["blob"], 3, blob, mallory.room.membership.journal.chain)

    def _made(self, number: int, author: int, blob: bytes, base: bytes) -> None:
        self.blobs[number], self.authors[number], self.bases[number] = blob, author, base

    def _slot(self, step: Step) -> None:
        """The server gives a member a blob as that of its next slot, with a receipt."""
        who, blob = self.people[step["member"]], self.blobs[step["blob"]]
        assert step["gate"] == 0, "no trail has another gate"
        room = who.room
        journal, epoch = room.membership.journal, room.membership.group.epoch
        slot, before = journal.slot + 1, journal.chain
        signatures = RoomSignatures(self.world.hub._sign, self.world.rng)
        committed = signatures.committed(room.number, before, wire.Commit(slot, blob))
        self.world.do(who, ev.Received(ev.ROOM, committed))
        found = VOID
        if room.sync.stuck_at is not None:
            found = STUCK
        elif room.membership.group.epoch != epoch:
            found = VALID
            self.foreign = self.foreign or self.bases[step["blob"]] != before
        self.seen.append((step["member"], found))

    # -- the properties, of the real members --------------------------------------------------------

    @property
    def one_history(self) -> bool:
        return not self.foreign

    @property
    def equal_verdicts(self) -> bool:
        """Whether honest members at one chain are in one epoch, unless they know that they are stuck."""
        epochs: dict[bytes, set[int]] = {}
        for who in self.people[:3]:
            if who.room.sync.stuck_at is None:
                membership = who.room.membership
                epochs.setdefault(membership.journal.chain, set()).add(membership.group.epoch)
        return all(len(found) == 1 for found in epochs.values())

    @property
    def true_names(self) -> bool:
        """Whether no alarm about a void slot names an honest member."""
        texts = [
            e.text
            for who in self.people
            for e in who.told
            if isinstance(e, ev.Alarm) and e.kind == "void_commit"
        ]
        return not any(name in text for name in HONEST for text in texts)
