"""The counters that a media engine shows."""

from __future__ import annotations

from dataclasses import dataclass

from server.wire.messages import MediaKind


@dataclass(frozen=True, slots=True)
class StreamStats:
    """One remote stream so far; what isn't said to be anything else counts frames.

    `opened`: authenticated. `decoded`: of those, decoded. `failed`: refused for good, by the keys or for want
    of its sender's signature. `unkeyed`: of an epoch whose keys this member does not have (from before it
    came in, mostly). `lost`: given up on the way. `concealed`: frames of sound made up for the lost and the
    failed; `recovered`: those that the frame behind them carried once more (FEC). `skipped`: opened pictures
    that were no use without an earlier one. `dropped`: opened, but this machine was too slow.
    `undecodable`: opened, but the codec refuses it. `leaf` is None until a frame has opened;
    `first_opened_at` is on the event loop's clock, seconds. `gone`: the stream is listed no more.
    `asked`: packets asked for again, each time counted; `again`: packets that came as RTX. `bitrate`: bits a
    second of payload in the last second. `layer`: of the pictures that come, 0 the smallest, None where there
    are none. `frozen`: the longest time between two pictures that could be shown, seconds.
    """

    leaf: int | None
    handle: bytes
    ssrc: int
    kind: MediaKind
    opened: int
    decoded: int
    failed: int
    unkeyed: int
    lost: int
    concealed: int
    key_frames: int
    first_opened_at: float | None
    skipped: int
    dropped: int
    undecodable: int
    gone: bool
    recovered: int = 0
    asked: int = 0
    again: int = 0
    bitrate: int = 0
    layer: int | None = None
    frozen: float = 0.0


@dataclass(frozen=True, slots=True)
class OwnStats:
    """One own stream so far. `sealed` counts frames sent, and `key_frames` those of them that are.

    `withheld`: frames that were not sealed (no keys, paused). `skipped`: moments missed because this
    machine was too slow. `starved`: frames of sound for which the source had nothing in time. `packets`
    and `octets` (payload, bytes) were sent once, `resent` packets again. `layer`: of pictures, 0 the
    smallest. `bitrate`: bits a second that this layer is encoded at, `target` those that all pictures
    together may have; `loss`: of the packets of pictures, the share that didn't reach the server lately.
    """

    ssrc: int
    kind: MediaKind
    sealed: int
    withheld: int
    skipped: int
    starved: int
    key_frames: int
    packets: int
    octets: int
    resent: int
    layer: int | None = None
    bitrate: int = 0
    target: int = 0
    loss: float = 0.0
