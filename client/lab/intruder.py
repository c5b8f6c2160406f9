"""Whoever should not read a meeting, with all that such a one may have: recordings, links, keys of the past.

It is as clever as its keys allow: every base key that it holds is tried on every frame, without any of the
scruples of a client (no replay window, no epoch bits, no list of members).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from client.media.reorder import Frame, Reorder
from client.media.rtp import PAYLOAD_TYPE, RtpError, parse_rtp
from client.session import Session
from crypto import shim
from crypto.errors import SnugCryptoError
from crypto.invite import Invite, link_psk
from crypto.kdf import H
from crypto.media_keys import BASE_KEY_LABEL, BASE_KEY_SIZE, SUITE
from crypto.mls import Group
from crypto.sframe import FrameKey, Header, extract
from server.wire.messages import MediaKind

_KINDS: dict[int, MediaKind] = {number: kind for kind, number in PAYLOAD_TYPE.items()}


@dataclass(frozen=True)
class SealedFrame:
    """A frame as it left its sender: the shim and the SFrame ciphertext."""

    sender: int | None
    kind: MediaKind
    data: bytes = field(repr=False)


def frames(packets: Iterable[tuple[int | None, bytes]]) -> list[SealedFrame]:
    """Whole frames out of recorded RTP packets, in the order in which they came."""
    found: list[SealedFrame] = []
    buffers: dict[int, Reorder] = {}
    for now, (sender, data) in enumerate(packets):
        try:
            packet = parse_rtp(data)
            kind = _KINDS[packet.payload_type]
        except (RtpError, KeyError):
            continue
        buffer = buffers.setdefault(packet.ssrc, Reorder(kind))
        # a millisecond a packet: only the order matters
        effects = buffer.receive(packet, now / 1000)
        found += [SealedFrame(sender, kind, e.data) for e in effects if isinstance(e, Frame)]
    return found


class Intruder:
    """Its keys, and what it has opened with them. `tried` counts frames, `opened` those that gave way."""

    def __init__(self) -> None:
        self.tried = 0
        self.opened = 0
        self._secrets: list[bytes] = []
        self._known: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._secrets)

    def __repr__(self) -> str:
        return f"Intruder(keys={len(self._secrets)}, tried={self.tried}, opened={self.opened})"

    def take(self, base_key: bytes) -> None:
        """A key to try as the base key of an epoch: 16 bytes."""
        if base_key not in self._known:
            self._known.add(base_key)
            self._secrets.append(extract(SUITE, base_key))

    def take_link(self, link: str) -> None:
        """A link, and whatever might be made of what stands in it."""
        invite = Invite.parse(link)
        for value in (invite.secret, invite.token, invite.host_public, link_psk(invite.secret)):
            self.take(value[:BASE_KEY_SIZE])
            self.take(H(value)[:BASE_KEY_SIZE])

    def take_group(self, group: Group) -> None:
        """What a member can export in the epoch that it is in."""
        self.take(group.export(BASE_KEY_LABEL, b"", BASE_KEY_SIZE))

    def take_session(self, session: Session) -> None:
        """What a member has now; nothing if it is none."""
        room = session._room
        if room is not None and not room.m.group.wiped:
            self.take_group(room.m.group)

    def attack(self, sealed: Iterable[SealedFrame], plain: Iterable[bytes] = ()) -> int:
        """Try everything on every frame; how many gave way now.

        `plain` are pieces of frames before sealing: one that holds any of them was never sealed at all.
        """
        pieces = set(plain)
        opened = 0
        for frame in sealed:
            self.tried += 1
            opened += self._opens(frame) or _in_the_clear(frame.data, pieces)
        self.opened += opened
        return opened

    def _opens(self, frame: SealedFrame) -> bool:
        try:
            clear, rest = shim.split(frame.kind, frame.data)
            header = Header.decode(rest)
        except SnugCryptoError:
            return False
        for secret in self._secrets:
            try:
                FrameKey(SUITE, secret, header.kid).decrypt(header, shim.metadata(frame.kind, clear), rest)
            except SnugCryptoError:
                continue
            return True
        return False


def _in_the_clear(data: bytes, pieces: set[bytes]) -> bool:
    """Whether any of `pieces`, each 24 bytes, stands in `data`."""
    return any(data[at : at + 24] in pieces for at in range(len(data) - 23))
