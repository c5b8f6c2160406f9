"""No record of any logger holds what a library or an exception said."""

from __future__ import annotations

import fcntl
import io
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from snugroom.server import logs
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]
SECRET = "203.0.113.77"


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Records made as the server makes them, formatted by somebody else's handler."""
    factory = logging.getLogRecordFactory()
    logging.setLogRecordFactory(logs.SafeRecord)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s %(args)s %(msg)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)
    logging.setLogRecordFactory(factory)


@pytest.mark.parametrize("name", ["aiohttp.server", "asyncio", "py.warnings", "anything", "root"])
def test_texts_of_libraries_are_withheld(stream: io.StringIO, name: str) -> None:
    logging.getLogger(name).warning("Error handling request from %s", SECRET)
    logging.getLogger(name).warning(f"accepted {SECRET}")
    logging.getLogger(name).debug("%(peer)s", {"peer": SECRET}, stack_info=True)
    text = stream.getvalue()
    assert SECRET not in text
    assert text.count(logs.WITHHELD) >= 3
    assert "test_logs.py" in text


@pytest.mark.parametrize("name", ["aiohttp.server", "snugroom.server.rooms.signaling"])
def test_only_the_type_and_place_of_an_exception_are_kept(stream: io.StringIO, name: str) -> None:
    try:
        try:
            raise KeyError(SECRET)
        except KeyError as error:
            raise ValueError(f"connection of {SECRET}") from error
    except ValueError:
        logging.getLogger(name).exception("it failed")
    text = stream.getvalue()
    assert SECRET not in text
    assert "ValueError" in text
    assert "test_logs.py" in text
    assert "test_only_the_type_and_place_of_an_exception_are_kept" in text


def test_our_own_texts_are_kept(stream: io.StringIO) -> None:
    logging.getLogger("snugroom.server.rooms.signaling").info("dropping a connection: %s", "rate")
    assert "dropping a connection: rate" in stream.getvalue()


def test_the_search_finds_what_an_ordinary_record_holds() -> None:
    record = logging.LogRecord("aiohttp.server", 10, __file__, 1, "from %s", (SECRET,), None)
    assert SECRET in record.getMessage()


def test_nothing_of_ours_logs_an_argument_but_codes() -> None:
    """Own texts are kept, so each of them is looked at here: a new one needs a line here, and a thought."""
    import re
    from pathlib import Path

    import snugroom.server

    allowed = {
        '"started"',
        '"stopped"',
        '"the page is missing or damaged, and is not served: run `make page`"',
        '"the disclosure socket failed to open: `disclose` gets no answer"',
        '"a tick failed"',
        '"a message failed"',
        '"uncaught %s", text',
        # the operator's own certificate
        '"the renewed certificate can\'t be used: the old one stays; `doctor` tells why"',
        '"the certificate has been read again: %s", "a new one" if changed else "the same one"',
        # an exception's type is in the code, not in the datagram
        '"handling a datagram raised %s", type(error).__name__',
        '"a tick raised %s", type(error).__name__',
        '"a handshake failed"',
        # numbers of the settings and of the system
        "needs, allowed, server.settings.max_connections, wanted",
        # of media workers there are numbers, counted from 0
        '"%d media workers", len(self.slots)',
        '"media worker %d does not read its messages", self.number',
        '"reporting a lost worker raised %s", type(error).__name__',
        '"a request to a media worker raised %s", type(error).__name__',
        '"a spare media worker can\'t be started: %s", error.strerror',
        '"media worker %d %s: a new one starts in %.1f s", slot.number, fault, delay',
        '"media worker %d can\'t be started: %s", slot.number, error',
        '"media worker %d can\'t open its port: %s", slot.number, error.strerror',
        '"the spare media worker %s: another one starts", silent or child.fault()',
        '"the spare media worker did not answer: another one starts"',
        '"media workers can\'t be linked: %s", error.strerror',
        # texts of our own about a record's form, an error's code, and an exception's type
        '"a link between workers ends: %s", error',
        '"a member of another worker is refused: %s", error.code',
        '"a record of another worker raised %s", type(error).__name__',
        '"forgetting failed"',
        '"a request to the bus failed: %s", type(error).__name__',
        '"dropping a connection: %s", getattr(effect.last, "code", "moved_to")',
        '"node %d begins", number',
        # the operator's own bus, which knows no address of a client
        '"the bus of the nodes gives no answer: %s", _why(error)',
    }
    found = set()
    for file in Path(snugroom.server.__file__).parent.rglob("*.py"):
        found |= set(
            re.findall(
                r"(?:log|getLogger\([^)]*\))\.(?:debug|info|warning|error|exception|critical)\((.*)\)$",
                file.read_text(),
                re.MULTILINE,
            )
        )
    assert found == allowed


# -- lines that nobody reads -----------------------------------------------------------------------------


def _close(writer: logs.LineWriter, writing: int) -> None:
    writer.close(PATIENCE)
    os.close(writing)


def _lines(reading: int) -> Iterator[str]:
    with open(reading, encoding="utf-8") as file:
        yield from (line.rstrip("\n") for line in file)


def test_a_writer_never_waits_and_counts_what_it_drops() -> None:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    writer = logs.LineWriter(writing)
    total = 3 * logs.LINES_MAX
    for number in range(total):  # this would wait for ever in a stream
        writer.put(f"line {number} " + "." * 200)
    assert writer.dropped > logs.LINES_MAX
    dropped = writer.dropped
    closing = threading.Thread(target=_close, args=(writer, writing))
    closing.start()
    lines = list(_lines(reading))
    closing.join()
    assert f"{dropped} log lines dropped" in lines
    assert len(lines) == total - dropped + 1
    assert [int(line.split()[1]) for line in lines if line.startswith("line")][:100] == list(range(100))


@pytest.mark.parametrize("where", ["full disk", "nobody", "closed"])
def test_a_writer_survives_what_nobody_takes(where: str) -> None:
    if where == "full disk":
        writing = os.open("/dev/full", os.O_WRONLY)
    else:
        reading, writing = os.pipe()
        os.close(reading)
    if where == "closed":
        os.close(writing)
    writer = logs.LineWriter(writing)
    for _ in range(10):
        writer.put("line")
    writer.close(PATIENCE)
    assert writer.dropped == 10


def test_a_closed_writer_still_writes_what_fits_and_does_not_wait() -> None:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    writer = logs.LineWriter(writing)
    writer.close(PATIENCE)
    writer.put("late")
    writer.put("." * 5000)
    assert (os.read(reading, 4096), writer.dropped) == (b"late\n", 1)


def test_a_process_ends_though_something_is_logged_while_it_ends() -> None:
    code = """
import builtins, logging
from snugroom.server import logs
logs.install("warning")

class Late:
    def __del__(self):
        logging.getLogger("snugroom").warning("late")

builtins.kept = Late()
logs.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE, timeout=PATIENCE, check=True
    )
    assert b" WARNING snugroom: late\n" in done.stderr


def test_a_writer_waits_for_a_file_that_others_have_made_non_blocking() -> None:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writing, False)
    writer = logs.LineWriter(writing)
    for number in range(200):
        writer.put(f"line {number} " + "." * 100)
    closing = threading.Thread(target=_close, args=(writer, writing))
    closing.start()
    assert len(list(_lines(reading))) == 200
    closing.join()
    assert writer.dropped == 0


@pytest.mark.parametrize(
    "how",
    [
        "raise MemoryError",
        "import threading; t = threading.Thread(target=boom); t.start(); t.join()",
        "try: boom()\nexcept Exception: logging.getLogger('aiohttp.server').exception('it failed')",
        "asyncio.run(task())",
    ],
)
def test_a_process_without_memory_ends(how: str) -> None:
    code = f"""
import asyncio, logging
from snugroom.server import logs
logs.install("warning")

def boom():
    raise MemoryError

async def task():
    asyncio.get_running_loop().call_soon(boom)
    await asyncio.sleep(0.1)

{how}
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (logs.OUT_OF_MEMORY, b"")
