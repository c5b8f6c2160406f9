"""The exit statuses of `snug`. `docs/reference/command-line.md` has a table of `MEANINGS`."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Status(IntEnum):
    """Exit statuses, the same for all commands."""

    OK = 0
    ERROR = 1
    USAGE = 2
    UNREACHABLE = 3
    REFUSED = 4
    REMOVED = 5
    NOT_ADMITTED = 6
    FAILED = 7
    DROPPED = 8
    UNOPENED = 9
    UNTRUSTED = 10
    UNSERVED = 11
    INTERRUPTED = 130
    NO_READER = 141


#: For each status: a word or two, and what it means in full.
MEANINGS: Final[dict[Status, tuple[str, str]]] = {
    Status.OK: ("success", "left, the time was up, or a host ended the meeting"),
    Status.ERROR: (
        "error",
        "an unexpected error on this machine; `snug evidence` and `snug report`: the file proves nothing",
    ),
    Status.USAGE: (
        "usage",
        "the command line, a file, a folder or the link is invalid; nothing was connected",
    ),
    Status.UNREACHABLE: (
        "no contact with the server",
        "none within 10 s (40 s with `--proxy`), or until `--for` was over; the text gives the cause",
    ),
    Status.REFUSED: ("refused", "a host refused the knock"),
    Status.REMOVED: ("removed", "a host removed this participant, or somebody with its keys took its place"),
    Status.NOT_ADMITTED: (
        "not admitted in time",
        "left, or the time was up, before a host admitted this participant",
    ),
    Status.FAILED: ("a check failed", "a check of `snug demo`, `snug lab` or `snug verify-page`"),
    Status.DROPPED: ("dropped", "the server dropped the meeting, and did not let this participant return"),
    Status.UNOPENED: (
        "no room opened",
        "the server opens no room, or exchanges no voucher, without a password, token or voucher it takes",
    ),
    Status.UNTRUSTED: (
        "certificate not trusted",
        "the server's TLS certificate proves nothing: somebody may be between you and the server",
    ),
    Status.UNSERVED: (
        "not served",
        "the server answered, and does not serve this meeting: it is full, refuses, or has another `origin`",
    ),
    Status.INTERRUPTED: (
        "interrupted",
        "Ctrl-C (SIGINT); `snug demo` after another signal: 128 plus its number",
    ),
    Status.NO_READER: ("no reader", "nobody reads the output any more, as after `| head`"),
}
