"""Fields that no member writes into a heartbeat, for tests here and for the page's vectors."""

from __future__ import annotations

from typing import Any, Final

from snugroom.crypto.agreed.heartbeat import GOT_MAX, Got

WRONG_FIELDS: Final[list[dict[str, Any]]] = [
    {"sent": ((1, 1), (0, 1))},
    {"sent": ((0, 1), (0, 1))},
    {"sent": ((8, 1),)},
    {"sent": tuple((n, 0) for n in range(9))},
    {"got": (Got(2, 0, ()), Got(1, 0, ()))},
    {"got": (Got(1, 0, ()), Got(1, 0, ()))},
    {"got": (Got(1, 0, ((1, 0), (0, 0))),)},
    {"got": tuple(Got(n, 0, ()) for n in range(GOT_MAX + 1))},
]
