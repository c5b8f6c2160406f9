from __future__ import annotations

from tests.media_server.conftest import rig, start_rig

__all__ = ["rig", "start_rig"]
