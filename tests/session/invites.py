"""Invites of hosts, and the events that tell hosts about them."""

from __future__ import annotations

from snugroom.client.session import events as ev
from snugroom.lab.simulation.world import Participant, World


def made(host: Participant, label: str) -> ev.InviteMade:
    (one,) = [e for e in host.told if isinstance(e, ev.InviteMade) and e.label == label]
    return one


def invite(w: World, host: Participant, label: str, *, once: bool = False) -> ev.InviteMade:
    w.do(host, ev.NewInvite(label, once))
    return made(host, label)


def rows(w: World, host: Participant) -> dict[int, ev.InviteRow]:
    w.do(host, ev.ListInvites())
    told = host.of(ev.Invites)[-1]
    return {row.index: row for row in told.rows}


def alarms(who: Participant, kind: str) -> list[str]:
    return [e.text for e in who.told if isinstance(e, ev.Alarm) and e.kind == kind]


def knocks(who: Participant) -> list[ev.Knocked]:
    return [e for e in who.told if isinstance(e, ev.Knocked)]
