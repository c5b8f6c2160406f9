"""Answers to a short code: which members say that they have the same one (protocol section 8).

An answer is the word of the member that sends it, about its own screen. It names the run of the code by its
id and by V, so that it counts for no other code. Members are identified by their signature keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content, sentences
from snugroom.client.session.catalogue.sentence import sentence
from snugroom.client.session.features.compared import members_of
from snugroom.client.session.kernel.feature import Contents, Feature
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.verdict import Change
from snugroom.crypto import mls
from snugroom.crypto.proof.verification import CodeRun

#: Minimum seconds between two answers of ours, and between two events: the last one is sent, and told.
EVERY: Final = 1.0
#: How often a member may take back, within one run, that the codes differ: its last word stands from then on.
TAKEN_BACK_MAX: Final = 3


@dataclass
class _Answered:
    """The last code, and the answers to it by signature key."""

    sid: bytes
    digest: bytes
    epoch: int
    opener: bytes
    names: Mapping[bytes, str]
    said: dict[bytes, bool] = field(default_factory=dict)
    said_as: dict[bytes, tuple[int, int]] = field(default_factory=dict)  # (epoch, generation)
    taken_back: dict[bytes, int] = field(default_factory=dict)
    disputed: set[bytes] = field(default_factory=set)  # those whose "different" was reported


class Answers(Feature):
    """Sends our person's answer, and reports everybody's."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self._last: _Answered | None = None
        #: Answers to runs that are unknown here: of each member the last one.
        self._early: dict[bytes, tuple[tuple[int, int], content.CodeAnswer]] = {}
        #: Members that said "same" to a code to which our person said so too.
        self._both: set[bytes] = set()
        #: Members whose last word, as reported, is that codes differ: of this run or of an earlier one.
        self._differ: set[bytes] = set()
        self._keys: dict[int, dict[int, bytes]] = {}  # of this epoch and the last: leaf -> signature key
        self._keep_keys()
        self._say_at: float | None = None
        self._said_at = self._told_at = float("-inf")
        self._news = False

    def carry_over(self, old: Room) -> None:
        before = old.feature(Answers)
        self._last, self._early = before._last, before._early
        self._both, self._differ = before._both, before._differ

    @property
    def by(self) -> int | None:
        """The leaf of the member that opened the run of the last code; None if it is not here."""
        return None if self._last is None else self._leaves().get(self._last.opener)

    def shown(self, run: CodeRun, opener: int, epoch: int) -> None:
        """A code of this epoch is shown; `opener` is a leaf."""
        m = self.room.membership
        self._last = _Answered(run.sid, run.digest, epoch, m.signature_key(opener) or b"", members_of(m))
        self._say_at = None
        early, self._early = self._early, {}
        for key, (said_as, what) in early.items():
            self._take(key, what, said_as)
        self._news = True

    def answer(self, same: bool, now: float) -> None:
        """Our person says whether the last code is the same; before there was one, nothing happens."""
        if self._last is not None:
            self._last.said[self._own_key] = same
            self._say_at = max(now, self._said_at + EVERY)
            self._weigh()
            self._say(now)
            self._tell(now)

    # -- hooks -----------------------------------------------------------------------------------------

    def synced(self, now: float) -> None:
        if self._last is not None and self._own_key in self._last.said:
            self._say_at = now

    def tick(self, now: float) -> None:
        self._say(now)
        if self._news and now - self._told_at >= EVERY:
            self._tell(now)

    def adopted(self, change: Change, now: float) -> None:
        self._keep_keys()
        if change.added or change.removed:
            self._news = self._last is not None
            here = self._leaves()
            self._differ = {key for key in self._differ if key in here}
            self._early = {key: early for key, early in self._early.items() if key in here}

    def contents(self) -> Contents:
        return {content.CodeAnswer: self._answer_received}

    def _answer_received(
        self, received: mls.ApplicationMessage, what: content.CodeAnswer, now: float
    ) -> None:
        key = self._keys.get(received.epoch, {}).get(received.sender)
        said_as = (received.epoch, received.generation)
        if key is None:
            return
        if self._last is None or self._last.sid != what.sid:
            self._early[key] = (said_as, what)  # the server's order was lost: the code may follow
        else:
            self._take(key, what, said_as)

    # -- answers ---------------------------------------------------------------------------------------

    def _take(self, key: bytes, what: content.CodeAnswer, said_as: tuple[int, int]) -> None:
        last = self._last
        if last is None or (last.sid, last.digest) != (what.sid, what.digest) or key not in last.names:
            return
        if said_as < last.said_as.get(key, (0, 0)):
            return  # catching up brings older ones
        last.said_as[key] = said_as
        before = last.said.get(key)
        if before == what.same:
            return
        if before is False:
            last.taken_back[key] = last.taken_back.get(key, 0) + 1
            if last.taken_back[key] > TAKEN_BACK_MAX:
                return
        last.said[key] = what.same
        self._weigh()
        self._news = True

    def _weigh(self) -> None:
        """Keep the members with which our person has compared."""
        assert self._last is not None
        said, own = self._last.said, self._own_key
        if said.get(own):
            self._both |= {key for key, same in said.items() if same and key != own}
        elif own in said:
            self._both.clear()
        self._both -= {key for key, same in said.items() if not same}

    def _say(self, now: float) -> None:
        last = self._last
        if last is None or self._say_at is None or now < self._say_at or not self.room.speaks(now):
            return
        self._say_at, self._said_at = None, now
        self.room.relay(content.CodeAnswer(last.sid, last.digest, last.said[self._own_key]))

    def _tell(self, now: float) -> None:
        last, m = self._last, self.room.membership
        if last is None:
            return
        self._news, self._told_at = False, now
        members = tuple(
            ev.Answered(leaf, name, last.said.get(key), key in self._both)
            for leaf, name, _ in m.members()
            if (key := m.signature_key(leaf) or b"") in last.names
        )
        self.room.tell(ev.CodeAnswers(last.epoch, self.by, members, _text(members)))
        self._tell_differing()

    def _tell_differing(self) -> None:
        """Report a member that says that the codes differ, and a member that says so no more."""
        assert self._last is not None
        here, last = self._leaves(), self._last
        for key, same in last.said.items():
            if key == self._own_key or key not in here:
                continue
            if same and key in self._differ:
                self._differ.discard(key)
                last.disputed.discard(key)
                self.room.tell(sentences.status("cleared.code_disputed", name=last.names[key]))
            elif not same and key not in last.disputed:
                self._differ.add(key)
                last.disputed.add(key)
                self.room.tell(sentences.alarm("code_disputed", name=last.names[key]))

    # -- keys ------------------------------------------------------------------------------------------

    @property
    def _own_key(self) -> bytes:
        return self.room.membership.signature_key(self.room.membership.own_leaf) or b""

    def _leaves(self) -> dict[bytes, int]:
        m = self.room.membership
        return {m.signature_key(leaf) or b"": leaf for leaf, _, _ in m.members()}

    def _keep_keys(self) -> None:
        epoch = self.room.membership.group.epoch
        self._keys = {each: keys for each, keys in self._keys.items() if each == epoch - 1}
        self._keys[epoch] = {leaf: key for key, leaf in self._leaves().items()}


def _text(members: tuple[ev.Answered, ...]) -> str:
    same = sum(member.same is True for member in members)
    differ = [member.name for member in members if member.same is False]
    key = "compared.answers.differ" if differ else "compared.answers"
    return sentence(key, same=same, of=len(members), names=differ)
