"""Snug: a meeting server whose operator cannot read a meeting, and the participants' end of it.

- `snugroom.server`: signaling, the blind SFU, the meeting page's files, and the hostile server of the lab
- `snugroom.crypto`: MLS, SFrame, invites and proofs, for participants only
- `snugroom.client`: sessions, media, the command line and the tools
"""

import os
from pathlib import Path
from typing import Final

#: The folder that a new process needs in `PYTHONPATH` to import this package.
IMPORT_FROM: Final = Path(__file__).absolute().parents[1]


def environment() -> dict[str, str]:
    """Return this process's environment for a new process that imports this package."""
    path = os.pathsep.join(filter(None, (str(IMPORT_FROM), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path}
