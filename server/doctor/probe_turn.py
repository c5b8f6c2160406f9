"""A probe of a TURN server, with the credentials that members get: where does it relay to?"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable
from typing import Final

from snugroom.server.doctor import turn
from snugroom.server.doctor.facts import Relay
from snugroom.server.doctor.probe_media import TIME
from snugroom.server.doctor.probe_web import refused, trusting
from snugroom.wire.turn import Turn

#: Addresses that a relay must refuse: this machine, private networks, and the metadata service of clouds.
PRIVATE: Final = ("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1")
_AGAIN: Final = 0.5
_URL: Final = re.compile(r"(turns?):(\[[^\]]+\]|[^:?]+)(?::(\d+))?(?:\?transport=(udp|tcp))?\Z")
_PORTS: Final = {"turn": 3478, "turns": 5349}


class _Talk(asyncio.DatagramProtocol):
    """Requests to one relay, over UDP or TCP."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[bytes | OSError] = asyncio.Queue()
        self.send: Callable[[bytes], object]
        self.close: Callable[[], object]

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.answers.put_nowait(data)

    def error_received(self, exc: Exception) -> None:
        self.answers.put_nowait(exc if isinstance(exc, OSError) else OSError(str(exc)))

    async def read(self, reader: asyncio.StreamReader) -> None:
        buffer = b""
        while data := await reader.read(4096):
            buffer += data
            message, buffer = turn.split(buffer)
            while message is not None:
                self.answers.put_nowait(message)
                message, buffer = turn.split(buffer)
        self.answers.put_nowait(OSError("the connection was closed"))

    async def ask(self, kind: int, make: Callable[[bytes], bytes]) -> turn.Answer:
        """Return the answer to a request. Raises OSError, TimeoutError."""
        transaction = secrets.token_bytes(12)
        request = make(transaction)
        async with asyncio.timeout(TIME):
            self.send(request)
            while True:
                try:
                    async with asyncio.timeout(_AGAIN):
                        got = await self.answers.get()
                except TimeoutError:
                    self.send(request)
                    continue
                if isinstance(got, OSError):
                    raise got
                answer = turn.parse(got, kind)
                if answer is not None and answer.transaction == transaction:
                    return answer


async def _connect(url: str) -> _Talk:
    """Raises OSError, TimeoutError, and ValueError for an invalid URL."""
    found = _URL.match(url)
    if found is None:
        raise ValueError("this is not the URL of a TURN server")
    scheme, host, port, transport = found[1], found[2].strip("[]"), found[3], found[4]
    address = (host, int(port) if port else _PORTS[scheme])
    talk = _Talk()
    if scheme == "turn" and transport != "tcp":
        udp, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: talk, remote_addr=address)
        talk.send, talk.close = udp.sendto, udp.close
        return talk
    async with asyncio.timeout(TIME):
        reader, writer = await asyncio.open_connection(
            *address, ssl=trusting(None) if scheme == "turns" else None
        )
    task = asyncio.get_running_loop().create_task(talk.read(reader))

    def close() -> None:
        task.cancel()
        writer.transport.abort()

    talk.send, talk.close = writer.write, close
    return talk


async def relay(url: str, server: Turn, media: tuple[str, ...]) -> Relay:
    """Ask for a relayed address, and for permissions: to the media address, and to private networks."""
    try:
        talk = await _connect(url)
    except TimeoutError:
        return Relay(url, False, "no answer")
    except (OSError, ValueError) as error:
        nobody = isinstance(error, OSError) and refused(error)
        return Relay(url, False, "nothing listens there" if nobody else str(error))
    try:
        return await _asked(talk, url, server, media)
    except TimeoutError:
        return Relay(url, False, "no answer")
    except OSError as error:
        return Relay(url, False, "nothing listens there" if refused(error) else str(error))
    finally:
        talk.close()


async def _asked(talk: _Talk, url: str, server: Turn, media: tuple[str, ...]) -> Relay:
    first = await talk.ask(turn.ALLOCATE, lambda t: turn.allocate(t, None))
    if first.code != 401:
        return Relay(url, False, "it asks for no credentials" if not first.code else f"error {first.code}")
    login = turn.Login(server.username, server.credential, first.realm, first.nonce)
    answer = await talk.ask(turn.ALLOCATE, lambda t: turn.allocate(t, login))
    if answer.code:
        return Relay(url, False, f"error {answer.code}", answer.code)

    async def permits(peer: str) -> bool:
        return not (await talk.ask(turn.CREATE_PERMISSION, lambda t: turn.permission(t, peer, login))).code

    # a relayed address is of IPv4, and has peers of IPv4
    wanted = [address for address in media if ":" not in address]
    reached = [await permits(address) for address in wanted]
    open_to = tuple([peer for peer in PRIVATE if peer not in media and await permits(peer)])
    await talk.ask(turn.REFRESH, lambda t: turn.release(t, login))
    return Relay(url, True, media=all(reached), open_to=open_to)
