"""What members have announced of themselves, and the host seed handed to one of them."""

from __future__ import annotations

from collections.abc import Iterator

from client.session import content
from crypto import hpke
from crypto.errors import SnugCryptoError
from crypto.fields import prefixed
from crypto.invite import HostSeed
from crypto.kdf import Rng

_SUITE = hpke.Suite.X25519_SHA256_AES128GCM


class Announced:
    """The newest announcement of each leaf.

    Kept by leaf, so that nobody can take another's SSRC by naming it first (SNUG-20).
    """

    def __init__(self) -> None:
        self._streams: dict[int, dict[int, int]] = {}  # leaf -> SSRC -> stream number
        self._said_as: dict[int, tuple[int, int]] = {}  # leaf -> (epoch, generation)
        self._boxes: dict[int, bytes] = {}

    def hear(self, leaf: int, epoch: int, generation: int, what: content.Announce) -> None:
        """A leaf's announcement; an older one than it has made (catching up brings them) is nothing."""
        if (epoch, generation) >= self._said_as.get(leaf, (0, 0)):
            self._said_as[leaf] = (epoch, generation)
            self._boxes[leaf] = what.box
            self._streams[leaf] = {stream.ssrc: stream.stream for stream in what.streams}

    def forget(self, leaf: int) -> None:
        """Nobody, or another, is at that leaf now."""
        for known in (self._streams, self._said_as, self._boxes):
            known.pop(leaf, None)

    def announcers(self, ssrc: int) -> dict[int, int]:
        """Leaves that announced the SSRC, and as which stream number."""
        return {leaf: streams[ssrc] for leaf, streams in self._streams.items() if ssrc in streams}

    def streams(self, leaf: int) -> dict[int, int]:
        """A leaf's SSRCs and their stream numbers."""
        return dict(self._streams.get(leaf, {}))

    def boxes(self) -> Iterator[tuple[int, bytes]]:
        """Leaves and their X25519 keys (32 bytes), for what is for one of them alone."""
        return iter(list(self._boxes.items()))


def seal_grant(
    seed: HostSeed, leaf: int, signature_key: bytes, box: bytes, group_id: bytes, rng: Rng
) -> content.Grant:
    """The host seed for the new host at `leaf`, whose signature key and box these are."""
    sealed = hpke.seal(_SUITE, box, _info(group_id), signature_key, seed.seed, rng=rng)
    return content.Grant(leaf, sealed.enc, sealed.ciphertext)


def open_grant(grant: content.Grant, own_key: bytes, own_box: bytes, group_id: bytes) -> HostSeed | None:
    """The host seed in a grant to us (`own_box` is the private half); None if it is none."""
    try:
        opened = hpke.open(_SUITE, own_box, grant.enc, _info(group_id), own_key, grant.sealed)
        return HostSeed(opened.plaintext)
    except SnugCryptoError:
        return None


def granted_message(group_id: bytes, signature_key: bytes) -> bytes:
    """What the host key signs to show that the member of that signature key (32 bytes) holds the seed."""
    return b"snug 1 granted" + prefixed(group_id, 2) + signature_key


def _info(group_id: bytes) -> bytes:
    return b"snug 1 grant" + group_id
