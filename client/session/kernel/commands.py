"""Commands of a person inside the room, each to the part that carries it out."""

from __future__ import annotations

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.catalogue.sentence import CommandError, sentence
from snugroom.client.session.features.absence import Absence
from snugroom.client.session.features.collected_evidence import CollectedEvidence
from snugroom.client.session.features.comparing import Comparing
from snugroom.client.session.features.ending import Ending
from snugroom.client.session.features.filesharing import Files
from snugroom.client.session.features.identity import Vouching
from snugroom.client.session.features.images import Images
from snugroom.client.session.features.moves import Moves
from snugroom.client.session.features.pages import Pages
from snugroom.client.session.features.reporting import Reporting
from snugroom.client.session.features.roles import Roles
from snugroom.client.session.features.states import Reactions, States
from snugroom.client.session.features.subscriptions import Subscriptions
from snugroom.client.session.kernel.room import RoomSession
from snugroom.client.session.monitor.monitor import Monitor


def carry_out(room: RoomSession, what: ev.Input, now: float) -> None:
    """Carry out a command; CommandError if that is impossible."""
    match what:
        case ev.Say(text):
            room.messages.say(text, now)
        case ev.SendImage(_, data):
            room.feature(Images).send(data, now)
        case ev.SendFile(_, name, mime, data):
            room.feature(Files).send(name, mime, data, now)
        case ev.SendHeld():
            if not (room.messages.release() | room.feature(Files).send_anyway()):
                raise CommandError(sentence("cannot.nothing_held"))
        case ev.DiscardHeld():
            held = room.messages.discard()
            if not held:
                raise CommandError(sentence("cannot.nothing_held"))
            for message in held:
                if isinstance(message, content.File):
                    room.feature(Files).discard(message.id)
        case ev.SelectStreams(ssrcs, max_layers):
            room.feature(Subscriptions).subscribe(ssrcs, max_layers, now)
        case ev.SetState():
            state = content.State(what.mic, what.camera, what.screen, what.hand, what.recording, what.away)
            room.feature(States).set(state, now)
        case ev.RaiseHand(up):
            room.feature(States).raise_hand(up, now)
        case ev.React(reaction):
            room.feature(Reactions).react(content.Reaction(reaction), now)
        case ev.RunPage(digest):
            room.feature(Pages).run(digest, now)
        case ev.SaveReport(messages, path):
            room.feature(Reporting).save(messages, path)
        case ev.SaveEvidence(path, names):
            room.feature(CollectedEvidence).save(path, names, now)
        case ev.Withdraw(name):
            room.feature(Absence).withdraw(name, now)
        case ev.Remove(leaf):
            room.remove(leaf, now)
        case ev.Deputise(leaf):
            room.feature(Roles).deputise(leaf, now)
        case ev.Undeputise(leaf):
            room.feature(Roles).undeputise(leaf, now)
        case ev.HandOver(leaf):
            room.feature(Roles).hand_over(leaf, now)
        case ev.Lock(on):
            room.feature(Roles).lock(on, now)
        case ev.NameServers() | ev.ListServers() | ev.AllowServer() | ev.Move() | ev.RemoveAbsent():
            room.feature(Moves).carry_out(what, now)
        case ev.Vouch(leaf):
            room.feature(Vouching).vouch(leaf, now)
        case ev.Know(leaf, name):
            room.feature(Vouching).know(leaf, name, now)
        case ev.Verified(leaf):
            room.feature(Vouching).verify(leaf, now)
        case ev.Override():
            room.feature(Monitor).override(now)
        case ev.Compare() | ev.Compared() | ev.ShowCode():
            _about_code(room.feature(Comparing), what, now)
        case ev.EndMeeting():
            room.feature(Ending).end(now)


def _about_code(comparing: Comparing, what: ev.Compare | ev.Compared | ev.ShowCode, now: float) -> None:
    match what:
        case ev.Compare():
            comparing.compare(now)
        case ev.Compared(same, digits):
            comparing.compared(same, digits, now)
        case ev.ShowCode():
            comparing.show()
