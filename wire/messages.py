"""The messages of the WebSocket protocol, as msgspec structs (docs/reference/protocol.md section 3).

Every frame is a text frame with one JSON object in UTF-8. The field `type` selects the struct. Byte
strings are base64 (RFC 4648 section 4, padded). The decoders refuse unknown fields, unknown types and
wrong types. No message carries a name, and a blob is opaque to the server.

The order of messages on one connection::

    server  challenge                       always the first frame
    client  lobby_door | room_door          signs the challenge (docs/reference/protocol.md, "The door")
    server  entered, permit | moved_to      moved_to: at another node of the same origin

    lobby:  post ->  posted (to the others)
    room:   show, open, commit, catch_up, relay, broadcast, media, subscribe  ->  their answers below
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from snugroom.wire import limits
from snugroom.wire.fields import Bytes8, Bytes16, Bytes32, Bytes64
from snugroom.wire.permission import (
    AllEvaluated,
    Blinded,
    PermissionPolicy,
    Permit40,
    TokenSpent,
    VoucherBytes,
)
from snugroom.wire.turn import Turn

Blob = Annotated[bytes, msgspec.Meta(min_length=limits.BUCKETS[0], max_length=limits.ROOM_BLOB_MAX)]
Receivers = Annotated[list[Bytes8], msgspec.Meta(min_length=1, max_length=limits.LOBBY_RECEIVERS_MAX)]
Slot = Annotated[int, msgspec.Meta(ge=0, le=limits.SLOT_MAX)]
Ssrc = Annotated[int, msgspec.Meta(ge=1, le=0xFFFFFFFF)]
IceText = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9+/]{4,64}\Z")]
#: Index of a simulcast layer; 0 is the smallest layer.
Layer = Annotated[int, msgspec.Meta(ge=0, le=limits.LAYERS_MAX - 1)]
MediaKind = Literal["audio", "video"]


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type"):
    """Base class of all messages."""


class Challenge(Message, frozen=True, tag="challenge"):
    """Server, first frame: the values that the client signs to open a door.

    `server_key` is the server's Ed25519 public key, made at its start; its secret half signs receipts.
    `origin` comes from the settings, never from a Host header. `permission`: None if anyone may open a room.
    """

    version: int
    origin: str
    nonce: Bytes32
    server_key: Bytes32
    permission: PermissionPolicy | None = None


class LobbyDoor(Message, frozen=True, tag="lobby_door"):
    """Client: enter a lobby. `lobby_key` is the lobby's number.

    `signature` is made with the secret half of `lobby_key` over
    ``"snug 1 door" | len16(origin) | origin | lobby_key | server nonce | client nonce``.
    """

    lobby_key: Bytes32
    nonce: Bytes32
    signature: Bytes64


class RoomDoor(Message, frozen=True, tag="room_door"):
    """Client: enter a room. The room's number is ``H("snug 1 room" | door_key | room_admin_key)[:16]``.

    `signature` is made with the door key over
    ``"snug 1 door" | len16(origin) | origin | number | server nonce | client nonce``.

    The last four are for a room that the server does not hold. `probe`: `permit` is that of this other room,
    and the new one is for this client alone (section 3, Opening a room).
    """

    door_key: Bytes32
    room_admin_key: Bytes32
    nonce: Bytes32
    signature: Bytes64
    password: Bytes32 | None = None
    token: TokenSpent | None = None
    permit: Permit40 | None = None
    probe: Bytes16 | None = None


class Exchange(Message, frozen=True, tag="exchange"):
    """Client, instead of a door: exchange a voucher for tokens. `blinded` are RFC 9497 blinded elements."""

    voucher: VoucherBytes
    blinded: Blinded


class Exchanged(Message, frozen=True, tag="exchanged"):
    """Server: the evaluated elements in the order of `blinded`, each with its proof."""

    evaluated: AllEvaluated


class Permit(Message, frozen=True, tag="permit"):
    """Server, after `entered` and `rekeyed`: reopens this room, under its current number, if it is lost.

    It is sent only where not anyone may open a room.
    """

    permit: Permit40


class Entered(Message, frozen=True, tag="entered"):
    """Server: the connection is inside. `handle` is random and valid for this connection only.

    `slot` and `chain` are None in a lobby and in a room that nobody has opened. Another `incarnation` means a
    new process without the old state. `handles` are the other connections. `node` numbers one of several.
    """

    handle: Bytes8
    incarnation: Bytes8
    slot: Slot | None = None
    chain: Bytes32 | None = None
    handles: list[Bytes8] = []
    node: Annotated[int, msgspec.Meta(ge=1, le=limits.NODES_MAX)] | None = None


class Refused(Message, frozen=True, tag="refused"):
    """Server: one error. The connection stays open unless `fatal` is set.

    `about` is the type of the refused message, or empty if no message was refused or its type is unknown.
    """

    code: str
    text: str
    about: str = ""
    fatal: bool = False


class MovedTo(Message, frozen=True, tag="moved_to"):
    """Server, in place of `entered`: the node ``/n/1`` to ``/n/64`` of this origin has the room or lobby."""

    path: Annotated[str, msgspec.Meta(max_length=limits.NODE_PATH_MAX)]


class Closing(Message, frozen=True, tag="closing"):
    """Server: it closes this connection, or its process stops. `text` gives the reason."""

    code: str
    text: str


class Ping(Message, frozen=True, tag="ping"):
    """Client, inside: the server answers at once. Pages cannot send the pings of WebSocket itself."""


class Pong(Message, frozen=True, tag="pong"):
    """Server: the answer to `ping`."""


class Post(Message, frozen=True, tag="post"):
    """Client: a blob for the connections `to` that are in the lobby, or (None) for all others there."""

    to: Receivers | None
    blob: Blob


class Posted(Message, frozen=True, tag="posted"):
    """Server: a blob that another connection in the lobby, `handle`, has posted."""

    handle: Bytes8
    blob: Blob


# -- room: slots and gates -------------------------------------------------------------------


class Show(Message, frozen=True, tag="show"):
    """Client: passes of the last slots, to prove that this connection belongs to a member.

    A client shows its newest pass. If no gate fits that, it shows all that it has.
    """

    room_passes: Annotated[list[Bytes32], msgspec.Meta(min_length=1, max_length=limits.SHOW_MAX)]


class Shown(Message, frozen=True, tag="shown"):
    """Server: a pass that the client has shown fits a gate.

    `slot` is the current slot if that gate is open (G3); otherwise it is the slot of the gate.
    """

    slot: Slot


class Ready(Message, frozen=True, tag="ready"):
    """Server: all connections that had shown the pass of the slot before have shown that of `slot`.

    A hint, with which members may use the keys of `slot` sooner (section 10).
    """

    slot: Slot


class Open(Message, frozen=True, tag="open"):
    """Client (G1, G5): open the room, or reopen it after the server's restart.

    `signature` is made with the room admin key over `wire.signed.Opening`. Any member may pass on one that it
    has. None: a member opens a room that nobody else opens.
    """

    slot: Slot
    gate: Bytes32
    chain: Bytes32
    signature: Bytes64 | None = None


class Opened(Message, frozen=True, tag="opened"):
    """Server, to all connections in the room: the room is open at `slot`.

    When a slot is taken, it also goes to the connections that may not have the blob: they then show their
    pass. `opening_id` is random, and another whenever the room is opened. `signature` is made with the server
    key over `wire.signed.RoomOpened`.
    """

    slot: Slot
    chain: Bytes32
    opening_id: Bytes8
    signature: Bytes64


class Commit(Message, frozen=True, tag="commit"):
    """Client (G2): take slot `slot`, the slot after the current one.

    `blob` contains the slot's gate, H(pass of `slot`). `opening` is a host's: the room admin's signature, as
    in `Open`, over this slot, its gate and the chain after it. It closes the gates of all earlier slots (G3).
    """

    slot: Slot
    blob: Blob
    opening: Bytes64 | None = None


class Committed(Message, frozen=True, tag="committed"):
    """Server, to all connections that may receive, the committer included: `blob` has taken slot `slot`.

    `chain` = ``H(before | slot (8 bytes) | H(blob))``. `signature` is made with the server key over
    `wire.signed.SlotTaken`. `opening_id` is that of the last `opened`, `opening` that of the `commit`.
    """

    slot: Slot
    blob: Blob
    chain: Bytes32
    before: Bytes32
    opening_id: Bytes8
    signature: Bytes64
    opening: Bytes64 | None = None


class Stale(Message, frozen=True, tag="stale"):
    """Server: the client's message named slot `asked`, which does not fit the current slot `slot`."""

    asked: Slot
    slot: Slot


class Rekey(Message, frozen=True, tag="rekey"):
    """Client, the room admin only (G8): hand the room to another room admin key, which renames the room.

    `signature` is made with the present room admin key over `wire.signed.Rekey`. The server keeps no
    `door_key`, so it is said again.
    """

    door_key: Bytes32
    room_admin_key: Bytes32
    signature: Bytes64


class Rekeyed(Message, frozen=True, tag="rekeyed"):
    """Server: the room's admin key is `room_admin_key`.

    It goes to all connections in the room when the key has changed, and to a connection that enters by an
    earlier number.
    """

    room_admin_key: Bytes32


class CatchUp(Message, frozen=True, tag="catch_up"):
    """Client (G4): send all held commits after slot `slot`, and all held relays after number `relay`."""

    slot: Slot
    relay: Slot


class CaughtUp(Message, frozen=True, tag="caught_up"):
    """Server, after the blobs that it holds. `missing` relays are no longer held."""

    slot: Slot
    relay: Slot
    missing: int


class Relay(Message, frozen=True, tag="relay"):
    """Client: a blob for all connections in the room that may receive.

    It needs the pass of the current slot, or of the previous slot within its grace (G3).
    """

    blob: Blob


class Relayed(Message, frozen=True, tag="relayed"):
    """Server, to all connections that may receive, the sender included: blob number `relay`.

    Numbers start at 1, and start again when the server restarts or has forgotten the room.
    """

    relay: Slot
    blob: Blob


class Broadcast(Message, frozen=True, tag="broadcast"):
    """Client: a blob for all other connections that may receive now. Catching up does not deliver it."""

    blob: Blob
    ssrc: Ssrc | None = None  # only for those that receive this stream (section 10, Media signatures)


class Broadcasted(Message, frozen=True, tag="broadcasted"):
    """Server, to all other connections that may receive: a blob that is neither numbered nor held."""

    blob: Blob


class Arrived(Message, frozen=True, tag="arrived"):
    """Server: another connection has entered the room."""

    handle: Bytes8


class Left(Message, frozen=True, tag="left"):
    """Server: a connection has left the room."""

    handle: Bytes8


# -- room: media -----------------------------------------------------------------------------


class Stream(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One RTP stream. Members announce its owner to each other in sealed messages.

    `ssrc` is the smallest simulcast layer; `layers` are the SSRCs of the larger layers, in order of size. A
    receiver gets one layer at a time, under `ssrc`. `rtx` are the SSRCs of retransmissions (RFC 4588): none,
    or one for `ssrc` and one for each of `layers`.
    """

    ssrc: Ssrc
    kind: MediaKind
    layers: Annotated[list[Ssrc], msgspec.Meta(max_length=limits.LAYERS_MAX - 1)] = []
    rtx: Annotated[list[Ssrc], msgspec.Meta(max_length=limits.LAYERS_MAX)] = []


class Media(Message, frozen=True, tag="media"):
    """Client: its transport parameters and the streams that it sends. With no streams it only receives.

    A later `media` with other streams changes them; another `ufrag` restarts ICE. `fingerprint` is the
    SHA-256 of the DTLS certificate (RFC 8122). `feedback`: video to this client may carry transport-wide
    sequence numbers, and the client reports on them. `rtx`: the server may retransmit to this client as RTX,
    under the SSRC in the list of streams.
    """

    ufrag: IceText
    password: IceText
    fingerprint: Bytes32
    streams: Annotated[list[Stream], msgspec.Meta(max_length=limits.STREAMS_MAX)]
    feedback: bool = False
    rtx: bool = False


class Transport(Message, frozen=True, tag="transport"):
    """Server: its transport parameters for this connection. The server is ICE-lite and the DTLS server.

    The protocol fixes payload types and header extensions (docs/reference/protocol.md section 10). `others`
    are further addresses of the same server, with the same port. `tcp`: the server also accepts ICE over TCP
    (RFC 6544) on that port, at all of these addresses.
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
    """A stream and the connection that sends it.

    `layers` is the number of larger simulcast layers. `rtx` is the SSRC of its retransmissions, or None.
    """

    handle: Bytes8
    ssrc: Ssrc
    kind: MediaKind
    layers: Layer = 0
    rtx: Ssrc | None = None


class Streams(Message, frozen=True, tag="streams"):
    """Server, whenever the list changes: all streams of the other connections."""

    streams: list[HandleStream]


class Subscribe(Message, frozen=True, tag="subscribe"):
    """Client: the streams that the server is to forward. None means all streams, which is the initial state.

    `max_layers` is empty or has one entry for each of `ssrcs`: the largest useful layer (0 is the smallest),
    chosen by the size of the tile. If it is empty, the server sends the largest layer that the network
    carries.
    """

    ssrcs: Annotated[list[Ssrc], msgspec.Meta(max_length=limits.SUBSCRIBE_MAX)] | None
    max_layers: Annotated[list[Layer], msgspec.Meta(max_length=limits.SUBSCRIBE_MAX)] = []


#: What a room takes once it is open, but for another opening and another key.
RoomMessage = Show | Commit | CatchUp | Relay | Broadcast | Media | Subscribe
ClientMessage = LobbyDoor | RoomDoor | Exchange | Ping | Post | Open | Rekey | RoomMessage
ServerMessage = (
    Challenge
    | Exchanged
    | Entered
    | Permit
    | Refused
    | MovedTo
    | Closing
    | Pong
    | Posted
    | Shown
    | Ready
    | Opened
    | Committed
    | Stale
    | Rekeyed
    | CaughtUp
    | Relayed
    | Broadcasted
    | Arrived
    | Left
    | Transport
    | Streams
)

_encoder = msgspec.json.Encoder()
_client_decoder: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)
_server_decoder: msgspec.json.Decoder[ServerMessage] = msgspec.json.Decoder(ServerMessage)


class WireError(ValueError):
    """A frame is not a message of this protocol. The text (at most 200 characters) gives the reason."""


def encode(message: Message) -> bytes:
    """Encode a message as one JSON object in UTF-8."""
    return _encoder.encode(message)


def _why(error: msgspec.DecodeError | UnicodeError | RecursionError) -> str:
    if isinstance(error, UnicodeError):
        return "not UTF-8"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    # msgspec's text names the field and the expected type; it quotes an unknown field or tag of any length
    text = str(error)
    return "unknown message type" if text.startswith("Invalid value") else text[:200]


def decode_client(frame: bytes | str) -> ClientMessage:
    """Decode a client's frame. Raises WireError if it is not a client message."""
    try:
        return _client_decoder.decode(frame)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise WireError(_why(error)) from None


def decode_server(frame: bytes | str) -> ServerMessage:
    """Decode a server's frame. Raises WireError if it is not a server message."""
    try:
        return _server_decoder.decode(frame)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise WireError(_why(error)) from None
