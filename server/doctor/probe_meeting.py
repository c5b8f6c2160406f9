"""A visit to a server, as a member makes it: challenge, a room of the visitor's own, media parameters.

Nothing of the server is special for this: whoever may open a room may do the same.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

import aiohttp
from nacl.signing import SigningKey

from snugroom.server.doctor.facts import Room, Signaling
from snugroom.server.doctor.probe_web import TIME
from snugroom.wire import limits, messages, rights, signed
from snugroom.wire.messages import Challenge, Closing, Entered, Message, Refused, Shown, Transport
from snugroom.wire.outgoing import RedirectedError

M = TypeVar("M", bound=Message)
#: Messages read in search of one, at most.
_READ_MAX: Final = 32


@dataclass(frozen=True)
class Visit:
    """The findings of a visit. `transport`: where media goes, if a room opened; `ufrag` is the visitor's."""

    signaling: Signaling
    room: Room | None = None
    transport: Transport | None = None
    ufrag: str = ""


class _RefusedError(Exception):
    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


@asynccontextmanager
async def visit(
    http: aiohttp.ClientSession, origin: str, password: str | None = None
) -> AsyncIterator[Visit]:
    """Enter a room of one's own, and stay in it for the time of the block."""
    url = "ws" + origin.removeprefix("http") + "/ws"
    try:
        async with asyncio.timeout(TIME):
            ws = await http.ws_connect(url, compress=0, max_msg_size=limits.FRAME_MAX)
    except (aiohttp.WSServerHandshakeError, RedirectedError) as error:
        yield Visit(Signaling(url, origin, status=error.status))
        return
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        yield Visit(Signaling(url, origin, error=str(error) or "no answer in time"))
        return
    async with ws:
        yield await _inside(ws, url, origin, password)


async def _inside(ws: aiohttp.ClientWebSocketResponse, url: str, origin: str, password: str | None) -> Visit:
    try:
        challenge = await _next(ws, Challenge)
    except _RefusedError as error:
        told = Signaling(url, origin, origin, limits.PROTOCOL_VERSION)
        return Visit(told, Room(False, error.code, error.text))
    except (OSError, TimeoutError, messages.WireError) as error:
        return Visit(Signaling(url, origin, error=str(error) or "no challenge came in time"))
    found = Signaling(url, origin, challenge.origin, challenge.version)
    if challenge.origin != origin or challenge.version != limits.PROTOCOL_VERSION:
        return Visit(found)
    try:
        ufrag, transport = await _open(ws, challenge, password)
    except _RefusedError as error:
        return Visit(found, Room(False, error.code, error.text))
    except (OSError, TimeoutError, messages.WireError) as error:
        return Visit(found, Room(False, "", str(error) or "no answer came in time"))
    return Visit(found, Room(True), transport, ufrag)


async def _open(
    ws: aiohttp.ClientWebSocketResponse, challenge: Challenge, password: str | None
) -> tuple[str, Transport]:
    """Open a room with new keys, and ask for media."""
    door, admin = SigningKey.generate(), SigningKey.generate()
    keys = bytes(door.verify_key), bytes(admin.verify_key)
    number, nonce = signed.room_number(*keys), secrets.token_bytes(limits.NONCE_SIZE)
    text = signed.door(challenge.origin, number, challenge.nonce, nonce)
    proof = await asyncio.to_thread(_proof, challenge, number, password)
    await _say(ws, messages.RoomDoor(*keys, nonce, door.sign(text).signature, proof))
    await _next(ws, Entered)
    room_pass, chain = secrets.token_bytes(limits.PASS_SIZE), bytes(limits.HASH_SIZE)
    gate = signed.gate(room_pass)
    opening = admin.sign(signed.Opening(number, 0, gate, chain).encode()).signature
    await _say(ws, messages.Open(0, gate, chain, opening))
    await _say(ws, messages.Show([room_pass]))
    await _next(ws, Shown)
    ufrag = secrets.token_hex(4)
    await _say(ws, messages.Media(ufrag, secrets.token_hex(16), secrets.token_bytes(32), []))
    return ufrag, await _next(ws, Transport)


def _proof(challenge: Challenge, number: bytes, password: str | None) -> bytes | None:
    """Return the proof of the password, if the server wants one and there is one (scrypt takes a while)."""
    policy = challenge.permission
    if password is None or policy is None or policy.salt is None or policy.cost is None:
        return None
    n, salt = 2**policy.cost, rights.password_salt(challenge.origin, policy.salt)
    key = hashlib.scrypt(password.encode(), salt=salt, n=n, r=8, p=1, maxmem=n * 2048, dklen=32)
    return hmac.digest(key, rights.Opens(challenge.origin, number, challenge.nonce).encode(), "sha256")


async def _say(ws: aiohttp.ClientWebSocketResponse, message: Message) -> None:
    await ws.send_str(messages.encode(message).decode())


async def _next(ws: aiohttp.ClientWebSocketResponse, kind: type[M]) -> M:
    """Return the next message of this kind.

    Raises _RefusedError, OSError if the server closes, TimeoutError, and WireError for what is no message.
    """
    async with asyncio.timeout(TIME):
        for _ in range(_READ_MAX):
            frame = await ws.receive()
            if frame.type is not aiohttp.WSMsgType.TEXT:
                raise OSError("the connection was closed")
            message = messages.decode_server(frame.data)
            if isinstance(message, kind):
                return message
            if isinstance(message, Refused | Closing):
                raise _RefusedError(message.code, message.text)
    raise OSError("other messages came than the protocol has here")
