"""Rooms whose answers have pieces: large ones, and small ones with lower limits."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from snugroom.client.session.kernel import admissions, membership
from snugroom.client.session.kernel.me import Me
from snugroom.crypto import kdf, mls
from snugroom.crypto.entry import lobby, pieces
from snugroom.crypto.entry.invite import Invite, lobby_envelope_key
from snugroom.crypto.errors import SnugError
from snugroom.crypto.kdf import SigningKey
from snugroom.crypto.mls.treekem import create_path
from snugroom.lab.simulation.world import Link, Participant, World
from snugroom.wire import messages as wire
from tests.session.batches import newcomer

#: Sizes of the pieces' blobs in a small room that takes itself for a large one.
SMALL_BLOB = 512
SMALL_LAST = 512


def small_pieces(monkeypatch: pytest.MonkeyPatch, blob: int = SMALL_BLOB, last: int = SMALL_LAST) -> None:
    """Have hosts keep each tree out of the Welcome, and cut it into small pieces."""
    monkeypatch.setattr(membership, "TREE_INSIDE_MAX", 0)
    monkeypatch.setattr(admissions, "LEDGER_INSIDE_MAX", 0)
    monkeypatch.setattr(pieces, "PIECE_BLOB", blob)
    monkeypatch.setattr(pieces, "LAST_BLOB_MIN", last)
    monkeypatch.setattr(pieces, "_IN_PIECE", blob - lobby.PIECE_OVERHEAD - kdf.SEAL_OVERHEAD - 4)


@dataclass
class Post:
    """A lobby message on its way to somebody."""

    to: str
    message: lobby.LobbyMessage
    size: int


@dataclass
class Lobby:
    """Reads what the server sends in a lobby, and loses some of it."""

    w: World
    link: Invite
    posts: list[Post] = field(default_factory=list)
    #: The pieces to lose, by receiver: the first so many that come.
    lose: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, w: World, host: Participant) -> Lobby:
        seen = cls(w, Invite.parse(w.link_of(host)))
        w.link_filter = seen._sees
        return seen

    def _sees(self, link: Link, message: object) -> bool:
        day = link.endpoint.day
        if not isinstance(message, wire.Posted) or day is None:
            return True
        key = lobby_envelope_key(self.link.secret, self.link.origin, day)
        try:
            said = lobby.read(key, message.blob)
        except SnugError:
            return True
        label = link.who.label
        self.posts.append(Post(label, said, len(message.blob)))
        if isinstance(said, lobby.Piece) and self.lose.get(label, 0) > 0:
            self.lose[label] -= 1
            return False
        return True

    def pieces(self, to: str) -> list[bytes]:
        """The pieces that were sent to somebody, in order."""
        return [p.message.sealed for p in self.posts if p.to == to and isinstance(p.message, lobby.Piece)]

    def sizes(self, to: str, kind: type[lobby.LobbyMessage]) -> list[int]:
        """The sizes of blobs of one kind that were sent to somebody."""
        return [p.size for p in self.posts if p.to == to and isinstance(p.message, kind)]


def lobby_link(who: Participant) -> Link:
    return next(link for endpoint, link in who.links.items() if endpoint.day is not None)


def crowded(w: World, host: Participant, count: int) -> dict[bytes, bytes]:
    """Have a host fill its room to that many members, whose programs are not here.

    Returns their private signature keys by the public ones.
    """
    keys = {}
    for number in range(count - len(host.roster)):
        me = Me(f"Member {number}", w.rng)
        keys[me.public] = me.private
        made = mls.KeyPackageIn.decode(me.package(w.now, SigningKey.generate(w.rng)).encoded)
        host.room.queue(newcomer(w, me.name, of=made.verify(now=int(w.now))), w.now)
    w.until(lambda: len(host.roster) == count, most=60)
    w.run(0.5)
    return keys


def healed(w: World, host: Participant, keys: dict[bytes, bytes]) -> None:
    """Each of these members has renewed its path: the host's tree has no blank parents or unmerged leaves."""
    group = host.room.membership.group
    tree = group._live.tree
    for leaf, node in list(tree.leaves()):
        if node.signature_key in keys:
            create_path(
                tree,
                leaf,
                node,
                group_id=group.group_id,
                signature_private=keys[node.signature_key],
                context=lambda tree_hash: tree_hash,
                excluding=(),
                rng=w.rng,
            )
