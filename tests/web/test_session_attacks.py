"""Hostile members meet page participants and Python participants: the same checks, the same alarms."""

from __future__ import annotations

from tests.session import (
    test_attacks_claims,
    test_attacks_false_claims,
    test_attacks_gates,
    test_attacks_held,
    test_attacks_held_answer,
    test_attacks_host,
    test_attacks_host_keys,
    test_attacks_invites,
    test_attacks_lobby,
    test_attacks_media,
    test_attacks_own_requests,
    test_attacks_readers,
    test_attacks_rejoin,
    test_attacks_replaced,
    test_attacks_room_key,
    test_attacks_sealing,
    test_attacks_starved,
    test_holding,
    test_honest_server,
    test_hostile_members,
    test_introductions,
    test_recovery,
)
from tests.web.mixed import played, scenarios

SCENARIOS = [
    *scenarios(
        test_introductions,
        mixes=("host", "guests", "all"),
        other={
            "a_large_room_is_introduced_in_parts": "-Ada",
            "without_an_introduction_members_announce_themselves": "-Mallory",
            "a_member_that_is_missing_announces_itself_at_once": "-Mallory",
            "a_member_whose_old_announcement_is_handed_on_announces_itself": "-Mallory",
            "a_member_whose_changed_announcement_is_handed_on_announces_itself": "-Mallory",
            "an_introduction_of_the_last_epoch_does_not_keep_a_member_silent": "-Mallory",
            "a_forged_or_foreign_announcement_changes_nothing": "-Bo-Mallory",
            "a_replayed_announcement_does_not_undo_a_newer_one": "-Bo-Mallory",
            "the_announcement_of_a_removed_member_is_refused_at_its_leaf": "-Mallory-Cem",
        },
        without=[
            "the_longest_announcements_fit_one_message",
            "nobody_changes_what_a_member_knows_of_itself",
            "an_identity_is_shown_anew_to_a_member_whose_new_connection_another_hands_on",
        ],
    ),
    *scenarios(
        test_hostile_members,
        other={
            "the_acts_are_what_they_are_called": "host -Mallory",
            "two_whom_a_commit_shuts_out_name_its_author_to_the_host": "host -Mallory",
        },
    ),
    *scenarios(
        test_attacks_sealing,
        other={
            "a_box_that_is_no_key_costs_its_owner_the_seed": "host -Mallory",
            "a_reply_key_that_is_none_costs_who_asked_the_answer": "host",
            "an_answer_that_is_too_large_is_a_refusal": "guests",
        },
    ),
    *scenarios(
        test_attacks_gates,
        other={
            "one_wrong_gate_without_a_host_freezes_nobody_and_names_its_author": "-Ada-Mallory",
            "a_demoted_deputy_opens_a_restarted_room_100_slots_ahead": "-Bo",
            "an_evicted_member_opens_a_restarted_room_first_and_the_members_take_it_back": "-Ada-Mallory",
            "an_evicted_member_stays_outside_when_members_hand_its_eviction_over": "-Mallory",
            "a_member_puts_something_else_into_a_slot_of_a_restarted_room": "-Mallory",
            "valid_changes_with_wrong_gates_cost_nobody_a_connection": "-Ada-Mallory",
        },
        without=[
            "four_connections_with_private_gates_freeze_nobody",
            "a_demoted_deputy_opens_a_restarted_room_and_no_host_is_left",
            "members_whose_last_host_is_long_gone_reopen_a_restarted_room",
            "an_evicted_member_with_98_connections_takes_no_members_seat",
            "connections_without_a_pass_are_dropped_after_ten_seconds",
            "a_full_room_is_reported_and_accuses_nobody",
        ],
    ),
    *scenarios(test_attacks_host),
    *scenarios(
        test_attacks_host_keys,
        other={
            "a_host_that_changes_the_keys_and_dies_is_followed_by_another": "guests",
            "a_member_alone_lets_no_thief_in_while_hosts_are_here": "-Cem",
            "a_demoted_deputy_closes_no_gate": "-Bo",
            "a_demoted_deputy_that_opens_first_after_a_restart_is_alone_there": "guests",
            "a_former_host_stands_in_the_lobby_for_links_from_before_alone": "guests",
            "members_open_a_restarted_room_by_an_opening_of_the_new_key": "guests",
        },
        without=[
            "a_return_that_no_host_approved_is_reported",
            "the_author_of_a_change_of_keys_takes_one_slot_with_the_new_key",
        ],
    ),
    *scenarios(
        test_attacks_room_key,
        other={"hosts_go_on_in_a_room_that_one_of_them_has_taken": "-Bo"},
    ),
    *scenarios(
        test_attacks_invites,
        other={
            "a_former_host_is_not_waved_in_by_a_link_of_her_own": "host -Mallory",
            "a_reader_of_anothers_answer_reads_no_heartbeats": "guests",
        },
    ),
    *scenarios(
        test_attacks_lobby,
        other={
            "a_member_that_floods_those_in_the_lobby_does_not_push_out_a_host": "host",
            "a_member_whose_new_name_is_none_costs_those_in_the_lobby_one_check": "host",
            "a_name_that_is_none_costs_a_host_one_check": "host -Mallory",
        },
        without=[
            "a_knock_that_opens_by_no_card_costs_its_checks_once",
            "a_members_rejoins_that_wait_are_few",
            "rejoins_of_nobody_are_not_kept_and_alarm_nobody",
        ],
    ),
    *scenarios(
        test_attacks_media,
        other={
            "a_burst_is_no_way_to_say_much_in_little_time": "-Ada-Mallory",
            "a_server_that_begins_the_connection_anew_in_its_midst_excuses_nothing": "-Ada-Mallory",
            "cuts_with_changes_of_keys_excuse_no_more": "-Ada-Mallory",
            "cutting_the_connection_again_and_again_excuses_no_voice": "-Ada-Mallory",
            "nothing_is_played_before_the_connection_is_in_step": "-Ada-Mallory",
            "a_member_who_rejoins_keeps_its_doubts": "-Ada",
            "a_rejoin_of_the_victim_gives_no_new_credit": "-Ada",
        },
    ),
    *scenarios(
        test_attacks_own_requests,
        # the others are unit tests of the page (rejoinKeys)
        without=[
            "a_commit_after_a_ticket_has_another_key",
            "a_held_ticket_of_a_stay_that_ended_locks_nobody_out",
            "a_member_that_has_asked_and_does_not_see_its_rejoin_accuses_no_thief",
            "a_membership_that_its_own_request_has_replaced_does_not_go_on",
            "a_ticket_is_over_by_a_commit_that_was_sent_after_it_and_by_no_other",
            "a_stay_that_our_own_commit_has_ended_asks_for_another_key_with_its_next_ticket",
        ],
    ),
    *scenarios(
        test_attacks_rejoin,
        other={
            "a_member_cannot_shut_another_out_by_commits_that_it_alone_cannot_read": "host -Mallory",
            "a_member_who_saw_a_removal_is_not_lured_back_before_it": "host",
            "a_helper_that_keeps_the_welcome_is_asked_once": "host",
            "a_member_who_may_not_rejoin_yet_is_not_lost": "-Ada-Bo",
            "a_rejoin_among_honest_members_takes_seconds": "host -Bo",
            "a_member_lured_into_a_fork_seals_nothing_there": "host",
        },
        without=[
            "nobody_but_who_is_asked_can_commit_a_rejoin",
        ],
    ),
    *scenarios(
        test_attacks_replaced,
        other={
            "a_foreign_signature_under_an_old_leaf_accuses_nobody": "-Bo-Cem",
            "a_member_rejoins_whose_own_commit_was_taken_and_kept_from_it": "-Bo",
            "a_member_that_helps_the_thief_is_named": "-Bo-Mallory",
            "a_member_whose_answer_is_withheld_comes_in_by_its_next_knock": "-Bo",
            "a_program_whose_place_is_taken_is_told_so_and_tells_everybody": "-Ada-Bo",
            "old_heartbeats_of_a_member_that_came_back_accuse_nobody": "-Bo",
            "the_owner_itself_still_rejoins_after_its_key_rotations": "-Bo",
        },
        without=[
            "a_held_first_knock_before_that_costs_the_member_seconds",
            "a_held_first_knock_opens_nothing_once_the_member_has_committed",
            "a_replaced_program_that_goes_on_is_reported_even_if_the_rejoin_is_kept_from_it",
            "a_thief_of_a_leafs_keys_does_not_rejoin_six_key_rotations_later",
            "a_ticket_without_the_leafs_key_gets_a_refusal_and_alarms_nobody",
            "an_answer_to_our_own_earlier_membership_accuses_nobody",
        ],
    ),
    *scenarios(
        test_attacks_held,
        other={"many_invalid_slots_split_nobody_off": "-Mallory"},
        without=["no_copy_of_eight_secrets_is_left_after_six_epochs"],
    ),
    *scenarios(
        test_attacks_held_answer,
        other={
            "a_member_that_came_back_says_nothing_until_a_host_has_answered": "-Bo",
            "a_held_answer_does_not_have_a_newcomer_talk_to_who_was_evicted_since": "-Ada-Bo-Mallory",
            "the_newcomer_is_told_within_nine_seconds": "-Mallory",
            "the_person_can_decide_otherwise": "-Mallory",
        },
    ),
    *scenarios(
        test_attacks_starved,
        other={
            "a_commit_that_nobody_can_read_leaves_nobody_outside": "-Mallory",
            "a_person_may_decide_to_speak_before_the_removal_is_done": "host",
            "a_server_that_yields_before_the_welcome_finds_the_old_membership": "guests",
        },
        # the page plays one of two alike
        without=[
            "a_former_hosts_card_ends_no_membership",  # it looks into the lobby
            "a_lock_that_the_server_vetoes_is_reported_and_stops_no_media",
            "a_removal_that_waits_for_a_dead_server_accuses_nobody",
            "members_who_all_believe_to_be_behind_find_each_other",
        ],
    ),
    *scenarios(
        test_attacks_readers,
        other={
            "a_withheld_echo_gives_a_newcomer_no_old_message": "host",
            "held_messages_go_out_when_freshness_is_back": "guests",
            "what_a_member_writes_waits_when_a_removal_is_withheld_from_it": "guests",
        },
        # the page plays one of two alike
        without=[
            "a_file_that_is_under_way_waits_too",
            "an_old_message_goes_out_again_to_those_who_were_there",
            "honest_trouble_holds_nothing_for_long",
        ],
    ),
    *scenarios(
        test_attacks_claims,
        other={
            "whoever_lies_and_comes_in_again_and_lies_silences_nobody": "host -Mallory",
            "an_eviction_that_is_withheld_stops_at_a_hosts_word_whoever_has_lied_before": "-Mallory",
            "without_a_host_two_members_stop_us_and_one_does_for_a_moment": "-Cem",
            "a_host_whose_change_is_withheld_stops_us_again_and_again": "guests",
        },
        # the table's own tests, and those that look inside honest sessions
        without=[
            "nor_does_it_gain_by_having_the_others_come_in_again",
            "a_key_that_comes_in_again_at_another_leaf_has_no_more_than_before",
            "a_member_with_another_history_or_with_two_words_stops_nobody_and_a_host_does",
            "who_leaves_and_is_admitted_anew_has_a_new_members_share_until_that_is_abused",
            "a_member_alone_never_has_more_than_its_share",
        ],
    ),
    *scenarios(
        test_holding,
        other={
            "an_override_lasts_while_a_claim_stands_and_nobody_is_told_that_nothing_waits": "host -Dana",
            "an_override_ends_when_a_second_member_says_so_too": "host -Dana-Cem",
            "when_the_only_host_closes_its_page_the_others_learn_why_they_are_silent": "guests",
            "the_reason_changes_with_what_is_missing": "guests",
            "too_few_is_said_only_where_it_is_so": "host",
            # it looks into the session of a guest
            "a_hosts_word_lets_more_than_half_go_on_for_a_minute_or_for_15_s_if_strict": "host",
            "a_hosts_lease_ends_with_its_word_for_a_change_that_has_not_come": "guests",
        },
        without=[
            "nobody_ends_anothers_override_by_coming_in_again",
            "where_sound_cannot_go_on_an_override_says_so",
            "nobody_is_told_that_nothing_waits_while_something_holds",
            "a_reason_is_missing_exactly_while_nothing_is_fresh",
        ],
    ),
    *scenarios(
        test_attacks_false_claims,
        other={
            "a_member_that_cries_wolf_stops_nobody_for_long": "host -Liar",
            "a_server_cannot_have_an_honest_member_blamed_for_where_it_puts_its_commit": "host -Bo",
            "false_ends_alarm_once": "host -Mallory",
            "nor_for_a_history_that_the_server_has_shown_to_it_alone": "host -Bo",
            "proposals_that_nobody_will_commit_are_not_kept": "host",
            "a_members_messages_are_not_attributed_to_the_next_at_its_leaf": "-Ada-Bo",
            "a_known_liar_about_history_stops_nobody": "host -Liar",
            "lies_about_messages_do_not_hide_withheld_ones": "host -Liar",
            "one_member_cannot_have_the_server_accused_of_other_messages": "host -Liar",
        },
    ),
    *scenarios(
        test_honest_server,
        other={
            "a_crash_that_leaves_one_member_alone_with_the_last_change": "guests",
            "a_member_whose_connections_take_all_seats_of_a_restarted_room": "-Mallory",
        },
        without=["a_host_that_opens_the_room_at_another_history", "the_losers_of_many_races_for_slots"],
    ),
    *scenarios(
        test_recovery,
        other={
            "a_host_comes_back_and_is_host_again": "host -Bo",
            "a_member_cannot_make_a_return_up": "-Ada-Bo",
            "a_member_out_of_step_is_let_in_where_no_host_is": "host -Cem",
            "a_former_member_is_not_let_in_by_a_rejoin": "host",
            "a_removed_host_does_not_come_back_by_the_seed": "guests",
        },
        without=[
            "a_rejoin_that_host_and_members_hear_of_takes_place_once",
            "members_stay_out_of_the_lobby_while_a_host_is_heard",
        ],
    ),
]


test_attacks = played(SCENARIOS)
