"""The page's MLS in the rooms of `tests/mls`: attacks on our members there attack it too."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from snugroom.crypto.errors import SnugError, ValidationError
from snugroom.crypto.mls import Capabilities, CommitError, Group, KeyPackageBundle, Stage
from tests.interop.our_peer import KEY_PACKAGE_HEAD
from tests.interop.peer import PeerError, Psk, Received
from tests.interop.ts_peer import PageProcess, TsPeer
from tests.mls.world import LIFE, NOW, SUITE, Room, add_of


class PageError(SnugError):
    """A refusal of the page's that names no rule; the text begins with its kind."""


def as_ours(error: PeerError) -> SnugError:
    """The same refusal, as our own code would raise it."""
    found = re.match(r"ValidationError: ([A-Z]+-[\d.]+(?:-\d+)?): (.*)", str(error), re.DOTALL)
    if found is None:
        return PageError(str(error))
    rule, text = found.groups()
    return ValidationError(rule, text) if error.sender is None else CommitError(rule, text, error.sender)


class PageBundle:
    """A key package of the page's, where the tests have a `KeyPackageBundle`."""

    def __init__(
        self, page: PageProcess, name: str, capabilities: Capabilities | None = None, **options: Any
    ) -> None:
        supported = () if capabilities is None else capabilities.extensions
        lifetime = options.get("lifetime", LIFE)
        self.peer: TsPeer = page.member(
            name, extensions=supported, lifetime=(lifetime.not_before, lifetime.not_after)
        )
        self.suite = SUITE
        self.encoded = self.peer.key_package.removeprefix(KEY_PACKAGE_HEAD)

    def join(
        self, welcome: bytes, psks: Mapping[bytes, bytes], known_groups: Collection[bytes] = ()
    ) -> PageGroup:
        try:
            self.peer.know([Psk(name, secret, b"") for name, secret in psks.items()])
            self.peer.call("join", welcome=welcome, knownGroups=list(known_groups))
        except PeerError as error:
            raise as_ours(error) from error
        return PageGroup(self.peer)


class PageGroup:
    """A member of the page's, where the tests have a `Group`. Commits are adopted as they come."""

    def __init__(self, peer: TsPeer) -> None:
        self.peer = peer

    @property
    def own_leaf(self) -> int:
        leaf: int = self._view()["ownLeaf"]
        return leaf

    def _view(self) -> dict[str, Any]:
        return self.peer.call("view", label="label", context=b"context", length=40)

    def agreed(self) -> tuple[object, ...]:
        """As `Room.check` asks it of everybody."""
        seen = self._view()
        return (
            seen["epoch"],
            *(bytes.fromhex(seen[name]) for name in ("authenticator", "treeHash", "transcript", "exported")),
            tuple((leaf, bytes.fromhex(name)) for leaf, name, _ in seen["members"]),
        )

    def process(self, message: bytes, *, psks: Mapping[bytes, bytes] | None = None) -> Received:
        self.peer.know([Psk(name, secret, b"") for name, secret in (psks or {}).items()])
        try:
            return self.peer.process(message)
        except PeerError as error:
            raise as_ours(error) from error


class PageRoom(Room):
    """A room whose member in one place is the page's; all others are ours."""

    def __init__(self, page: PageProcess, size: int, *, place: int = -1, **options: Any) -> None:
        self._page, self._place = page, range(size)[place]
        super().__init__(size, **options)

    @property
    def theirs(self) -> PageGroup:
        return next(group for group in self._all() if isinstance(group, PageGroup))

    @property
    def ours(self) -> list[Group]:
        return [group for group in self._all() if isinstance(group, Group)]

    def _all(self) -> list[Any]:
        return list(self.groups)

    def bundle(self, name: str, **options: Any) -> Any:
        if name == f"member {self._place}":
            return PageBundle(self._page, name, **{"capabilities": self.capabilities, **options})
        return super().bundle(name, **options)

    def enter(self, stage: Stage, bundle: KeyPackageBundle | PageBundle) -> Any:
        if isinstance(bundle, KeyPackageBundle):
            return super().enter(stage, bundle)
        assert stage.welcome is not None
        joined: Any = bundle.join(stage.welcome, self.psks)
        self.groups.append(joined)
        self.check()
        return joined

    def deliver(self, stage: Stage, committer: Group) -> None:
        for group in self._all():
            if isinstance(group, PageGroup):
                got = group.process(stage.message, psks=self.psks)
                assert got.sender == committer.own_leaf
                if got.kind == "removed":
                    self.groups.remove(group)  # type: ignore[arg-type] # it stands for one
        theirs = [group for group in self._all() if isinstance(group, PageGroup)]
        for group in theirs:
            self.groups.remove(group)  # type: ignore[arg-type]
        super().deliver(stage, committer)
        for group in theirs:
            self.groups.insert(min(self._place, len(self.groups)), group)  # type: ignore[arg-type]
        self.check()

    def check(self) -> None:
        theirs = [group for group in self._all() if isinstance(group, PageGroup)]
        everybody, self.groups = self.groups, self.ours
        super().check()
        self.groups = everybody
        ours = self.ours[0]
        for group in theirs:
            assert group.agreed() == (
                ours.epoch,
                ours.epoch_authenticator,
                ours.tree_hash,
                ours.confirmed_transcript_hash,
                ours.export("label", b"context", 40),
                tuple((m.leaf, m.leaf_node.credential.identity) for m in ours.members()),
            )


__all__ = ["NOW", "PageBundle", "PageError", "PageGroup", "PageRoom", "add_of", "as_ours"]
