"""An intruder: it must not read a meeting, and has recordings, links and keys of the past.

It tries each of its base keys on every frame, without the checks of a client (no replay window, no epoch
bits, no list of members).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from snugroom.client.media.reorder import Frame, Reorder
from snugroom.client.session import Session
from snugroom.crypto.entry.invite import Invite, link_psk
from snugroom.crypto.errors import SnugError
from snugroom.crypto.kdf import H
from snugroom.crypto.media import clear_header
from snugroom.crypto.media.keys import BASE_KEY_LABEL, BASE_KEY_SIZE, SUITE
from snugroom.crypto.media.sframe import FrameKey, Header, extract
from snugroom.crypto.mls import Group
from snugroom.wire import rtp
from snugroom.wire.messages import MediaKind

_KINDS: dict[int, MediaKind] = {number: kind for kind, number in rtp.PAYLOAD_TYPES.items()}


@dataclass(frozen=True)
class SealedFrame:
    """A frame as it left its sender: the clear header (`clear_header`) and the SFrame ciphertext."""

    sender: int | None
    kind: MediaKind
    data: bytes = field(repr=False)


def frames(packets: Iterable[tuple[int | None, bytes]]) -> list[SealedFrame]:
    """Assemble recorded RTP packets of (sender, packet) into whole frames, in order of arrival."""
    found: list[SealedFrame] = []
    buffers: dict[int, Reorder] = {}
    for now, (sender, data) in enumerate(packets):
        try:
            packet = rtp.parse(data)
            kind = _KINDS[packet.payload_type]
        except (rtp.RtpError, KeyError):
            continue
        buffer = buffers.setdefault(packet.ssrc, Reorder(kind))
        # one millisecond per packet: only the order matters
        effects = buffer.receive(packet, now / 1000)
        found += [SealedFrame(sender, kind, e.data) for e in effects if isinstance(e, Frame)]
    return found


class Intruder:
    """Keys, and the frames opened with them. `tried` counts frames, `opened` the frames that were opened."""

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
        """Add a key of 16 bytes, to be tried as the base key of an epoch."""
        if base_key not in self._known:
            self._known.add(base_key)
            self._secrets.append(extract(SUITE, base_key))

    def take_link(self, link: str) -> None:
        """Add keys made from a link's contents: each value, and its hash, cut to 16 bytes."""
        invite = Invite.parse(link)
        for value in (invite.secret, invite.token, invite.host_public, link_psk(invite.secret)):
            self.take(value[:BASE_KEY_SIZE])
            self.take(H(value)[:BASE_KEY_SIZE])

    def take_group(self, group: Group) -> None:
        """Add the base key that a member of `group` can export in its current epoch."""
        self.take(group.export(BASE_KEY_LABEL, b"", BASE_KEY_SIZE))

    def take_session(self, session: Session) -> None:
        """Add the base key that a member has now; add nothing outside a room."""
        room = session._room
        if room is not None and not room.membership.group.wiped:
            self.take_group(room.membership.group)

    def attack(self, sealed: Iterable[SealedFrame], plain: Iterable[bytes] = ()) -> int:
        """Try every key on every frame; return how many of these frames were opened.

        `plain` holds pieces of 24 bytes of frames before sealing. A frame that contains one was never
        encrypted, and counts as opened.
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
            clear, rest = clear_header.split(frame.kind, frame.data)
            header = Header.decode(rest)
        except SnugError:
            return False
        for secret in self._secrets:
            try:
                FrameKey(SUITE, secret, header.kid).decrypt(
                    header, clear_header.metadata(frame.kind, clear), rest
                )
            except SnugError:
                continue
            return True
        return False


def _in_the_clear(data: bytes, pieces: set[bytes]) -> bool:
    """Return whether `data` contains any of `pieces`, each of 24 bytes."""
    return any(data[at : at + 24] in pieces for at in range(len(data) - 23))
