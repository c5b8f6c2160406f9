from __future__ import annotations

from tests.media_server.conftest import StartRig, rig, start_rig

__all__ = ["StartRig", "rig", "start_rig"]
