"""The counters that a media engine reports."""

from __future__ import annotations

from dataclasses import dataclass

from snugroom.wire.messages import MediaKind


@dataclass(frozen=True, slots=True)
class StreamStats:
    """One remote stream so far; counters are frames unless stated otherwise.

    `opened`: authenticated. `decoded`: opened and decoded. `failed`: refused for good, by the keys or because
    the sender's signature is missing. `unkeyed`: from an epoch whose keys this member does not have (mostly
    from before it joined). `lost`: given up in transit. `concealed`: audio frames replaced because they were
    lost or failed; `recovered`: audio frames restored from the copy in the frame after them (FEC). `skipped`:
    opened video frames that were useless without an earlier one. `dropped`: opened, but this machine was too
    slow. `undecodable`: opened, but the codec refused it. `leaf` is None until a frame has opened;
    `first_opened_at` is seconds on the event loop's clock. `gone`: the server no longer lists the stream.
    `asked`: packets requested again, each request counted; `again`: packets that arrived as RTX. `bitrate`:
    payload bits a second in the last second. `layer`: the current simulcast layer, 0 is the smallest; None
    without video. `frozen`: the longest time between two video frames that could be shown, seconds.
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
    """One own stream so far. `sealed` counts frames sent, and `key_frames` the key frames among them.

    `withheld`: frames that were not sealed (no keys, paused) or had no link. `skipped`: ticks missed because
    this machine was too slow. `starved`: audio frames that the source did not deliver in time. `packets` and
    `octets` (payload, bytes) count first transmissions, `resent` counts retransmitted packets. `layer`: the
    simulcast layer of a video stream, 0 is the smallest. `bitrate`: bits a second at which this layer is
    encoded; `target`: bits a second for all video together; `loss`: the recent share of video packets that
    did not reach the server.
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
