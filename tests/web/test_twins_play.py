"""The same steps through both twins of the monitor's parts: results, effects and state are the same.

Chance chooses the steps: members come, go, become hosts and come back under their key; time passes;
heartbeats are honest, late, ahead, forked or of another process; relays come, come twice and do not come;
connections are lost. `test_session_same` plays whole meetings; here is what no meeting reaches.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import pytest

from snugroom.client.session.kernel.membership import Listed
from snugroom.client.session.kernel.verdict import Added, Change, Gone
from tests.interop.lines import LineProcess
from tests.interop.ts_setup import ROOT, ensure_installed
from tests.web.paper import Named, Parts, Step, for_page

BEGAN: Final = 1_700_000_000.0
STEPS: Final = 500
#: Seconds that pass between two steps, often none: sums are exact, so that limits are met exactly.
PAUSES: Final = (0.0, 0.0, 0.0, 0.125, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 15.0, 61.0)
NAMES: Final = ("Ada", "Bo", "Cem", "Dana", "Eve", "Finn", "Gil")
HERE: Final = (b"process1", b"process2")


class Beat(NamedTuple):
    """The fields of a heartbeat that the parts read."""

    leaf: int
    slot: int
    chain: bytes
    incarnation: bytes
    relay: int
    window: bytes


class Play:
    """Makes steps by chance, and takes them as it makes them: a step may depend on what came of others."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.now = BEGAN
        self.others = list(range(1, self.chance.randint(1, 6)))
        self.parts = Parts(self.others, self.now)
        self.steps: list[Step] = []
        self.results: list[Any] = []
        self.hosts = {0} if self.chance.random() < 0.5 else {1}
        self.keys = {leaf: bytes([leaf]) * 4 for leaf in (0, *self.others)}
        self.relays = 0
        self.frames = 0
        #: In this play come often: members ahead of us, or members that could not read a commit.
        self.often = self.chance.choice(("ahead", "stuck", ""))

    def take(self, kind: str, target: str, name: str, *values: Any) -> Any:
        step = (kind, target, name, *values)
        self.steps.append(step)
        self.results.append(self.parts.take(step))
        return self.results[-1][0]

    def call(self, target: str, name: str, *values: Any, **named: Any) -> Any:
        return self.take("call", target, name, *values, *([Named(named)] if named else []))

    def room(self, name: str, value: Any) -> None:
        self.take("set", "room", name, value)

    def any_leaf(self) -> int:
        return self.chance.choice(self.others or [1])

    # -- what happens ------------------------------------------------------------------------------

    def begin(self) -> None:
        self.room("incarnation", HERE[0])
        self.room("slot", 1)
        self.take("put", "room", "chains", 1, bytes(32))
        self.members()
        self.take("set", "members", "synced_at", self.now)

    def members(self) -> None:
        self.room("keys", dict(self.keys))
        rows = tuple(Listed(leaf, NAMES[leaf], leaf in self.hosts) for leaf in sorted(self.keys))
        self.room("rows", rows)
        self.call("members", "update", self.now)

    def commit(self) -> None:
        """A slot is taken: somebody comes, goes, comes again elsewhere, or becomes a host."""
        added: list[Added] = []
        removed: list[Gone] = []
        free = [leaf for leaf in range(1, len(NAMES)) if leaf not in self.keys]
        more = ("again",) * 4 if self.often == "stuck" else ()
        what = self.chance.choice(("comes", "goes", "again", "role", "nothing", *more))
        if what in ("goes", "again") and self.others:
            leaf = self.any_leaf()
            removed.append(Gone(leaf, NAMES[leaf], self.keys.pop(leaf)))
            self.others.remove(leaf)
            self.hosts.discard(leaf)
            if what == "again":
                at = self.chance.choice([leaf, *free])
                self.keys[at] = removed[0].key
                self.others.append(at)
                added.append(Added(at, NAMES[at], 0))
        elif what == "comes" and free:
            at = self.chance.choice(free)
            self.keys[at] = self.chance.randbytes(4)
            self.others.append(at)
            added.append(Added(at, NAMES[at], None))
        elif what == "role":
            self.hosts ^= {self.chance.choice([0, *self.others])}
        self.others.sort()
        slot = self.parts.room.slot + 1
        self.room("slot", slot)
        self.take("put", "room", "chains", slot, slot.to_bytes(32, "big"))
        for leaf, _, _ in removed:
            for part in ("members", "silence", "disorder", "delivery", "freshness"):
                self.call(part, "forget", leaf)
        self.members()
        for leaf, _, _ in removed:
            self.call("beginning", "forget", leaf, dict(self.parts.members.others))
        stuck = None
        if what == "again" and self.chance.random() < 0.7:
            stuck = self.chance.randint(max(1, slot - 4), slot)
        by = self.chance.choice([0, *self.others])
        change = Change(
            by, tuple(added), tuple(removed), what == "again", None, None, frozenset(), stuck_slot=stuck  # type: ignore[arg-type]
        )  # fmt: skip
        self.call("withholding", "adopted", change, self.now)
        self.call("unreadable", "adopted", change)
        if removed and not added:
            self.call("removals", "track", [each.name for each in removed], self.now, host=slot % 2 == 0)

    def beat(self) -> None:
        """A member's heartbeat arrives; it may lie."""
        if not self.others:
            return
        leaf, mine = self.any_leaf(), self.parts.room.slot
        ahead = (1, 1, 2) * 3 if self.often == "ahead" else ()
        slot = max(1, mine + self.chance.choice((-2, -1, 0, 0, 0, 0, 1, 3, *ahead)))
        chain = slot.to_bytes(32, "big") if self.chance.random() < 0.95 else b"\xff" * 32
        relay = max(0, self.relays + self.chance.choice((-3, -1, 0, 0, 0, 1, 4)))
        window = self.parts.ordering.window_at(relay) or bytes(32)
        if self.chance.random() < 0.1:
            window = b"\xee" * 32
        beat = Beat(leaf, slot, chain, self.chance.choice((HERE[0], HERE[0], HERE[0], *HERE)), relay, window)
        self.take("put", "members", "heard", leaf, self.now)
        self.call("withholding", "agrees", beat, self.now)
        self.call("removals", "heard", leaf, slot)
        self.call("disorder", "heard", beat, self.now)
        self.room("missed", self.chance.choice((None, None, self.now - 1.0, self.now - 4.0, self.now - 20.0)))
        self.call("silence", "heard", leaf, self.chance.randint(0, 9), self.now)
        others = dict(self.parts.members.others)
        if self.chance.random() < 0.5:
            until, lease = self.chance.choice(((0.0, 0.0), (8.0, 53.0), (15.0, 60.0), (15.0, 10.0)))
            self.call("freshness", "confirm", leaf, self.now + until, self.now + lease)
            self.call("beginning", "answered", leaf, others)
        if self.chance.random() < 0.02:
            self.call("withholding", "contradicts", leaf)

    def media(self) -> None:
        """Counters of frames: streams 0 and 1, and layers of the latter."""
        self.frames += self.chance.choice((0, 3, 5, 50))
        sender, listener = self.any_leaf(), self.any_leaf()
        self.call("delivery", "record_sent", sender, [(0, self.frames), (1, self.frames // 2)])
        got = {
            sender: {0: self.chance.choice((7, self.frames)), 1: self.chance.choice((0, self.frames // 2))}
        }
        self.call("delivery", "record_received", listener, got, list(self.others), self.now)
        self.call("delivery", "not_reached", (sender, self.chance.randint(0, 1)))
        if self.chance.random() < 0.1:
            self.call("delivery", self.chance.choice(("reset", "stop_judging")), listener)

    def relay(self) -> None:
        """A relay of the server: the next, or one again."""
        number = self.relays + 1 if self.chance.random() < 0.9 or not self.relays else self.relays
        self.relays = number
        digest = number.to_bytes(32, "big") if self.chance.random() < 0.97 else b"\xdd" * 32
        self.call("disorder", "relayed", number, digest)
        self.call("ordering", "newest")

    def connection(self) -> None:
        """The connection is lost, or back; the server may be another process, and say more or less."""
        if self.parts.members.synced_at is not None and self.chance.random() < 0.7:
            self.take("set", "members", "synced_at", None)
            self.room("synced", False)
            self.call("withholding", "lost")
            self.call("ordering", "disconnected")
        else:
            self.take("set", "members", "synced_at", self.now)
            self.room("synced", True)
            self.call("silence", "reset")
            for leaf in self.others[:1]:
                self.call("silence", "reset_member", leaf)
                self.call("members", "unsettle", leaf, self.now)
        self.room("incarnation", self.chance.choice((HERE[0], HERE[0], HERE[0], HERE[1], None)))
        self.room("server_slot", self.chance.choice((None, self.parts.room.slot, self.parts.room.slot + 1)))
        self.room("needs_rejoin", self.chance.random() < 0.1)
        self.room("stuck_at", self.chance.choice((None, None, None, self.parts.room.slot + 1)))
        self.room("seeks_readmission", self.chance.random() < 0.1)
        self.room("mirrored", self.chance.random() < 0.5)
        self.room("servers", self.chance.choice(((), ("https://other.test",))))
        away = self.others[:1] if self.chance.random() < 0.3 else []
        self.room("away", dict.fromkeys(away, self.now))

    def judge(self) -> None:
        """A tick: everything is judged, and everything is asked."""
        if self.chance.random() < 0.8:
            self.take("set", "members", "server_heard_at", self.now)
        others, host = dict(self.parts.members.others), self.parts.members.host
        for part in ("silence", "disorder", "withholding"):
            self.call(part, "judge", self.now)
        self.call("removals", "judge", self.now, self.chance.choice((15.0, 60.0)))
        self.call("withholding", "check_claims", self.parts.room.slot, self.now)
        self.call("withholding", "stop", self.now, fresh=self.chance.random() < 0.5)
        if self.others and self.chance.random() < 0.2:
            self.call("freshness", "end_lease", self.chance.choice(self.others))
        self.call("freshness", "until", others, host=host)
        self.call("freshness", "lacks", others, self.now, host=host)
        self.call("freshness", "missing", others, self.now)
        self.call("beginning", "missing", others)
        self.take("get", "ordering", "waits")
        leaf = self.chance.randrange(len(NAMES))
        self.call("members", "last_heard", leaf)
        self.call("members", "is_settled", leaf, self.now)
        self.call("members", "connected_for", self.now)
        self.call("members", "first_to_beat", self.chance.choice([*self.others, 0]))
        self.call("members", "name", leaf)

    def play(self) -> None:
        """Play it to its end."""
        self.begin()
        often = (self.beat, self.beat, self.beat, self.media, self.relay, self.judge, self.judge)
        happens = often * (4 if self.often == "ahead" else 1) + (self.commit,)
        while len(self.steps) < STEPS:
            self.now += self.chance.choice(PAUSES)
            (self.connection if self.chance.random() < 0.04 else self.chance.choice(happens))()


@functools.cache
def played(seed: int) -> tuple[list[int], list[Step], list[Any]]:
    """Return the members that are there first, the steps, and what came of each."""
    play = Play(seed)
    others = list(play.others)
    play.play()
    return others, play.steps, play.results


@pytest.fixture(scope="module")
def page() -> Iterator[LineProcess]:
    """The page's parts in a Node process."""
    process = LineProcess(ensure_installed(), ROOT / "tests" / "web" / "peers" / "module_peer.ts", 60.0)
    yield process
    process.close()


@pytest.mark.parametrize("seed", range(60))
def test_both_twins_do_the_same_at_each_step(page: LineProcess, seed: int) -> None:
    others, steps, results = played(seed)
    request = {"op": "play", "others": others, "now": BEGAN, "steps": [for_page(step) for step in steps]}
    answer = page.answer(request)
    assert answer["ok"], answer["text"]
    for step, ours, theirs in zip(steps, results, answer["results"], strict=True):
        assert ours == theirs, step


def test_the_steps_reach_what_the_parts_can_say() -> None:
    """Each alarm and status of these parts comes in some play; otherwise the plays would compare silence."""
    said = {
        effect["text"]["key"]
        for seed in range(60)
        for _, effects, _ in played(seed)[2]
        for effect in effects
        if effect["type"] != "ping"
    }
    assert said >= {
        "alarm.silent", "alarm.gone", "alarm.unheard", "status.cleared.heard", "status.cleared.reaches",
        "alarm.two_stories.by", "alarm.withheld", "alarm.withheld.proven", "alarm.withheld.host",
        "alarm.withheld.server", "status.cleared.handed_over", "status.cleared.claims", "alarm.reordered",
        "alarm.reordered.renumbered", "alarm.reordered.held_back", "status.removal_reach",
        "status.removal_reach.all", "status.removal_reach.bound", "alarm.unreadable_commit",
    }  # fmt: skip
