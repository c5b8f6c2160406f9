"""The shared media vectors are current, and Python accepts the files that the page writes.

The page's unit tests hold it to these bytes, in both directions: so what verifies here are the page's files.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from snugroom.command import main
from snugroom.crypto.kdf import SigningKey
from snugroom.crypto.proof import evidence, report
from tests.web import vectors_media, vectors_proof
from tests.web.write_shared import SHARED, shared

NAMES = (*vectors_media.FILES, *vectors_proof.FILES)


@pytest.mark.parametrize("name", NAMES)
def test_the_shared_vectors_are_what_is_reckoned_here(name: str) -> None:
    assert (SHARED / f"{name}.json").read_text("utf-8") == shared()[name]()


def _shared(name: str) -> Any:
    return json.loads((SHARED / f"{name}.json").read_text("utf-8"))


def test_the_page_s_evidence_is_found_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [file for file in _shared("evidence")["files"] if file["provable"]]
    assert len(files) == 4
    for file in files:
        found = evidence.verify_evidence(evidence.decode_evidence(file["text"].encode()))
        assert len(found.exhibits) == len(file["signed"])
        path = tmp_path / "evidence"
        path.write_text(file["text"], "utf-8", newline="")
        assert main(["evidence", "verify", str(path)]) == 0
        assert "meet.example" in capsys.readouterr().out
        path.write_text(file["text"].replace("meet.example", "meat.example"), "utf-8", newline="")
        assert main(["evidence", "verify", str(path)]) != 0


def test_the_page_s_report_is_found_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shared = _shared("reports")
    host = SigningKey(bytes.fromhex(shared["host_seed"])).public
    data = shared["file"].encode()
    assert len(report.verify_report(report.decode_report(data), host)) == 2
    path = tmp_path / "report"
    path.write_bytes(data)
    assert main(["report", "verify", str(path), "--host-key", host.hex()]) == 0
    assert "Ärger" in capsys.readouterr().out
    assert main(["report", "verify", str(path), "--host-key", bytes(32).hex()]) != 0
