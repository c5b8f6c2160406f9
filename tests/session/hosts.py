"""Meetings with two hosts, and knocks in the lobby of one."""

from __future__ import annotations

from snugroom.client.session import events as ev
from snugroom.client.session.entry.lobby import HostLobby
from snugroom.client.session.features.host_key_transfer import HostKeyTransfer
from tests.session.world import Participant, World


def two_hosts(w: World, *others: str) -> list[Participant]:
    people = w.meeting("Ada", "Bo", *others)
    w.do(people[0], ev.Deputise(1))
    w.until(lambda: people[1].session._host is not None, why="Bo is a host")
    w.until(lambda: bool(people[0].room.feature(HostKeyTransfer).confirmed), why="and has shown it")
    return people


def lobby_of(who: Participant) -> HostLobby:
    assert who.session._host is not None
    return who.session._host
