"""The robot's tests: a real server, real participants, real keys."""

from __future__ import annotations

import asyncio

import pytest
from greeter import greet

from snugroom import NotObservedError
from snugroom.testing import Network, Server


async def test_it_greets(snug_server: Server) -> None:
    async with snug_server.meeting("Ada") as (ada,):
        robot = asyncio.create_task(greet(ada.link))
        await ada.meets("Greeter")
        await ada.say("hello")
        await ada.hears("Hello, Ada!", sender="Greeter")
        ada.send({"end": True})
        await robot


async def test_they_hear_each_other(snug_server: Server) -> None:
    async with snug_server.meeting("Ada", "Bo") as (ada, bo):
        await ada.say("hello")
        await bo.hears("hello", sender="Ada")
        await bo.sees(ada, frames=10)
        await bo.hears_tone_of(ada)
        snug_server.attack("commit_flood")
        await ada.alarmed("void_commit", within=30)


async def test_a_bad_network(snug_network: Network, snug_server: Server) -> None:
    async with snug_server.meeting("Ada", "Bo") as (ada, bo):
        snug_network.loss = 0.05
        await bo.sees(ada, frames=10)


async def test_a_server_of_its_own(snug_server_process: Server) -> None:
    async with snug_server_process.meeting("Ada", "Bo") as (ada, bo):
        await bo.hears_tone_of(ada)


async def test_an_error_says_what_came_instead(snug_server: Server) -> None:
    async with snug_server.meeting("Ada", "Bo") as (ada, bo):
        await ada.say("good morning")
        await bo.hears("good morning")
        with pytest.raises(NotObservedError, match="good morning"):
            await bo.hears("good night", within=0.1)
