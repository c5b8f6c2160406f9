"""What the core wants done beside the forwarding itself."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

P = TypeVar("P", bound=Hashable)


@dataclass(frozen=True, slots=True)
class SendRtcp(Generic[P]):
    """Protect this RTCP packet and send it to `to`."""

    to: P
    data: bytes


@dataclass(frozen=True, slots=True)
class SendRtp(Generic[P]):
    """Protect this RTP packet and send it to `to`: sent before, or kept back until now.

    `wide`: with a transport-wide sequence number, which needs an index of SRTP that was never used.
    """

    to: P
    packet: bytes
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Forget(Generic[P]):
    """`to`'s sessions need no state for `ssrc` any more, whoever sent it."""

    to: P
    ssrc: int


Effect = SendRtcp[P] | SendRtp[P] | Forget[P]
