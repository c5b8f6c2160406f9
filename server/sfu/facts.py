"""Facts about the SFU for the operator: the state that it holds, and its live streams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from snugroom.server.sfu.core import Track
from snugroom.server.sfu.link import Endpoint, Link

#: The number of packets whose sizes `StreamFacts` lists.
_SIZES: Final = 48


@dataclass(frozen=True, slots=True)
class MediaFacts:
    """State that the SFU holds: sealed packets to resend, session keys, buffers (bytes), addresses."""

    packets: int
    packet_bytes: int
    ended_streams: int
    sessions: int
    buffers: int
    cached_addresses: int
    addresses: dict[bytes, list[str]]


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """One live stream: its publisher's room and handle, packets received, sizes of the last ones in bytes."""

    room: bytes
    handle: bytes
    ssrc: int
    kind: str
    packets: int
    receivers: int
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, track: Track[Endpoint]) -> StreamFacts:
        """Return the facts of a stream of this worker's own peer."""
        assert isinstance(track.owner, Link)
        room, handle = track.owner.key
        return cls(
            room=room,
            handle=handle,
            ssrc=track.ssrc,
            kind=track.kind,
            packets=track.received,
            receivers=len(track.receivers) + (0 if track.crossing is None else track.crossing.receivers),
            sizes=tuple(len(packet) for packet in track.last_packets(_SIZES)),
        )
