"""Media workers: their start, their end, and their part of the disclosure."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
import socket
from pathlib import Path

import pytest

from snugroom.server import __main__, config, process
from snugroom.server.app import Server, StartError
from snugroom.server.config import ConfigError
from snugroom.server.disclosure import command as disclose
from snugroom.server.disclosure import view
from snugroom.server.disclosure.window import Window, snapshot
from snugroom.wire.messages import Transport
from tests.cli.processes import free_port
from tests.media_server.peer import Peer, rtp
from tests.patience import PATIENCE
from tests.proof.server_only import Tree
from tests.server.test_process import fails, running
from tests.server.test_window import bundle as bundle  # a window of two files
from tests.server.wire_clients import CLIENT_ADDRESS, eventually, quiet, visiting
from tests.server.worker_pools import children_of, member, pool, sentences_of, two_rooms, until

# -- start and end -----------------------------------------------------------------------------------------


async def test_ports_follow_on_each_other_and_a_taken_one_is_told() -> None:
    port = free_port(2)
    async with pool(2, port) as made:
        assert [slot.port for slot in made.slots] == [port, port + 1]
        made.slots[1].kill()
        await until(lambda: not made.slots[1].up)
        await until(lambda: made.slots[1].up)
        assert made.slots[1].port == port + 1
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", port + 1))
        with pytest.raises(OSError, match="in use"):
            async with pool(2, port):
                pass
        server = Server(quiet(page=False, workers=2, media_port=port))
        with pytest.raises(StartError, match="in use"):
            await server.start()
        await server.stop()
    with pytest.raises(ConfigError, match="2 workers need as many UDP ports: from media_port 65535"):
        config.check_ports(quiet(workers=2, media_port=65535))
    config.check_ports(quiet(workers=2, media_port=65534))


async def test_settings_and_the_command_line_are_checked(tmp_path: Path) -> None:
    file = tmp_path / "snug.toml"
    file.write_text("workers = 65\n")
    other = tmp_path / "other.toml"
    other.write_text("media_port = 65535\n")
    for arguments, says in (
        (("--workers", "0"), "--workers must be from 1 to 64"),
        (("--workers", "65"), "--workers must be from 1 to 64"),
        (("--config", str(file)), "workers"),
        (("--workers", "2", "--config", str(other)), "from media_port 65535 on there are 1"),
    ):
        with pytest.raises(ConfigError, match=says):
            __main__._settings(__main__.parser().parse_args(arguments))
    assert __main__._settings(__main__.parser().parse_args(("--workers", "64"))).workers == 64
    assert __main__._settings(__main__.parser().parse_args(())).workers == 1
    status, errors = await fails("--listen", "127.0.0.1:0", "--workers", "65")
    assert (status, errors) == (2, "snug-server: --workers must be from 1 to 64\n")


async def test_media_is_in_a_process_of_its_own() -> None:
    server = Server(quiet(page=False))
    await server.start()
    try:
        [worker] = children_of(os.getpid())
        assert (_media_sockets(worker), _media_sockets(os.getpid())) == (1, 0)
    finally:
        await server.stop()


def _media_sockets(process: int) -> int:
    """The number of UDP sockets that a process has open."""
    inodes = {line.split()[9] for line in Path("/proc/net/udp").read_text().splitlines()[1:]}
    links = [os.readlink(link) for link in _links(process)]
    return sum(link.startswith("socket:[") and link[8:-1] in inodes for link in links)


def _links(process: int) -> list[Path]:
    return [link for link in Path(f"/proc/{process}/fd").iterdir() if os.path.lexists(link)]


def _environment(child: int) -> dict[str, str] | None:
    """Return a worker's environment; None without root, as the kernel guards it (`server.process`)."""
    if os.geteuid() != 0:
        with pytest.raises(PermissionError):
            Path(f"/proc/{child}/environ").read_text()
        return None
    entries = Path(f"/proc/{child}/environ").read_text().split("\0")
    return {name: value for name, _, value in (entry.partition("=") for entry in entries)}


def _alive(child: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


@pytest.mark.parametrize("end", ["told", "killed", "killed while a worker hangs"])
async def test_workers_end_with_their_parent(end: str) -> None:
    async with running("--listen", "127.0.0.1:0", "--workers", "2") as server:
        if end == "told":  # the third one waits for its turn
            await eventually(lambda: len(children_of(server.process.pid)) == 3)
        children = children_of(server.process.pid)
        if end == "told":
            # what is meant for the server ends no worker by itself
            for child in children:
                os.kill(child, signal.SIGTERM)
                os.kill(child, signal.SIGINT)
            async with visiting(server.url) as place:
                guest = await member(place, "a")
                peer = Peer()
                try:
                    await guest.say(peer.media)
                    await peer.connect(await guest.until(Transport))
                finally:
                    peer.close()
            assert children_of(server.process.pid) == children
            status, errors = await server.end()
            assert status == 0
            assert "has ended" not in errors
        else:
            if end != "killed":
                os.kill(children[0], signal.SIGSTOP)
            server.process.kill()
            await server.process.wait()
        await eventually(lambda: not any(_alive(child) for child in children))


async def test_they_start_from_a_tree_that_holds_the_server_alone(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree_server = await asyncio.create_subprocess_exec(
        *tree.server("--listen", "127.0.0.1:0", "--workers", "2"),
        stdout=asyncio.subprocess.PIPE,
        cwd=tmp_path,
    )
    try:
        assert tree_server.stdout is not None
        async with asyncio.timeout(PATIENCE):
            url = (await tree_server.stdout.readline()).decode().strip().removeprefix("listening on ")
        environments = [_environment(child) for child in children_of(tree_server.pid)]
        assert len(environments) == 2
        for environment in filter(None, environments):
            assert environment["PYTHONPATH"].split(":")[0] == str(tree.path)
        async with visiting(url) as place:
            guest = await member(place, "a")
            peer = Peer((1, "audio"))
            try:
                await guest.say(peer.media)
                await peer.connect(await guest.until(Transport))
            finally:
                peer.close()
    finally:
        tree_server.kill()
        await tree_server.communicate()


# -- what is held ------------------------------------------------------------------------------------------


async def test_the_workers_data_is_disclosed_with_the_rest() -> None:
    async with two_rooms() as (place, party, other):
        for each in (party, other):
            each.send()
            await each.peers[1].until(lambda each=each: each.received() == [0])  # type: ignore[misc]
        disclosed = view.disclosure(
            place.server, identifiers=True, media=await view.media_view(place.server, streams=True)
        )
        assert (disclosed["media"]["peers"], disclosed["media"]["received"], disclosed["srtp_sessions"]) == (
            4,
            2,
            4,
        )
        assert disclosed["sealed_media"]["packets"] == 2
        assert (disclosed["media_workers"], disclosed["media_workers_silent"]) == (2, 0)
        # those of this test are its own; workers add none, and what they had would be told
        mine = process.files_open_for_writing()
        assert disclosed["files_open_for_writing"] == mine
        told = dataclasses.replace(await view.media_view(place.server), files=(0, 3))
        assert view.disclosure(place.server, media=told)["files_open_for_writing"] == mine + 3
        assert sorted(len(person["media_addresses"]) for person in disclosed["people"]) == [1, 1, 1, 1]
        with pytest.raises(TypeError):
            view.disclosure(place.server)  # nothing may be left out unnoticed
        assert "Media passes through 2 processes" in "".join(
            sentences_of(place, await view.media_view(place.server))
        )
        text = await view.line(place.server)
        assert text.startswith("disclosure {")
        assert CLIENT_ADDRESS not in text


async def test_the_audit_looks_into_the_workers_too() -> None:
    async with two_rooms() as (place, party, _):
        party.send()
        await party.peers[1].until(lambda: party.received() == [0])
        disclosure_socket = disclose.DisclosureSocket(place.server, 4_000_000_010)
        await disclosure_socket.start()
        try:
            disclosed = await asyncio.to_thread(disclose.ask, 4_000_000_010, complete=True)
            alone = await asyncio.to_thread(disclose.ask, 4_000_000_010)
            theirs = (await view.media_view(place.server, audit=True)).audited
        finally:
            disclosure_socket.stop()
        # (tests leave objects of other servers behind: what is theirs is looked at alone)
        assert "audit" not in alone
        assert len(theirs) == 2
        assert all(each.objects > 10 for each in theirs)
        assert [each.undeclared for each in theirs] == [[], []]
        assert [each.misplaced for each in theirs] == [[], []]
        ours = (
            "snugroom.server.sfu.workers.pool.",
            "snugroom.server.sfu.workers.pipe.",
            "snugroom.server.rooms.signaling.",
            "snugroom.server.app.",
        )
        found = [
            w
            for w in [*disclosed["audit"]["undeclared"], *disclosed["audit"]["misplaced"]]
            if w.startswith(ours)
        ]
        assert found == []
        assert disclosed["audit"]["objects"] > sum(each.objects for each in theirs)


async def test_the_window_shows_streams_and_frames_of_workers(bundle: None) -> None:
    async with two_rooms() as (place, party, _):
        for sent in range(6):
            party.peers[0].send_rtp(rtp(1111, 100 + sent, bytes(300), timestamp=9000 + sent // 2 * 3000))
        await party.peers[1].until(lambda: len(party.peers[1].rtp) == 6)
        shown = await snapshot(place.server)
        assert [(s["packets"], s["receivers"]) for s in shown["streams"] if s["ssrc"] == 1111] == [(6, 1)]
        looked = Window(place.server, "127.0.0.1:0")
        url, _, token = (await looked.start()).partition("/#")
        try:
            headers = {"X-Snug-Token": token}
            async with place.http.get(url + "/frame?ssrc=1111", headers=headers) as answer:
                packets = [bytes.fromhex(packet) for packet in (await answer.json())["packets"]]
            assert [int.from_bytes(packet[2:4], "big") for packet in packets] == [102, 103]
            async with place.http.get(url + "/frame?ssrc=4040", headers=headers) as answer:
                assert (await answer.json())["packets"] == []
        finally:
            await looked.stop()
