"""A picture that is sent in several sizes (simulcast), of which each receiver gets one at a time.

Receivers see one stream, whose numbers go on without a gap: sequence number, timestamp, PictureID and
TL0PICIDX are shifted by what each change of layer makes necessary (`server.media.vp8`). What is in the
payload is sealed by the sender and opened by the receiver, who learns from the key id which layer it is of.
A change happens at a key frame, told by the one bit of the sealed frame's clear header.
"""

from __future__ import annotations

from typing import Generic

from server.forwarding.effects import P
from server.forwarding.tracks import Track
from server.media import vp8


def describe(packet: bytes) -> vp8.Descriptor | None:
    """The descriptor of a packet of a layer; None unless it has a 15-bit PictureID, as all senders' have."""
    found = vp8.read(packet, vp8.payload_start(packet))
    return found if found is not None and found.bits == 15 else None


class Sub(Generic[P]):
    """What one receiver gets of a source. `top`: the largest layer that is of use; `allotted`: that fits."""

    __slots__ = ("allotted", "first", "paced", "peer", "sent", "source", "splice", "top", "track", "waits")

    def __init__(self, source: Source[P], peer: P, splice: vp8.Splice) -> None:
        self.source = source
        self.peer = peer
        self.top = len(source.tracks) - 1
        self.allotted: int | None = self.top
        #: The layer that is being sent, None while none is.
        self.track: Track[P] | None = None
        #: The layer to change to at its next key frame.
        self.waits: Track[P] | None = None
        self.splice = splice
        #: Packets wait their turn: then what has come is not what has gone out. `first` of this layer, and
        #: how far it has been `sent`.
        self.paced = False
        self.first: vp8.Numbers | None = None
        self.sent: vp8.Numbers | None = None

    def goal(self, now: float) -> Track[P] | None:
        """The layer that should be sent: the largest there is within the limits, or the smallest there is."""
        if self.allotted is None:
            return None
        tracks = self.source.tracks
        most = min(self.top, self.allotted, len(tracks) - 1)
        below = next((track for track in reversed(tracks[: most + 1]) if track.alive(now)), None)
        if below is not None:
            return below
        return next((track for track in tracks[most + 1 :] if track.alive(now)), tracks[most])

    def stop(self) -> None:
        """Nothing is sent for now."""
        if self.track is not None:
            last = self.sent if self.paced else self.track.latest
            if last is None and self.first is not None:
                last = vp8.before(self.first)
            if last is not None:
                self.splice.end(last)
        self.track = None

    def begin(self, track: Track[P], first: vp8.Numbers) -> None:
        """From here on that layer is sent."""
        self.stop()
        self.splice.begin(track.layer, first)
        self.track, self.first, self.sent = track, first, None

    def find(self, sequence: int) -> bytes | None:
        """The packet that this receiver knows by `sequence` (16 bits), as it got it; None if it's gone."""
        last = self.sent if self.paced else None if self.track is None else self.track.latest
        latest = 0 if last is None else last.sequence
        meant = self.splice.source(sequence, latest)
        if meant is None or meant[0] >= len(self.source.tracks):
            return None
        layer, number, shift = meant
        packet = self.source.tracks[layer].held(number)
        if packet is None:
            return None
        out = bytearray(packet)
        vp8.rewrite(out, 0, number, self.source.ssrc, describe(packet), shift)
        return bytes(out)


class Source(Generic[P]):
    """A published picture with its layers, from small to large. `ssrc` is what receivers see of it."""

    __slots__ = ("owner", "ssrc", "subs", "tracks")

    def __init__(self, ssrc: int, owner: P, tracks: list[Track[P]]) -> None:
        self.ssrc = ssrc
        self.owner = owner
        self.tracks = tracks
        self.subs: dict[P, Sub[P]] = {}
        for layer, track in enumerate(tracks):
            track.source, track.layer = self, layer
