"""Page participants come into large rooms in pieces, and let others into them."""

from __future__ import annotations

import pytest

from snugroom.client.session.options import Options
from snugroom.crypto.agreed.policy import MEMBERS_MAX
from snugroom.crypto.entry import lobby
from snugroom.lab.simulation.world import World
from tests.session import test_attacks_pieces, test_large_rooms
from tests.session.hosts import deputised
from tests.session.large_rooms import Lobby, crowded, small_pieces
from tests.web.mixed import MIXES, mixed_world, played, scenarios
from tests.web.ts_session import SessionProcess

# Python's hosts have the lower limits: a page's host keeps a small room's tree in the Welcome
test_large_rooms_of_both = played(
    scenarios(
        test_large_rooms,
        mixes=("guests",),
        other={
            # the member that lets Bo in is of Python, and so are those that let a page's host come back
            "a_member_is_let_in_again_with_pieces": "-Ada-Cem",
            "a_host_returns_with_pieces": "-Bo-Cem",
        },
        # a page's ledger cannot be set
        without=["a_long_history_of_a_small_room_comes_in_pieces"],
    )
)


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    small_pieces(monkeypatch)


_attacks = played(
    scenarios(
        test_attacks_pieces,
        mixes=("guests",),
        without=[
            "pieces_go_one_newcomer_after_the_other_and_behind_other_posts",
            "one_post_brings_a_piece_to_all_newcomers_of_a_commit",
            "a_piece_that_waits_for_one_newcomer_waits_for_the_next_one_too",
            "a_post_to_several_waits_until_the_server_takes_it",
            "a_knock_that_is_posted_again_and_again_is_not_answered_as_often",
            "pieces_that_are_on_their_way_are_not_sent_again",
            "connections_that_want_an_answers_pieces_are_bounded",
            "kept_pieces_count_once_for_all_who_share_them",
            # it makes answers to the requests of the member, which a page keeps to itself
            "former_members_answers_do_not_displace_the_hosts",
        ],
    )
)
test_attacks_of_both = pytest.mark.usefixtures("_small")(_attacks)


def test_a_page_host_lets_somebody_into_a_large_room(sessions: SessionProcess) -> None:
    """Both programs' answers in pieces: Bo's page comes in by them, and Cem by those that Bo's page makes."""
    w = mixed_world(sessions, lambda name, opens: name == "Bo")(2460)
    ada = w.host("Ada")
    w.run(1)
    crowded(w, ada, 120)
    seen = Lobby.of(w, ada)
    bo = w.guest(w.link_of(ada), "Bo")
    w.until(lambda: bo.session.inside and bo.code == ada.code)
    deputised(w, ada, bo)
    w.kill(ada)
    w.run(5)
    cem = w.guest(w.link_of(ada), "Cem")
    w.until(lambda: cem.session.inside and cem.code == bo.code, 60)
    assert len(cem.roster) == 122
    assert seen.sizes("Bo", lobby.Piece) == seen.sizes("Cem", lobby.Piece) == [65_536]
    sessions.call("closeAll", -1)


@pytest.mark.parametrize("sixteen", [True, False])
def test_what_a_page_host_chose_for_microphones_is_in_the_policy(
    sessions: SessionProcess, sixteen: bool
) -> None:
    w = mixed_world(sessions, MIXES["host"])(2462)
    ada = w.host("Ada", options=Options(sixteen=sixteen))
    bo = w.guest(w.link_of(ada), "Bo")
    w.until(lambda: w.agreed([ada, bo]))
    assert bo.room.membership.policy.sixteen is sixteen
    sessions.call("closeAll", -1)


def test_a_page_comes_into_a_room_of_a_thousand(sessions: SessionProcess) -> None:
    w = mixed_world(sessions, lambda name, opens: name == "Bo", World, 4)(2461)
    ada = w.host("Ada")
    w.run(1)
    crowded(w, ada, MEMBERS_MAX - 1)
    bo = w.guest(w.link_of(ada), "Bo")
    w.until(lambda: bo.session.inside and bo.code == ada.code)
    assert len(bo.roster) == MEMBERS_MAX
    sessions.call("closeAll", -1)
