"""Page participants and Python participants come in together, and let each other in."""

from __future__ import annotations

from tests.session import test_batches
from tests.web.mixed import MIXES, played, scenarios

test_batches_of_both = played(
    scenarios(
        test_batches,
        mixes=MIXES,
        # these queue intents of newcomers whose programs are not there
        without=[
            "a_lone_newcomer_does_not_wait",
            "a_full_batch_does_not_wait",
            "a_removal_goes_before_newcomers_that_wait",
            "a_removal_goes_before_newcomers_whose_commit_loses_its_slot",
            "more_than_a_full_batch_come_one_after_the_other",
            "after_a_commit_that_was_too_large_more_newcomers_are_tried_again",
            "an_intent_behind_newcomers_does_not_wait_for_more_of_them",
            "nobody_comes_in_behind_a_lock",
            "newcomers_who_cannot_come_in_are_found_wherever_they_are",
            "a_single_invite_admits_once_in_a_batch",
            "a_key_package_that_mls_refuses_keeps_only_its_bearer_out",
            "a_member_is_not_added_again_with_others",
            "a_batch_that_the_server_drops_is_sent_again",
            "a_batch_that_the_server_calls_too_large_comes_in_parts",
            "batches_of_two_hosts_both_come_in",
            "each_newcomer_is_answered_with_its_own_secrets_alone",
        ],
    )
)
