"""What the server gave each member, and could give to one of them alone: all report it, and compare.

A page comes from a server, whose operator could change it. A page that is changed as a whole can report any
hash: the comparison detects a member with another release, or a clumsy change
(docs/explanation/threat-model.md). A key of tokens for one member alone would recognise the rooms that this
member opens.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content, sentences
from snugroom.client.session.kernel.feature import Contents, Feature
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.verdict import Change
from snugroom.crypto import mls

#: Seconds between two members' reports to a newcomer, as with announcements.
STEP: Final = 0.01


class Pages(Feature):
    """Reports our page and the server's token keys, and raises alarms about members with others."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self._own: bytes | None = None
        self._say_at: float | None = None
        self._heard: dict[int, content.Page] = {}
        self._told: set[tuple[bytes, bytes]] = set()  # (signature key, hash) of the alarms so far

    def carry_over(self, old: Room) -> None:
        before = old.feature(Pages)
        self._own, self._told = before._own, before._told

    def run(self, digest: bytes, now: float) -> None:
        """Report that we run the page with that hash (32 bytes)."""
        self._own, self._say_at = digest, now
        self._say(now)
        self._compare_pages()

    def synced(self, now: float) -> None:
        self._say_at = now
        self._compare_keys()

    def adopted(self, change: Change, now: float) -> None:
        before = dict(self._heard)
        for leaf, _, _ in change.removed:
            self._heard.pop(leaf, None)
        if change.added:
            self._say_at = now + STEP * self.room.member_index
        if before != self._heard:
            self._compare_pages()

    def tick(self, now: float) -> None:
        self._say(now)

    def _report(self) -> content.Page:
        weeks = sorted(self.room.token_keys.items())[-2:]
        return content.Page(self._own, [content.WeekKey(*each) for each in weeks])

    def _say(self, now: float) -> None:
        report = self._report()
        due = report != content.Page() and self._say_at is not None and now >= self._say_at
        if due and self.room.speaks(now):
            self._say_at = None
            self.room.relay(report)

    def contents(self) -> Contents:
        return {content.Page: self._page_received}

    def _page_received(self, received: mls.ApplicationMessage, what: content.Page, now: float) -> None:
        before = self._heard.get(received.sender, content.Page())
        self._heard[received.sender] = what
        if before.hash != what.hash:
            self._compare_pages()
        if before.keys != what.keys:
            self._compare_keys()

    def _compare_keys(self) -> None:
        """Report members to whom the server has shown another key than to us, for the same week."""
        m = self.room.membership
        ours = self.room.token_keys
        others = {
            leaf: key.hash
            for leaf, report in sorted(self._heard.items())
            for key in report.keys
            if leaf != m.own_leaf and ours.get(key.week, key.hash) != key.hash
        }
        new = {(m.signature_key(leaf) or b"", digest) for leaf, digest in others.items()} - self._told
        if new:
            self._told |= new
            self.room.tell(sentences.alarm("token_key", who=[m.name(leaf) for leaf in others]))

    def _compare_pages(self) -> None:
        m = self.room.membership
        pages = {leaf: report.hash for leaf, report in self._heard.items() if report.hash is not None}
        if self._own is not None:
            pages[m.own_leaf] = self._own
        self.room.tell(
            ev.Pages(tuple(ev.RunsPage(leaf, m.name(leaf), h) for leaf, h in sorted(pages.items())))
        )
        by_hash = defaultdict(list)
        for leaf, digest in sorted(pages.items()):
            by_hash[digest].append(leaf)
        if len(by_hash) < 2:
            return
        # Our page, if we run one; else the most common page, and of equals the one of the lowest leaf.
        most = max(by_hash, key=lambda h: (h == self._own, len(by_hash[h]), -by_hash[h][0]))
        others = [leaf for digest, leaves in by_hash.items() if digest != most for leaf in leaves]
        new = {(m.signature_key(leaf) or b"", pages[leaf]) for leaf in others} - self._told
        if new:
            self._told |= new
            names = [m.name(leaf) for leaf in sorted(others)]
            self.room.tell(
                sentences.alarm(
                    "page_differs" if self._own is not None else "page_differs.others",
                    names=names,
                    most=len(by_hash[most]),
                    of=len(pages),
                )
            )
