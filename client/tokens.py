"""Exchanging a voucher for tokens at a server, over a WebSocket of its own."""

from __future__ import annotations

from typing import Final

import aiohttp

from snugroom.client import failures
from snugroom.client.proxy import SLOWNESS, Proxy, ProxyFault, http_client
from snugroom.client.session.catalogue.sentence import Sentence, sentence
from snugroom.crypto.entry.permission import Token
from snugroom.crypto.entry.voucher import Exchange, Voucher
from snugroom.wire import limits, messages
from snugroom.wire.outgoing import RedirectedError

#: Tries in all, and seconds for each: the server gives the same tokens to the same request.
TRIES: Final = 3
TIME: Final = 5.0
_REFUSALS: Final = {"voucher": "foreign", "spent": "spent", "week": "week", "full": "full"}


class ExchangeError(Exception):
    """The voucher was not exchanged. `args[0]` is a sentence."""

    def __init__(self, why: Sentence) -> None:
        super().__init__(why)
        self.why = why


class UnreachableError(ExchangeError):
    """The server did not answer."""


async def exchange(origin: str, voucher: Voucher, proxy: Proxy | None = None) -> list[Token]:
    """Return the tokens for a voucher. ExchangeError, or AuthenticationError if the server's keys are wrong.

    The tokens should be spent later: who exchanges and opens a room at once shows that both are one person.
    """
    asked: Exchange | None = None
    why = sentence("voucher.unanswered")
    wait = TIME if proxy is None else SLOWNESS * TIME
    for _ in range(TRIES):
        try:
            async with (
                http_client(proxy, total=TIME) as http,
                http.ws_connect(f"{origin}/ws", compress=0, max_msg_size=limits.FRAME_MAX) as ws,
            ):
                challenge = messages.decode_server(await ws.receive_str(timeout=wait))
                if not isinstance(challenge, messages.Challenge):
                    raise UnreachableError(sentence("shell.alien"))
                asked = asked or _begin(challenge, voucher)
                await ws.send_str(messages.encode(messages.Exchange(voucher.sent, asked.blinded)).decode())
                answer = messages.decode_server(await ws.receive_str(timeout=wait))
        except (aiohttp.ClientError, TimeoutError, OSError, TypeError) as error:
            if isinstance(error, RedirectedError):
                raise UnreachableError(failures.reason(error)) from None
            why = error.why if isinstance(error, ProxyFault) else sentence("voucher.unanswered")
            continue
        except messages.WireError:
            raise UnreachableError(sentence("shell.alien")) from None
        if isinstance(answer, messages.Exchanged):
            return asked.finish(answer.evaluated)
        if isinstance(answer, messages.Refused) and answer.code in _REFUSALS:
            raise ExchangeError(sentence(f"voucher.{_REFUSALS[answer.code]}"))
    raise UnreachableError(why)


def _begin(challenge: messages.Challenge, voucher: Voucher) -> Exchange:
    policy = challenge.permission
    if policy is None or policy.kind != "tokens":
        raise ExchangeError(sentence("voucher.unasked"))
    keys = {key.week: key.key for key in policy.keys}
    if voucher.week not in keys:
        raise ExchangeError(sentence("voucher.week"))
    return Exchange(voucher, keys[voucher.week], limits.VOUCHER_TOKENS)
