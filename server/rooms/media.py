"""The media of a room's connections: their streams, and the list that each gets of the others' streams."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from snugroom.server.rooms.effects import Effect, MediaJoin, MediaLeave, MediaSubscribe, Send, refuse
from snugroom.server.rooms.memory import Ledger
from snugroom.server.rooms.seat import Seat
from snugroom.server.rooms.stream_blobs import LastBlobs, Subscription
from snugroom.wire import limits
from snugroom.wire.messages import Broadcasted, HandleStream, Media, Streams, Subscribe


def _ssrcs(media: Media) -> list[int]:
    """Return all SSRCs of `media`, with those of layers and RTX."""
    return [ssrc for stream in media.streams for ssrc in (stream.ssrc, *stream.layers, *stream.rtx)]


class RoomMedia:
    """The media of all connections of a room. `seats` is the room's table of its connections."""

    def __init__(self, number: bytes, seats: Mapping[bytes, Seat], ledger: Ledger) -> None:
        self._number = number
        self._seats = seats
        self._ledger = ledger

    def join(self, seat: Seat, message: Media, now: float) -> list[Effect]:
        """Add or change the media of a connection."""
        mine = _ssrcs(message)
        taken = {
            ssrc
            for other in self._seats.values()
            if other is not seat and other.media is not None
            for ssrc in _ssrcs(other.media)
        }
        if len(set(mine)) < len(mine) or taken.intersection(mine):
            return refuse(seat.handle, "ssrc", "an SSRC is taken: choose another at random", "media")
        if sum(1 + len(stream.layers) for stream in message.streams) > limits.STREAMS_MAX:
            return refuse(
                seat.handle, "streams", f"at most {limits.STREAMS_MAX} streams, layers counted", "media"
            )
        for stream in message.streams:
            if stream.layers and stream.kind == "audio":
                return refuse(seat.handle, "layers", "audio has no layers", "media")
            if stream.rtx and (stream.kind == "audio" or len(stream.rtx) != 1 + len(stream.layers)):
                return refuse(seat.handle, "rtx", "give one RTX SSRC for each SSRC of video", "media")
        if not seat.media_changes.take(now):
            return refuse(seat.handle, "rate", "too many changes of media", "media")
        seat.media = message
        seat.subscription = seat.subscription or Subscription()
        seat.lists = seat.lists or LastBlobs(self._ledger)
        return [MediaJoin(self._number, seat.handle, message), *self.changed_lists()]

    def subscribe(self, seat: Seat, message: Subscribe, now: float) -> list[Effect]:
        """Set the streams to forward to a connection, and the largest layer of each.

        The connection gets the last blobs of the streams that it did not have before.
        """
        subscription = seat.subscription
        if seat.media is None or subscription is None:
            return refuse(seat.handle, "media", "send media first", "subscribe")
        wanted = None if message.ssrcs is None else tuple(message.ssrcs)
        max_layers = tuple(message.max_layers)
        if max_layers and len(max_layers) != len(wanted or ()):
            return refuse(
                seat.handle, "layers", "give one layer for each of the streams, or none", "subscribe"
            )
        recent = [
            each
            for other in self._seats.values()
            if other is not seat and other.lists is not None
            for each in other.lists.recent(now)
            if not subscription.includes(each.ssrc, now)
        ]
        subscription.change(None if wanted is None else frozenset(wanted), now)
        missed = [each.blob for each in recent if subscription.includes(each.ssrc, now)]
        return [
            *(Send(seat.handle, Broadcasted(blob)) for blob in missed),
            MediaSubscribe(self._number, seat.handle, wanted, max_layers),
        ]

    def broadcast(self, seat: Seat, ssrc: int, blob: bytes, now: float) -> list[Effect]:
        """Send a blob to the receivers of the stream `ssrc`, and keep it for those that ask for it next."""
        if seat.lists is not None:
            seat.lists.add(ssrc, blob, now)
        message = Broadcasted(blob)
        return [
            Send(other.handle, message)
            for other in self._seats.values()
            if other is not seat
            and now < other.until
            and other.subscription is not None
            and other.subscription.includes(ssrc, now)
        ]

    @property
    def list_memory(self) -> int:
        """Bytes of memory of the blobs that are kept for receivers of streams."""
        return sum(seat.lists.memory for seat in self._seats.values() if seat.lists is not None)

    @property
    def list_sizes(self) -> tuple[int, ...]:
        """The size of each of these blobs."""
        return tuple(
            size for seat in self._seats.values() if seat.lists is not None for size in seat.lists.sizes
        )

    @property
    def deadline(self) -> float:
        """When the oldest of these blobs is to be dropped; infinity if there is none."""
        return min(
            (seat.lists.deadline for seat in self._seats.values() if seat.lists is not None),
            default=math.inf,
        )

    def end(self, seat: Seat) -> list[Effect]:
        """End the media of a connection, if it has any. The lists of the others are still to be sent."""
        if seat.media is None:
            return []
        self._forget(seat)
        return [MediaLeave(self._number, seat.handle)]

    @staticmethod
    def _forget(seat: Seat) -> None:
        seat.media = seat.view = seat.subscription = None
        if seat.lists is not None:
            seat.lists.clear()
            seat.lists = None

    def lapse(self, now: float) -> list[Effect]:
        """End the media of the connections that may no longer receive, and drop blobs that are too old."""
        effects: list[Effect] = []
        for seat in self._seats.values():
            if seat.lists is not None:
                seat.lists.expire(now)
            if seat.media is not None and now >= seat.until:
                effects += self.end(seat)
                text = "the pass is no longer current: show it, then send media again"
                effects += refuse(seat.handle, "pass", text, "media")
        if not effects:
            return []
        return [*effects, *self.changed_lists()]

    def refused(self, handle: bytes) -> list[Effect]:
        """Undo `handle`'s media, because the SFU has refused it."""
        seat = self._seats.get(handle)
        if seat is None or seat.media is None:
            return []
        return [*self.end(seat), *self.changed_lists()]

    def lost(self, handles: Iterable[bytes]) -> list[Effect]:
        """End the media of these connections, because their media worker has ended.

        Each gets `refused` with the code `lost`, and may send its media again.
        """
        effects: list[Effect] = []
        for handle in handles:
            seat = self._seats.get(handle)
            if seat is not None and seat.media is not None:
                self._forget(seat)
                text = "the media server was started anew: send media again, for a new transport"
                effects += refuse(handle, "lost", text, "media")
        return [*effects, *self.changed_lists()]

    def changed_lists(self) -> list[Effect]:
        """Return `streams` for every connection with media whose list of other streams has changed."""
        streams = [
            HandleStream(
                seat.handle,
                stream.ssrc,
                stream.kind,
                layers=len(stream.layers),
                rtx=stream.rtx[0] if stream.rtx else None,
            )
            for seat in self._seats.values()
            if seat.media is not None
            for stream in seat.media.streams
        ]
        effects: list[Effect] = []
        for seat in self._seats.values():
            if seat.media is None:
                continue
            view = [stream for stream in streams if stream.handle != seat.handle]
            if view != seat.view:
                seat.view = view
                effects.append(Send(seat.handle, Streams(view)))
        return effects
