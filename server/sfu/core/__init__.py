"""The core of the SFU: decides which receivers get each packet. It has no socket, no clock and no key.

A *peer* is any hashable object that the shell sends through; tests use strings. The shell passes packets in
after it has authenticated and checked them. The core returns fan-outs (receivers) for the packet itself, and
effects for everything else. `server.sfu.limits.MediaLimits` bounds all state.
"""

from snugroom.server.sfu.core.effects import Effect, Forget, SendRtcp, SendRtp
from snugroom.server.sfu.core.forwarding import Forwarding
from snugroom.server.sfu.core.tracks import Track

__all__ = ["Effect", "Forget", "Forwarding", "SendRtcp", "SendRtp", "Track"]
