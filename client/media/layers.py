"""The simulcast layers of one camera's video, and the bitrate of each. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from snugroom.client.media.codec import HEIGHT, VIDEO_BITRATE, WIDTH

#: Factor for the bits per pixel of each smaller layer: a smaller layer needs more bits per pixel.
_DENSER: Final = 1.6
#: Minimum useful share of a layer's maximum rate: below it, the smaller layers alone look better.
_FLOOR: Final = 0.4
#: Bits per pixel below which a lower frame rate looks better.
_DENSITY: Final = 0.04
#: A layer that was left out returns when this multiple of its minimum rate is available.
_RETURN: Final = 1.25
_RATE: Final = 15


@dataclass(frozen=True, slots=True)
class Layer:
    """Width and height in pixels; maximum and minimum useful rate, bits a second."""

    width: int
    height: int
    most: int
    least: int

    def every(self, bitrate: int) -> int:
        """Return n: at this rate every n-th video frame is encoded. n is 1, 2 or 3."""
        full = _DENSITY * self.width * self.height * _RATE
        return 1 if bitrate >= full else 2 if bitrate >= full / 2 else 3


def layers_of(width: int, height: int, count: int) -> tuple[Layer, ...]:
    """Return 1 to 3 layers, smallest first: a quarter, half and the whole of each side."""
    out = []
    for step in range(count - 1, -1, -1):
        w, h = (max(2, side // (1 << step) // 2 * 2) for side in (width, height))
        most = round(VIDEO_BITRATE * w * h / (WIDTH * HEIGHT) * _DENSER**step)
        out.append(Layer(w, h, most, round(_FLOOR * most)))
    return tuple(out)


def share(target: int, layers: Sequence[Layer], before: Sequence[int]) -> list[int]:
    """Return bits a second for each layer; 0 leaves a layer out.

    The smallest layer always gets a share; larger layers get the rest. `before` is the previous result: each
    return of a layer costs a key frame, so a returning layer needs more than its minimum.
    """
    out = [min(target, layers[0].most)]
    left = target - out[0]
    for layer, had in zip(layers[1:], before[1:], strict=True):
        needed = layer.least if had else round(_RETURN * layer.least)
        given = min(left, layer.most) if left >= needed and out[-1] else 0
        out.append(given)
        left -= given
    return out
