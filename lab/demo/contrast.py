"""``snug demo --ordinary``: the same meeting at an ordinary server, and the same search in its memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from snugroom.client.media.sources import pitch_of_identity
from snugroom.client.session.catalogue.sentence import Sentence, sentence
from snugroom.lab.demo.beside import OrdinaryServer
from snugroom.lab.demo.memory import UnreadableError, copy_all
from snugroom.lab.demo.traces import Person, Traces, look
from snugroom.lab.machine import children
from snugroom.lab.ordinary.member import Member
from snugroom.lab.process import ServerError

_COME_IN_TIME: Final = 30.0
_MEDIA_TIME: Final = 30.0
_LOOK: Final = 0.1


async def hold(
    names: Sequence[str], lines: Sequence[str], size: tuple[int, int], seconds: float
) -> tuple[Traces | None, tuple[Sentence, ...]]:
    """Hold a meeting of `seconds` at an ordinary server; return the traces in it, and what went wrong."""
    members = [Member(name, identity, size) for identity, name in enumerate(names)]
    server = OrdinaryServer()
    try:
        async with server:
            try:
                return await _meet(server, members, lines, seconds)
            finally:
                await asyncio.gather(*(member.close() for member in members))
    except (ServerError, TimeoutError, OSError):
        return None, (sentence("terminal.contrast_no_meeting"),)


async def _meet(
    server: OrdinaryServer, members: Sequence[Member], lines: Sequence[str], seconds: float
) -> tuple[Traces | None, tuple[Sentence, ...]]:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(_COME_IN_TIME):
        for member in members:
            await member.join(server.url, len(members) - 1)
    began = loop.time()
    for member, line in zip(members, lines, strict=False):
        await member.say(line)
    trouble: tuple[Sentence, ...] = ()
    while not await asyncio.to_thread(together, members):
        if loop.time() > began + _MEDIA_TIME:
            trouble = (sentence("terminal.contrast_not_together"),)
            break
        await asyncio.sleep(_LOOK)
    await asyncio.sleep(max(0.0, began + seconds - loop.time()))
    for member in members:
        member.keep_all()  # a copy takes seconds, and the server's frames change meanwhile
    try:
        pids = [server.pid, *children(server.pid)]
        memory = await asyncio.to_thread(copy_all, pids)
    except UnreadableError as error:
        return None, (*trouble, sentence("terminal.contrast_unreadable", why=str(error)))
    people = [
        Person(each.name, line, each.frames(), pitch_of_identity(each.identity))
        for each, line in zip(members, lines, strict=False)
    ]
    log = "\n".join(server.log).encode()
    return await asyncio.to_thread(look, memory.regions, log, memory.read, people), trouble


def together(members: Sequence[Member]) -> bool:
    """Return whether everybody receives everybody's own card and beep, and all chat."""
    identities = {member.name: (member.identity, member.identity) for member in members}
    return all(
        member.received() == {name: both for name, both in identities.items() if name != member.name}
        and len(member.chat) == len(members)
        for member in members
    )
