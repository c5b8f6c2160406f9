"""The table as it would be if a host's word held longer than other members' do: leases are not built yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import inf
from typing import Final

from snugroom.client.session.monitor import holding
from snugroom.client.session.monitor.freshness import FRESH, Freshness, Lacking
from snugroom.lab.simulation.patches import Patches

#: Seconds for which a host's word holds as built.
AS_BUILT: Final = FRESH[0]


@contextmanager
def lease(seconds: float) -> Iterator[None]:
    """Have a host's confirmation hold for so many seconds in all sessions that begin meanwhile.

    The confirmations of more than half of all members are needed as before. A removal or a change that a host
    reports ends it at once, as built.
    """
    more = seconds - AS_BUILT

    class Leases(Freshness):
        def until(self, others: Mapping[int, bool], *, host: bool) -> float:
            enough = super().until(dict.fromkeys(others, False), host=host)
            hosts = [self.confirmed_until(leaf) for leaf, is_host in others.items() if is_host]
            return enough if host or not hosts or enough == inf else min(enough, max(hosts) + more)

        def lacks(self, others: Mapping[int, bool], now: float, *, host: bool) -> Lacking:
            missing = self.missing(others, now)
            hosts = [leaf for leaf, is_host in others.items() if is_host]
            no_host = bool(hosts) and not host and all(self.confirmed_until(h) + more <= now for h in hosts)
            lost = [leaf for leaf in missing if not (no_host and others[leaf])]
            return Lacking(no_host, 2 * (1 + len(others) - len(lost)) <= 1 + len(others))

    with Patches() as patches:
        if more:
            patches.setattr(holding, "Freshness", Leases)
        yield
