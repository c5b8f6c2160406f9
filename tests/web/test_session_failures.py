"""Failures, roles and invites in meetings of page participants and Python participants."""

from __future__ import annotations

import pytest

from tests.session import test_clocks, test_failures, test_invites, test_invites_leaked, test_roles
from tests.web.mixed import by_turns, mixed_world, played, scenarios
from tests.web.ts_session import SessionProcess, Who

SCENARIOS = [
    *scenarios(
        test_failures,
        other={
            "a_bad_commit_is_void_for_all_and_the_meeting_goes_on": "host",
            "a_commit_that_does_not_carry_what_it_names_splits_nobody_off": "host",
            "a_commit_that_is_void_is_void_for_who_cannot_read_it_too": "host -Bo",
            "a_member_who_alone_cannot_read_a_commit_rejoins": "host -Bo",
            "a_policy_change_is_done_once_and_only_by_hosts": "guests",
            "a_replayed_commit_is_void": "guests",
            "an_evicted_member_who_kept_everything_gets_nowhere": "host -Bo",
            "garbage_in_the_relay_costs_one_check_and_no_word": "host -Bo",
            "relayed_messages_use_up_no_handshake_key": "host",
        },
    ),
    *scenarios(
        test_clocks,
        without=["the_clock_follows_the_wall_clock_forward_and_never_goes_back"],
    ),
    *scenarios(
        test_roles,
        other={
            "a_grant_that_was_lost_is_handed_over_again": "guests",
            "a_handover_survives_ones_own_rejoin": "host -Cem",
            "a_handover_to_who_goes_meanwhile_is_given_up": "host -Bo",
            "a_lock_by_a_member_who_is_no_host_is_void_and_named": "host -Bo",
            "a_policy_that_changes_at_once_in_all_is_told_in_full": "guests",
            "a_room_is_unlocked_to_what_it_was_last_and_not_at_first": "guests",
            "every_member_voids_an_add_to_a_locked_room": "-Ada-Bo",
            "nobody_steps_down_for_who_has_not_shown_that_it_can_host": "host -Bo",
            "powers_know_who_is_meant_when_it_is_done": "guests",
            "a_proof_of_the_seed_needs_the_seed": "host",
        },
    ),
    *scenarios(
        test_invites,
        test_invites_leaked,
        other={
            "a_knock_that_is_played_again_by_the_server_is_no_second_use": "guests",
            "a_lost_answer_is_given_again_however_many_came_after_it": "host",
            "a_revoked_invite_is_refused_by_all_hosts": "host -Bo",
            "hosts_who_were_away_or_come_later_hear_of_revocations": "host",
            "only_hosts_revoke_invites": "-Ada-Bo",
        },
        without=[
            "a_reply_is_kept_for_ten_minutes_and_all_of_them_are_bounded",
            "refusals_that_nobody_asked_for_are_bounded",
            "a_revocation_is_sent_again_until_it_has_come_back",
            "a_second_knock_of_one_person_is_no_leak",
        ],
    ),
]


test_trouble_and_powers = played(SCENARIOS)


@pytest.mark.parametrize(("seed", "who"), by_turns(range(4)))
def test_cut_anywhere_and_everybody_is_back(
    monkeypatch: pytest.MonkeyPatch, sessions: SessionProcess, seed: int, who: Who
) -> None:
    """Links break and the server dies at random moments; in the end all agree and all is said once."""
    monkeypatch.setattr(test_failures, "World", mixed_world(sessions, who))
    test_failures.test_cut_anywhere_and_everybody_is_back.hypothesis.inner_test(seed)  # type: ignore[attr-defined]
