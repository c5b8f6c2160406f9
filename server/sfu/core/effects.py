"""Effects: actions that the core requests besides forwarding the packet itself."""

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
    """Protect this RTP packet and send it to `to`: a resent packet, or one that waited in the pacer.

    `twcc`: the packet gets a transport-wide sequence number, which needs an unused SRTP index.
    """

    to: P
    packet: bytes
    twcc: bool = False


@dataclass(frozen=True, slots=True)
class Forget(Generic[P]):
    """Free the state for `ssrc` in `to`'s SRTP sessions, whoever sent the stream."""

    to: P
    ssrc: int


Effect = SendRtcp[P] | SendRtp[P] | Forget[P]
