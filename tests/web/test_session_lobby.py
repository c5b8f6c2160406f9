"""Page participants and Python participants at one door: posts for one receiver, and lost replies."""

from __future__ import annotations

from tests.session import test_full_room, test_lobby_addressed, test_lobby_replayed
from tests.web.mixed import played, scenarios

SCENARIOS = scenarios(
    test_lobby_addressed,
    other={
        "a_host_with_another_connection_has_its_knocks": "host",
        "a_newcomer_that_knocks_anew_is_asked_about_once": "host",
        "a_newcomer_with_another_connection_gets_its_answer": "guests",
        "a_newcomer_whose_answer_died_with_its_host_is_let_in_by_another": "-Ada-Cem",
    },
    without=["a_link_holder_that_posts_the_hosts_card_keeps_nobody_out"],
)

test_lobby_of_both = played(SCENARIOS)
test_lobby_replayed_of_both = played(
    scenarios(
        test_lobby_replayed,
        other={"replies_that_a_server_repeats_hold_a_newcomer_for_a_while": "host"},  # looks into a newcomer
    )
)
test_full_room_of_both = played(scenarios(test_full_room))
