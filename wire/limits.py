"""Sizes, counts and times of the wire protocol. Sizes are in bytes, times in seconds.

Both ends must agree on these values. `FRAME_MAX` and `LOBBY_BLOB_MAX` are also the defaults of the
settings `frame_bytes` and `lobby_blob_bytes` (`server.config`), which an operator may change.
"""

from __future__ import annotations

from typing import Final

PROTOCOL_VERSION: Final = 1

# -- blobs ---------------------------------------------------------------------------------
#: Every blob has one of these sizes, so that its size reveals little about its content.
BUCKETS: Final = (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144)
#: The largest blob that a lobby carries. It has space for an answer with the Welcome of a large meeting.
LOBBY_BLOB_MAX: Final = 131072
#: The largest blob that a lobby carries to all. Larger ones are answers, which have one receiver.
LOBBY_BROADCAST_MAX: Final = 8192
#: The most connections that one post in a lobby names.
LOBBY_RECEIVERS_MAX: Final = 64
#: The largest blob that a room carries.
ROOM_BLOB_MAX: Final = 262144
#: A commit's blob has its gate here, after the slot of the sender's epoch. It is all that the server reads.
BLOB_GATE_AT: Final = 8
#: Sizes of the blob of a list of media signatures: they are finer than buckets, because the server has
#: counted the frames that such a list names.
LIST_BLOB_MIN: Final = 512
LIST_BLOB_MAX: Final = 32_768
LIST_STEP: Final = 64
LIST_SIZES: Final = range(LIST_BLOB_MIN, LIST_BLOB_MAX + 1, LIST_STEP)
#: Seconds for which the server keeps such lists for connections that ask for their stream next, and their
#: number and bytes, for one sender; and seconds for which a connection still gets lists of a stream that it
#: has asked for no longer.
LISTS_KEPT: Final = 2.5
LISTS_KEPT_MAX: Final = 64
LISTS_KEPT_BYTES: Final = 65_536
LISTS_LINGER: Final = 3.0
#: The largest JSON frame: the largest blob in base64, plus space for the other fields.
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
#: The secret that reopens a room (docs/reference/protocol.md section 3, Opening a room).
PERMIT_SIZE: Final = 40
#: Number of anonymous tokens for one voucher: the same for all, so that a number tells nobody apart.
VOUCHER_TOKENS: Final = 8
#: log2 of scrypt's N, for a password. A client refuses less, which would make guesses cheap, and more.
PASSWORD_COST_MIN: Final = 15
PASSWORD_COST_MAX: Final = 18
#: Maximum number of further addresses of a media server, of TURN servers, and of URLs of each TURN server.
ADDRESSES_MAX: Final = 8
TURN_MAX: Final = 4
TURN_URLS_MAX: Final = 8
#: Maximum number of streams of one participant: audio, video, screen share with audio, simulcast layers.
STREAMS_MAX: Final = 8
SUBSCRIBE_MAX: Final = 1024
#: Maximum number of simulcast layers of one video stream.
LAYERS_MAX: Final = 3

# -- RTP: fixed values, never negotiated -----------------------------------------------------
AUDIO_PAYLOAD_TYPE: Final = 111
VIDEO_PAYLOAD_TYPE: Final = 96
#: Retransmitted video (RTX, RFC 4588) of payload type 96.
RTX_PAYLOAD_TYPE: Final = 97
#: RTP clocks: timestamp units a second.
AUDIO_CLOCK: Final = 48_000
VIDEO_CLOCK: Final = 90_000
#: Bytes of every Opus packet of 20 ms before it is sealed, and for each 20 ms of a longer one (section 10).
AUDIO_SIZE: Final = 120
#: Sound of an Opus packet in a large room, in parts of 20 ms.
AUDIO_PARTS: Final = 3
#: A room is large if a member has this leaf or a later one, and there are more members than `LARGE_MEMBERS`.
LARGE_LEAF: Final = 25
LARGE_MEMBERS: Final = 20
#: The largest RTP packet in the clear. It is the limit of pylibsrtp's `Session.protect`, so that any receiver
#: built on pylibsrtp could forward the packet; with tag and headers it fits a path of 1,400 bytes.
RTP_MAX: Final = 1356
#: The largest compound RTCP packet in the clear.
RTCP_MAX: Final = 1400
#: Ids of the header extensions of video: abs-send-time (3 bytes) and the transport-wide sequence number
#: (2 bytes, draft-holmer-rmcat-transport-wide-cc-extensions-01). Audio has no header extensions.
SEND_TIME_EXTENSION: Final = 3
FEEDBACK_EXTENSION: Final = 5

# -- nodes ---------------------------------------------------------------------------------
#: Nodes of one origin have the numbers 1 to this one.
NODES_MAX: Final = 64
#: Characters of a `moved_to`. A path of the protocol has at most 5; clients name others as such.
NODE_PATH_MAX: Final = 256
#: Redirects that a client follows before it is inside.
REDIRECTS_MAX: Final = 2

# -- slots and times -----------------------------------------------------------------------
SLOT_MAX: Final = 2**53 - 1
#: Number of latest slots whose passes allow a connection to catch up (docs/reference/protocol.md section 3,
#: G4).
CATCH_UP_SLOTS: Final = 64
#: Maximum number of numbers of one room: then it takes no other room admin key (section 3, G8).
ROOM_NUMBERS: Final = 64
#: Maximum number of passes in one `show`.
SHOW_MAX: Final = 16
#: Seconds for which a connection still receives after a host's slot has closed the gate of its pass (section
#: 3, G3).
PASS_GRACE: Final = 10.0
#: Seconds for which a connection may be in an open room without a pass that fits (section 3, G7).
PASS_WAIT: Final = 10.0
#: Seconds without any pass that fits until a room may be opened without the room admin (section 3, G5).
OPEN_WAIT: Final = 10.0
#: Seconds after a slot until its announcement as ready no longer waits for all connections' passes, and how
#: many it does not wait for then (section 10).
READY_WAIT: Final = 0.15
READY_STRAGGLERS: Final = 2
#: Seconds for which a room holds a commit in favour of the loser of the last race (section 3, G6).
FAIRNESS_HOLD: Final = 0.5

# -- addresses to which a meeting does not lead (protocol section 12) -----------------------
#: Networks that are not the internet (IANA's registries of special-purpose addresses), and multicast.
SPECIAL_IPV4: Final = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
)
#: The same within 2000::/3. No address outside it is public.
SPECIAL_IPV6: Final = ("2001::/23", "2001:db8::/32", "3fff::/20")
#: Names below which no public server is (RFC 6761, RFC 6762, RFC 8375, and ICANN's .internal).
LOCAL_NAMES: Final = ("localhost", "local", "internal", "home.arpa")


def bucket(size: int) -> int:
    """Return the smallest bucket that holds `size` bytes. Raises ValueError if `size` exceeds the largest."""
    for b in BUCKETS:
        if size <= b:
            return b
    raise ValueError(f"{size} bytes fit in no bucket (the largest is {BUCKETS[-1]})")
