"""The streams that the server forwards to us, and up to which layer: all, unless a person chose.

The server sees the choice. Asking for the speaker's video reveals who speaks, so a person has to choose that.
A host can choose for all members that they receive the sound of the same 16 in a large room (`audible`).
While fewer streams are asked for, our beats say that we do not want all, and no other member judges what
reaches us: only we know the choice. Layers concern us and the server alone: a member that asks for all
streams, some of them in smaller layers, still wants all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Final

from snugroom.client.session.features.audible import Audible
from snugroom.client.session.kernel.feature import Feature
from snugroom.client.session.kernel.ports import Room
from snugroom.wire import messages as wire
from snugroom.wire.limits import LAYERS_MAX, SUBSCRIBE_MAX

#: Minimum seconds between two requests: a window that is being resized changes much in little time.
GAP: Final = 0.5
#: The server's default on every connection.
_ALL: Final = wire.Subscribe(None)


class Subscriptions(Feature):
    """Repeats the request when the server cannot know it: on each connection, and after new media of ours."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self._ssrcs: tuple[int, ...] | None = None
        self._max_layers: dict[int, int] = {}
        self._listed: Sequence[wire.HandleStream] = ()  # the others' streams
        self._audible = Audible(room)  # limits the sound, in a meeting whose host has chosen that
        self._wanted = _ALL
        self._sent: wire.Subscribe | None = None  # as the server has it; None: it does not have our media
        self._sent_at = -inf

    @property
    def subscribes_to_all(self) -> bool:
        """Whether a media engine is here, and every stream is asked for."""
        return self.room.has_media and self._ssrcs is None and self._audible.chosen is None

    def subscribed(self, leaf: int) -> frozenset[int]:
        """Return the announced streams of a leaf that we ask for; empty without a media engine."""
        if not self.room.has_media:
            return frozenset()
        streams = self.room.announcements.streams(leaf)
        ssrcs = self._ssrcs if self._audible.chosen is None else self._wanted.ssrcs
        return frozenset(n for ssrc, n in streams.items() if ssrcs is None or ssrc in ssrcs)

    def subscribe(self, ssrcs: tuple[int, ...] | None, max_layers: Mapping[int, int], now: float) -> None:
        """Ask for these streams (None: all), up to the given layers (0 to 2; 2 where none is given).

        The last request of each half second is sent, once the server has our media. ValueError for an
        impossible layer.
        """
        if not all(0 <= layer < LAYERS_MAX for layer in max_layers.values()):
            raise ValueError(f"layers have the numbers 0 to {LAYERS_MAX - 1}")
        self._ssrcs, self._max_layers = ssrcs, dict(max_layers)
        self._changed(now)

    def carry_over(self, old: Room) -> None:
        before = old.feature(Subscriptions)
        self._ssrcs, self._max_layers = before._ssrcs, before._max_layers

    def published(self, now: float) -> None:
        self._sent, self._sent_at = _ALL, -inf
        self._changed(now)

    def streams(self, streams: Sequence[wire.HandleStream], now: float) -> None:
        self._listed = streams
        self._changed(now)

    def lost(self, why: str, now: float, *, by_server: bool) -> None:
        self._sent = None
        self._listed = ()

    def tick(self, now: float) -> None:
        sixteen = self.room.has_media and self.room.membership.policy.sixteen
        if sixteen and self._audible.choose(now):
            self._changed(now)
        else:
            self._send(now)

    def _changed(self, now: float) -> None:
        self._wanted = self._request()
        self._send(now)

    def _send(self, now: float) -> None:
        if self._sent is not None and now - self._sent_at >= GAP and self._wanted != self._sent:
            self._sent, self._sent_at = self._wanted, now
            self.room.send(self._wanted)

    def _request(self) -> wire.Subscribe:
        ssrcs = self._ssrcs
        if self._audible.chosen is not None:
            ssrcs = self._audible.ssrcs(self._listed, ssrcs)
        elif ssrcs is None:
            # Layers need a list of streams; without a stream that is limited, null is enough.
            small = any(
                self._max_layers.get(ssrc, LAYERS_MAX) < LAYERS_MAX - 1 for ssrc in self._layered_ssrcs()
            )
            if not small or len(self._listed) > SUBSCRIBE_MAX:
                return _ALL
            ssrcs = tuple(stream.ssrc for stream in self._listed)
        ssrcs = tuple(dict.fromkeys(ssrcs))  # a server may list one twice
        max_layers = [self._max_layers.get(ssrc, LAYERS_MAX - 1) for ssrc in ssrcs]
        sized = any(layer < LAYERS_MAX - 1 for layer in max_layers)
        return wire.Subscribe(list(ssrcs), max_layers if sized else [])

    def _layered_ssrcs(self) -> list[int]:
        return [stream.ssrc for stream in self._listed if stream.layers > 0]
