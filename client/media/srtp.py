"""SRTP on pylibsrtp, which has no type information (RFC 3711, RFC 5764, RFC 7714).

The module uses only public names of pylibsrtp, adds types to their results, and narrows their exceptions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pylibsrtp


class SrtpError(ValueError):
    """libsrtp refuses a packet (forged, replayed, too long), or keying material has the wrong size."""


@dataclass(frozen=True, slots=True)
class SrtpProfile:
    """A protection profile (RFC 5764 4.1.2, RFC 7714): its name in OpenSSL, and sizes in bytes."""

    name: bytes
    libsrtp: int
    key_size: int
    salt_size: int

    @property
    def material_size(self) -> int:
        return 2 * (self.key_size + self.salt_size)


#: In order of preference; the server's order decides.
PROFILES: Final = (
    SrtpProfile(b"SRTP_AEAD_AES_128_GCM", pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 16, 12),
    SrtpProfile(b"SRTP_AES128_CM_SHA1_80", pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 16, 14),
)


class Srtp:
    """Both directions of one SRTP association.

    `material` is the output of the DTLS exporter (RFC 5764 4.2): client key, server key, client salt,
    server salt. SrtpError if it has the wrong size.
    """

    REPLAY_WINDOW: Final = 1_024

    def __init__(self, profile: SrtpProfile, material: bytes, *, client: bool) -> None:
        if len(material) != profile.material_size:
            raise SrtpError("keying material of the wrong size")
        key, salt = profile.key_size, profile.salt_size
        client_key = material[:key] + material[2 * key : 2 * key + salt]
        server_key = material[key : 2 * key] + material[2 * key + salt :]
        mine, theirs = (client_key, server_key) if client else (server_key, client_key)
        self._outbound = self._session(profile, mine, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
        self._inbound = self._session(profile, theirs, pylibsrtp.Policy.SSRC_ANY_INBOUND)

    def _session(self, profile: SrtpProfile, key: bytes, direction: int) -> pylibsrtp.Session:
        policy = pylibsrtp.Policy(key=key, ssrc_type=direction, srtp_profile=profile.libsrtp)
        policy.window_size = self.REPLAY_WINDOW
        # a retransmission repeats the identical bytes
        policy.allow_repeat_tx = True
        return pylibsrtp.Session(policy)

    def protect(self, packet: bytes, *, rtcp: bool = False) -> bytes:
        try:
            return bytes(self._outbound.protect_rtcp(packet) if rtcp else self._outbound.protect(packet))
        except (pylibsrtp.Error, ValueError) as error:
            raise SrtpError(str(error)) from None

    def unprotect(self, packet: bytes, *, rtcp: bool = False) -> bytes:
        try:
            return bytes(self._inbound.unprotect_rtcp(packet) if rtcp else self._inbound.unprotect(packet))
        except (pylibsrtp.Error, ValueError) as error:
            raise SrtpError(str(error)) from None
