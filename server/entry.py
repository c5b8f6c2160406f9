"""The installed command ``snug-server``; ``python -m snugroom.server`` is `server.__main__`."""

from __future__ import annotations

import sys

from snugroom.installed import VERSION

#: As `CANNOT_START` of `server.__main__`, which only Linux can import.
_CANNOT_START = 3


def main() -> int:
    """Run the command line, and return the exit status."""
    if sys.argv[1:] == ["--version"]:
        # without the second start that `memory.begin` may need
        print(f"snug-server {VERSION}")
        return 0
    if sys.platform != "linux":
        print(
            "snug-server: the server needs Linux, for it overwrites the memory of clients that have left "
            "with the help of its C library. `snug` runs here.",
            file=sys.stderr,
        )
        return _CANNOT_START
    from snugroom.server import memory

    memory.begin()
    from snugroom.server.__main__ import main as command_line

    return command_line()
