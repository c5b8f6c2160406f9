"""Page participants and Python participants monitor their server, each other's heartbeats, and media."""

from __future__ import annotations

from tests.session import (
    test_dropped,
    test_layers,
    test_monitor,
    test_monitor_forks,
    test_monitor_media,
    test_monitor_members,
    test_monitor_order,
    test_refused_members,
    test_server_keys,
    test_signing,
    test_signing_attacks,
    test_signing_epochs,
    test_signing_streams,
    test_stalled_networks,
)
from tests.web.mixed import played, scenarios

# long scenarios are played once
SCENARIOS = [
    *scenarios(
        test_monitor_members,
        other={
            "heartbeats_that_the_server_repeats_or_reorders_accuse_nobody": "host -Bo",
            "garbage_and_strangers_heartbeats_cost_one_check_and_no_alarm": "host",
            "the_others_heartbeats_say_that_a_commit_was_void": "host -Dana",
            "two_heartbeats_of_one_number_name_their_author": "host -Cem",
            "evidence_is_bounded_and_a_stranger_can_check_it": "host -Bo",
            "too_frequent_heartbeats_displace_nobody_elses": "host",
            "hosts_hear_who_makes_commits_that_others_cannot_read": "host -Bo-Dana",
            "without_a_host_it_takes_more_than_half_of_the_others": "host",
        },
        without=[
            "the_others_heartbeats_say_that_a_commit_was_valid",
        ],
    ),
    *scenarios(
        test_dropped,
        test_stalled_networks,
        test_refused_members,
        # a page asks for a password in its own views
        other={"members_who_are_refused_accuse_nobody_and_have_evidence": "guests"},
    ),
    *scenarios(
        test_server_keys,
        # liars are Python sessions, and one test looks into a Python session
        other={
            "one_members_word_about_another_key_is_hedged_told_once_and_stops_nobody": "host -Mallory",
            "a_word_that_is_taken_back_is_no_second_one": "host",
            "two_members_words_are_more_and_a_third_adds_nothing": "host",
            "a_liar_beside_a_server_that_shows_two_keys_takes_nothing_from_honest_words": "host -Mallory",
        },
    ),
    *scenarios(
        test_layers,
        other={
            "a_server_that_changes_layers_does_not_show_the_past_again": "host guests",
            "around_a_reconnect_the_past_waits_for_a_list_that_does_not_come": "host guests",
            "layers_belong_to_video_that_was_announced": "host guests",
            "whoever_gets_one_layer_misses_nothing": "guests",
        },
        # they set attributes of Python sessions, or use commands that the page does not have
        without=[
            "a_frame_that_no_list_can_place_waits",
            "lists_name_all_layers",
            "there_are_three_layers",
        ],
    ),
    *scenarios(
        test_signing,
        test_signing_attacks,
        test_signing_epochs,
        other={
            "a_slow_connection_with_many_failures_raises_no_alarm": "host",
            "broken_connections_and_restarts_raise_no_alarm": "host",
            "a_key_that_has_signed_nothing_is_not_disclosed": "host -Bo",
            "a_key_that_nobody_saw_is_not_disclosed": "guests",
            "a_key_disclosed_too_early_signs_nothing_any_more": "host -Bo",
            "doubt_about_a_leaf_ends_with_its_member": "host -Cem",
            "a_long_absence_of_the_sender_is_no_forgery": "guests",
            "a_newcomer_is_not_deceived": "host -Cem",
            "garbage_costs_one_check_and_no_word": "guests",
            "lists_of_an_epoch_that_we_have_not_reached_wait_for_it": "guests",
            "missing_lists_of_several_members_raise_one_alarm": "guests",
            "mallory_speaks_for_bo_who_has_crashed": "host -Cem",
            "mallory_speaks_in_bos_place_and_bos_next_list_shows_it": "host -Cem",
            "mallory_speaks_in_bursts_and_across_epochs_for_bo_who_has_crashed": "host -Cem",
            "mallory_speaks_while_bo_is_held_back": "host -Cem",
            "a_member_cannot_disclose_anothers_key": "host -Bo",
            "the_last_list_of_an_epoch_goes_out_with_the_next_ones_first_frame": "host -Bo",
            "the_server_withholds_one_members_lists_and_returns_them": "guests",
            "the_repr_of_epochs_and_signers_holds_no_key": "host -Bo",
            "frames_unsigned_at_a_break_are_signed_at_the_reconnect": "host -Bo",
            "lists_missed_around_our_own_reconnect_accuse_nobody": "guests",
            "a_member_who_cannot_sign_does_not_seal": "host -Bo",
            "a_connected_member_out_of_step_stops_sealing": "host -Bo",
        },
        without=[
            "a_receiver_gives_up_on_frames_that_nobody_signs",
            "a_receiver_holds_unsigned_frames_and_loses_nothing",
            "honest_media_with_five_percent_lost_gives_no_alarm",
            "mallory_signs_in_bos_name",
            "mallory_spoils_no_list_of_bos",
            "the_epochs_key_is_disclosed_a_minute_later",
        ],
    ),
    *scenarios(
        test_signing_streams,
        other={
            "a_member_gets_the_lists_of_the_streams_that_it_watches": "host",
            "turning_pages_blames_nobody": "host",
            "cuts_and_new_keys_while_pages_turn_blame_nobody": "guests",
            "another_ssrc_of_a_stream_leaves_no_frame_without_its_list": "guests",
            "the_lists_of_one_stream_are_withheld_and_its_frames_are_not_played": "host",
            "a_stream_that_was_never_listed_is_not_believed_after_a_page_turn": "host",
            "lists_of_another_stream_stand_for_none": "host",
            "lists_that_reach_nobody_are_missed_by_all": "guests",
            "a_list_names_one_stream_for_the_server_and_in_its_seal": "guests",
        },
    ),
    *scenarios(
        test_monitor,
        test_monitor_forks,
        test_monitor_media,
        test_monitor_order,
        other={
            "a_selective_drop_is_seen_by_the_victim_and_reported_to_the_others": "host",
            "a_slow_network_is_no_hostile_act": "host",
            "a_withheld_removal_leaves_the_evicted_listening_for_seconds": "host",
            "cuts_and_dead_servers_are_no_hostile_acts": "host",
            "twenty_members_are_no_hostile_act": "host",
            "a_muted_member_and_a_newcomer_are_not_missed": "host",
            "a_liar_does_not_cover_up_what_is_true": "host -Cem",
            "a_member_who_invents_a_later_change_is_named_and_stops_nobody_for_long": "host -Cem",
            "heartbeats_come_at_every_interval_and_not_more_often": "host -Bo",
        },
        without=[
            "a_heartbeat_of_another_group_state_at_our_own_slot_is_not_fresh",
            "an_honest_meeting_has_no_alarm_and_true_heartbeats",
        ],
    ),
]


test_watching = played(SCENARIOS)
