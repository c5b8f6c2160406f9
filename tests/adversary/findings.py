"""What the adversary has found, each as the shortest script that shows it.

The machine's own scripts, shrunk and put into words. `test_findings.py` plays them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from tests.adversary.meeting import Meeting
from tests.adversary.stage import EVERYBODY

#: Makes a meeting, as `Meeting` does.
Begin = Callable[..., Meeting]


def refused_to_all(begin: Begin) -> Meeting:
    """The server tells everybody, the host included, that the changes are no longer held."""
    m = begin(("Ada", "Bo", "Cem"))
    m.server_refuses(EVERYBODY, "gone", "catch_up")
    return m


def refused_to_one(begin: Begin) -> Meeting:
    """The server tells one member so: it fell out of step by the server's word alone."""
    m = begin(("Ada", "Bo", "Cem"))
    m.server_refuses("Bo", "gone", "catch_up")
    return m


def unanswered_show(begin: Begin) -> Meeting:
    """The server swallows one answer: a member waits for it for ever."""
    m = begin(("Ada", "Bo", "Cem"))
    m.server_meddles("drops", "Bo", "down", "shown", 1)
    m.loses_connection("Bo")
    m.wait(45)
    return m


def held_knock(begin: Begin) -> Meeting:
    """The server holds a member's first knock to come back, and delivers it after the second."""
    m = begin(("Ada", "Bo", "Cem"), deputies=("Bo",))
    m.server_meddles("holds", "Cem", "up", "large post", -1)
    m.server_refuses("Cem", "gone", "catch_up")
    m.wait(125)  # Cem makes another ticket
    m.server_relents()
    m.wait(12)
    m.server_releases_all()
    m.wait(5)
    return m


def stale_answers(begin: Begin) -> Meeting:
    """The server answers each of the host's commits as if it came too late."""
    m = begin()
    m.server_meddles("answers_stale", "Ada", "up", "commit", -1)
    m.removes("Ada", "Mallory")
    m.wait(12)
    return m


def swallowed_commits(begin: Begin) -> Meeting:
    """The server swallows the host's commits."""
    m = begin()
    m.server_meddles("drops", "Ada", "up", "commit", -1)
    m.removes("Ada", "Mallory")
    m.wait(12)
    return m


def stale_hand_overs(begin: Begin) -> Meeting:
    """A restarted server takes no change that its hosts hand over, as if each came too late."""
    m = begin(("Ada", "Bo", "Mallory"), deputies=("Bo",))
    m.server_meddles("answers_stale", EVERYBODY, "up", "commit", -1)
    m.server_restarts()
    m.wait(30)
    return m


def unanswered_pass_of_a_host(begin: Begin) -> Meeting:
    """After a restart the server swallows the pass that a host shows, and so its next change."""
    m = begin()
    m.server_meddles("drops", "Ada", "up", "show", 1)
    m.server_restarts()
    m.removes("Ada", "Mallory")
    m.wait(15)
    return m


def speaking_to_the_removed(begin: Begin) -> Meeting:
    """A host writes while its own removal of a reader is not done."""
    m = begin()
    m.server_meddles("drops", "Ada", "up", "commit", -1)
    m.removes("Ada", "Mallory")
    m.says("Ada")
    return m


def withheld_removal(begin: Begin) -> Meeting:
    """The server withholds a removal from one member, who writes long after its media has stopped."""
    m = begin()
    m.server_keeps_in_the_past("Bo")
    m.removes("Ada", "Mallory")
    m.wait(40)
    m.talks("Bo")
    m.says("Bo")
    return m


def founder_kept_in_the_past(begin: Begin) -> Meeting:
    """The server keeps the founder from everything, whose room was new: a host's card points elsewhere."""
    m = begin(("Ada", "Bo", "Cem", "Mallory"), deputies=("Mallory",))
    m.server_keeps_in_the_past("Ada")
    m.wait(25)
    return m


def held_answer(begin: Begin) -> Meeting:
    """The server holds the answer to a newcomer until a member that it knows has been removed."""
    m = begin()
    m.server_meddles("holds", "Dana", "down", "large posted", -1)
    m.joins("Dana")
    m.removes("Ada", "Mallory")
    m.wait(35)
    m.server_keeps_in_the_past("Dana")
    m.server_releases(0)
    m.wait(0.5)
    m.says("Dana")
    m.talks("Dana")
    return m


def withheld_echo(begin: Begin) -> Meeting:
    """The server withholds the echo of a message, and a newcomer comes in."""
    m = begin(("Ada", "Bo", "Cem"))
    m.server_meddles("drops", "Bo", "down", "relayed", 1)
    m.says("Bo")
    m.joins("Dana")
    m.wait(3)
    m.loses_connection("Bo")
    m.wait(3)
    return m


def departed_host_returns(begin: Begin) -> Meeting:
    """A deputy leaves, and returns by the host seed under a name that nobody knows."""
    m = begin(("Ada", "Bo", "Mallory"), deputies=("Mallory",))
    m.leaves("Mallory")
    m.wait(4)
    m.returns_by_seed("Mallory", "Zoe")
    m.wait(6)
    return m


def demoted_host_rekeys(begin: Begin) -> Meeting:
    """A demoted deputy hands the room at the server to other keys, until no earlier number leads to it."""
    m = begin(("Ada", "Bo", "Mallory", "Cem"), deputies=("Mallory",))
    m.demotes("Ada", "Mallory")
    m.rekeys("Mallory", 20)
    m.wait(60)
    return m


def host_takes_the_room(begin: Begin) -> Meeting:
    """A deputy hands the room at the server to a key that nobody else has: no change of a host counts."""
    m = begin(("Ada", "Bo", "Mallory", "Cem"), deputies=("Mallory",))
    m.rekeys("Mallory", 1)
    m.joins("Dana")
    m.wait(5)
    m.removes("Ada", "Mallory")
    m.wait(30)
    return m


def host_takes_the_room_again_and_again(begin: Begin) -> Meeting:
    """A deputy hands it to one key after another: no number by which others come back is forgotten."""
    m = begin(("Ada", "Bo", "Mallory", "Cem"), deputies=("Mallory",))
    m.deputises("Ada", "Bo")
    m.demotes("Ada", "Bo")
    m.wait(5)  # the keys change: the members know another number than the first
    m.rekeys("Mallory", 20)
    m.loses_connection("Bo")
    m.wait(60)
    m.removes("Ada", "Mallory")
    m.wait(30)
    m.loses_connection("Cem")
    m.wait(20)
    return m


def demoted_host_opens_ahead(begin: Begin) -> Meeting:
    """A demoted deputy is the first to open the room after a restart, at a slot that nobody has reached."""
    m = begin(("Ada", "Bo", "Mallory", "Cem"), deputies=("Mallory",))
    m.demotes("Ada", "Mallory")
    m.opens_ahead("Mallory", 100)
    m.wait(60)
    return m


def private_gates(begin: Begin) -> Meeting:
    """A member takes slot after slot from four connections, each with a gate that only it can open."""
    m = begin()
    m.takes_slots("Mallory", 20)
    m.wait(30)
    return m


def wrong_gate_without_a_host(begin: Begin) -> Meeting:
    """A member takes a slot with a wrong gate while no host is there."""
    m = begin()
    m.crashes("Ada")
    m.wait(1)
    m.signs("Mallory", "wrong_gate")
    m.wait(60)
    return m


def filled_seats(begin: Begin) -> Meeting:
    """A member fills the room with connections that show no pass, and another loses its connection."""
    m = begin()
    m.crowds("Mallory", 12)
    m.loses_connection("Bo")
    m.wait(10)
    return m


def stolen_leaf_key(begin: Begin) -> Meeting:
    """A thief rejoins with keys that were copied before their owner's last change."""
    m = begin(("Ada", "Bo", "Cem"))
    m.steals("Bo")
    while not m.thefts["Bo"].outdated(m.tale.honest()):
        m.wait(10)
    m.thief_rejoins("Bo")
    m.wait(5)
    return m


def wrong_clock(begin: Begin) -> Meeting:
    """The host's clock is ten minutes ahead: a newcomer waits for ever, and nobody knows why."""
    m = begin(("Ada", "Bo", "Cem"))
    m.sleeps("Ada", 600.0)
    m.joins("Dana")
    return m


FINDINGS: Final[Mapping[str, Callable[[Begin], Meeting]]] = {
    play.__name__: play
    for play in (
        refused_to_all,
        refused_to_one,
        unanswered_show,
        held_knock,
        stale_answers,
        swallowed_commits,
        unanswered_pass_of_a_host,
        stale_hand_overs,
        speaking_to_the_removed,
        withheld_removal,
        founder_kept_in_the_past,
        held_answer,
        withheld_echo,
        departed_host_returns,
        demoted_host_rekeys,
        host_takes_the_room,
        host_takes_the_room_again_and_again,
        demoted_host_opens_ahead,
        private_gates,
        wrong_gate_without_a_host,
        filled_seats,
        stolen_leaf_key,
        wrong_clock,
    )
}
