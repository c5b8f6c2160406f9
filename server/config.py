"""The operator's settings: a frozen struct with a default for each setting, and a TOML file to change them.

Sizes are in bytes, times in seconds. The file has one line ``name = value`` for each setting, with the names
of `Settings`. The settings of the SFU are in a table of their own, after the line ``[media]``.
"""

from __future__ import annotations

import ipaddress
import tomllib
from pathlib import Path
from typing import Annotated

import msgspec

from snugroom.server.sfu.io.turn import TurnServer
from snugroom.server.sfu.limits import MediaLimits
from snugroom.server.wire import limits

Count = Annotated[int, msgspec.Meta(ge=1, le=10_000_000)]
CountOrOff = Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]
Size = Annotated[int, msgspec.Meta(ge=1024, le=2**34)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86400)]
Rate = Annotated[float, msgspec.Meta(gt=0, le=1e12)]
#: Maximum number of media workers.
WORKERS_MAX = 64
Workers = Annotated[int, msgspec.Meta(ge=1, le=WORKERS_MAX)]
Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]


class ConfigError(ValueError):
    """The settings are not valid. The text is one sentence that names the setting and the reason."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All settings of the server.

    Addresses
        listen: ``HOST:PORT`` (``[HOST]:PORT`` for IPv6) of HTTP and WebSocket; port 0 selects a free port.
        origin: the origin that clients sign at the door; default ``http://HOST:PORT`` of `listen`. Set it
            if the server is behind a proxy or listens on a wildcard address.
        allowed_origins: further values of a browser's ``Origin`` header that may connect. Pages from the
            participant's own machine (``http://127.0.0.1:PORT``) may always connect.
        page: whether the server serves the meeting page.
        window: loopback address of the landlord's window; default None: there is no window.
        media_address, media_port: the UDP address sent to clients; default the host of `listen`, any port.
        media_also: further addresses of this machine sent to clients, for example IPv6; with the same port.
        media_bind: the address to bind for media; default the host of `listen`. If clients get an address of
            the other family, the server binds that family too.
        media_tcp: whether the media port accepts ICE over TCP too, for networks that block UDP.
        turn: TURN servers sent to browsers. Each is a table of `urls`, and `secret` or `secret_file` with the
            value of coturn's ``static-auth-secret``.
        turn_time: lifetime of the TURN credentials.
        metrics: loopback address of ``/metrics``; default None: there is no such listener.

    Processes
        workers: number of media workers, each with its own UDP port from `media_port` upwards. With 1, the
            server's process does the media itself, and there are no workers.

    Counts
        max_connections: WebSockets at a time.
        max_connections_per_address: WebSockets from one address at a time; 0 is no limit. The server forgets
            an address with its last WebSocket.
        max_rooms, max_lobbies: rooms and lobbies at a time.
        max_members: connections in one room.
        lobby_members: connections in one lobby.

    Limits for one connection
        frame_bytes: the largest WebSocket frame.
        messages_per_second, message_burst: token bucket; the server closes a connection that exceeds it.
        bytes_per_second, byte_burst: the same for the bytes of frames.
        catch_ups_per_second, catch_up_burst: catch-ups; the server refuses further ones.
        media_changes_per_second, media_change_burst: changes of streams or transport; the server refuses
            further ones.
        lobby_blob_bytes: the largest blob in a lobby.
        lobby_posts_per_second, lobby_post_burst: posts in a lobby; the server refuses further ones.
        queue_bytes, queue_messages: frames queued for one slow reader before the server drops it.
        queue_total_bytes: bytes queued for all readers together. Above it the server drops the readers with
            the longest queues.
        errors_max: refusals a minute before the server closes the connection.

    Limits for one room
        ring_relays, ring_bytes: relayed blobs held for catching up, by number and by size.
        commit_bytes: committed blobs held for catching up (never more than 64 slots).

    Times
        handshake_time: from the TCP connection to the WebSocket, and from the challenge to the door.
        page_time: additional time for a connection that loads the page.
        idle_time: without a frame or pong. It also limits the wait in a room that nobody has opened.
        heartbeat: between pings; the server closes a connection without a pong within half of this time.
        room_linger: that an opened room outlives its last connection.
        stop_time: to send all connections the last message when the process stops.

    The SFU
        media: a table with the names of `server.sfu.limits.MediaLimits`, all with defaults.
    """

    listen: str = "127.0.0.1:8080"
    origin: str | None = None
    allowed_origins: list[str] = []
    page: bool = True
    window: str | None = None
    media_address: str | None = None
    media_port: Port = 0
    media_bind: str | None = None
    media_also: Annotated[list[str], msgspec.Meta(max_length=limits.ADDRESSES_MAX)] = []
    media_tcp: bool = True
    turn: Annotated[list[TurnServer], msgspec.Meta(max_length=limits.TURN_MAX)] = []
    turn_time: Seconds = 21_600.0
    metrics: str | None = None

    workers: Workers = 1

    max_connections: Count = 4096
    max_connections_per_address: CountOrOff = 0
    max_rooms: Count = 1024
    max_lobbies: Count = 1024
    max_members: Count = 100
    lobby_members: Count = 64

    frame_bytes: Size = limits.FRAME_MAX
    messages_per_second: Rate = 50.0
    message_burst: Rate = 200.0
    bytes_per_second: Rate = 1_048_576.0
    byte_burst: Rate = 8_388_608.0
    catch_ups_per_second: Rate = 1.0
    catch_up_burst: Rate = 10.0
    media_changes_per_second: Rate = 1.0
    media_change_burst: Rate = 20.0
    lobby_blob_bytes: Annotated[int, msgspec.Meta(ge=limits.BUCKETS[0], le=limits.LOBBY_BLOB_MAX)] = (
        limits.LOBBY_BLOB_MAX
    )
    lobby_posts_per_second: Rate = 10.0
    lobby_post_burst: Rate = 100.0
    queue_bytes: Size = 33_554_432
    queue_messages: Count = 8192
    queue_total_bytes: Size = 536_870_912
    errors_max: Count = 8

    ring_relays: Count = 1024
    ring_bytes: Size = 4_194_304
    commit_bytes: Size = 8_388_608

    handshake_time: Seconds = 5.0
    page_time: Seconds = 30.0
    idle_time: Seconds = 60.0
    heartbeat: Seconds = 20.0
    room_linger: Annotated[float, msgspec.Meta(ge=0, le=86400)] = 30.0
    stop_time: Annotated[float, msgspec.Meta(gt=0, le=10)] = 1.5

    media: MediaLimits = MediaLimits()


def load(path: Path) -> Settings:
    """Return the settings of a TOML file. Raises ConfigError if the file is not readable or not valid."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"the settings file can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError("the settings file is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the settings file is no TOML: {error}") from None
    return checked(table)


def checked(table: dict[str, object]) -> Settings:
    """Return the settings of `table`. Raises ConfigError for an unknown name or a value out of bounds."""
    media = table.get("media")
    for prefix, names, known in (
        ("", table, Settings.__struct_fields__),
        ("media.", media if isinstance(media, dict) else {}, MediaLimits.__struct_fields__),
    ):
        for name in names:
            if name not in known:
                raise ConfigError(f"there is no setting {prefix + name!r}")
    try:
        settings = msgspec.convert(table, Settings)
    except msgspec.ValidationError as error:
        raise ConfigError(f"a setting is wrong: {error}") from None
    host_and_port(settings.listen)
    for number, relay in enumerate(settings.turn):
        if (relay.secret is None) == (relay.secret_file is None):
            raise ConfigError(f"turn[{number}] wants one of secret and secret_file")
    return settings


def loopback(listen: str) -> tuple[str, int] | None:
    """Return address and port of ``HOST:PORT`` if it is a loopback address, else None.

    Raises ConfigError if `listen` is not ``HOST:PORT``.
    """
    host, port = host_and_port(listen)
    address = "127.0.0.1" if host == "localhost" else host
    try:
        return (address, port) if ipaddress.ip_address(address).is_loopback else None
    except ValueError:
        return None


def check_ports(settings: Settings) -> None:
    """Raise ConfigError if the workers' UDP ports exceed 65535."""
    if settings.media_port and settings.media_port + settings.workers - 1 > 65535:
        raise ConfigError(
            f"{settings.workers} workers take as many UDP ports, and from {settings.media_port} on there are "
            f"{65536 - settings.media_port}"
        )


def host_and_port(listen: str) -> tuple[str, int]:
    """Split ``HOST:PORT`` or ``[HOST]:PORT``. Raises ConfigError if `listen` has neither form."""
    host, colon, port = listen.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ConfigError(f"{listen!r}: an IPv6 address goes in brackets, like [::1]:8080")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ConfigError(f"{listen!r} is not HOST:PORT")
    return host, int(port)


def url(host: str, port: int) -> str:
    """Return ``http://HOST:PORT``, with an IPv6 address in brackets."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_wildcard(host: str) -> bool:
    """Return whether `host` is a wildcard address, to which no client can connect."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
