"""Page participants and Python participants vouch, compare codes, report, and send files."""

from __future__ import annotations

from tests.session import (
    test_answers,
    test_comparing,
    test_comparing_changes,
    test_comparing_interrupted,
    test_identity,
    test_identity_contacts,
    test_ready,
    test_reporting,
    test_sharing,
)
from tests.web.mixed import played, scenarios

SCENARIOS = [
    *scenarios(
        test_identity,
        test_identity_contacts,
        other={
            "a_knock_with_a_stolen_identity_is_not_shown": "host -Mallory",
            "a_leaf_has_one_identity_and_the_first_counts": "-Bo-Mallory",
            "a_vouch_convinces_only_its_receiver": "-Ada-Cem-Mallory",
            "an_operator_changes_nothing_and_saying_it_twice_is_saying_it_once": "-Bo",
        },
        without=[
            "a_vouch_that_overtakes_its_makers_announcement_waits_for_it",
            "garbage_costs_a_check_and_no_memory",
            "nobody_vouches_for_anothers_leaf_or_with_anothers_identity",
            "one_member_is_shown_an_identity_and_the_others_learn_nothing",
            "the_receiver_could_have_made_the_whole_message",
            "the_vouch_of_another_meeting_is_refused",
        ],
    ),
    *scenarios(
        test_comparing,
        test_comparing_changes,
        test_comparing_interrupted,
        other={
            "the_first_ten_digits_do_not_identify_a_code": "guests",
            "one_opener_begins_at_most_one_run_every_five_seconds": "-Ada-Mallory",
            "a_share_that_differs_from_its_commitment_is_named": "host -Mallory",
            "an_opener_tries_twice_and_then_reports_failure": "-Ada-Cem",
            "a_member_whose_connection_broke_hears_that_as_the_reason": "guests",
            "hosts_hold_their_commits_while_a_code_is_made_except_removals": "-Ada-Cem",
            "the_last_member_to_reveal_can_only_abort_and_is_named": "host -Mallory",
            "two_commitments_of_one_member_are_a_fork": "host -Mallory",
            "messages_of_no_run_of_this_room_are_ignored": "-Ada-Bo",
            "what_is_remembered_is_bounded": "guests",
            "a_requester_who_rejoins_hears_that_there_is_no_code": "-Ada-Cem",
            "a_leave_during_a_run_does_not_stop_it": "host -Cem",
        },
        without=[
            "a_change_of_keys_does_not_hide_who_aborts",
            "a_server_that_withholds_shares_aborts_the_run",
            "the_id_of_a_run_is_used_once",
            "an_opening_on_its_way_survives_the_end_of_another_run",
            "a_forced_rejoin_does_not_hide_an_aborted_run",
            "hosts_do_not_hold_their_commits_for_ever",
            "the_run_of_the_lower_leaf_wins",
            "a_run_that_is_over_leaves_no_share",
        ],
    ),
    *scenarios(
        test_answers,
        other={
            "ticks_outlive_another_code_and_a_rejoin_and_end_with_the_member": "-Ada",
            "all_answers_look_alike_to_the_server": "-Ada",
            "nobody_answers_for_another_member": "-Bo-Mallory",
            "an_answer_to_another_code_does_not_count": "-Mallory",
            "a_flood_of_answers_is_told_once_a_second_and_alarms_a_few_times": "-Mallory",
            "a_server_that_withholds_answers_gives_no_tick": "-Bo",
        },
        without=["an_answer_ahead_of_its_code_waits_for_it_and_takes_no_memory"],
    ),
    *scenarios(test_ready, other={"without_a_word_of_the_server_they_do_so_after_half_a_second": "all"}),
    *scenarios(
        test_reporting,
        other={
            "a_meeting_that_is_not_reportable_has_nothing_to_report": "guests",
            "a_member_can_not_report_what_nobody_said": "host -Mallory",
            "a_member_who_withholds_its_admission_is_named_once": "-Ada-Cem",
            "an_admission_that_is_not_the_hosts_word_is_none": "-Ada-Cem",
            "the_memory_of_reportable_messages_is_bounded": "guests",
            "a_member_without_an_admission_hears_it_before_others_suspect_it": "guests",
        },
        without=[
            "an_answer_with_a_wrong_admission_is_not_shown_on",
            "everybody_is_told_the_price_on_coming_in_and_nobody_elsewhere",
            "newcomers_and_those_who_rejoin_are_shown_all_admissions",
        ],
    ),
    *scenarios(
        test_sharing,
        other={
            "a_file_whose_pieces_never_come_is_given_up": "host -Bo",
            "false_pieces_are_found_by_the_digest": "host -Bo",
            "more_than_a_few_at_a_time_are_refused": "host -Bo",
            "an_invalid_file_name_is_not_sent_and_not_shown": "host",
            "too_many_requests_are_served_up_to_a_limit": "host -Bo",
        },
    ),
]


test_people = played(SCENARIOS)
