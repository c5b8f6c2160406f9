"""A client of a TURN relay that asks for what it should not get: run on a machine of the tests.

Its argument is JSON (`Order`), and so is its output: for each peer, what came of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
import sys
import time
from typing import Any, Final

import msgspec
from aioice import stun, turn

#: Seconds in which an echo comes back on a bridge; nothing comes from elsewhere, however long one waits.
ECHO: Final = 2.0
#: Seconds.
LIFETIME: Final = 600
#: The relay still knows the client's port, from an earlier client (RFC 8656 7.4).
MISMATCH: Final = 437
_TRANSPORTS: Final = {"udp": turn.UDP_TRANSPORT, "tcp": turn.TCP_TRANSPORT}
_FAMILIES: Final = {4: 0x01000000, 6: 0x02000000}

# RFC 8656 18.8, which aioice does not know
stun.ATTRIBUTES_BY_NAME["REQUESTED-ADDRESS-FAMILY"] = (
    0x0017,
    "REQUESTED-ADDRESS-FAMILY",
    stun.pack_unsigned,
    stun.unpack_unsigned,
)


class Order(msgspec.Struct):
    """`relay`: the transport between relay and peers. `more`: further ports to take.

    `lapse`: refresh when the credentials have expired.
    """

    host: str
    port: int
    username: str
    password: str
    peers: list[tuple[str, int]] = []
    transport: str = "udp"
    relay: str = "udp"
    family: int = 4
    more: int = 0
    lapse: bool = False


class _Echoes(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.came: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, address: Any) -> None:
        self.came.put_nowait(data)


async def _ask(client: Any, method: stun.Method, **attributes: Any) -> int:
    """Return 0, or the code of the error."""
    request = stun.Message(message_method=method, message_class=stun.Class.REQUEST)
    for name, value in attributes.items():
        request.attributes[name.replace("_", "-")] = value
    try:
        await client.request_with_retry(request)
    except stun.TransactionFailed as error:
        return error.response.error_code or -1
    return 0


async def _reach(client: Any, echoes: _Echoes, peer: tuple[str, int]) -> str:
    """Return "echo", "silent", or the codes of both ways to ask for this peer."""
    channel = client.channel_number
    client.channel_number += 1
    codes = [
        await _ask(client, stun.Method.CREATE_PERMISSION, XOR_PEER_ADDRESS=peer),
        await _ask(client, stun.Method.CHANNEL_BIND, CHANNEL_NUMBER=channel, XOR_PEER_ADDRESS=peer),
    ]
    if any(codes):
        return " ".join(map(str, codes))
    client.channel_to_peer[channel] = peer
    text = f"to {peer}".encode()
    client._send(struct.pack("!HH", channel, len(text)) + text)
    try:
        async with asyncio.timeout(ECHO):
            while await echoes.came.get() != text:
                pass
    except TimeoutError:
        return "silent"
    return "echo"


async def _open(order: Order) -> tuple[Any, int]:
    """Return a client, and 0 or the code of the error for the port that it asked for.

    A client whose own port the relay takes for another's tries again from another port, as RFC 8656 7.4 says.
    """
    for _ in range(3):
        client, code = await _try(order)
        if code != MISMATCH:
            break
        client.transport.close()
    return client, code


async def _try(order: Order) -> tuple[Any, int]:
    loop, server = asyncio.get_running_loop(), (order.host, order.port)
    arguments = (server, order.username, order.password, LIFETIME, 500)
    client: Any
    if order.transport == "tcp":
        _, client = await loop.create_connection(lambda: turn.TurnClientTcpProtocol(*arguments), *server)
    else:
        _, client = await loop.create_datagram_endpoint(
            lambda: turn.TurnClientUdpProtocol(*arguments), remote_addr=server
        )
    wanted = {"LIFETIME": LIFETIME, "REQUESTED_TRANSPORT": _TRANSPORTS[order.relay]}
    if order.family == 6:
        wanted["REQUESTED_ADDRESS_FAMILY"] = _FAMILIES[order.family]
    return client, await _ask(client, stun.Method.ALLOCATE, **wanted)


async def take(orders: list[Order]) -> list[int]:
    """Take a port for each order, and give up none before the last; return 0 or the error's code for each."""
    opened = [await _open(order) for order in orders]
    for client, _ in opened:
        client.transport.close()
    return [code for _, code in opened]


async def work(order: Order) -> dict[str, Any]:
    """Take a port as ordered, and try all peers."""
    client, allocated = await _open(order)
    clients: list[Any] = [client]
    found: dict[str, Any] = {"allocated": allocated, "peers": {}, "taken": []}
    client.receiver = echoes = _Echoes()
    if allocated == 0:
        for host, port in order.peers:
            found["peers"][f"{host} {port}"] = await _reach(client, echoes, (host, port))
    for _ in range(order.more):
        client, code = await _open(order)
        clients.append(client)
        found["taken"].append(code)
    if order.lapse:
        await asyncio.sleep(float(order.username.partition(":")[0]) + 1.5 - time.time())
        found["refreshed"] = await _ask(clients[0], stun.Method.REFRESH, LIFETIME=LIFETIME)
    for client in clients:
        with contextlib.suppress(stun.TransactionError):
            await _ask(client, stun.Method.REFRESH, LIFETIME=0)
        client.transport.close()
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(work(msgspec.json.decode(sys.argv[1], type=Order)))))
