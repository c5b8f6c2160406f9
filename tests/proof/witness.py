"""The participant's own command line (`snug`), with a witness beside it. A process of its own:

    python -m tests.proof.witness --tap FILE [--secrets FILE] -- host --server URL ...

`--tap`: every byte that goes to the media server and comes from it, as datagrams and as the RTP that the
server sees, and what the epochs were in between. `--secrets`: every secret that this participant makes or
derives, and every frame before it is sealed. The program itself runs unchanged.

Notes are masked at once (each byte XOR 0xA5), so that a secret which is later found in this process
is there because the participant had it, and not because the witness had.
"""

from __future__ import annotations

import argparse
import re
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final, TextIO

from snugroom.crypto import hpke, kdf, primitives
from snugroom.crypto.media import keys as media_keys
from snugroom.crypto.media import sframe

_MASK: Final = bytes(b ^ 0xA5 for b in range(256))
#: Records of a tap: what the first byte says.
RTP_OUT, RTP_IN, DATAGRAM_OUT, DATAGRAM_IN, SEALED_AUDIO, SEALED_VIDEO, EPOCH, REMOVAL = b"OIoiavER"
_WINDOW: Final = 32


def masked(data: bytes) -> bytes:
    """Masked, or unmasked again."""
    return data.translate(_MASK)


class Tap:
    """A file of records: kind (1 byte), length (4), bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def note(self, kind: int, data: bytes) -> None:
        self._file.write(struct.pack(">BI", kind, len(data)) + data)

    @staticmethod
    def read(path: Path) -> list[tuple[int, bytes]]:
        """All records, in order; the last one may be cut short by a kill, and is left out then."""
        data, at, records = path.read_bytes(), 0, []
        while at + 5 <= len(data):
            kind, size = struct.unpack_from(">BI", data, at)
            at += 5 + size
            if at <= len(data):
                records.append((kind, data[at - size : at]))
        return records


class Secrets:
    """A file of lines: the secret's class, and its bytes, masked, in hex."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._known: set[int] = set()

    def note(self, kind: str, data: bytes) -> None:
        # an all-zero PSK secret and its like would be found anywhere, and tell nothing
        mark = hash((kind, bytes(data)))
        if len(data) >= 12 and len(set(data)) >= 8 and mark not in self._known:
            self._known.add(mark)
            self._file.write(f"{kind}\t{masked(bytes(data)).hex()}\n")

    def note_all(self, **secrets: bytes) -> None:
        """Several: the classes are the keywords, with spaces for underscores."""
        for kind, data in secrets.items():
            self.note(kind.replace("_", " "), data)

    def window(self, kind: str, data: bytes, at: int) -> None:
        """A part of something longer that tells it from anything else."""
        part = data[at : at + _WINDOW]
        if len(part) == _WINDOW and len(set(part)) >= _WINDOW // 2 and bytes(8) not in part:
            self.note(kind, part)

    @staticmethod
    def read(path: Path) -> list[tuple[str, bytes]]:
        """(class, secret) in the order in which they came about."""
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        # a line that is being written just now is left for the next time
        pairs = [line.rstrip("\n").split("\t") for line in lines if line.endswith("\n")]
        return [(kind, masked(bytes.fromhex(text))) for kind, text in pairs]


def _after(owner: Any, name: str, note: Callable[..., None]) -> None:
    """Have `note(result, *arguments)` called after each call of a function or method."""
    inner = getattr(owner, name)
    plain = isinstance(owner.__dict__.get(name), staticmethod | classmethod)

    def outer(*arguments: Any, **named: Any) -> Any:
        result = inner(*arguments, **named)
        note(result, *arguments)
        return result

    setattr(owner, name, staticmethod(outer) if plain else outer)


def _kdf_label(label: bytes | str) -> str:
    text = label if isinstance(label, str) else label.decode("latin-1")
    match = re.match(r"snug 1 [a-z]+", text.partition("http")[0])
    return match[0] if match else "KDF"


def _expanded(secrets: Secrets, info: bytes, out: bytes) -> None:
    label = _mls_label(info)
    if label != "MLS exported":  # the exporter's results are noted by their own labels, where it is called
        secrets.note(label, out)


def _mls_label(info: bytes) -> str:
    # ExpandWithLabel's KDFLabel: length (2), the label behind its length, the context
    return info[3 : 3 + info[2]].decode("ascii", "replace").replace("MLS 1.0", "MLS")


def watch_secrets(secrets: Secrets) -> None:
    """Note what is secret. Called before the modules that import these functions by name are imported."""
    _after(kdf, "KDF", lambda out, key, label, *_: secrets.note(_kdf_label(label), out))
    from snugroom.crypto.entry import invite  # not before KDF is watched: it imports it by name

    _after(primitives.Suite, "expand", lambda out, suite, key, info, size: _expanded(secrets, info, out))
    _after(primitives.Suite, "extract", lambda out, *_: secrets.note("MLS extract", out))
    _after(
        hpke,
        "_labeled_expand",
        lambda out, suite, prk, label, *_: secrets.note("HPKE " + label.decode("ascii"), out),
    )
    _after(
        primitives,
        "generate_signature_key",
        lambda pair, *_: secrets.note_all(signature_seed=pair[0], signature_public_key=pair[1]),
    )
    _after(kdf.SigningKey, "__init__", lambda _, key, seed: secrets.note("Ed25519 seed", seed))
    _after(invite.HostSeed, "__post_init__", lambda _, seed: secrets.note("host seed", seed.seed))
    _after(
        invite.Invite,
        "__post_init__",
        lambda _, link: secrets.note_all(
            invite_secret=link.secret, invite_token=link.token, host_public_key=link.host_public
        ),
    )
    _after(sframe, "expand", lambda pair, *_: secrets.note_all(SFrame_key=pair[0], SFrame_salt=pair[1]))
    _watch_epochs(secrets)


def _watch_epochs(secrets: Secrets) -> None:
    derive = media_keys.EpochKeys.derive

    def deriving(*, epoch: int, base_key: bytes, tags: bytes, leaf_count: int) -> media_keys.EpochKeys:
        secrets.note("SFrame base key", base_key)
        secrets.note("SFrame tags", tags)
        # no canary: a copy of the keys of an epoch, to be tried on frames
        secrets.note("copy of keys", struct.pack(">QI", epoch, leaf_count) + base_key + tags)
        return derive(epoch=epoch, base_key=base_key, tags=tags, leaf_count=leaf_count)

    media_keys.EpochKeys.derive = deriving  # type: ignore[method-assign]  # a witness around it


def watch_frames(secrets: Secrets) -> None:
    """Note names of keys that only the room knows, and what is seen and heard before it is sealed."""
    import numpy as np

    from snugroom.client.media.sources import TestCard
    from snugroom.client.session.kernel.frames import Frames
    from snugroom.client.session.kernel.room import RoomSession
    from snugroom.crypto import mls

    def sealing(
        sealed: bytes | None, frames: Frames, kind: str, stream: int, frame: bytes, now: float
    ) -> None:
        secrets.window("Opus frame" if kind == "audio" else "VP8 frame", frame, len(frame) // 3)

    def sounding(sound: Any, *_: Any) -> None:
        secrets.window("PCM, 16 bits", sound.tobytes(), 960)
        secrets.window("PCM, floats", (sound / 32_768).astype(np.float32).tobytes(), 1920)

    init = RoomSession.__init__

    def entering(room: RoomSession, *arguments: Any, **named: Any) -> None:
        secrets.note("door seed", named["door_key"].seed)
        init(room, *arguments, **named)

    _after(mls.Group, "export", lambda out, _, label, *__: secrets.note(f"exported {label}", out))
    _after(Frames, "seal", sealing)
    _after(TestCard, "audio", sounding)
    RoomSession.__init__ = entering  # type: ignore[method-assign,assignment]  # a witness around it
    _after(
        mls,
        "create_key_package",
        lambda bundle, *_: secrets.note("key package", bundle.encoded[4:100]),
    )


def watch_wire(tap: Tap) -> None:
    """Note all that the media server is sent and sends, and what is sealed in which epoch."""
    from snugroom.client.media.srtp import Srtp
    from snugroom.client.media.transport import MediaTransport
    from snugroom.client.session.kernel.frames import Frames

    protect, unprotect = Srtp.protect, Srtp.unprotect
    send, receive = MediaTransport._send, MediaTransport._receive
    install = media_keys.MediaKeys.install

    def protecting(self: Srtp, packet: bytes, *, rtcp: bool = False) -> bytes:
        tap.note(RTP_OUT, packet)
        return protect(self, packet, rtcp=rtcp)

    def unprotecting(self: Srtp, packet: bytes, *, rtcp: bool = False) -> bytes:
        out = unprotect(self, packet, rtcp=rtcp)
        tap.note(RTP_IN, out)
        return out

    def sending(self: MediaTransport, datagram: bytes, number: int | None = None) -> None:
        tap.note(DATAGRAM_OUT, datagram)
        send(self, datagram, number)

    def receiving(self: MediaTransport, data: bytes, number: int) -> None:
        tap.note(DATAGRAM_IN, data)
        receive(self, data, number)

    def installing(
        self: media_keys.MediaKeys,
        keys: media_keys.EpochKeys,
        *,
        own_leaf: int,
        removed: frozenset[int],
        is_removal: bool,
        now: float,
    ) -> None:
        install(self, keys, own_leaf=own_leaf, removed=removed, is_removal=is_removal, now=now)
        tap.note(REMOVAL if is_removal else EPOCH, struct.pack(">Q", keys.epoch))

    def sealing(sealed: bytes | None, frames: Frames, kind: str, *_: Any) -> None:
        if sealed is not None:
            tap.note(SEALED_AUDIO if kind == "audio" else SEALED_VIDEO, sealed)

    Srtp.protect, Srtp.unprotect = protecting, unprotecting  # type: ignore[method-assign]  # witnesses
    MediaTransport._send, MediaTransport._receive = sending, receiving  # type: ignore[method-assign]
    media_keys.MediaKeys.install = installing  # type: ignore[method-assign]
    _after(Frames, "seal", sealing)


def open_landlord() -> None:
    """Let a server that this participant carries be read, as `--inspectable` does."""
    from snugroom.client.cli import landlord

    landlord.COMMAND = (*landlord.COMMAND, "--inspectable")  # type: ignore[misc]  # final for everybody else


def main() -> int:
    """Run `snug` with the arguments behind ``--``; returns its exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tap", type=Path, required=True)
    parser.add_argument("--secrets", type=Path)
    parser.add_argument("arguments", nargs="+")
    arguments = parser.parse_args()
    with arguments.tap.open("wb", buffering=0) as tap_file:
        if arguments.secrets is None:
            watch_wire(Tap(tap_file))
            from snugroom.command import main as snug

            return snug(arguments.arguments)
        with arguments.secrets.open("w", buffering=1, encoding="utf-8") as secrets_file:
            secrets = Secrets(secrets_file)
            watch_secrets(secrets)
            watch_frames(secrets)
            watch_wire(Tap(tap_file))
            open_landlord()
            from snugroom.command import main as snug

            return snug(arguments.arguments)


if __name__ == "__main__":
    sys.exit(main())
