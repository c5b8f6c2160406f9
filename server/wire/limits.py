"""Every size and rate that goes with the wire, in one place. Sizes are bytes, times are seconds.

A limit that an operator may change has a setting of the same name in `server.config`; the
numbers here are the defaults and, for sizes that both ends must agree on, the protocol's own.
"""

from __future__ import annotations

from typing import Final

PROTOCOL_VERSION: Final = 1

# -- blobs ---------------------------------------------------------------------------------
#: Blobs are opaque and have one of these sizes and no other, so that a size says little.
BUCKETS: Final = (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144)
#: The largest blob that a lobby carries (an answer with its Welcome for a large meeting).
LOBBY_BLOB_MAX: Final = 131072
#: The largest blob that a room carries.
ROOM_BLOB_MAX: Final = 262144
#: A JSON frame: the largest blob in base64, and room for the rest.
FRAME_MAX: Final = 360_448

# -- fixed sizes ---------------------------------------------------------------------------
NUMBER_SIZE: Final = 16
NONCE_SIZE: Final = 32
KEY_SIZE: Final = 32
SIGNATURE_SIZE: Final = 64
HASH_SIZE: Final = 32
PASS_SIZE: Final = 32
HANDLE_SIZE: Final = 8
UFRAG_MAX: Final = 32
PASSWORD_MAX: Final = 64
FINGERPRINT_SIZE: Final = 32
#: Further addresses of a media server, and TURN servers with the addresses (URLs) of each.
ADDRESSES_MAX: Final = 8
TURN_MAX: Final = 4
TURN_URLS_MAX: Final = 8
#: Streams of one participant (audio, video, a shared screen with sound, simulcast layers).
STREAMS_MAX: Final = 8
WANT_MAX: Final = 1024
#: Sizes in which a picture is sent at once (simulcast).
LAYERS_MAX: Final = 3

# -- RTP: the same for everybody, never negotiated -------------------------------------------
AUDIO_PAYLOAD_TYPE: Final = 111
VIDEO_PAYLOAD_TYPE: Final = 96
#: Video sent again (RFC 4588), of payload type 96.
RTX_PAYLOAD_TYPE: Final = 97
#: Header extensions of video (audio has none): abs-send-time, 3 bytes, and the transport-wide sequence
#: number, 2 bytes (draft-holmer-rmcat-transport-wide-cc-extensions-01).
SEND_TIME_EXTENSION: Final = 3
FEEDBACK_EXTENSION: Final = 5

# -- time and number -----------------------------------------------------------------------
SLOT_MAX: Final = 2**53 - 1
#: Slots whose passes still let a connection catch up (protocol 3, G4).
CATCH_UP_SLOTS: Final = 64
#: How long holders of the last slot's pass go on receiving (protocol 3, G3).
PASS_GRACE: Final = 10.0
#: How long the room waits for one who lost a race before another wins again (protocol 3, G6).
FAIRNESS_HOLD: Final = 0.5


def bucket(size: int) -> int:
    """The smallest bucket that holds `size` bytes; ValueError when there is none."""
    for b in BUCKETS:
        if size <= b:
            return b
    raise ValueError(f"{size} bytes fit in no bucket (the largest is {BUCKETS[-1]})")
