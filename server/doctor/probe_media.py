"""Probes of the media port: STUN checks over UDP and TCP, with the parameters that a member gets."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Final

from snugroom.server.doctor.facts import Path
from snugroom.server.doctor.probe_web import refused
from snugroom.wire import stun
from snugroom.wire.messages import Transport

#: Seconds for one way, and between the requests within it: a lost packet is no closed port.
TIME: Final = 3.0
_AGAIN: Final = 0.4


class Check:
    """One STUN check, and whether a datagram is the server's answer to it."""

    def __init__(self, transport: Transport, ufrag: str) -> None:
        self._password = transport.password.encode()
        self._transaction = secrets.token_bytes(12)
        self.request = stun.request(
            self._transaction,
            f"{transport.ufrag}:{ufrag}".encode(),
            self._password,
            tie_breaker=secrets.randbits(64),
            nominate=False,
        )

    def answered(self, datagram: bytes) -> bool:
        """Return whether this is an answer that only the server can give."""
        try:
            message = stun.parse_success(datagram)
        except stun.StunError:
            return False
        return message.transaction == self._transaction and stun.authentic(message, self._password)


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, check: Check) -> None:
        self._check = check
        self.done: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        if self._check.answered(data) and not self.done.done():
            self.done.set_result("")

    def error_received(self, exc: Exception) -> None:
        if isinstance(exc, ConnectionRefusedError) and not self.done.done():
            self.done.set_result("refused")


async def _udp(address: str, port: int, check: Check) -> str:
    """Return an empty text after an answer, "refused" after an ICMP error. Raises OSError, TimeoutError."""
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Udp(check), remote_addr=(address, port)
    )
    try:
        async with asyncio.timeout(TIME):
            while not protocol.done.done():
                transport.sendto(check.request)
                await asyncio.wait([protocol.done], timeout=_AGAIN)
        return protocol.done.result()
    finally:
        transport.close()


async def _tcp(address: str, port: int, check: Check) -> str:
    """The same over TCP, with the frames of RFC 4571."""
    async with asyncio.timeout(TIME):
        reader, writer = await asyncio.open_connection(address, port)
        try:
            writer.write(len(check.request).to_bytes(2, "big") + check.request)
            while not check.answered(
                await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
            ):
                pass
            return ""
        finally:
            writer.transport.abort()


async def _path(kind: str, address: str, port: int, check: Check) -> Path:
    began = time.monotonic()
    way, name = (_udp, "udp") if kind == "udp" else (_tcp, "tcp")
    try:
        error = await way(address, port, check)
    except TimeoutError:
        error = "silent"
    except (OSError, EOFError) as caused:
        if isinstance(caused, OSError) and not refused(caused):
            return Path(name, address, port, None, impossible=True)  # type: ignore[arg-type]  # one of two
        error = "refused"
    rtt = None if error else time.monotonic() - began
    return Path(name, address, port, rtt, error)  # type: ignore[arg-type]  # one of two


async def paths(transport: Transport, ufrag: str) -> list[Path]:
    """Check every address of the media server over UDP, and over TCP if it takes that."""
    kinds = ("udp", "tcp") if transport.tcp else ("udp",)
    wanted = [(kind, address) for kind in kinds for address in (transport.address, *transport.others)]
    tries = [_path(kind, address, transport.port, Check(transport, ufrag)) for kind, address in wanted]
    return list(await asyncio.gather(*tries))
