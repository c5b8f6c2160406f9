"""A robot that joins a meeting, and answers each "hello" with the sender's name."""

from __future__ import annotations

import asyncio

from snugroom import Event, Media, Participant


async def greet(link: str, name: str = "Greeter") -> None:
    """Take part until the meeting is over."""
    heard: asyncio.Queue[Event] = asyncio.Queue()
    async with Participant.join(link, name=name, media=Media(play=None), on_event=heard.put_nowait) as robot:
        while robot.ended is None:
            event = await heard.get()
            if event["event"] == "chat" and event["text"] == "hello":
                await robot.say(f"Hello, {event['from']}!")
