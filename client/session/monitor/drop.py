"""One period without the room: what is known of it, and whether it is the server's act.

A sentence that states that the server keeps us out needs the server's own act: a refusal that no network,
crowd or clock causes an honest server to make, an end of the connection with a close frame, a room that it
says it does not have, or a word that contradicts another word of its own. Lost SYNs, stalls, resets and loss
in one direction can come from any network. If only those keep us out, while probes find the server, the
sentence names both causes (`STALLS`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import Final, Literal

from snugroom.client.session.catalogue import sentences
from snugroom.crypto.entry import invite
from snugroom.crypto.kdf import SigningKey
from snugroom.crypto.proof.evidence import Probe, Receipt, SignedHeartbeat
from snugroom.wire.limits import OPEN_WAIT

#: Connections to the room that fail one after the other, between two probes that found the server, before a
#: report that names both possible causes. Where each connection fails with probability 1/4, by itself, all of
#: them fail in less than one of 1,000 drops (`tests/session/test_stalled_networks.py`).
STALLS: Final = 5
#: Refusals that show that a server keeps us out: a notice of the server counts twice, a close frame once.
REFUSALS: Final = 2
#: Codes with which an honest server refuses or ends a connection because of the network, of strangers, of its
#: own end, or of what we have shown: they accuse nobody.
EXCUSES: Final = frozenset(
    {"full", "permission", "time", "idle", "slow", "rate", "nodes", "stopping"}
    | {"moved", "unopened", "pass", "password", "token", "spent"}
)
#: Seconds for somebody to open a room that the server says it does not have, before that is reported.
ROOMLESS_WAIT: Final = OPEN_WAIT + 2.0
#: Seconds of absence after which a server may honestly have forgotten the room (30 s, less a margin).
FORGOTTEN: Final = 25.0


@dataclass
class ProbeRun:
    """One probe under way."""

    began: float
    door_key: SigningKey
    room_admin_key: SigningKey
    chain: bytes
    server_key: bytes = b""

    @property
    def number(self) -> bytes:
        return invite.room_number(self.door_key.public, self.room_admin_key.public)


@dataclass
class Drop:
    """One period without the room: the state when it began, and the findings since."""

    at: float
    beats: list[SignedHeartbeat]
    receipts: list[Receipt]
    server_key: bytes
    origin: str
    elsewhere: str = ""  # the same for `events.Connect`
    heard_at: float = inf  # when the server was heard last before
    since: float = field(init=False)  # as `at`, or when this machine woke up
    probes: int = 0
    probed_at: float | None = None
    run: ProbeRun | None = None
    probe: Probe | None = None  # the last finished one, or the first that is proven
    answered: bool = False  # whether the server was there at the last probe
    probe_refused: bool = False  # whether the server itself refused the last probe
    failures: int = 0  # connections to the room that failed since a probe found the server, as all since
    stalls: bool = False  # whether enough of them failed while it answered all probes
    refused: bool = False  # whether the server answered us with a refusal, whatever its excuse
    refusals: int = 0  # how often the server itself did not let us back in
    roomless_at: float | None = None  # when the server first let us in, and said that it has no such room
    #: Server keys whose challenge asks for no permission, and those that refused us with `permission`.
    open_keys: set[bytes] = field(default_factory=set)
    permission_keys: set[bytes] = field(default_factory=set)
    excuse: Literal["", "full", "permission"] = ""  # with what the server refused us
    told_at: float | None = None  # when something was reported of which the evidence is kept
    accused_at: float | None = None  # when it was reported that the server keeps us out
    told_away: bool = False

    def __post_init__(self) -> None:
        self.since = self.at

    def woke_up(self, now: float, slept: float) -> None:
        """Begin anew after this machine has slept: the server was not asked, and our patience did not run."""
        self.since = now
        self.run = self.probe = self.probed_at = None
        self.answered, self.failures = False, 0
        if self.accused_at is not None:
            self.accused_at += slept

    @property
    def proven(self) -> bool:
        """Whether the server with the lost room's key has signed the probe."""
        receipt = None if self.probe is None else self.probe.receipt
        return receipt is not None and receipt.server_key == self.server_key

    @property
    def contradicted(self) -> bool:
        """Whether one process wanted a permission, and said that anyone may open a room."""
        return bool(self.open_keys & self.permission_keys)

    @property
    def is_forgotten(self) -> bool:
        """Whether we were away for so long that an honest server may no longer have had the room."""
        return self.roomless_at is not None and self.roomless_at - self.heard_at > FORGOTTEN

    def is_act(self, now: float) -> bool:
        """Return whether the server itself keeps us out, by what it did and not by its silence."""
        roomless = self.roomless_at is not None and now - self.roomless_at >= ROOMLESS_WAIT
        return self.refusals >= REFUSALS or roomless or self.contradicted

    def probed(self, probe: Probe, *, answered: bool, refused: bool) -> bool:
        """Note the end of a probe; return whether it has found the server, as the one before did not.

        `answered`: the server was there; `refused`: it has refused the probe itself. The first probe that is
        proven stays: it is the nearest to the drop.
        """
        found = answered and not self.answered
        if not self.proven:
            self.probe, self.probe_refused = probe, refused
        if found:
            self.failures = 0
        self.stalls |= answered and self.failures >= STALLS
        self.answered = answered
        self.run = None
        return found

    @property
    def what(self) -> sentences.Drop:
        """The words about a server that keeps us out itself."""
        if self.contradicted:
            return "contradicts"
        receipt = None if self.probe is None else self.probe.receipt
        if receipt is None:
            return "refuses" if self.probe_refused else "unprobed"
        if receipt.server_key != self.server_key:
            return "restarted"
        return "forgotten" if self.is_forgotten else "serves"
