from __future__ import annotations

from typing import Any

import msgspec
import pytest

from snugroom.server.sfu.limits import MediaLimits
from tests.media_server.conftest import Rig, StartRig, rig
from tests.media_server.conftest import start_rig as any_rig

__all__ = ["StartRig", "any_rig", "rig", "start_rig"]


@pytest.fixture
def start_rig(any_rig: StartRig) -> StartRig:
    """As there. A machine that stands still for a while ends no consent, and is no overload.

    An innocent's packet that is shed, or finds nobody, never comes, and a test would wait for it.
    """

    async def start(limits: MediaLimits | None = None, **options: Any) -> Rig:
        patient = msgspec.structs.replace(limits or MediaLimits(), idle=1e9, lag_max=3600.0)
        return await any_rig(patient, **options)

    return start
