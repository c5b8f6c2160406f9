"""Two network namespaces joined by a cable: servers in one, participants in the other.

Each is a thread's own, and goes with it; what the thread starts is in it. The cable is real as far as the
kernel goes: it has an MTU, it can be pulled, and one end of it can be deaf.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Final, TypeVar

from tests.network.namespace import enter, run

T = TypeVar("T")
#: Of the server's end, and of the participants'.
SERVER: Final = "10.77.0.1"
SERVER6: Final = "fd77::1"
CLIENT: Final = "10.77.0.2"
CLIENT_LATER: Final = "10.77.0.3"
CLIENT6: Final = "fd77::2"
#: Nobody's: a frame to it is lost.
_NOBODY: Final = "02:00:00:00:00:99"


class Cable:
    """Made on entering; UnavailableError where that isn't allowed. `mtu`: of both ends, bytes."""

    def __init__(self, mtu: int = 1500) -> None:
        self._mtu = mtu
        self._there = ThreadPoolExecutor(1)
        self._here = ThreadPoolExecutor(1)

    def __enter__(self) -> Cable:
        try:
            self.here(lambda: enter(()))
            thread = self.here(threading.get_native_id)
            self.there(lambda: self._lay(thread))
            self.here(lambda: self._plug("snugc", CLIENT, CLIENT6))
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        self._there.shutdown()
        self._here.shutdown()

    def there(self, work: Callable[[], T]) -> T:
        """Do `work` in the server's namespace, and return its result."""
        return self._there.submit(work).result()

    def here(self, work: Callable[[], T]) -> T:
        """Do `work` in the participants' namespace, and return its result."""
        return self._here.submit(work).result()

    def _lay(self, thread: int) -> None:
        enter(())
        run("ip", "link", "add", "snugs", "type", "veth", "peer", "name", "snugc")
        run("ip", "link", "set", "snugc", "netns", str(thread))
        self._plug("snugs", SERVER, SERVER6)

    def _plug(self, end: str, address: str, address6: str) -> None:
        run("ip", "link", "set", end, "mtu", str(self._mtu))
        run("ip", "addr", "add", f"{address}/24", "dev", end)
        run("ip", "addr", "add", f"{address6}/64", "dev", end, "nodad")
        # pulled and plugged in again, an end keeps its addresses
        subprocess.run(
            ["sysctl", "-qw", f"net.ipv6.conf.{end}.keep_addr_on_down=1"], check=False, capture_output=True
        )
        run("ip", "link", "set", end, "up")

    # -- faults --------------------------------------------------------------------------------------

    def pull(self) -> None:
        """Nothing goes through, either way."""
        self.there(lambda: run("ip", "link", "set", "snugs", "down"))

    def plug_in(self) -> None:
        """Everything goes through again."""
        self.there(lambda: run("ip", "link", "set", "snugs", "up"))

    def readdress(self) -> None:
        """The participants' machine gets another address, as in another network; the old one is gone."""
        self.here(lambda: run("ip", "addr", "del", f"{CLIENT}/24", "dev", "snugc"))
        self.here(lambda: run("ip", "addr", "add", f"{CLIENT_LATER}/24", "dev", "snugc"))

    def deafen(self, deaf: bool) -> None:
        """The server's packets are lost, and it can't know; packets to the server arrive."""
        change = ("replace", CLIENT, "lladdr", _NOBODY, "dev", "snugs", "nud", "permanent")
        self.there(lambda: run("ip", "neigh", *(change if deaf else ("del", CLIENT, "dev", "snugs"))))

    def fragments(self) -> tuple[int, int]:
        """IP fragments that each end has made of what was too large: the server's, the participants'."""
        return self.there(_fragments), self.here(_fragments)


def _fragments() -> int:
    """Of this thread's namespace, both families."""
    names, values = [
        line.split()
        for line in Path("/proc/thread-self/net/snmp").read_text().splitlines()
        if line[:3] == "Ip:"
    ]
    old = int(values[names.index("FragCreates")])
    new = [line.split() for line in Path("/proc/thread-self/net/snmp6").read_text().splitlines()]
    return old + next(int(value) for name, value in new if name == "Ip6FragCreates")
