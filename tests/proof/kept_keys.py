"""A member's copy of its media keys, used without the checks of a client."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

from snugroom.crypto.errors import SnugError
from snugroom.crypto.media import clear_header
from snugroom.crypto.media.keys import BASE_KEY_SIZE, SUITE
from snugroom.crypto.media.sframe import FrameKey, Header, extract
from snugroom.crypto.mls import Group
from tests.proof.witness import Secrets


class KeptKeys:
    """Base keys of epochs: whoever has one can make the key of every sender and stream in that epoch."""

    def __init__(self, base_keys: Iterable[bytes]) -> None:
        self._secrets = [extract(SUITE, key) for key in base_keys]

    @classmethod
    def of_group(cls, group: Group) -> KeptKeys:
        """The base key that a member can export in its epoch."""
        return cls([group.export("SFrame 1.0 Base Key", b"", BASE_KEY_SIZE)])

    @classmethod
    def of_witness(cls, secrets: Path) -> KeptKeys:
        """All that a participant's process ever had."""
        head = struct.calcsize(">QI")
        copies = [data for kind, data in Secrets.read(secrets) if kind == "copy of keys"]
        return cls(copy[head : head + BASE_KEY_SIZE] for copy in copies)

    def __add__(self, other: KeptKeys) -> KeptKeys:
        both = KeptKeys([])
        both._secrets = self._secrets + other._secrets
        return both

    def __len__(self) -> int:
        return len(self._secrets)

    def opens(self, kind: clear_header.Kind, sealed: bytes) -> bool:
        """Whether any key of any epoch opens a frame as it left its sender.

        No replay window, no epoch bits, no list of who is a member: the ciphertext alone decides.
        """
        clear, rest = clear_header.split(kind, sealed)
        header = Header.decode(rest)
        for secret in self._secrets:
            try:
                FrameKey(SUITE, secret, header.kid).decrypt(header, clear_header.metadata(kind, clear), rest)
            except SnugError:
                continue
            return True
        return False
