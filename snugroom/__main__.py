"""``python -m snugroom`` is ``snug``."""

from __future__ import annotations

import sys

from snugroom.command import main

if __name__ == "__main__":
    sys.exit(main())
