"""Which packet goes to whom: the core of the SFU. No socket, no clock, no key.

A *peer* is whatever hashable thing the shell sends through (tests use strings). Packets come in here
when they have been authenticated and checked; what goes out are fans of receivers for the packet itself,
and effects for all the rest. Everything is bounded by `server.media.limits.MediaLimits`.
"""

from server.forwarding.core import Forwarding
from server.forwarding.effects import Effect, Forget, SendRtcp, SendRtp
from server.forwarding.tracks import Track

__all__ = ["Effect", "Forget", "Forwarding", "SendRtcp", "SendRtp", "Track"]
