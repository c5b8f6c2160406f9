"""The members' announcements, and the sealed grant of the host keys."""

from __future__ import annotations

from collections.abc import Iterator

from snugroom.client.session.catalogue import content
from snugroom.crypto import hpke
from snugroom.crypto.entry.invite import HostKeys
from snugroom.crypto.errors import SnugCryptoError
from snugroom.crypto.fields import Reader, prefixed
from snugroom.crypto.kdf import Rng

_SUITE = hpke.Suite.X25519_SHA256_AES128GCM


class Announcements:
    """The newest announcement of each leaf.

    Kept by leaf, so that nobody can take another member's SSRC by naming it first (SNUG-20).
    """

    def __init__(self) -> None:
        self._streams: dict[int, dict[int, int]] = {}  # leaf -> SSRC -> stream number
        self._newest: dict[int, tuple[int, int]] = {}  # leaf -> (epoch, generation)
        self._boxes: dict[int, bytes] = {}
        self._openers: dict[int, list[bytes]] = {}

    def carry_over(self, old: Announcements) -> None:
        """Take over from the membership before a rejoin what the search for the others needs."""
        self._openers = dict(old._openers)

    def store(self, leaf: int, epoch: int, generation: int, what: content.Announce) -> None:
        """Store a leaf's announcement, unless a newer one is stored (catching up brings old ones)."""
        if (epoch, generation) >= self._newest.get(leaf, (0, 0)):
            self._newest[leaf] = (epoch, generation)
            self._boxes[leaf] = what.box
            self._openers[leaf] = what.openers
            self._streams[leaf] = {stream.ssrc: stream.stream for stream in what.streams}

    def forget(self, leaf: int) -> None:
        """Forget the member of a leaf that is empty now or has another member."""
        for known in (self._streams, self._newest, self._boxes, self._openers):
            known.pop(leaf, None)

    def announcers(self, ssrc: int) -> dict[int, int]:
        """Return the leaves that announced the SSRC, each with its stream number."""
        return {leaf: streams[ssrc] for leaf, streams in self._streams.items() if ssrc in streams}

    def streams(self, leaf: int) -> dict[int, int]:
        """Return a leaf's SSRCs and their stream numbers."""
        return dict(self._streams.get(leaf, {}))

    def opener(self, leaf: int, server: int) -> bytes | None:
        """Return a leaf's key (32 bytes) for its own place at that server of the policy's list, from 1."""
        keys = self._openers.get(leaf, ())
        return keys[server - 1] if server <= len(keys) else None

    def boxes(self) -> Iterator[tuple[int, bytes]]:
        """Return leaves and their X25519 keys (32 bytes), for messages to one member alone."""
        return iter(list(self._boxes.items()))


def seal_grant(
    keys: HostKeys, leaf: int, signature_key: bytes, box: bytes, group_id: bytes, rng: Rng
) -> content.Grant:
    """Seal the host keys for the host at `leaf`, with that signature key and box."""
    sealed = hpke.seal(_SUITE, box, _info(group_id), signature_key, keys.encode(), rng=rng)
    return content.Grant(leaf, sealed.enc, sealed.ciphertext)


def open_grant(grant: content.Grant, own_key: bytes, own_box: bytes, group_id: bytes) -> HostKeys | None:
    """Return the host keys in a grant to us (`own_box` is the private half); None if it does not open."""
    try:
        opened = hpke.open(_SUITE, own_box, grant.enc, _info(group_id), own_key, grant.sealed)
        reader = Reader(opened.plaintext)
        keys = HostKeys.read(reader)
        reader.end()
        return keys
    except SnugCryptoError:
        return None


def granted_message(group_id: bytes, signature_key: bytes) -> bytes:
    """Return the return key's statement that the member of that signature key (32 bytes) has the keys."""
    return b"snug 1 granted" + prefixed(group_id, 2) + signature_key


def _info(group_id: bytes) -> bytes:
    return b"snug 1 grant" + group_id
