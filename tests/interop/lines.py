"""A program of ours in a Node process, driven by JSON lines: one request a line, one answer a line."""

from __future__ import annotations

import itertools
import os
import select
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tests.interop.ts_setup import Node, bundle

_ENCODER = msgspec.json.Encoder()


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
                bufsize=0,
            )
            self._poll = select.poll()
            assert self._process.stdout is not None
            self._out = self._process.stdout.fileno()
            self._poll.register(self._out, select.POLLIN | select.POLLHUP)
            self._begun: list[bytes] = []  # of a line
            self.answer({"op": "are you there?"})

    def _line(self) -> bytes | None:
        """The next one: all that comes until the next request. Empty: it has ended; None: too late."""
        while self._poll.poll(self._seconds * 1000):
            part = os.read(self._out, 1 << 20)
            self._begun.append(part)
            if not part or part.endswith(b"\n"):
                line = b"".join(self._begun)
                self._begun.clear()
                return line if part else b""
        return None

    def answer(self, request: Mapping[str, object]) -> dict[str, Any]:
        """One request's answer, even a refusal. SilentError if the program does not answer."""
        answer: dict[str, Any] = self._line_for(request, request["op"])
        return answer

    def answers(self, requests: Sequence[Mapping[str, object]]) -> list[dict[str, Any]]:
        """The answers to several requests in one line each way, of a program that takes them so."""
        answers: list[dict[str, Any]] = self._line_for(requests, requests[-1]["op"])
        return answers

    def _line_for(self, request: object, op: object) -> Any:
        assert self._process.stdin is not None
        data = memoryview(_ENCODER.encode(request) + b"\n")
        while data:  # a pipe takes what it has place for
            data = data[self._process.stdin.write(data) :]
        line = self._line()
        if line is None:
            raise SilentError(f"{self._name} gave no answer to {op} within {self._seconds} s")
        if not line:
            raise SilentError(f"{self._name} ended at {op} (its stderr says why)")
        return msgspec.json.decode(line)

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
        assert self._process.stdout is not None
        self._process.stdout.close()
