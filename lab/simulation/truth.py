"""When a sentence of the catalogue is true: the acts that may have caused it, for every alarm and end.

A sentence is judged by what really happened (`tale`). It is false if it names an honest member as the
author of an act, the server for an act that only members did, or a member or the own program for an act that
only the server did. `explains`: a person who was told it knows why they are not in step with the others.

An alarm that is missing here fails `test_oracle.py`: whoever adds one says what may cause it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from snugroom.client.session.catalogue.sentence import Arg, Sentence
from snugroom.lab.simulation.tale import DISTURBED, Person, Tale

#: Seconds out of step after which others notice.
LAPSE: Final = 8.0


@dataclass(frozen=True)
class Told:
    """A sentence that one person was told."""

    tale: Tale
    me: Person
    now: float
    key: str
    args: Mapping[str, Arg]

    def names(self, arg: str) -> list[str]:
        """Return the names in an argument; sentences such as "somebody" are none."""
        value = self.args.get(arg)
        each = (
            [value]
            if isinstance(value, str)
            else []
            if value is None or isinstance(value, int | float)
            else value
        )
        return [str(name) for name in each if not isinstance(name, Sentence)]

    def hostile(self, *args: str) -> bool:
        """Whether all persons that are named are hostile, and have done something hostile."""
        return all(self.tale.hostile(name) for arg in args for name in self.names(arg))

    def disturbed(self, person: Person) -> bool:
        """Whether something has lately come between a person and the others, or the person is gone."""
        if not person.wanted or person.crashed or self.now - person.disturbed_at < DISTURBED:
            return True
        return person.in_step_at is None or self.now - person.in_step_at > LAPSE

    def absent(self, arg: str) -> bool:
        """Whether it is true that nothing comes from those named, or that the server is to blame."""
        tale = self.tale
        if tale.hostile_server or tale.hostile_members or self.disturbed(self.me):
            return True
        return all(any(self.disturbed(p) for p in tale.named(name)) for name in self.names(arg))


def server(told: Told) -> bool:
    """An honest server does not do that."""
    return told.tale.hostile_server


def server_or_outage(told: Told) -> bool:
    """The server did that, or it restarted, or the network failed: the sentence decides between none."""
    return told.tale.hostile_server or told.tale.restarted or told.disturbed(told.me)


def reporters(told: Told) -> bool:
    """The server did that, or those who report it lie: the sentence names them."""
    return told.tale.hostile_server or (bool(told.names("who")) and told.hostile("who"))


def author(told: Told) -> bool:
    """The named author did that; without a name, a member or the server did."""
    names = told.names("who")
    return told.hostile("who") if names else told.tale.hostile_server or told.tale.hostile_members


def member(told: Told) -> bool:
    """The member named did that."""
    return told.hostile("who" if "who" in told.args else "name")


def silence(told: Told) -> bool:
    """Nothing comes from those named."""
    return told.absent("who")


def unheard(told: Told) -> bool:
    """What we send does not arrive, or those named say so."""
    return told.tale.hostile_server or told.disturbed(told.me) or told.absent("who")


def own_fault(told: Told) -> bool:
    """Our own program or network: false if the server alone did it."""
    return told.disturbed(told.me) or told.tale.hostile_members


def dropped(told: Told) -> bool:
    """The server keeps us out. Strangers who fill a room are not the server."""
    what = told.args.get("what")
    if isinstance(what, Sentence) and what.key in ("dropped.full", "dropped.permission"):
        return True  # "strangers can fill a server"; "lost this meeting's room"
    if isinstance(what, Sentence) and what.key == "dropped.restarted" and told.tale.restarted:
        return True
    if isinstance(what, Sentence) and what.key == "dropped.forgotten":
        return True  # "everybody left while you were away, or the server ended it"
    if isinstance(what, Sentence) and what.key == "dropped.unclear":
        return told.tale.hostile_server or told.disturbed(told.me)  # "either the server, or the network"
    return told.tale.hostile_server


def media_between_members(told: Told) -> bool:
    """A member forged it, with the server's help."""
    return told.tale.hostile_members


def signatures(told: Told) -> bool:
    """No signatures come: the server, the network, or those named."""
    return told.tale.hostile_server or told.absent("names")


def refusal(told: Told) -> bool:
    """The server refused that, with these words."""
    why = str(told.args.get("why"))
    return told.tale.hostile_server or (told.me.label, why) in told.tale.refusals


def harmless(told: Told) -> bool:
    """It accuses nobody."""
    return True


def never(told: Told) -> bool:
    """It explains nothing."""
    return False


def taken(told: Told) -> bool:
    """Somebody has the keys of the member named."""
    return any(told.tale.did("a thief", "rejoins as") for _ in told.names("name"))


def returned(told: Told) -> bool:
    """Somebody has returned as a host."""
    return any(deed.what.startswith("returns") for deed in told.tale.deeds)


def waits(told: Told) -> bool:
    """The server does not accept a change: it is hostile, away, or hostile members come first."""
    return server_or_outage(told) or told.tale.hostile_members


def opened_ahead(told: Told) -> bool:
    """The server did that, the network is slow, or somebody with a host's keys opened the room ahead."""
    opened = any(d.what.startswith("opens the room") for d in told.tale.deeds)
    return told.tale.hostile_server or told.disturbed(told.me) or opened


def moved_on(told: Told) -> bool:
    """The others are in a later epoch, and the server has not passed that on."""
    here = told.me.room
    return told.tale.hostile_server and any(
        p.room is not None
        and (here is None or p.room.membership.group.epoch > here.membership.group.epoch)
        and not p.room.needs_rejoin
        for p in told.tale.honest()
    )


@dataclass(frozen=True)
class Meaning:
    """When a sentence is true, and whether it tells a person why they are not in step."""

    true: Callable[[Told], bool]
    explains: Callable[[Told], bool] = never


ALARMS: Mapping[str, Meaning] = {
    "code_different": Meaning(harmless),  # a person said so
    "code_disputed": Meaning(harmless),  # a person said so
    "code_cheat": Meaning(member),
    "code_fork": Meaning(lambda told: told.tale.hostile_server or member(told)),
    "code_aborted": Meaning(signatures),
    "two_stories": Meaning(server, explains=harmless),
    "two_stories.by": Meaning(lambda told: told.tale.restarted or reporters(told), explains=harmless),
    "forged_media": Meaning(media_between_members),
    "unverified_media": Meaning(signatures),
    "withheld": Meaning(reporters, explains=harmless),
    "withheld.host": Meaning(reporters, explains=harmless),
    "withheld.proven": Meaning(reporters, explains=harmless),
    "withheld.server": Meaning(opened_ahead, explains=harmless),
    "stale": Meaning(silence, explains=moved_on),
    "stale.no_host": Meaning(silence, explains=moved_on),
    "stale.no_host_few": Meaning(silence, explains=moved_on),
    "invite_leaked.both_wait": Meaning(harmless),
    "invite_leaked.came_in": Meaning(harmless),
    "invite_leaked.somebody_in": Meaning(harmless),
    "page_differs": Meaning(harmless),
    "page_differs.others": Meaning(harmless),
    "removed_knocks": Meaning(harmless),
    "dropped": Meaning(dropped, explains=harmless),
    "dropped.often": Meaning(server_or_outage, explains=harmless),
    "unheard": Meaning(unheard, explains=harmless),
    "unheard.everybody": Meaning(unheard, explains=harmless),
    "not_reaching": Meaning(unheard),
    "not_reaching.blamed": Meaning(server_or_outage),
    "reordered": Meaning(reporters),
    "reordered.proven": Meaning(reporters),
    "reordered.held_back": Meaning(reporters),
    "reordered.held_back.proven": Meaning(reporters),
    "reordered.apart": Meaning(reporters),
    "reordered.renumbered": Meaning(server),
    "silent": Meaning(silence),
    "gone": Meaning(silence),
    "receipt": Meaning(server),
    "server_key.one": Meaning(reporters),
    "server_key.proven": Meaning(reporters),
    "server_key.turned": Meaning(server, explains=harmless),
    "version": Meaning(server, explains=harmless),
    "void_commit": Meaning(author),
    "false_end": Meaning(member),
    "false_end.move": Meaning(member),
    "double_beat": Meaning(member),
    "double_beat.host": Meaning(member),
    "unreadable_commit": Meaning(member),
    "unreadable_commit.again": Meaning(lambda told: told.hostile("who") or told.hostile("victim")),
    "unreportable": Meaning(member),
    "not_admitted": Meaning(harmless),
    "replaced_silent": Meaning(harmless),
    "stuck": Meaning(author),
    "rejoining": Meaning(own_fault),
    "missed": Meaning(harmless),
    "missed.away": Meaning(harmless),
    "missed.words": Meaning(harmless),
    "maybe_lost": Meaning(server_or_outage),
    "refused": Meaning(refusal),
    "refused.lobby": Meaning(refusal),
    "not_done": Meaning(harmless),
    # a gate, a seat
    "wrong_gate": Meaning(author),
    "gate_denied": Meaning(server, explains=server),
    "token_key": Meaning(reporters),
    "unopened.inside": Meaning(harmless, explains=harmless),
    "full.inside": Meaning(harmless, explains=harmless),
    "unopened": Meaning(harmless, explains=harmless),  # a restart, and nobody here has what reopens the room
    "outside": Meaning(harmless, explains=harmless),  # a former host, we missed too much, or the server
    "full": Meaning(harmless, explains=harmless),  # "strangers can fill a server"
    # a rejoin
    "stale.new": Meaning(silence, explains=server),
    "stale.old_answer": Meaning(server, explains=server),
    "replaced": Meaning(taken),
    "rejoining.server": Meaning(server_or_outage, explains=harmless),
    "rejoining.outrun": Meaning(server_or_outage, explains=harmless),
    "rejoining.unanswered": Meaning(server_or_outage, explains=harmless),
    "rejoining.absent": Meaning(harmless, explains=harmless),
    "rejoining.absent_unanswered": Meaning(harmless, explains=harmless),
    # a host's return
    "unapproved_return": Meaning(returned),
    # a host's act that the server does not accept
    "pending": Meaning(waits, explains=harmless),
    "pending.by": Meaning(waits, explains=harmless),
    "pending.removal": Meaning(waits, explains=harmless),
    "pending.removal_by": Meaning(waits, explains=harmless),
    "unasked": Meaning(server),
    "misdirected": Meaning(server),
}

#: Alarms of shells and media engines, which no session raises.
SHELLS = {"media_unreachable", "media_unreachable.private", "media_lost", "media_failed"}

#: Statuses that explain why a person is not in step, while that lasts.
STATUSES: dict[str, Meaning] = {
    "away.restarted": Meaning(lambda told: told.tale.restarted or server(told), explains=harmless),
    "away.unreachable": Meaning(server_or_outage, explains=harmless),
    "waits_away": Meaning(server_or_outage, explains=harmless),
    "mirror": Meaning(lambda told: server_or_outage(told) or told.tale.hostile_members),
    "waiting": Meaning(lambda told: not any(p.is_host for p in told.tale.honest()), explains=harmless),
    "returning": Meaning(lambda told: not any(p.room for p in told.tale.honest()), explains=harmless),
}

for _ours in ("date", "either", "fast", "ours", "slow", "theirs"):
    STATUSES[f"clock.{_ours}"] = Meaning(lambda told: told.tale.did("the clock"), explains=harmless)

#: The reasons of a session's end.
ENDS: Mapping[str, Callable[[Told], bool]] = {
    "room.you_left": lambda told: not told.me.wanted,
    "room.you_ended": lambda told: told.me.label in told.tale.ended_by,
    "room.ended_unheard": lambda told: told.me.label in told.tale.ended_by,
    "room.ended_by": lambda told: all(
        any(p.label in told.tale.ended_by for p in told.tale.named(n)) for n in told.names("name")
    ),
    "room.removed_by": lambda told: (
        bool(told.names("by"))
        and all(any(p.label in told.me.removed_by for p in told.tale.named(n)) for n in told.names("by"))
    ),
    "room.replaced": lambda told: told.tale.did("a thief", "rejoins as") or returned(told),
    "dropped.gave_up": dropped,
    # no server of these searches wants a password or a token
    **dict.fromkeys(
        [
            f"unopened.{why}"
            for why in ("no_password", "no_tokens", "clock", "password", "rate", "token", "spent")
        ],
        server,
    ),
}
