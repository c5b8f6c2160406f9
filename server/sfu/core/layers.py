"""Simulcast: a video sent in several sizes (layers), of which each receiver gets one at a time.

Receivers see one stream whose numbers continue without a gap. Each change of layer changes the offsets of
sequence number, timestamp, PictureID and TL0PICIDX (`server.sfu.core.rewriter`). The sender seals the payload
and the receiver opens it; the key id tells the receiver which layer a frame belongs to. A change happens at a
key frame, which one bit of the sealed frame's clear header marks.
"""

from __future__ import annotations

from typing import Generic

from snugroom.server.sfu.core import rewriter
from snugroom.server.sfu.core.effects import P
from snugroom.server.sfu.core.tracks import Track


def layer_descriptor(packet: bytes) -> rewriter.Descriptor | None:
    """Return the descriptor of a layer's packet; None unless it has a 15-bit PictureID.

    All senders use 15-bit PictureIDs.
    """
    found = rewriter.read_descriptor(packet, rewriter.payload_start(packet))
    return found if found is not None and found.bits == 15 else None


class Subscription(Generic[P]):
    """One receiver's subscription to a source.

    `max_layer`: the largest useful layer; `allocated_layer`: the layer that fits the bandwidth.
    """

    __slots__ = (
        "allocated_layer",
        "first",
        "max_layer",
        "paced",
        "peer",
        "pending_track",
        "sent",
        "source",
        "stream_rewriter",
        "track",
    )

    def __init__(self, source: SimulcastSource[P], peer: P, stream_rewriter: rewriter.StreamRewriter) -> None:
        self.source = source
        self.peer = peer
        self.max_layer = len(source.tracks) - 1
        self.allocated_layer: int | None = self.max_layer
        #: The layer that is being sent, None while none is.
        self.track: Track[P] | None = None
        #: The layer to change to at its next key frame.
        self.pending_track: Track[P] | None = None
        self.stream_rewriter = stream_rewriter
        #: The receiver is paced, so the packets that have arrived are not those that have been sent. `first`:
        #: position of this layer's first packet; `sent`: position of the last packet that went out.
        self.paced = False
        self.first: rewriter.StreamPosition | None = None
        self.sent: rewriter.StreamPosition | None = None

    def select_layer(self, now: float) -> Track[P] | None:
        """Return the layer to send: the largest live one within the limits, else the smallest live one."""
        if self.allocated_layer is None:
            return None
        tracks = self.source.tracks
        most = min(self.max_layer, self.allocated_layer, len(tracks) - 1)
        below = next((track for track in reversed(tracks[: most + 1]) if track.alive(now)), None)
        if below is not None:
            return below
        return next((track for track in tracks[most + 1 :] if track.alive(now)), tracks[most])

    def stop(self) -> None:
        """Send nothing for now."""
        if self.track is not None:
            last = self.sent if self.paced else self.track.latest
            if last is None and self.first is not None:
                last = rewriter.position_before(self.first)
            if last is not None:
                self.stream_rewriter.end(last)
        self.track = None

    def begin(self, track: Track[P], first: rewriter.StreamPosition) -> None:
        """Send `track` from the packet `first` on."""
        self.stop()
        self.stream_rewriter.begin(track.layer, first)
        self.track, self.first, self.sent = track, first, None

    def find_packet(self, sequence: int) -> bytes | None:
        """Return the packet `sequence` (16 bits) as this receiver got it; None if it is gone."""
        last = self.sent if self.paced else None if self.track is None else self.track.latest
        latest = 0 if last is None else last.sequence
        resolved = self.stream_rewriter.resolve(sequence, latest)
        if resolved is None or resolved[0] >= len(self.source.tracks):
            return None
        layer, number, offsets = resolved
        packet = self.source.tracks[layer].cached(number)
        if packet is None:
            return None
        out = bytearray(packet)
        rewriter.rewrite(out, 0, number, self.source.ssrc, layer_descriptor(packet), offsets)
        return bytes(out)


class SimulcastSource(Generic[P]):
    """A published video with its layers, from small to large. Receivers see it under `ssrc`."""

    __slots__ = ("owner", "ssrc", "subscriptions", "tracks")

    def __init__(self, ssrc: int, owner: P, tracks: list[Track[P]]) -> None:
        self.ssrc = ssrc
        self.owner = owner
        self.tracks = tracks
        self.subscriptions: dict[P, Subscription[P]] = {}
        for layer, track in enumerate(tracks):
            track.source, track.layer = self, layer
