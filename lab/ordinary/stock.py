"""aiortc on this machine only. The one file that uses private names of aiortc and aioice."""

from __future__ import annotations

import aioice.ice
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection


def connection() -> RTCPeerConnection:
    """Return a connection that gathers 127.0.0.1 and asks no STUN server. aioice leaves that address out.

    All lines share one transport. With aiortc's default policy (1.16), the answer to an offer with two lines
    of a kind leaves one of them on a transport that never connects.
    """
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]
    configuration = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
    return RTCPeerConnection(configuration)
