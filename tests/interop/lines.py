"""A program of ours in a Node process, spoken to in JSON lines: a request a line, its answer a line."""

from __future__ import annotations

import itertools
import json
import queue
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.interop.ts_setup import Node, bundle


class SilentError(AssertionError):
    """The process gave no answer, or has ended."""


class LineProcess:
    """The process. Every call is bounded; one that fell silent is an error."""

    def __init__(self, node: Node, program: Path, seconds: float) -> None:
        self._ids = itertools.count()
        self._name = program.name
        self._seconds = seconds
        with tempfile.TemporaryDirectory(prefix="snug-peer-") as folder:
            out = Path(folder) / "peer.mjs"
            bundle(node, program, out)
            # read whole before the first answer, so the file may go then
            self._process = subprocess.Popen(
                [node.node, "--enable-source-maps", str(out)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            self._lines: queue.Queue[str] = queue.Queue()
            self._reader = threading.Thread(target=self._read, daemon=True)
            self._reader.start()
            self.answer({"op": "are you there?"})

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def answer(self, request: Mapping[str, object]) -> dict[str, Any]:
        """One request's answer, whatever it says. SilentError if there is none."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        try:
            line = self._lines.get(timeout=self._seconds)
        except queue.Empty:
            why = f"{self._name} gave no answer to {request['op']} within {self._seconds} s"
            raise SilentError(why) from None
        if not line:
            raise SilentError(f"{self._name} ended at {request['op']} (its stderr says why)")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def new_id(self) -> int:
        """A number that nobody in the process has."""
        return next(self._ids)

    def close(self) -> None:
        """End it; by force if it doesn't end by itself."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._reader.join(10)
        assert self._process.stdout is not None
        self._process.stdout.close()
