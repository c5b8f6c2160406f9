"""The members' signed announcements, and the sealed grant of the host keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from snugroom.client.session.catalogue import content
from snugroom.crypto import hpke
from snugroom.crypto.entry.invite import HostKeys
from snugroom.crypto.errors import SnugError
from snugroom.crypto.fields import prefixed, uint
from snugroom.crypto.kdf import Rng
from snugroom.crypto.mls.labels import verify_with_label

#: The label of a leaf's signature on its announcement.
LABEL: Final = "snug 1 announce"
_SUITE = hpke.Suite.X25519_SHA256_AES128GCM


def announcement_text(group_id: bytes, what: content.Announcement) -> bytes:
    """Return the text that the leaf of an announcement signs."""
    streams = b"".join(uint(s.ssrc, 4) + uint(s.kind == "video", 1) + uint(s.stream, 1) for s in what.streams)
    order = uint(what.leaf, 4) + uint(what.epoch, 8) + uint(what.count, 4)
    return (
        prefixed(group_id, 2) + order + what.handle + what.box + prefixed(streams, 1) + b"".join(what.openers)
    )


class Announcements:
    """The newest announcement of each other leaf.

    Kept by leaf, so that nobody can take another member's SSRC by naming it first (SNUG-20).
    """

    def __init__(self) -> None:
        self._newest: dict[int, content.Announcement] = {}
        self._streams: dict[int, dict[int, int]] = {}  # leaf -> SSRC -> stream number
        self._openers: dict[int, list[bytes]] = {}

    def carry_over(self, old: Announcements) -> None:
        """Take over from the membership before a rejoin what the search for the others needs."""
        self._openers = dict(old._openers)

    def store(self, what: content.Announcement, group_id: bytes, signature_key: bytes | None) -> bool:
        """Store a leaf's announcement; return False if it is not newer than what is stored, or not signed.

        The signature under the leaf's current key decides, not the sender (None: the leaf is empty).
        """
        held = self._newest.get(what.leaf)
        is_newer = held is None or (what.epoch, what.count) > (held.epoch, held.count)
        if signature_key is None or not is_newer:
            return False
        try:
            verify_with_label(signature_key, LABEL, announcement_text(group_id, what), what.signature)
        except SnugError:
            return False
        self._newest[what.leaf] = what
        self._openers[what.leaf] = what.openers
        self._streams[what.leaf] = {stream.ssrc: stream.stream for stream in what.streams}
        return True

    def forget(self, leaf: int) -> None:
        """Forget the member of a leaf that is empty now or has another member."""
        for known in (self._newest, self._streams, self._openers):
            known.pop(leaf, None)

    def newest(self) -> list[content.Announcement]:
        """Return what is stored, in no order."""
        return list(self._newest.values())

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
        return iter([(leaf, what.box) for leaf, what in self._newest.items()])


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
        return HostKeys.decode(opened.plaintext)
    except SnugError:
        return None


def granted_message(group_id: bytes, signature_key: bytes) -> bytes:
    """Return the return key's statement that the member of that signature key (32 bytes) has the keys."""
    return b"snug 1 granted" + prefixed(group_id, 2) + signature_key


def _info(group_id: bytes) -> bytes:
    return b"snug 1 grant" + group_id
