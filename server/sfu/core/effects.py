"""Effects: actions that the core requests besides forwarding the packet itself."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

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


class Want(NamedTuple):
    """A worker's need of a stream: the bit rate that its best receiver can take, and its receivers."""

    rate: int
    receivers: int


@dataclass(frozen=True, slots=True)
class SendWants(Generic[P]):
    """Tell the worker behind the bridge `to` which of its streams are needed here: all of them, by SSRC."""

    to: P
    wants: tuple[tuple[int, Want], ...]


@dataclass(frozen=True, slots=True)
class SendRates(Generic[P]):
    """Tell the worker behind the bridge `to` the bit rate of each stream of this worker, by SSRC."""

    to: P
    rates: tuple[tuple[int, int], ...]


Effect = SendRtcp[P] | SendRtp[P] | Forget[P] | SendWants[P] | SendRates[P]
