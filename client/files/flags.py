"""Flags of `os.open`. Windows and macOS lack some of them, which are 0 there.

Python opens every file so that child processes don't inherit it. Without `O_BINARY`, Windows changes the ends
of lines.
"""

from __future__ import annotations

import os
from typing import Final

_NOFOLLOW: Final[int] = getattr(os, "O_NOFOLLOW", 0)
_BINARY: Final[int] = getattr(os, "O_BINARY", 0)
#: Read a file. A pipe in its place does not make the program wait.
READ: Final[int] = os.O_RDONLY | _BINARY | getattr(os, "O_NONBLOCK", 0)
#: Read a file, and no link to another one.
READ_NO_LINK: Final[int] = READ | _NOFOLLOW
#: Write a file that does not exist yet.
NEW: Final[int] = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY | _NOFOLLOW
#: Open a folder, to flush or lock it; None on Windows, which opens no folder.
FOLDER: Final[int | None] = os.O_RDONLY | os.O_DIRECTORY if hasattr(os, "O_DIRECTORY") else None
