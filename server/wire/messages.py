"""What goes over the WebSocket, as msgspec structs: the one home of the protocol's messages.

Every frame is one JSON object (text frame, UTF-8); `type` tells which, byte strings are base64
(RFC 4648 section 4, padded). Unknown fields, unknown types and wrong types are errors. Nothing
here carries a name, and a blob is opaque to the server.

The order of things on one connection::

    server  challenge                       first frame, always
    client  lobby_door | room_door          signs the challenge (docs/protocol.md, "The door")
    server  entered

    lobby:  post ->  posted (to the others)
    room:   show, open, commit, regate, catch_up, relay, pass_on, media, want  ->  their answers below
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from server.wire import limits

Bytes8 = Annotated[bytes, msgspec.Meta(min_length=8, max_length=8)]
Bytes16 = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
Bytes32 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Bytes64 = Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]
Blob = Annotated[bytes, msgspec.Meta(min_length=limits.BUCKETS[0], max_length=limits.ROOM_BLOB_MAX)]
Slot = Annotated[int, msgspec.Meta(ge=0, le=limits.SLOT_MAX)]
Ssrc = Annotated[int, msgspec.Meta(ge=1, le=0xFFFFFFFF)]
IceText = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9+/]{4,64}\Z")]
#: A simulcast layer: 0 is the smallest.
Layer = Annotated[int, msgspec.Meta(ge=0, le=limits.LAYERS_MAX - 1)]
TurnUrl = Annotated[str, msgspec.Meta(pattern=r"^turns?:[A-Za-z0-9.:\[\]-]{1,255}(\?transport=(udp|tcp))?\Z")]
TurnText = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9+/=:.-]{1,256}\Z")]
MediaKind = Literal["audio", "video"]


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type"):
    """Base of every message."""


# -- both doors ------------------------------------------------------------------------------


class Challenge(Message, frozen=True, tag="challenge"):
    """Server, first frame: what to sign. `server_key` (Ed25519, made at start) signs receipts.

    `origin` is configured, never read off a Host header.
    """

    version: int
    origin: str
    nonce: Bytes32
    server_key: Bytes32


class LobbyDoor(Message, frozen=True, tag="lobby_door"):
    """Client: into a lobby. `lobby_key` is the lobby's number; `signature` is by its secret half over

    ``"snug 1 door" | len16(origin) | origin | lobby_key | server nonce | client nonce``.
    """

    lobby_key: Bytes32
    nonce: Bytes32
    signature: Bytes64


class RoomDoor(Message, frozen=True, tag="room_door"):
    """Client: into a room. The number is ``H("snug 1 room" | door_key | steward_key)[:16]``.

    `signature` is by the door key over
    ``"snug 1 door" | len16(origin) | origin | number | server nonce | client nonce``.
    """

    door_key: Bytes32
    steward_key: Bytes32
    nonce: Bytes32
    signature: Bytes64


class Entered(Message, frozen=True, tag="entered"):
    """Server: the door is open. `handle` is random, and this connection's alone.

    `slot` and `chain` are a room's state, None in a lobby and in a room that nobody has opened
    (yet, or since a restart). `epoch` of the process: another `incarnation` means that the
    server has restarted and has forgotten everything.
    """

    handle: Bytes8
    incarnation: Bytes8
    slot: Slot | None = None
    chain: Bytes32 | None = None
    handles: list[Bytes8] = []


class Refused(Message, frozen=True, tag="refused"):
    """Server: one clear error. Afterwards the connection goes on, unless `fatal`.

    `about` is the type of the message that was refused, where it had one.
    """

    code: str
    text: str
    about: str = ""
    fatal: bool = False


class Closing(Message, frozen=True, tag="closing"):
    """Server: this process stops, or this connection does; `text` says why."""

    code: str
    text: str


# -- lobby -----------------------------------------------------------------------------------


class Post(Message, frozen=True, tag="post"):
    """Client: a blob for everybody else who is in the lobby now. No history is kept."""

    blob: Blob


class Posted(Message, frozen=True, tag="posted"):
    """Server: somebody else's blob."""

    blob: Blob


# -- room: slots and gates -------------------------------------------------------------------


class Show(Message, frozen=True, tag="show"):
    """Client: the pass of a slot, to prove that this connection is a current member's."""

    token: Bytes32


class Shown(Message, frozen=True, tag="shown"):
    """Server: that pass opens the gate of `slot`."""

    slot: Slot


class Open(Message, frozen=True, tag="open"):
    """Client, the steward only (G1): open the room, or reopen it after the server's restart.

    `signature` is by the steward key over
    ``"snug 1 open" | number | slot (8 bytes) | gate | chain | server nonce``.
    """

    slot: Slot
    gate: Bytes32
    chain: Bytes32
    signature: Bytes64


class Opened(Message, frozen=True, tag="opened"):
    """Server, to all in the room: it is open at `slot`.

    Sent again, whenever a slot is taken, to those who may not have the blob: they learn when to show
    their pass.
    """

    slot: Slot
    chain: Bytes32
    signature: Bytes64


class Commit(Message, frozen=True, tag="commit"):
    """Client (G2): take slot `slot`, the one after the current. `gate` = H(pass of `slot`)."""

    slot: Slot
    blob: Blob
    gate: Bytes32


class Committed(Message, frozen=True, tag="committed"):
    """Server, to all who may receive, the committer too: slot `slot` is taken by `blob`.

    `chain` = ``H(chain before | slot (8 bytes) | H(blob))``; `signature` is the server's over
    ``"snug 1 receipt" | number | slot (8 bytes) | chain``.
    """

    slot: Slot
    blob: Blob
    chain: Bytes32
    signature: Bytes64


class Stale(Message, frozen=True, tag="stale"):
    """Server: the slot that you asked for is not the next one; `slot` is the current one."""

    asked: Slot
    slot: Slot


class Regate(Message, frozen=True, tag="regate"):
    """Client, the steward only (G5): another gate for the current slot.

    `signature` is by the steward key over
    ``"snug 1 regate" | number | slot (8 bytes) | gate | server nonce``.
    """

    slot: Slot
    gate: Bytes32
    signature: Bytes64


class Regated(Message, frozen=True, tag="regated"):
    """Server, to all in the room: the gate of `slot` has been mended; show your pass again."""

    slot: Slot


class CatchUp(Message, frozen=True, tag="catch_up"):
    """Client (G4): everything after slot `slot` and relay number `relay` that is still held."""

    slot: Slot
    relay: Slot


class CaughtUp(Message, frozen=True, tag="caught_up"):
    """Server, after the blobs that it still had. `missing` is how many relays it no longer had."""

    slot: Slot
    relay: Slot
    missing: int


# -- room: relay -----------------------------------------------------------------------------


class Relay(Message, frozen=True, tag="relay"):
    """Client: a blob for all in the room, with the current pass shown."""

    blob: Blob


class Relayed(Message, frozen=True, tag="relayed"):
    """Server, to all who may receive, the sender too; numbered from 1 in each incarnation."""

    relay: Slot
    blob: Blob


class PassOn(Message, frozen=True, tag="pass_on"):
    """Client: a blob for all others who are in the room now; nobody catches up on it."""

    blob: Blob


class Passed(Message, frozen=True, tag="passed"):
    """Server, to all others who may receive: a blob that is neither numbered nor held."""

    blob: Blob


class Arrived(Message, frozen=True, tag="arrived"):
    """Server: another connection is in the room."""

    handle: Bytes8


class Left(Message, frozen=True, tag="left"):
    """Server: that connection is gone."""

    handle: Bytes8


# -- room: media -----------------------------------------------------------------------------


class Stream(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One RTP stream. Whose it is, members say to each other, sealed.

    `layers` are the SSRCs of the same pictures, larger: simulcast, from the next larger to the largest.
    Receivers are sent one of them at a time, as if it were `ssrc`. `rtx` (none, or one for `ssrc` and one for
    each of `layers`) are those that carry what is sent again (RFC 4588).
    """

    ssrc: Ssrc
    kind: MediaKind
    layers: Annotated[list[Ssrc], msgspec.Meta(max_length=limits.LAYERS_MAX - 1)] = []
    rtx: Annotated[list[Ssrc], msgspec.Meta(max_length=limits.LAYERS_MAX)] = []


class Media(Message, frozen=True, tag="media"):
    """Client: my transport parameters and the streams that I send (none: I only receive).

    Sent again with other streams it changes them; with another `ufrag` it restarts ICE.
    `fingerprint` is SHA-256 of the DTLS certificate (RFC 8122). `feedback`: video that comes here may carry
    transport-wide sequence numbers, which are reported on. `rtx`: what is sent again may come as RTX, under
    the SSRC that the list of streams names.
    """

    ufrag: IceText
    password: IceText
    fingerprint: Bytes32
    streams: Annotated[list[Stream], msgspec.Meta(max_length=limits.STREAMS_MAX)]
    feedback: bool = False
    rtx: bool = False


class Turn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A TURN server (RFC 8656) of the landlord's, with credentials that lapse."""

    urls: Annotated[list[TurnUrl], msgspec.Meta(min_length=1, max_length=limits.TURN_URLS_MAX)]
    username: TurnText
    credential: TurnText


class Transport(Message, frozen=True, tag="transport"):
    """Server: its own transport parameters for this connection. ICE-lite, DTLS server.

    Payload types and header extensions are the protocol's (docs/protocol.md, "Media"). `others` are further
    addresses of the same server, with the same port. `tcp`: that port takes ICE over TCP too (RFC 6544),
    at all of these addresses.
    """

    ufrag: IceText
    password: IceText
    fingerprint: Bytes32
    address: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)]
    others: Annotated[list[str], msgspec.Meta(max_length=limits.ADDRESSES_MAX)] = []
    tcp: bool = False
    turn: Annotated[list[Turn], msgspec.Meta(max_length=limits.TURN_MAX)] = []


class HandleStream(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stream, and the connection that sends it.

    `layers`: how many larger ones of it can be had. `rtx`: under which SSRC it is sent again, if it is.
    """

    handle: Bytes8
    ssrc: Ssrc
    kind: MediaKind
    layers: Layer = 0
    rtx: Ssrc | None = None


class Streams(Message, frozen=True, tag="streams"):
    """Server, whenever it changes: all streams of the others."""

    streams: list[HandleStream]


class Want(Message, frozen=True, tag="want"):
    """Client: the streams that I want forwarded; None: all of them (how every connection begins).

    `tops`, none or one for each of `ssrcs`: the largest layer that is of use (0 is the smallest), by the size
    of the tile. Without it the largest that the network carries is sent.
    """

    ssrcs: Annotated[list[Ssrc], msgspec.Meta(max_length=limits.WANT_MAX)] | None
    tops: Annotated[list[Layer], msgspec.Meta(max_length=limits.WANT_MAX)] = []


ClientMessage = (
    LobbyDoor | RoomDoor | Post | Show | Open | Commit | Regate | CatchUp | Relay | PassOn | Media | Want
)
ServerMessage = (
    Challenge
    | Entered
    | Refused
    | Closing
    | Posted
    | Shown
    | Opened
    | Committed
    | Stale
    | Regated
    | CaughtUp
    | Relayed
    | Passed
    | Arrived
    | Left
    | Transport
    | Streams
)

_encoder = msgspec.json.Encoder()
_client_decoder: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)
_server_decoder: msgspec.json.Decoder[ServerMessage] = msgspec.json.Decoder(ServerMessage)


class WireError(ValueError):
    """A frame that is no message of this protocol; the text (at most 200 characters) says why."""


def encode(message: Message) -> bytes:
    """One JSON object, UTF-8."""
    return _encoder.encode(message)


def _why(error: msgspec.DecodeError | UnicodeError | RecursionError) -> str:
    if isinstance(error, UnicodeError):
        return "not UTF-8"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    # msgspec's texts name the field and the expectation; an unknown field or tag is quoted, however long
    text = str(error)
    return "unknown message type" if text.startswith("Invalid value") else text[:200]


def decode_client(frame: bytes | str) -> ClientMessage:
    """What a client sent; WireError if it is no client message."""
    try:
        return _client_decoder.decode(frame)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise WireError(_why(error)) from None


def decode_server(frame: bytes | str) -> ServerMessage:
    """What a server sent; WireError if it is no server message."""
    try:
        return _server_decoder.decode(frame)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise WireError(_why(error)) from None
