"""Protocols of the room: all that a feature may ask of it. `kernel.room.RoomSession` implements them.

Features, monitor and entry depend on this file and never on the room. All attributes are read-only here: a
feature changes the room through a method.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, TypeVar

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.kernel.announcements import Announcements
from snugroom.client.session.kernel.intents import EntryIntent, Intent
from snugroom.client.session.kernel.known_servers import KnownServers
from snugroom.client.session.kernel.membership import Membership
from snugroom.client.session.kernel.place import Place
from snugroom.client.session.kernel.room_admin_keys import RoomAdminKeys
from snugroom.client.session.options import Options
from snugroom.crypto.entry.invite import HostKeys
from snugroom.crypto.kdf import Rng, SigningKey
from snugroom.wire import messages as wire

_F = TypeVar("_F")


class Owner(Protocol):
    """The session that runs a room, and answers in the lobby."""

    def admitted(self, intent: EntryIntent, welcome: bytes, tree: bytes | None) -> None:
        """Answer the newcomer of `intent`, with this Welcome: our commit has come back.

        `tree`: the encoded ratchet tree, if the Welcome doesn't contain it.
        """

    def not_admitted(self, intent: EntryIntent, why: str) -> None:
        """Refuse the newcomer of `intent`: a rule or the server prevents the commit."""


class Members(Protocol):
    """The members, and our place among them."""

    @property
    def membership(self) -> Membership: ...
    @property
    def announcements(self) -> Announcements: ...
    @property
    def member_index(self) -> int:
        """Our index among the members, by leaf."""

    def host_only(self) -> None:
        """Check that we are a host; CommandError if not."""

    @property
    def rank(self) -> int:
        """Our index among the hosts if we are a host, else among the other members, by leaf."""

    def heard_recently(self, leaf: int, now: float, since: float = 0.0) -> bool:
        """Return whether data signed by this leaf has arrived in the last seconds, and after `since`."""


class Here(Protocol):
    """The server that has the room now, and the room's keys there (protocol section 12)."""

    @property
    def is_home(self) -> bool:
        """Whether the room is where the meeting began."""

    @property
    def origin(self) -> str: ...
    @property
    def elsewhere(self) -> str:
        """The same for `events.Connect`: empty for the server of the link."""

    @property
    def door_key(self) -> SigningKey: ...
    @property
    def room_admin_public(self) -> bytes:
        """The key under which that server holds the room, 32 bytes."""

    @property
    def admin_key(self) -> SigningKey | None:
        """The key that opens the room there; None unless we are a host that has it."""

    @property
    def server(self) -> int:
        """Its index in the policy's list, from 1; 0 where the meeting began, or if it is not listed now."""

    @property
    def attempt(self) -> int:
        """0 at the hosts' place; else the leaf of the member whose place it is, plus 1."""

    @property
    def leads_elsewhere(self) -> bool:
        """Whether the policy's list has a server to which our program goes."""

    @property
    def openers(self) -> list[bytes]:
        """Our keys for places of our own (32 bytes each), in the order of the policy's servers."""

    @property
    def is_outdated(self) -> bool:
        """Whether the meeting has another place at this server by now: members departed, or keys changed."""

    def under(self, move_key: bytes) -> Place | None:
        """Return this place as it was under that move key (32 bytes); None where the meeting began."""

    def incarnation(self, process: bytes) -> bytes:
        """Return how heartbeats name the room there, 8 bytes; `process`: the incarnation of the server."""

    def number_under(self, admin: bytes) -> bytes:
        """Return the room's number there under that room admin key (public, 32 bytes)."""

    def signed_by_server(self, slot: int, chain: bytes) -> tuple[Sequence[bytes], bytes]:
        """Return the numbers, and the chain value for that of ours, that a receipt may name."""


class Server(Protocol):
    """The room at the server, and our connection to it."""

    @property
    def here(self) -> Here: ...
    @property
    def origin(self) -> str:
        """The origin of the server where the meeting began."""

    @property
    def number(self) -> bytes: ...
    @property
    def door_key(self) -> SigningKey: ...
    @property
    def room_admin_keys(self) -> RoomAdminKeys: ...
    @property
    def servers(self) -> KnownServers: ...
    @property
    def handle(self) -> bytes: ...
    @property
    def incarnation(self) -> bytes | None: ...
    @property
    def server_key(self) -> bytes | None: ...
    @property
    def server_nonce(self) -> bytes | None:
        """The nonce of this connection's challenge, for what the room admin signs; None without one."""

    @property
    def permit(self) -> bytes | None:
        """What reopens the room at the server under its number there, 40 bytes; None without one."""

    @property
    def token_keys(self) -> Mapping[int, bytes]:
        """The hashes of the token keys that the server has shown us, by week."""

    @property
    def server_slot(self) -> int | None: ...
    @property
    def catching_up(self) -> bool: ...
    @property
    def awaits_entry(self) -> bool:
        """Whether the room is open at our slot, and the server has not acknowledged our pass yet."""

    @property
    def out_of_reach(self) -> bool:
        """Whether the server claims a later slot, and refuses to hand over the way to it."""

    @property
    def is_unanswered(self) -> bool:
        """Whether the server has not answered our pass, or not taken the blob that we handed over."""

    def is_shut_out(self, now: float) -> bool:
        """Return whether no pass of ours has fit for long: another history, or out of reach."""

    def is_synced(self, now: float) -> bool:
        """Return whether we are in step with the server, so that messages reach the others now."""

    def ask_again(self) -> None:
        """Request the way to the others' slot anew."""

    def lost(self, why: str, now: float, *, by_server: bool = False) -> None:
        """Handle a lost or failed connection."""

    @property
    def next_is_ready(self) -> bool:
        """Whether the room at the next server of the list is open for us."""

    @property
    def leaves_server(self) -> bool:
        """Whether the connection ends because we go on elsewhere by ourselves."""

    def look_elsewhere(
        self, now: float, server: int | None = None, attempt: int = 0, *, together: bool = True
    ) -> None:
        """Leave this place, and look for the room at that one of the policy's list, or at the next."""

    def hurry(self, now: float) -> None:
        """Connect at once, if we are about to."""


class Counted(Protocol):
    """How many words members have said, as heartbeats sign it."""

    def said(self, now: float) -> int:
        """Return the number of the last word of ours that we will not resend."""

    def stated(self, leaf: int, number: int) -> None:
        """The member at `leaf` has signed that number."""


class Sending(Protocol):
    """Messages to the members and to the server, and effects for the shell."""

    @property
    def messages(self) -> Counted: ...

    def hold_reason(self, now: float) -> str | None:
        """Return None if messages may be sealed for the room; else why they wait, as a sentence."""

    def pause_reason(self, now: float) -> str | None:
        """Return None if sound and video may be sealed; else why they wait, as a sentence."""

    def speaks(self, now: float) -> bool:
        """Return whether messages reach the others now, and may be sealed for the room."""

    def relay(self, what: content.AnyContent) -> bytes:
        """Send to all members through the relay, and return the blob; only while in sync."""

    def post(self, what: content.Posted, now: float) -> None:
        """Send a message to all members; resend it after a lost connection until all can have it."""

    def broadcast(self, blob: bytes, *, heartbeat: bool = False, ssrc: int | None = None) -> None:
        """Broadcast a blob to the present members: the server neither numbers nor stores it.

        `ssrc`: only to those who receive that stream, now or within a few seconds.
        """

    def send(self, message: wire.ClientMessage) -> None:
        """Send a message on the room's connection."""

    def tell(self, event: ev.Event) -> None:
        """Show an event."""

    def perform(self, effect: ev.Effect) -> None:
        """Have the shell perform an effect."""


class Commits(Protocol):
    """Commits of ours."""

    @property
    def idle(self) -> bool:
        """Whether no intent is queued, no commit is under way and we are not stuck."""

    @property
    def waiting_intents(self) -> Sequence[Intent]:
        """Our intents that have not been done yet, in order."""

    def commits_wait(self, now: float) -> bool:
        """Return whether our commits, except removals, wait for something other than the server."""

    def queue(self, intent: Intent, now: float) -> None:
        """Queue an intent, and commit it as soon as possible."""

    def queue_once(self, intent: Intent, now: float) -> None:
        """Queue an intent, unless an equal one is queued already."""


class Course(Protocol):
    """Whether this membership goes on, is out of step, or has ended."""

    @property
    def stuck_at(self) -> int | None:
        """The slot whose commit we alone cannot read; None without one."""

    #: When a connection last left the room, by the server's word.
    left_at: float

    #: The name of the host that has removed us for absence; empty if none has.
    absent_by: str

    @property
    def needs_rejoin(self) -> bool:
        """Whether this membership cannot go on, as members have signed or we have found ourselves."""

    @property
    def seeks_readmission(self) -> bool:
        """Whether we ask to be let in again: we need to, or the server keeps the others' slot from us."""

    def leave_by(self, at: float) -> None:
        """Leave then, whether our removal is committed or not, if no earlier time is set."""
        ...

    @property
    def leaving(self) -> bool:
        """Whether we have proposed our own removal."""

    @property
    def ended(self) -> ev.Ended | None: ...
    def pass_over(self, blob: bytes, now: float) -> None:
        """Go on after the slot that we are stuck at: its commit, `blob`, is void."""

    def give_up(self, *, replaced: bool = False, absent_by: str = "") -> None:
        """Stop here, and rejoin with a ticket; for good if a request of ours has `replaced` our leaf."""

    def seek_readmission(self, on: bool) -> None:
        """Ask the members to let us in again, and keep this membership meanwhile; or stop asking."""

    def finish(
        self,
        reason: Literal["left", "removed", "replaced", "ended", "dropped", "failed", "unopened", "refused"],
        text: str,
    ) -> None:
        """End this membership: erase the media keys, report the reason and disconnect."""


class Room(Members, Server, Sending, Commits, Course, Protocol):
    """One membership, for its features."""

    @property
    def options(self) -> Options: ...
    @property
    def rng(self) -> Rng: ...
    @property
    def box(self) -> bytes:
        """The private half of the X25519 key that we announce, for messages to us alone (32 bytes)."""

    @property
    def host_keys(self) -> HostKeys | None:
        """The host keys that we hold; None while we are no host."""

    @property
    def has_media(self) -> bool:
        """Whether a media engine has published its parameters."""

    def own_ssrc(self, stream: int) -> int | None:
        """Return the SSRC under which we announce that stream of ours; None if we don't."""

    def take_host_keys(self, keys: HostKeys) -> None:
        """Host with these keys from now on: another host has sent them, or we have made the newest."""

    def feature(self, kind: type[_F]) -> _F:
        """Return the feature of that class; StopIteration if this membership has none."""
