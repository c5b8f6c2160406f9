"""Announcements that a test signs in a Python participant's name."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from snugroom.client.session.catalogue import content
from snugroom.client.session.kernel.announcements import LABEL, announcement_text
from snugroom.client.session.kernel.membership import Membership


def signed(
    m: Membership,
    *,
    count: int = 2**31,
    box: bytes = bytes(32),
    streams: Sequence[content.OwnStream] = (),
    leaf: int | None = None,
    epoch: int | None = None,
    group_id: bytes | None = None,
) -> content.Announcement:
    """An announcement that this member signs. By default it is its own, of this group, and its newest."""
    what = content.Announcement(
        m.own_leaf if leaf is None else leaf,
        m.group.epoch if epoch is None else epoch,
        count,
        bytes(8),
        box,
        list(streams),
        bytes(64),
    )
    of = m.group.group_id if group_id is None else group_id
    return msgspec.structs.replace(what, signature=m.sign(LABEL, announcement_text(of, what)))


def announce(what: content.Announcement) -> content.Announce:
    """The message in which a member announces itself."""
    return content.Announce(what.leaf, what.leaf, [what])
