"""Meetings of page participants and Python participants that go on at other servers."""

from __future__ import annotations

from tests.session import (
    test_collected_evidence,
    test_host_search,
    test_members_places,
    test_places,
    test_places_long,
    test_words,
)
from tests.web.mixed import played, scenarios

test_places_of_both = played(scenarios(test_places))
test_places_long_of_both = played(
    scenarios(
        test_places_long,
        mixes=("guests",),
        without={"a_newcomer_to_a_meeting_that_was_mirrored_for_long_goes_along"},
    )
)
#: The liar is a Python session.
test_words_of_both = played(
    scenarios(test_words, other={"a_false_count_is_told_once_a_minute_and_bounded": "-Bo"})
)
test_host_search_of_both = played(scenarios(test_host_search))
#: The spoiler is a Python session.
SPOILED = {
    "a_member_that_opens_places_with_rubbish_spoils_none_but_its_own": "-Bo",
    "members_leave_a_place_that_its_owner_opens_anew": "-Bo",
    "a_removed_member_opens_no_place_that_the_others_come_to": "-Dana",
}
test_members_places_of_both = played(scenarios(test_members_places, other=SPOILED))
#: Members that send something else are Python sessions. It takes two to sign what nobody should.
OTHERS = {
    "a_drop_from_which_all_came_back_is_not_signed_at_a_later_server": "all",
    "a_false_exhibit_is_in_no_file_and_disturbs_nobody": "-Bo-Cem",
    "an_exhibit_that_comes_before_our_own_report_waits_for_it": "-Ada-Bo",
}
test_collected_evidence_of_both = played(
    scenarios(test_collected_evidence, other=OTHERS, without={"of_a_large_meeting_the_file_holds_so_many"})
)
