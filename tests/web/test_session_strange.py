"""Page participants in meetings whose hosts name servers in private networks, or outside the link."""

from __future__ import annotations

from tests.session import test_known_servers, test_strange_servers
from tests.web.mixed import played, scenarios

#: A page does not see where names lead, and has no option to go anywhere; the host is hostile.
WITHOUT = (
    "a_name_that_leads_into_a_private_network_costs_a_moment_once_a_call",
    "a_name_that_leads_there_while_the_first_server_is_gone_is_tried_as_seldom_as_any_other",
    "a_link_is_a_strangers_word_too",
    "a_host_is_told_at_once_that_others_will_not_come",
    "a_returning_host_goes_nowhere_strange_either",
)
test_pages_go_nowhere_strange = played(scenarios(test_strange_servers, mixes=("guests",), without=WITHOUT))
#: Most of these need no meeting; the page shows the list of servers in its menu instead.
WITHOUT_PAGES = (
    "a_host_that_walks_members_across_a_network_has_so_many_questions",
    "a_withdrawn_question_is_told_and_may_come_again",
    "the_links_servers_are_known_and_others_with_the_persons_word",
    "the_list_of_servers_says_where_the_program_does_not_go",
)
test_pages_ask_first = played(scenarios(test_known_servers, mixes=("guests",), without=WITHOUT_PAGES))
