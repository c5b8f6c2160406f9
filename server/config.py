"""The landlord's settings: a frozen struct, each with a default, and a TOML file that may change them.

Sizes are bytes, times are seconds. In the file each setting is one ``name = value``, names as below; those of
the SFU stand in a table of their own, after the line ``[media]``.
"""

from __future__ import annotations

import ipaddress
import tomllib
from pathlib import Path
from typing import Annotated

import msgspec

from server.media.limits import MediaLimits
from server.media.turn import TurnServer
from server.wire import limits

Count = Annotated[int, msgspec.Meta(ge=1, le=10_000_000)]
CountOrOff = Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]
Size = Annotated[int, msgspec.Meta(ge=1024, le=2**34)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86400)]
Rate = Annotated[float, msgspec.Meta(gt=0, le=1e12)]
#: Media workers at most.
WORKERS_MAX = 64
Workers = Annotated[int, msgspec.Meta(ge=1, le=WORKERS_MAX)]
Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]


class ConfigError(ValueError):
    """The settings can't be used; the text is one sentence that says which and why."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that an operator can set.

    Where to listen
        listen: ``HOST:PORT`` (``[HOST]:PORT`` for IPv6) of HTTP and WebSocket; port 0 takes a free one.
        origin: what clients sign at the door; default ``http://HOST:PORT`` of `listen`. Set it when a
            proxy or a wildcard address stands between.
        allowed_origins: further values of a browser's ``Origin`` header that may connect; pages from the
            participant's own machine (``http://127.0.0.1:PORT``) always may.
        page: whether the meeting page is served.
        window: where the landlord's window listens, a loopback address; default none: there is no window.
        media_address, media_port: the UDP address told to clients; default the host of `listen`, any port.
        media_also: further addresses of this machine told to clients, IPv6 for example; with the same port.
        media_bind: the address to bind for media, where it differs from `media_address`. With addresses of
            both families told, that of the other one is bound too.
        media_tcp: whether that port takes ICE over TCP too, for networks that let no UDP through.
        turn: relays told to browsers, each a table of `urls` and of `secret` or `secret_file`, what coturn's
            ``static-auth-secret`` has.
        turn_time: that the credentials made for them last.
        metrics: where ``/metrics`` is served, a loopback address; default none: there is no such listener.

    How many processes
        workers: media workers, each with a UDP port of its own from `media_port` upwards; 1: media is in the
            one process, and there are none.

    How many
        max_connections: WebSockets at a time.
        max_connections_per_address: of these, from one address; 0 is no limit. Never kept for longer.
        max_rooms, max_lobbies: at a time.
        max_members: connections in one room.
        lobby_members: connections in one lobby.

    How much, one connection
        frame_bytes: the largest WebSocket frame.
        messages_per_second, message_burst: token bucket; who exceeds it is closed.
        bytes_per_second, byte_burst: the same for the bytes of frames.
        catch_ups_per_second, catch_up_burst: replays of the ring; beyond it they are refused.
        media_changes_per_second, media_change_burst: of one's own streams or transport; beyond it refused.
        lobby_blob_bytes: the largest blob in a lobby.
        lobby_posts_per_second, lobby_post_burst: posts of one connection; beyond it they are refused.
        queue_bytes, queue_messages: what may wait for one slow reader before it is dropped.
        queue_total_bytes: what may wait for all of them together; then those go for whom most is waiting.
        errors_max: refusals a minute before the connection is closed.

    How much, one room
        ring_relays, ring_bytes: relayed blobs held for catching up, by number and size.
        commit_bytes: committed blobs held for catching up (never more than 64 slots).

    How long
        handshake_time: from the TCP connection, and again from the challenge, to the next step.
        page_time: for loading the page, beyond the handshake time.
        idle_time: without a frame or pong; also the wait in a room that nobody opens.
        heartbeat: between pings; no pong within half of it closes the connection.
        room_linger: that an opened room outlives its last connection.
        stop_time: for telling everybody when the process stops.

    The SFU
        media: a table; its names, all with defaults, are those of `server.media.limits.MediaLimits`.
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
    """The settings of a TOML file; ConfigError says what is wrong with it."""
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
    """Settings of `table`, all of it known and within bounds; else ConfigError."""
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
    """The loopback address and port of ``HOST:PORT``; None for any other address, ConfigError for neither."""
    host, port = host_and_port(listen)
    address = "127.0.0.1" if host == "localhost" else host
    try:
        return (address, port) if ipaddress.ip_address(address).is_loopback else None
    except ValueError:
        return None


def check_ports(settings: Settings) -> None:
    """ConfigError if the workers' UDP ports go beyond the last one."""
    if settings.media_port and settings.media_port + settings.workers - 1 > 65535:
        raise ConfigError(
            f"{settings.workers} workers take as many UDP ports, and from {settings.media_port} on there are "
            f"{65536 - settings.media_port}"
        )


def host_and_port(listen: str) -> tuple[str, int]:
    """``HOST:PORT`` or ``[HOST]:PORT``, taken apart; ConfigError if it is neither."""
    host, colon, port = listen.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ConfigError(f"{listen!r}: an IPv6 address goes in brackets, like [::1]:8080")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ConfigError(f"{listen!r} is not HOST:PORT")
    return host, int(port)


def url(host: str, port: int) -> str:
    """``http://HOST:PORT``."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_wildcard(host: str) -> bool:
    """Whether `host` is an address that binds everywhere, and so can be told to nobody."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
