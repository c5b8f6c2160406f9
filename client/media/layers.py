"""The sizes in which one camera's pictures are sent at once (simulcast), and what each may spend. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from client.media.codec import HEIGHT, VIDEO_BITRATE, WIDTH

#: Bits of a layer for each pixel of it; smaller pictures need more of them.
_DENSER: Final = 1.6
#: Of a layer's rate: less isn't worth sending, next to the layers below; and of the whole size alone.
_FLOOR: Final = 0.4
#: Bits a pixel below which fewer pictures a second look better.
_DENSITY: Final = 0.04
#: A layer that was left out comes back when there is so much more than it needs.
_RETURN: Final = 1.25
_RATE: Final = 15


@dataclass(frozen=True, slots=True)
class Layer:
    """Width and height in pixels; the most and the least bits a second that are of use."""

    width: int
    height: int
    most: int
    least: int

    def every(self, bitrate: int) -> int:
        """Of how many pictures one is encoded at this rate: 1, 2 or 3."""
        full = _DENSITY * self.width * self.height * _RATE
        return 1 if bitrate >= full else 2 if bitrate >= full / 2 else 3


def layers_of(width: int, height: int, count: int) -> tuple[Layer, ...]:
    """1 to 3 layers of pictures of this size, the smallest first: a quarter, half and whole of each side."""
    out = []
    for step in range(count - 1, -1, -1):
        w, h = (max(2, side // (1 << step) // 2 * 2) for side in (width, height))
        most = round(VIDEO_BITRATE * w * h / (WIDTH * HEIGHT) * _DENSER**step)
        out.append(Layer(w, h, most, round(_FLOOR * most)))
    return tuple(out)


def share(target: int, layers: Sequence[Layer], before: Sequence[int]) -> list[int]:
    """Bits a second for each layer, 0: left out. The smallest always gets something, the larger what is left.

    `before`: what they had, for a layer that comes and goes costs a key frame each time.
    """
    out = [min(target, layers[0].most)]
    left = target - out[0]
    for layer, had in zip(layers[1:], before[1:], strict=True):
        needed = layer.least if had else round(_RETURN * layer.least)
        given = min(left, layer.most) if left >= needed and out[-1] else 0
        out.append(given)
        left -= given
    return out
