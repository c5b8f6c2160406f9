"""A robot's view of the meeting, as the page of a member shows it: for the lecture's projector.

The projector gets sentences by their keys, and words them itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue.sentence import Arg, Sentence
from snugroom.client.session.incidents import Incident, Incidents
from snugroom.crypto import mls
from snugroom.crypto.agreed.room_state import Identity
from snugroom.lab.attacks.stage import room_of
from snugroom.lab.demo.robot import Robot

#: Messages and epochs that the projector can show.
_CHAT_MAX: Final = 4
_EPOCHS_MAX: Final = 8


def told(text: str) -> dict[str, Any]:
    """Return a sentence as the page has it: its key and arguments. A text in no language is "verbatim"."""
    if not isinstance(text, Sentence):
        return {"key": "verbatim", "args": {"text": text}}
    return {"key": text.key, "args": {name: _arg(arg) for name, arg in text.args.items()}}


def _arg(arg: Arg) -> Any:
    if isinstance(arg, Sentence):
        return told(arg)
    if arg is None or isinstance(arg, str | int | float):
        return arg
    return [_arg(each) for each in arg]


class Onlooker:
    """Notes what one robot is told. `now` is any clock in seconds, the same in all calls."""

    def __init__(self, robot: Robot) -> None:
        self.robot = robot
        self.incidents = Incidents()
        self._chat: deque[tuple[str, str]] = deque(maxlen=_CHAT_MAX)
        self._tree: deque[dict[str, Any]] = deque(maxlen=_EPOCHS_MAX)
        self._change: ev.Roster | None = None

    def event(self, event: ev.Event, now: float) -> None:
        """Take note of an event."""
        self.incidents.told(event, now)
        match event:
            case ev.Said():
                self._chat.append((event.name, event.text))
            case ev.Roster():
                self._change = event
            case ev.Code():
                self._epoch()

    def says(self, text: str) -> None:
        """The robot itself writes a message: no event tells it of that."""
        self._chat.append((self.robot.name, text))

    def incidents_at(self, now: float) -> list[dict[str, Any]]:
        """Return the open incidents, the most severe first."""
        self.incidents.tick(now)
        return [_incident(self.robot.name, incident) for incident in self.incidents.shown]

    def dismiss(self, now: float) -> None:
        """A person has read all that is open."""
        for incident in self.incidents.open:
            self.incidents.dismiss(incident.number, now)

    def view(self, title: str) -> dict[str, Any]:
        """Return what this robot's page would show."""
        robot = self.robot
        streams = robot.connection.stats()
        return {
            "name": robot.name,
            "title": title,
            "people": [
                {"name": each.name, "leaf": each.leaf, "host": each.host, "self": each.leaf == robot.leaf}
                for each in robot.members
            ],
            "chat": [{"name": name, "text": text} for name, text in self._chat],
            "code": None if robot.code is None else robot.code.digits,
            "sounds": sum(1 for each in streams if each.kind == "audio" and each.opened > 0),
            "videos": sum(1 for each in streams if each.kind == "video" and each.opened > 0),
            "opened": robot.total(streams).opened,
            "tree": list(self._tree),
        }

    def _epoch(self) -> None:
        """Note the tree of the epoch that has begun."""
        session = self.robot.connection.session
        if not session.inside:
            return
        group = room_of(session).membership.group
        change, self._change = self._change, None
        names = {each.leaf: each.name for each in self.robot.members}
        by = None if change is None or change.by is None else names.get(change.by)
        nodes = [_node(node) for node in group.tree_view()]
        seen = {"epoch": group.epoch, "by": by, "what": _what(change), "ownLeaf": group.own_leaf}
        if not self._tree or self._tree[-1]["epoch"] != group.epoch:
            self._tree.append({**seen, "nodes": nodes, "bytes": 0})


def _node(node: mls.TreeNode | None) -> dict[str, Any] | None:
    if node is None:
        return None
    return {
        "key": node.encryption_key.hex(),
        "name": None if node.identity is None else Identity.decode(node.identity).name,
        "held": node.held,
        "unmerged": list(node.unmerged_leaves),
    }


def _what(change: ev.Roster | None) -> Mapping[str, Any]:
    def names(members: Sequence[ev.Member]) -> dict[str, Any]:
        return {"names": [member.name for member in members]}

    if change is not None and change.rejoined:
        return {"key": "tree.rejoined", "args": names(change.added)}
    if change is not None and change.added:
        return {"key": "tree.added", "args": names(change.added)}
    if change is not None and change.removed:
        return {"key": "tree.removed", "args": names(change.removed)}
    return {"key": "tree.healed"}


def _incident(member: str, incident: Incident) -> dict[str, Any]:
    return {
        "member": member,
        "number": incident.number,
        "kind": incident.kind,
        "severity": incident.severity,
        "text": told(incident.text),
    }
