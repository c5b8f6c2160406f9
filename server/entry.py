"""The installed command ``snug-server``; ``python -m snugroom.server`` is `server.__main__`."""

from __future__ import annotations

from snugroom.server import memory


def main() -> int:
    """Run the command line, and return the exit status."""
    memory.begin()
    from snugroom.server.__main__ import main as command_line

    return command_line()
