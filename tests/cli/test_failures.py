"""Errors of connections as sentences, and standard output without a reader: what needs no server."""

from __future__ import annotations

import errno
import os
import ssl
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest

from snugroom.client import failures
from snugroom.client.cli.pipe import Pipe

ORIGIN = "https://meet.example"
KEY = cast(Any, SimpleNamespace(host="meet.example", port=443, is_ssl=True, ssl=True))


def _system(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (aiohttp.ClientConnectorError(KEY, _system(errno.ECONNREFUSED)), "nobody listens there"),
        (aiohttp.ClientConnectorDNSError(KEY, _system(errno.ENOENT)), "there is no host of that name"),
        (
            aiohttp.ClientConnectorError(KEY, _system(errno.ENETUNREACH)),
            "this machine cannot connect to it (Network is unreachable)",
        ),
        (aiohttp.ClientConnectorSSLError(KEY, _system(errno.EPROTO)), "it does not speak TLS there"),
        (aiohttp.ServerTimeoutError(), "it does not answer"),
        (aiohttp.ServerDisconnectedError(), "the connection broke"),
        (_system(errno.ECONNRESET), "the connection broke"),
    ],
)
def test_each_error_has_its_own_sentence(error: Exception, says: str) -> None:
    assert failures.reason(error).startswith(says)
    assert failures.distrust(error, ORIGIN) is None


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (9, "its certificate is not valid yet"),
        (10, "its certificate has expired"),
        (18, "its certificate is signed by nobody"),
        (20, "its certificate is signed by nobody"),
        (62, "its certificate is for another name than meet.example"),
        (79, "its certificate is not valid (a new reason)"),
    ],
)
def test_a_certificate_that_proves_nothing_is_no_absence(code: int, says: str) -> None:
    cause = ssl.SSLCertVerificationError(1, "failed")
    cause.verify_code, cause.verify_message = code, "a new reason"
    told = failures.distrust(aiohttp.ClientConnectorCertificateError(KEY, cause), ORIGIN)
    assert told is not None
    assert told.startswith(says)


def test_output_without_a_reader_is_dropped_and_told_once() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    told: list[str] = []
    with os.fdopen(writer, "w") as stream:
        pipe = Pipe(stream, lambda: told.append("closed"))
        for _ in range(3):
            print("a line", file=cast(Any, pipe), flush=True)
        assert pipe.closed_by_reader
        assert not pipe.isatty()
    assert told == ["closed"]
