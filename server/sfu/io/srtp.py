"""SRTP sessions (RFC 3711, RFC 7714) on libsrtp. The only module that uses pylibsrtp's private names.

`Session.protect` copies twice and allocates, but a forwarder seals the same packet for every receiver. So the
hot path calls libsrtp itself, in place, in its own buffer: `protect` and `unprotect` below take a session's
`pointer`, a buffer and a length, and return 0 on success.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any, Final

from pylibsrtp import Error, Policy, Session
from pylibsrtp._binding import ffi, lib

#: int (pointer, buffer, int *length): in place, the length is updated; 0 is success.
protect: Final[Any] = lib.srtp_protect
unprotect: Final[Any] = lib.srtp_unprotect
#: Addresses of these two functions in memory, for code that is not Python (the bench's compiled loop).
PROTECT_AT: Final = int(ffi.cast("uintptr_t", ffi.addressof(lib, "srtp_protect")))
UNPROTECT_AT: Final = int(ffi.cast("uintptr_t", ffi.addressof(lib, "srtp_unprotect")))

REPLAY_WINDOW: Final = 1024


class SrtpError(ValueError):
    """Forged, replayed, or malformed."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A protection profile: its names in OpenSSL and libsrtp, and sizes in bytes."""

    name: bytes
    number: int
    key: int
    salt: int
    tag: int


AEAD_AES_128_GCM: Final = Profile(b"SRTP_AEAD_AES_128_GCM", Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 16, 12, 16)
AES_CM_128_HMAC_SHA1_80: Final = Profile(
    b"SRTP_AES128_CM_SHA1_80", Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 16, 14, 10
)
#: In the server's order of preference, which decides.
PROFILES: Final = (AEAD_AES_128_GCM, AES_CM_128_HMAC_SHA1_80)


@dataclass(frozen=True, slots=True)
class Keys:
    """Master keys with their salts: `client` seals the client's packets, `server` the server's."""

    profile: Profile
    client: bytes
    server: bytes

    @classmethod
    def split(cls, profile: Profile, material: bytes) -> Keys:
        """Split keying material (RFC 5764 4.2): client key, server key, client salt, server salt."""
        key, salt = profile.key, profile.salt
        if len(material) != 2 * (key + salt):
            raise ValueError("keying material of the wrong length")
        salts = material[2 * key :]
        return cls(profile, material[:key] + salts[:salt], material[key : 2 * key] + salts[salt:])

    def __repr__(self) -> str:
        return "Keys(...)"


class Buffer:
    """Memory that libsrtp works in: `data` for its calls, `view` for Python."""

    def __init__(self, size: int) -> None:
        self.data: Any = ffi.new("unsigned char[]", size)
        self.view: memoryview = memoryview(ffi.buffer(self.data))

    def wipe(self) -> None:
        """Overwrite all of it."""
        self.view[:] = bytes(len(self.view))

    @property
    def address(self) -> int:
        """The address of the memory, for other cffi libraries. Valid as long as this object lives."""
        return int(ffi.cast("uintptr_t", self.data))

    def at(self, offset: int) -> Any:
        """Return a pointer to byte `offset`. Valid as long as this object lives."""
        return self.data + offset


def address_of(session: SrtpSession) -> int:
    """Return the address of libsrtp's session in memory. Valid as long as `session` lives."""
    return int(ffi.cast("uintptr_t", session.pointer))


def new_length() -> Any:
    """Return an `int *` for `protect` and `unprotect`."""
    return ffi.new("int *")


class Lengths:
    """Many lengths, side by side: `at(i)` for libsrtp's calls, `view` for Python."""

    def __init__(self, count: int) -> None:
        self._data: Any = ffi.new("int[]", count)
        self.view: memoryview = memoryview(ffi.buffer(self._data))

    def at(self, index: int) -> Any:
        """Return a pointer to number `index`. Valid as long as this object lives."""
        return self._data + index


class SrtpSession:
    """One direction of one peer, for all SSRCs. `pointer` lives as long as this object."""

    def __init__(self, profile: Profile, key: bytes, *, outbound: bool) -> None:
        self.profile = profile
        direction = Policy.SSRC_ANY_OUTBOUND if outbound else Policy.SSRC_ANY_INBOUND
        policy = Policy(key=key, ssrc_type=direction, srtp_profile=profile.number)
        policy.window_size = REPLAY_WINDOW
        # The answer to a NACK is the same packet again, bit for bit.
        policy.allow_repeat_tx = True
        self._session = Session(policy)
        self.pointer: Any = self._session._srtp[0]

    def protect_rtcp(self, data: bytes) -> bytes:
        """Seal a compound packet; SrtpError if libsrtp refuses."""
        try:
            return self._session.protect_rtcp(data)
        except (Error, ValueError) as error:
            raise SrtpError("cannot protect RTCP") from error

    def unprotect_rtcp(self, data: bytes) -> bytes:
        """Open a compound packet; SrtpError if it is forged, replayed or malformed."""
        try:
            return self._session.unprotect_rtcp(data)
        except (Error, ValueError) as error:
            raise SrtpError("not a valid SRTCP packet") from error

    def forget(self, ssrc: int) -> None:
        """Free the state for `ssrc`, which must never be sealed under this session again."""
        with contextlib.suppress(Error):
            self._session.remove_stream(ssrc)
