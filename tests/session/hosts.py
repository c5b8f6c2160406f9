"""Meetings with two hosts, and knocks in the lobby of one."""

from __future__ import annotations

from snugroom.client.session import events as ev
from snugroom.client.session.entry.lobby import HostLobby
from snugroom.client.session.features.host_key_transfer import HostKeyTransfer
from snugroom.crypto.entry import lobby
from snugroom.lab.simulation.world import Participant, World


def two_hosts(w: World, *others: str) -> list[Participant]:
    people = w.meeting("Ada", "Bo", *others)
    deputised(w, people[0], people[1])
    return people


def deputised(w: World, host: Participant, who: Participant) -> None:
    """Have a host make somebody a host too."""
    w.do(host, ev.Deputise(who.session.own_leaf or 0))
    w.until(lambda: who.session._host is not None, why=f"{who.label} is a host")
    w.until(lambda: bool(host.room.feature(HostKeyTransfer).confirmed), why="and has shown it")


def lobby_of(who: Participant) -> HostLobby:
    assert who.session._host is not None
    return who.session._host


def card_of(who: Participant, now: float, nonce: bytes = bytes(16)) -> lobby.Card:
    """A card of that host, which answers a request with this nonce."""
    host = lobby_of(who)
    return lobby.make_card(host.keys, who.room.origin, host._cards._secret(now), [nonce])
