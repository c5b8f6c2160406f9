"""A session's connections as a whole: first contact, liveness, and whether it is the server of the link."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import sentences
from snugroom.client.session.catalogue.sentence import Sentence, sentence
from snugroom.client.session.kernel.first_contact import FirstContact
from snugroom.client.session.kernel.liveness import Liveness, Silent
from snugroom.client.session.kernel.redirects import Redirects
from snugroom.wire import messages as wire

#: Codes of refusals of which the first contact tells the end, so that nobody else need tell them.
_TOLD: Final = frozenset({"full", "stopping"})
#: Characters shown of a name that is the server's own.
_SHOWN: Final = 120


@dataclass(frozen=True)
class Outcome:
    """The effects of an input on the connections. `inputs`: those for the session's parts, in order."""

    inputs: Sequence[ev.Input] = ()
    effects: Sequence[ev.Effect] = ()
    ended: ev.Ended | None = None


class ServerLink:
    """One session's connections to its server. `founds`: it opens a room, and enters no lobby before.

    `slowness`: waits are this many times as long.
    """

    def __init__(self, origin: str, now: float, *, founds: bool, slowness: float = 1.0) -> None:
        self._origin = origin
        self._contact_by = wire.Opened if founds else wire.Entered
        self._contact = FirstContact(origin, now, slowness)
        self._liveness = Liveness(now, slowness)
        self._redirects = Redirects()
        self._distrusted = False  # a certificate that proves nothing was reported
        self._strange: set[str] = set()  # servers of which it was told that we do not go there

    @property
    def contacted(self) -> bool:
        """Whether the server has ever let us in: into a lobby, or into an open room."""
        return self._contact.made

    def left(self) -> ev.Ended:
        """Return the end of a session whose participant leaves before the first contact."""
        return self._contact.left()

    def performed(self, effects: Sequence[ev.Effect]) -> list[ev.Effect]:
        """Take note of what the session does with its connections. Return the effects for the shell."""
        directed = [self._redirects.begun(effect) for effect in effects if self._is_news(effect)]
        self._liveness.performed(directed)
        return directed

    def _is_news(self, effect: ev.Effect) -> bool:
        """Return False for what was told already: that we do not go to a server."""
        match effect:
            case ev.Tell(ev.Status("strange_server", Sentence() as text)):
                origin = str(text.args["origin"])
                is_news = origin not in self._strange
                self._strange.add(origin)
                return is_news
        return True

    def check(self, what: ev.Input, now: float) -> Outcome:
        """Return what an input means for the connections."""
        effects: list[ev.Effect] = []
        outcome = self._check(self._redirects.followed(what, effects), now)
        return replace(outcome, effects=[*effects, *outcome.effects]) if effects else outcome

    def _check(self, what: ev.Input, now: float) -> Outcome:
        match what:
            case ev.Received(endpoint, message):
                return self._received(what, endpoint, message)
            case ev.Lost():
                return self._lost(what)
            case ev.NetworkChanged(certain):
                return _outcome(what, self._liveness.network_changed(certain), "away.network_changed")
            case ev.Tick():
                overdue = self._contact.overdue(now)
                if overdue is not None:
                    return Outcome(ended=overdue)
                return _outcome(what, self._liveness.tick(now), "away.unanswered")
        return Outcome([what])

    def _origin_of(self, endpoint: ev.Endpoint) -> str:
        return self._redirects.origins.get(endpoint) or self._origin

    def _received(self, what: ev.Input, endpoint: ev.Endpoint, message: wire.ServerMessage) -> Outcome:
        """Check whether this server is the one of the link, and takes us."""
        self._liveness.heard(endpoint, message)
        self._distrusted = False
        origin = self._origin_of(endpoint)
        if isinstance(message, wire.Challenge) and message.origin != origin:
            names = {"theirs": message.origin[:_SHOWN], "ours": origin}
            if not self.contacted:
                return Outcome(ended=ev.Ended("unserved", sentence("contact.misnamed", **names)))
            return _given_up([endpoint], sentence("away.misnamed", **names), answered=True)
        if isinstance(message, wire.Refused) and message.fatal and not self.contacted:
            self._contact.refused(message)
            if message.code in _TOLD:
                return Outcome()
        self._contact.made |= isinstance(message, self._contact_by)
        return Outcome([what])

    def _lost(self, lost: ev.Lost) -> Outcome:
        """Take note of a lost connection, and of a certificate that proves nothing."""
        self._liveness.lost(lost.endpoint)
        if lost.strange:
            told = sentences.strange_server(self._origin, self._origin_of(lost.endpoint), "name")
            return Outcome([lost], [ev.Tell(told)])
        if lost.distrust is None:
            return Outcome([lost if self.contacted else replace(lost, why=self._contact.lost(lost.why))])
        args = {"origin": self._origin_of(lost.endpoint), "why": lost.distrust}
        if not self.contacted:
            return Outcome(ended=ev.Ended("untrusted", sentence("alarm.untrusted", **args)))
        effects = [] if self._distrusted else [ev.Tell(sentences.alarm("untrusted", **args))]
        self._distrusted = True
        return Outcome([replace(lost, why=lost.distrust)], effects)


def _outcome(what: ev.Input, silent: Silent, why: str) -> Outcome:
    if not (silent.dead or silent.asked):
        return Outcome([what])  # at nearly every tick
    gone = _given_up(silent.dead, sentence(why))
    pings = [ev.Transmit(endpoint, wire.Ping()) for endpoint in silent.asked]
    return Outcome([*gone.inputs, what], [*gone.effects, *pings])


def _given_up(endpoints: Sequence[ev.Endpoint], why: Sentence, *, answered: bool = False) -> Outcome:
    """Give connections up, as if they were lost."""
    return Outcome(
        [ev.Lost(endpoint, why, answered) for endpoint in endpoints],
        [ev.Disconnect(endpoint) for endpoint in endpoints],
    )
