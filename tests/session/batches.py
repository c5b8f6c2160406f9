"""Newcomers who knock at one time, and commits that add several of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from snugroom.client.session import events as ev
from snugroom.client.session.kernel.intents import AddIntent, NewcomerKnock
from snugroom.client.session.kernel.me import Me
from snugroom.crypto import mls
from snugroom.crypto.agreed.policy import LINK_PSK_ID
from snugroom.crypto.kdf import SigningKey
from snugroom.lab.simulation.world import Participant, World

_NUMBERS = count(5000)


def knocking(w: World, host: Participant, *names: str) -> list[Participant]:
    """Guests with the host's link, all of whom wait for its decision."""
    before = len(host.of(ev.Knocked))
    guests = [w.guest(w.link_of(host), name) for name in names]
    w.until(lambda: len(host.of(ev.Knocked)) == before + len(names))
    return guests


def admit_all(w: World, host: Participant, guests: Sequence[Participant]) -> None:
    """The host lets these in at one moment, in this order."""
    numbers = {knocked.name: knocked.knock for knocked in host.of(ev.Knocked)}
    for guest in guests:
        w.do(host, ev.Admit(numbers[guest.label]))


def done(w: World, host: Participant) -> None:
    """The host's commits are done, and all members have them."""
    w.until(lambda: host.room.idle, most=15)
    w.run(4 * w.latency)


def package(w: World, name: str) -> mls.KeyPackage:
    """The KeyPackage of somebody whose program is not here."""
    bundle = Me(name, w.rng).package(w.now, SigningKey.generate(w.rng))
    return mls.KeyPackageIn.decode(bundle.encoded).verify(now=int(w.now))


def newcomer(w: World, name: str, invite: int = 0, of: mls.KeyPackage | None = None) -> AddIntent:
    """A host's intent to add somebody; nobody waits for the answer."""
    return AddIntent(NewcomerKnock(next(_NUMBERS)), of or package(w, name), invite, name)


def adds(w: World, *names: str) -> list[mls.Proposal]:
    """The Adds of these newcomers, without the PSK."""
    return [mls.Add(package(w, name)) for name in names]


def link(w: World) -> mls.Proposal:
    """The PSK proposal of the link."""
    return mls.PreSharedKey.external(LINK_PSK_ID, w.rng)


def slots(who: Participant) -> list[list[str]]:
    """The names that each adopted commit has added, of those commits that added somebody."""
    return [[m.name for m in roster.added] for roster in who.of(ev.Roster) if roster.added]
