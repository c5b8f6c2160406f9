"""Fields that no member writes into a heartbeat, for tests here and for the page's vectors."""

from __future__ import annotations

from typing import Any, Final

from snugroom.crypto.agreed.heartbeat import GOT_MAX, PENDING_MAX, Act, Got, PendingAct

WRONG_FIELDS: Final[list[dict[str, Any]]] = [
    {"sent": ((1, 1), (0, 1))},
    {"sent": ((0, 1), (0, 1))},
    {"sent": ((8, 1),)},
    {"sent": tuple((n, 0) for n in range(9))},
    {"got": (Got(2, 0, ()), Got(1, 0, ()))},
    {"got": (Got(1, 0, ()), Got(1, 0, ()))},
    {"got": (Got(1, 0, ((1, 0), (0, 0))),)},
    {"got": tuple(Got(n, 0, ()) for n in range(GOT_MAX + 1))},
    {"pending": (PendingAct(Act.REMOVE, 2), PendingAct(Act.REMOVE, 1))},
    {"pending": (PendingAct(Act.LOCK, 0), PendingAct(Act.LOCK, 0))},
    {"pending": (PendingAct(9, 0),)},  # type: ignore[arg-type]  # no act that anybody knows
    {"pending": tuple(PendingAct(Act.REMOVE, n) for n in range(PENDING_MAX + 1))},
]
