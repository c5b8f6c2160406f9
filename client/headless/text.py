"""Texts of other members, made safe for a terminal and for JSON."""

from __future__ import annotations

import json
import re
from typing import Any, Final

#: Characters that move a terminal's cursor, reverse text beside them, or can't be encoded, and that json does
#: not escape: DEL, the C1 controls (one begins an escape sequence), separators, directions, lone surrogates.
_UNSAFE: Final = "\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_NOT_IN_JSON: Final = re.compile(f"[{_UNSAFE}]")
_NOT_IN_TEXT: Final = re.compile(f"[\x00-\x1f{_UNSAFE}]")


def plain(text: str, *, lines: str = " ") -> str:
    """Return another member's text for display. Line ends become `lines`, unsafe characters become U+FFFD.

    Unsafe are C0 and C1 controls, directional embeddings, overrides and isolates, and lone surrogates.
    """
    rows = [_NOT_IN_TEXT.sub("\ufffd", row.replace("\t", " ")) for row in text.splitlines()]
    return lines.join(rows)


def json_line(value: dict[str, Any]) -> str:
    """Return an object as one line of JSON, with unsafe characters escaped."""
    line = json.dumps(value, ensure_ascii=False, separators=(", ", ": "))
    return _NOT_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", line)
