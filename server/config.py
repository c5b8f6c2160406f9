"""The operator's settings: a frozen struct with a default for each setting, and a TOML file to change them.

Sizes are in bytes, times in seconds. The file has one line ``name = value`` for each setting, with the names
of `Settings`. The settings of the SFU are in a table of their own, after the line ``[media]``.
"""

from __future__ import annotations

import ipaddress
import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from snugroom.server.nodes.settings import NodeSettings
from snugroom.server.sfu.limits import MediaLimits
from snugroom.server.tls import SELF_SIGNED
from snugroom.server.turn import TurnServer
from snugroom.wire import limits

Count = Annotated[int, msgspec.Meta(ge=1, le=10_000_000)]
Size = Annotated[int, msgspec.Meta(ge=1024, le=2**34)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86400)]
Rate = Annotated[float, msgspec.Meta(gt=0, le=1e12)]
#: Maximum number of media workers.
WORKERS_MAX = 64
Workers = Annotated[int, msgspec.Meta(ge=1, le=WORKERS_MAX)]
Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
#: As clients write it: scheme, host, and port unless it is the scheme's; nothing that ends a header's part.
Origin = Annotated[str, msgspec.Meta(pattern=r"^https?://[a-z0-9._:\[\]-]+$", max_length=255)]
#: Maximum number of further servers in a meeting's list.
PEERS_MAX = 8


class ConfigError(ValueError):
    """The settings are not valid. The text is one sentence that names the setting and the reason."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All settings of the server. `tests.docs.generate` makes a table of this text.

    Where
        listen: ``HOST:PORT``, or ``[HOST]:PORT`` for IPv6, of HTTP and WebSocket; port 0 takes a free one.
        origin: the origin that clients sign at the door; without it ``http://HOST:PORT`` of `listen` (https
            with `tls`). A server behind a proxy needs it. So does one on a wildcard address, unless it has a
            certificate of its own: it then chooses an address of this machine, network cards first.
        allowed_origins: further accepted values of a browser's Origin header. Pages from the participant's
            own machine may always connect.
        peers: origins of further servers, where meetings can continue that began here. This server's page
            may connect to them and suggests them; pages of theirs may connect here.
        tls: the PEM files of a certificate chain and of its key, for a server without a proxy in front; or
            ``["self-signed"]``, for a certificate of its own, new at each start; or ``["self-signed",
            "FILE"]``, for one that is kept in that file; empty: no TLS. SIGHUP reads the files again.
        page: whether the server serves the meeting page.
        open: who may open a room: ``anyone``, who knows the ``password``, or who has a token
            (``tokens``). Whoever joins a room needs neither.
        open_password_file: with ``password``: a file with it in one line, of 12 characters at least.
        tokens_key_file: with ``tokens``: the file that ``snug-server tokens --new-key FILE`` writes. With
            ``password``, members can also reopen their rooms by it after a restart of the server.
        window: loopback address of the landlord's window, ``HOST:PORT``; none: there is no window.
        metrics: loopback address of ``/metrics``, ``HOST:PORT``; none: there are no metrics.
        workers: processes for media, each with a separate UDP port.
        media_address: media address sent to clients; without it the host of `listen`, or on a wildcard
            address the one that is chosen for `origin`.
        media_port: UDP port of media, and TCP port with `media_tcp`; 0 takes a free one. With workers it is
            the first worker's, and the next ports are the others'.
        media_bind: address to bind for media, if it isn't the host of `listen`.
        media_also: further addresses of this machine sent to clients, IPv6 for example; the same port.
        media_beside_loopback: whether a server on loopback, without `origin`, another `media_` address or a
            proxy, has media at one more address of this machine. Firefox reaches no loopback address. Only
            programs of this machine reach it: the kernel drops what comes from a network.
        media_tcp: whether the media port accepts ICE over TCP too, for networks that block UDP.
        turn: TURN servers sent to browsers: tables of `urls`, and of `secret` or `secret_file` with coturn's
            ``static-auth-secret``.
        turn_time: lifetime of the TURN credentials, at least; at most twice that. A browser gets new ones
            whenever its network changes, and a relayed connection outlives them.

    How many
        max_connections: WebSockets, and as many other connections; the process raises its file limit to
            match, as far as it may, and says so if that is not far enough.
        max_rooms: rooms.
        max_lobbies: lobbies.
        max_members: connections in one room.
        lobby_members: connections in one lobby.

    How many, one client
        trusted_proxies: addresses and networks of reverse proxies, which say in a header whom they speak for.
            A client is an IPv4 address, or an IPv6 network of 64 bits; one of 48 bits has four times a
            client's limits. The server knows clients by a keyed hash, and forgets a client within a minute
            after its last connection. Clients that look alike (loopback peers without `trusted_proxies`, and
            connections without the header) have no limits of a client.
        client_header: the header; the other one is ignored, as are both from addresses that aren't trusted.
        proxy_protocol: whether each connection begins with a PROXY header, version 1 or 2, of a trusted proxy
            (without `trusted_proxies`: of a program on this machine); others are closed.
        connections_per_client: WebSockets, and twice as many other connections.
        arrivals_per_second: TCP connections, or handshakes through a trusted proxy; beyond it they get 429.
        arrival_burst: the same at once.
        rooms_per_client: rooms; a room counts for the client that has been in it for longest.
        lobbies_per_client: lobbies.
        openings_per_second: rooms and lobbies opened; beyond it the server refuses them.
        opening_burst: the same at once.

    How much, one connection
        frame_bytes: the largest WebSocket frame; beyond it the server closes the connection.
        messages_per_second: beyond it the server closes the connection.
        message_burst: the same at once.
        bytes_per_second: bytes of frames; beyond it the server closes the connection.
        byte_burst: the same at once.
        catch_ups_per_second: the server refuses further ones.
        catch_up_burst: the same at once.
        media_changes_per_second: changes of streams or transport; the server refuses further ones.
        media_change_burst: the same at once.
        lobby_blob_bytes: the largest blob in a lobby; the server refuses larger ones.
        lobby_posts_per_second: receivers of posts, where a post to all has one; the server refuses further
            ones; clients stay below the default.
        lobby_post_burst: the same at once.
        lobby_broadcasts_per_second: posts to all in a lobby; the server refuses further ones.
        lobby_broadcast_burst: the same at once.
        queue_bytes: bytes queued for one slow reader before the server drops it.
        queue_messages: messages queued for one slow reader before the server drops it.
        errors_max: refusals in a minute before the server closes the connection.

    How much, all together
        open_guesses_per_second: wrong passwords for opening rooms; beyond it the server refuses all of them.
        open_guess_burst: the same at once.

    How much, one room
        ring_relays: relayed blobs held for catching up.
        ring_bytes: total size of these blobs.
        commit_bytes: size of the commits held, never more than 64 slots.
        slots_per_second: slots that members other than hosts take; further commits wait.
        slot_burst: the same at once.
        room_deliveries_per_second: messages sent to the room's connections; beyond it the room's own messages
            wait. A connection is refused if they wait for 10 s, and it caused the most.
        room_delivery_burst: the same at once.
        room_egress_per_second: bytes of these messages.
        room_egress_burst: the same at once.

    How much, together
        memory_bytes: blobs, queues and connections in memory, without media: beyond it readers of the page
            are cut, then the largest rooms lose old relayed blobs, then slow readers, and are closed in the
            end; new connections are refused. Unread answers of HTTP are at most a quarter of it, and of one
            client a 16th.
        egress_per_second: bytes of all messages sent; beyond it rooms take turns.
        egress_burst: the same at once.
        handshakes_per_second: WebSockets opened; the others wait, those of clients with few before those of
            clients with many.
        handshake_burst: the same at once.

    How long
        handshake_time: from the TCP connection to the WebSocket, and from the challenge to the door.
        page_time: in which a reader of the page has to take 64 KiB of it.
        idle_time: without a frame or pong; also in a room that nobody opens.
        heartbeat: between pings; the server closes a connection without a pong within half of this time.
        room_linger: that an opened room outlives its last connection.
        forget_time: from the end of a connection until nothing of its client is left in memory; a moment more
            if the server is busy.
        drain_time: for meetings to end by themselves when the server stops: it opens no new rooms meanwhile.
            systemd's ``TimeoutStopSec`` has to be longer.
        stop_time: for the last messages when the server stops, after `drain_time`.

    The SFU
        media: limits and timeouts of one SFU, in a separate table after a line ``[media]``.

    Several machines
        nodes: this server is one of several with the same origin, in a separate table after a line
            ``[nodes]``; without that table it is the only one.
    """

    listen: str = "127.0.0.1:8080"
    origin: str | None = None
    allowed_origins: list[str] = []
    peers: Annotated[list[Origin], msgspec.Meta(max_length=PEERS_MAX)] = []
    tls: Annotated[list[str], msgspec.Meta(max_length=2)] = []
    page: bool = True
    open: Literal["anyone", "password", "tokens"] = "anyone"
    open_password_file: str | None = None
    tokens_key_file: str | None = None
    window: str | None = None
    media_address: str | None = None
    media_port: Port = 0
    media_bind: str | None = None
    media_also: Annotated[list[str], msgspec.Meta(max_length=limits.ADDRESSES_MAX)] = []
    media_beside_loopback: bool = True
    media_tcp: bool = True
    turn: Annotated[list[TurnServer], msgspec.Meta(max_length=limits.TURN_MAX)] = []
    turn_time: Seconds = 3600.0
    metrics: str | None = None

    workers: Workers = 1

    max_connections: Count = 4096
    max_rooms: Count = 1024
    max_lobbies: Count = 1024
    max_members: Count = 100
    lobby_members: Count = 320

    trusted_proxies: list[str] = []
    client_header: Literal["X-Forwarded-For", "Forwarded"] = "X-Forwarded-For"
    proxy_protocol: bool = False
    connections_per_client: Count = 256
    arrivals_per_second: Rate = 20.0
    arrival_burst: Rate = 512.0
    rooms_per_client: Count = 64
    lobbies_per_client: Count = 64
    openings_per_second: Rate = 0.5
    opening_burst: Rate = 32.0

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
    lobby_posts_per_second: Rate = 50.0
    lobby_post_burst: Rate = 200.0
    lobby_broadcasts_per_second: Rate = 4.0
    lobby_broadcast_burst: Rate = 40.0
    queue_bytes: Size = 33_554_432
    queue_messages: Count = 8192
    errors_max: Count = 8
    open_guesses_per_second: Rate = 10.0
    open_guess_burst: Rate = 100.0

    ring_relays: Count = 1024
    ring_bytes: Size = 4_194_304
    commit_bytes: Size = 8_388_608
    slots_per_second: Rate = 0.5
    slot_burst: Rate = 24.0
    room_deliveries_per_second: Rate = 12_500.0
    room_delivery_burst: Rate = 20_000.0
    room_egress_per_second: Rate = 20_971_520.0
    room_egress_burst: Rate = 67_108_864.0

    memory_bytes: Size = 536_870_912
    egress_per_second: Rate = 67_108_864.0
    egress_burst: Rate = 268_435_456.0
    handshakes_per_second: Rate = 200.0
    handshake_burst: Rate = 20.0

    handshake_time: Seconds = 5.0
    page_time: Seconds = 30.0
    idle_time: Seconds = 60.0
    heartbeat: Seconds = 20.0
    room_linger: Annotated[float, msgspec.Meta(ge=0, le=86400)] = 30.0
    forget_time: Annotated[float, msgspec.Meta(gt=0, le=50)] = 30.0
    drain_time: Annotated[float, msgspec.Meta(ge=0, le=86400)] = 0.0
    stop_time: Annotated[float, msgspec.Meta(gt=0, le=10)] = 1.5

    media: MediaLimits = MediaLimits()
    nodes: NodeSettings | None = None


def load(path: Path) -> Settings:
    """Return the settings of a TOML file. Raises ConfigError if the file is not readable or not valid."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"the settings file can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError("the settings file is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the settings file is not valid TOML: {error}") from None
    return checked(table)


def checked(table: dict[str, object]) -> Settings:
    """Return the settings of `table`. Raises ConfigError for an unknown name or a value out of bounds."""
    for prefix, names, known in (
        ("", table, Settings.__struct_fields__),
        ("media.", table.get("media"), MediaLimits.__struct_fields__),
        ("nodes.", table.get("nodes"), NodeSettings.__struct_fields__),
    ):
        for name in names if isinstance(names, dict) else {}:
            if name not in known:
                raise ConfigError(f"there is no setting {prefix + name!r}")
    try:
        settings = msgspec.convert(table, Settings)
    except msgspec.ValidationError as error:
        raise ConfigError(f"a setting is not valid: {error}") from None
    host_and_port(settings.listen)
    check_tls(settings.tls)
    if settings.tls and settings.proxy_protocol:
        raise ConfigError("proxy_protocol stands in front of HTTP, and tls does too: let one of them be")
    for proxy in settings.trusted_proxies:
        try:
            ipaddress.ip_network(proxy)
        except ValueError as error:
            raise ConfigError(f"trusted_proxies: {error}") from None
    for policy, name in (("password", "open_password_file"), ("tokens", "tokens_key_file")):
        if settings.open == policy and getattr(settings, name) is None:
            raise ConfigError(f'open = "{policy}" needs {name}')
    fault = None if settings.nodes is None else settings.nodes.fault()
    if fault is not None:
        raise ConfigError(fault)
    for number, relay in enumerate(settings.turn):
        if (relay.secret is None) == (relay.secret_file is None):
            raise ConfigError(f"turn[{number}] needs either secret or secret_file, and not both")
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
            f"{settings.workers} workers need as many UDP ports: from media_port {settings.media_port} on "
            f"there are {65536 - settings.media_port}"
        )


def check_tls(tls: list[str]) -> None:
    """Raise ConfigError if the setting `tls` has none of its four forms."""
    if len(tls) > 2 or (len(tls) == 1 and tls != [SELF_SIGNED]):
        raise ConfigError(
            f'tls needs two files, a certificate and its key; or "{SELF_SIGNED}", alone or with one file'
        )


def host_and_port(listen: str) -> tuple[str, int]:
    """Split ``HOST:PORT`` or ``[HOST]:PORT``. Raises ConfigError if `listen` has neither form."""
    host, colon, port = listen.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ConfigError(f"{listen!r}: an IPv6 address goes in brackets, like [::1]:8080")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ConfigError(f"{listen!r} is not HOST:PORT, like 127.0.0.1:8080")
    return host, int(port)


def url(host: str, port: int, *, tls: bool = False) -> str:
    """Return ``http://HOST:PORT``, or https with `tls`, with an IPv6 address in brackets."""
    scheme, shown = "https" if tls else "http", f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}" if tls and port == 443 else f"{scheme}://{shown}:{port}"


def is_wildcard(host: str) -> bool:
    """Return whether `host` is a wildcard address, to which no client can connect."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
