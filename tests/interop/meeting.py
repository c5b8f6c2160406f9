"""A group of peers of any kind, kept in step: every commit is delivered to all, then all must agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from snugroom.crypto.mls import welcome_for
from tests.interop.our_peer import key_package_of
from tests.interop.peer import NOTHING, USUAL, Changes, Manner, Peer, Received, View

LABEL, CONTEXT, LENGTH = "snug 1 interop", b"a context of its own", 48


class Meeting:
    """The present members, in the order in which they came."""

    def __init__(
        self, creator: Peer, group_id: bytes = b"room", extensions: Sequence[tuple[int, bytes]] = ()
    ) -> None:
        creator.create(group_id, extensions)
        self.members: list[Peer] = [creator]
        self.commits = 0

    def commit(
        self,
        by: Peer,
        changes: Changes = NOTHING,
        manner: Manner = USUAL,
        *,
        leaving: Sequence[Peer] = (),
        cut: bool = False,
    ) -> dict[str, Received]:
        """`by` commits `changes` and all stored proposals; the others process it, the added join.

        All must agree then. `leaving` are those whom stored proposals remove. With `cut`, each of the added
        gets the Welcome without the others' secrets. Returns what each receiver made of the commit, by kind
        of peer (the last of a kind wins).
        """
        for peer in self.members:
            if changes.psks:
                peer.know(changes.psks)
        staged = by.stage(changes, manner)
        made = self.deliver(by, staged.message, removed=[*changes.removes, *leaving])
        by.adopt()
        self.commits += 1
        assert (staged.welcome is not None) == bool(changes.adds)
        for peer in changes.adds:
            assert staged.welcome is not None
            own = welcome_for(staged.welcome, key_package_of(peer).verify()) if cut else staged.welcome
            peer.join(own, changes.psks)
            self.members.append(peer)
        self.check()
        return made

    def deliver(self, by: Peer, commit: bytes, removed: Sequence[Peer] = ()) -> dict[str, Received]:
        """Give a commit to all but its author; the removed leave."""
        made = {}
        for peer in [p for p in self.members if p is not by]:
            got = peer.process(commit)
            assert got.kind == ("removed" if peer in removed else "commit"), (peer.kind, peer.name, got)
            made[peer.kind] = got
        self.members = [p for p in self.members if p not in removed]
        return made

    def propose(self, by: Peer, proposal: bytes) -> None:
        """Give a by-reference proposal to all but its author."""
        for peer in self.members:
            if peer is not by:
                assert peer.process(proposal).kind == "proposal", (peer.kind, peer.name)

    def say(self, by: Peer, text: bytes) -> None:
        """An application message that all the others must read."""
        message = by.protect(text)
        for peer in self.members:
            if peer is not by:
                got = peer.process(message)
                assert (got.kind, got.data) == ("application", text), (peer.kind, peer.name)

    def check(self) -> View:
        """All members agree on all that they show, and know exactly the members that we know."""
        views = [(peer, peer.view(LABEL, CONTEXT, LENGTH)) for peer in self.members]
        first = views[0][1]
        plain = {peer.view(LABEL, b"", LENGTH).exported for peer in self.members}
        assert len(plain) == 1
        assert first.exported not in plain, "the exporter ignores the context"
        for shown in (f.name for f in fields(View)):
            values = [(p.kind, p.name, getattr(v, shown)) for p, v in views if getattr(v, shown) is not None]
            assert all(value[2] == values[0][2] for value in values), (shown, values)
        for _, view in views:
            if view.members is not None:
                assert sorted(view.members.values()) == sorted(
                    (p.name, p.signature_key) for p in self.members
                )
        return first
