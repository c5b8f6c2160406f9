"""Page participants and Python participants at one door: posts for one receiver, and lost replies."""

from __future__ import annotations

from tests.session import (
    test_cards,
    test_full_room,
    test_lobby_addressed,
    test_lobby_replayed,
    test_returning_names,
)
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
        other={  # these look into a newcomer
            "a_card_that_answered_another_visit_of_the_same_newcomer_does_not_hold_it": "host",
            "a_newcomer_with_a_card_waits_for_a_slow_reply": "host",
            "replies_that_a_server_repeats_hold_a_newcomer_for_a_while": "host",
        },
        without=[  # and these into the host as well
            "a_card_from_the_lobby_of_another_server_holds_no_newcomer",
            "a_card_that_was_kept_back_for_a_minute_is_dead",
        ],
    )
)
test_cards_of_both = played(
    [
        param
        for param in scenarios(test_cards, other={"forty_newcomers_at_once_all_come_in": "host"})
        if param.values[0] is test_cards.test_forty_newcomers_at_once_all_come_in
    ]
)
test_full_room_of_both = played(scenarios(test_full_room))
test_returning_names_of_both = played(scenarios(test_returning_names))
