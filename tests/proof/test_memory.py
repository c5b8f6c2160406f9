"""The server's memory, logs and connections hold nothing of a meeting that it served."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import numpy as np

from snugroom.client.media.check import tones_in
from snugroom.client.media.codec import CodecError, OpusDecoder, OpusEncoder
from snugroom.client.media.sources import TestCard
from snugroom.wire import rtp
from snugroom.wire.rtcp import is_rtcp
from tests.patience import PATIENCE
from tests.proof.meeting import NAMES, Record, class_of, mostly_opened, shown_passes
from tests.proof.memory import Found, Searcher
from tests.proof.server_only import Tree
from tests.proof.witness import RTP_IN, RTP_OUT, Secrets, Tap

#: Secrets of each participant while it is in the meeting.
HELD_BY_ALL = {
    "name",
    "title",
    "chat",
    "invite secret",
    "invite token",
    "door seed",
    "snug 1 psk",
    "signature public key",
    "Ed25519 seed",
    "HPKE sk",
    "MLS exporter",
    "MLS init",
    "MLS sender data",
    "MLS membership",
    "MLS authentication",
    "exported snug 1 veil",
    "exported snug 1 beat",
    "SFrame key",
}
#: Secrets of at least one participant.
HELD_BY_SOME = {
    "host seed",
    "signature seed",
    "greeting",
    "key package",
    "Opus frame",
    "VP8 frame",
    "PCM, 16 bits",
}
#: The search covers these too. They are nowhere for long: used at once, or kept in another form (a salt is
#: a number).
PASSING = {
    "code",
    "link",
    "SFrame salt",
    "SFrame base key",
    "SFrame tags",
    "exported SFrame 1.0 Base Key",
    "exported snug 1 tags",
    "PCM, floats",
    "MLS epoch",
    "MLS joiner",
    "MLS path",
    "MLS welcome",
    "MLS snug 1 veil",
    "HPKE shared_secret",
    "snug 1 steward",
    "snug 1 lobby",
    "snug 1 veil",
}


def _told(found: Found) -> str:
    return "; ".join(f"{name} as {sorted({e for e, _ in places})}" for name, places in found.items())


def test_it_was_a_meeting(meeting: Record) -> None:
    assert meeting.seconds >= 6
    assert meeting.statuses == {"ada": 0, "bob": 5, "cem": 0}
    for person in meeting.people.values():
        # a server whose memory is read stands still: on a busy machine, signatures and heartbeats come late
        expected = ("media_lost", "silent", "stale", "unverified_media")
        assert not [e for e in person.of("alarm") if e["kind"] not in expected], person.who
        rows = {(e["from"], e["stream"]): e for e in person.of("media")}
        others = [name for who, name in NAMES.items() if who != person.who]
        assert {(name, stream) for name in others for stream in ("audio", "video")} <= rows.keys()
        assert all(mostly_opened(row) for row in rows.values()), person.who


def test_neither_crypto_nor_client_can_be_imported_there(tmp_path: Path) -> None:
    async def run(code: str) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            *Tree(tmp_path).python(code), cwd=tmp_path, stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(PATIENCE):
            _, stderr = await process.communicate()
        return process.returncode, stderr.decode()

    code = """
import importlib
for name in ("snugroom.crypto", "snugroom.client", "snugroom.crypto.mls", "snugroom.client.session"):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        continue
    sys.exit(name + " is there")
import snugroom.server.app, aiohttp
assert snugroom.server.app.__file__.startswith(tree), snugroom.server.app.__file__
"""
    assert asyncio.run(run(code)) == (0, "")


def test_the_server_that_served_it_had_neither(meeting: Record) -> None:
    line = next(line for line in meeting.output.decode().splitlines() if line.startswith("modules "))
    modules: dict[str, str | None] = json.loads(line.removeprefix("modules "))
    tops = {".".join(name.split(".")[:2]) for name in modules}
    assert not tops & {"snugroom.crypto", "snugroom.client", "crypto", "client", "tests"}
    served = {name for name in modules if name.startswith("snugroom.server")}
    assert {
        "snugroom.server.app",
        "snugroom.server.rooms.room",
        "snugroom.server.rooms.signaling",
        "snugroom.server.sfu.sfu",
    } <= served
    tree = str(meeting.folder / "tree")
    assert all(str(modules[name]).startswith(tree) for name in served if modules[name] is not None)
    for snapshot in meeting.server.values():
        assert not [r.label for r in snapshot.regions if "/crypto/" in r.label or "/client/" in r.label]


def test_all_that_was_searched_for(meeting: Record) -> None:
    kinds = {class_of(name) for name in meeting.canaries}
    assert kinds >= HELD_BY_ALL | HELD_BY_SOME | PASSING
    assert len(meeting.canaries) > 500


def test_the_servers_memory_holds_none_of_it(meeting: Record) -> None:
    assert list(meeting.in_server) == ["while all are there", "after the removal", "when all have left"]
    for moment, found in meeting.in_server.items():
        assert not found, f"{moment}: {_told(found)}"


def test_its_memory_was_read_whole(meeting: Record) -> None:
    for snapshot in meeting.server.values():
        assert not snapshot.unread
        assert snapshot.size > 20 << 20
        assert {"[heap]", "[stack]"} <= {region.label for region in snapshot.regions}


def test_searching_takes_a_bounded_part_of_ours(meeting: Record) -> None:
    """What five processes hold is in a file, which goes after the search."""
    assert meeting.grown < 400 << 20


def test_data_that_the_server_gets_by_design_is_found(meeting: Record) -> None:
    names = {"room admin key", "sealed commit", "sealed message", "certificate fingerprint"}
    assert meeting.public.keys() == meeting.public_in_server.keys() == names


def test_the_same_search_finds_it_in_every_participant(meeting: Record) -> None:
    somewhere: set[str] = set()
    for who, found in meeting.in_participants.items():
        kinds = {class_of(name) for name in found}
        assert not HELD_BY_ALL - kinds, who
        names = {meeting.canaries[name] for name in found if class_of(name) == "name"}
        assert names == set(NAMES.values()), who
        somewhere |= kinds
    for found in meeting.in_at_the_door.values():
        somewhere |= {class_of(name) for name in found}
    assert sorted(HELD_BY_SOME - somewhere) == []


def test_nothing_that_the_server_received_or_sent_has_any_of_it(meeting: Record) -> None:
    assert meeting.wire_bytes > 1 << 20
    assert not meeting.on_wire, _told(meeting.on_wire)


def test_the_recordings_are_of_the_whole_traffic(meeting: Record) -> None:
    assert len(meeting.proxy.up) >= 6, "each participant was at two doors"
    for who, person in meeting.people.items():
        sent = sum(kind == RTP_OUT for kind, _ in Tap.read(person.tap))
        received = sum(kind == RTP_IN for kind, _ in Tap.read(person.tap))
        assert sent > 100, who
        assert received > 100, who
    # a commit that the server was sent comes out of it again
    sealed = {"commit": meeting.public["sealed commit"]}
    assert Searcher(sealed).search(b"\n".join(bytes(s) for s in meeting.proxy.down))


def test_the_only_secret_that_members_show_is_the_pass(meeting: Record) -> None:
    noted = Secrets.read(meeting.people["ada"].secrets)
    passes = {secret for kind, secret in noted if kind == "exported snug 1 pass"}
    shown = shown_passes(meeting.proxy)
    assert len(shown) >= 3, "one for each epoch"
    assert shown <= passes
    assert not passes & {secret for kind, secret in noted if kind != "exported snug 1 pass"}


def test_its_log_at_the_most_talkative_level_has_none_of_it(meeting: Record) -> None:
    assert meeting.status == 0
    assert b"DEBUG" in meeting.log
    text = meeting.log + meeting.output
    found = Searcher(meeting.canaries | meeting.public).search(text)
    assert not found, _told(found)
    assert not re.findall(rb"127\.0\.0\.1|localhost", meeting.log), "nor any address"


def test_the_pitch_is_not_to_be_heard_in_what_the_server_carried(meeting: Record) -> None:
    pitch = TestCard("Ada", 0).pitch  # the host's leaf is 0, and with it the identity
    packets = [data for kind, data in Tap.read(meeting.people["ada"].tap) if kind == RTP_OUT]
    payloads = [rtp.parse(data).payload for data in packets if not is_rtcp(data) and _is_audio(data)]
    assert len(payloads) > 200
    for skipped in (0, 1, 2, 3, 4):  # with the header, and behind it wherever it may end
        # noise has a little of every pitch
        assert _share(_decoded([payload[skipped:] for payload in payloads]), pitch) < 0.25
    card, encoder = TestCard("Ada", 0), OpusEncoder()
    plain = [encoder.encode(card.audio(index)) for index in range(200)]
    assert _share(_decoded(plain), pitch) > 0.8, "and it is when it isn't sealed"


def _is_audio(data: bytes) -> bool:
    return rtp.parse(data).payload_type == rtp.PAYLOAD_TYPES["audio"]


def _decoded(frames: list[bytes]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    decoder, sounds = OpusDecoder(), [np.zeros(960, np.int16)]
    for frame in frames:
        try:
            sounds.append(decoder.decode(frame))
        except CodecError:
            continue
    return np.concatenate(sounds).astype(np.float64) / 32_768


def _share(sound: np.ndarray[tuple[int], np.dtype[np.float64]], pitch: float) -> float:
    return sum(tone.strength for tone in tones_in(sound) if abs(tone.hz / pitch - 1) < 0.03)
