"""Shared vectors of sealed files (client/files/sealed_file.py): the page writes and reads the same bytes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final

from snugroom.client.files.sealed_file import Cost, SealedFile
from tests.web.cases import Seed

_COST: Final = Cost(2, 64 * 1024)


def _sealed() -> list[dict[str, Any]]:
    made = []
    for kind, passphrase, payload in (
        ("contacts", "correct horse", b"{}"),
        ("contacts", "u\u0308ber", bytes(range(256)) * 17),
        ("host", "correct horse", b""),
    ):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "file"
            SealedFile.create(path, passphrase, kind, payload, cost=_COST, rng=Seed(passphrase).rng())
            made.append(
                {
                    "kind": kind,
                    "passphrase": passphrase,
                    "ops": _COST.ops,
                    "memory": _COST.memory,
                    "payload": payload.hex(),
                    "file": path.read_bytes().hex(),
                }
            )
    return made


FILES: Final = {"sealed_file": _sealed}
