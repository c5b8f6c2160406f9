"""Page participants and Python participants vouch, compare codes, report, and send files."""

from __future__ import annotations

from tests.session import (
    test_comparing,
    test_comparing_changes,
    test_comparing_interrupted,
    test_identity,
    test_identity_contacts,
    test_reporting,
    test_sharing,
)
from tests.web.mixed import played, scenarios

SCENARIOS = [
    *scenarios(
        test_identity,
        test_identity_contacts,
        other={
            "a_knock_that_shows_what_it_does_not_hold_is_not_shown": "host -Mallory",
            "a_leaf_has_one_identity_and_the_first_counts": "-Bo-Mallory",
            "what_one_was_given_convinces_nobody_else": "-Ada-Cem-Mallory",
        },
        without=[
            "a_vouch_that_overtakes_its_makers_announcement_waits_for_it",
            "garbage_costs_a_check_and_no_memory",
            "nobody_vouches_for_anothers_leaf_or_with_anothers_identity",
            "one_member_is_shown_an_identity_and_the_others_learn_nothing",
            "the_receiver_could_have_made_the_whole_message",
            "the_vouch_of_another_meeting_is_nothing_here",
        ],
    ),
    *scenarios(
        test_comparing,
        test_comparing_changes,
        test_comparing_interrupted,
        other={
            "a_code_that_was_made_to_begin_like_another_is_not_taken_for_it": "guests",
            "a_hundred_runs_of_one_opener_are_one_every_five_seconds": "-Ada-Mallory",
            "a_share_that_was_not_promised_is_named": "host -Mallory",
            "an_opener_tries_twice_and_then_says_so": "-Ada-Cem",
            "an_own_connection_that_broke_is_said_to_be_that": "guests",
            "hosts_hold_their_commits_while_a_code_is_made_except_removals": "-Ada-Cem",
            "the_last_to_show_can_only_abort_and_is_named": "host -Mallory",
            "two_stories_of_a_commitment_are_a_fork": "host -Mallory",
            "what_is_no_run_of_this_room_is_not_taken_up": "-Ada-Bo",
            "what_is_remembered_is_bounded": "guests",
            "who_asked_and_comes_in_anew_is_told_that_there_is_no_code": "-Ada-Cem",
            "who_leaves_meanwhile_does_not_stop_it": "host -Cem",
        },
        without=[
            "a_change_of_keys_is_no_way_out_either",
            "a_server_that_keeps_one_members_shares_back_is_seen",
            "an_id_is_used_once",
            "an_opening_that_is_under_way_outlives_the_run_that_another_one_ends",
            "falling_out_of_step_is_no_way_to_try_out_codes_unseen",
            "hosts_do_not_hold_their_commits_for_ever",
            "of_two_runs_the_lower_leafs_is_made",
            "the_share_is_gone_when_the_run_is_over",
        ],
    ),
    *scenarios(
        test_reporting,
        other={
            "a_meeting_that_is_not_reportable_has_nothing_to_report": "guests",
            "a_member_can_not_report_what_nobody_said": "host -Mallory",
            "a_member_who_withholds_its_admission_is_named_once": "-Ada-Cem",
            "an_admission_that_is_not_the_hosts_word_is_none": "-Ada-Cem",
            "what_is_kept_is_bounded": "guests",
            "whom_a_host_gives_no_admission_learns_it_before_others_suspect_it": "guests",
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
            "what_is_no_name_is_not_sent_and_not_shown": "host",
            "who_asks_too_often_is_served_so_far_and_no_further": "host -Bo",
        },
    ),
]


test_people = played(SCENARIOS)
