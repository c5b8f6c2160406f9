"""``/metrics``: totals for Prometheus (text format 0.0.4), never by room, handle, stream or address.

The listener is off by default. It has a loopback address of its own, and answers every request there. Totals
are of the whole server or of one worker. Each request reads the current numbers; the module stores none.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from aiohttp import hdrs, web

from snugroom.server import config, logs, process
from snugroom.server.app import Server
from snugroom.server.config import ConfigError
from snugroom.server.disclosure import view
from snugroom.server.loopback import Loopback
from snugroom.server.sfu.workers.pipe import Heartbeat
from snugroom.server.sfu.workers.pool import MediaView, Workers

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
#: Allowed values of labels: words from the code. The pattern excludes hex numbers and addresses.
_LABEL: Final = re.compile(r"[a-z][a-z_:,' -]{0,79}\Z")

#: SFU counts that have their own metric: (name, type, help). `_EVENTS` covers all other counts.
_MEDIA: Final[Mapping[str, tuple[str, str, str]]] = {
    "peers": ("snug_media_peers", "gauge", "Connections with media."),
    "peers_ready": ("snug_media_peers_ready", "gauge", "Connections with media whose transport is secured."),
    "received": ("snug_media_packets_received_total", "counter", "RTP packets taken for forwarding."),
    "forwarded": ("snug_media_packets_forwarded_total", "counter", "RTP packets sent to receivers."),
    "unsent": ("snug_media_packets_unsent_total", "counter", "RTP packets that the socket did not take."),
    "bytes_received": ("snug_media_received_bytes_total", "counter", "Bytes of RTP taken for forwarding."),
    "bytes_forwarded": ("snug_media_forwarded_bytes_total", "counter", "Bytes of RTP sent to receivers."),
    "lost": ("snug_media_packets_lost_total", "counter", "RTP packets of publishers that did not come."),
    "nacks": ("snug_media_nacks_total", "counter", "Requests of receivers to send packets again."),
    "asked": ("snug_media_packets_asked_total", "counter", "Packets that publishers were asked for again."),
    "resent": ("snug_media_packets_resent_total", "counter", "Packets sent again to receivers."),
    "key_frame_requests": (
        "snug_media_key_frame_requests_total",
        "counter",
        "Key frames asked of publishers.",
    ),
    "handshakes": ("snug_media_handshakes_total", "counter", "DTLS handshakes that were completed."),
    "handshakes_failed": ("snug_media_handshakes_failed_total", "counter", "DTLS handshakes that failed."),
    "errors": ("snug_media_errors_total", "counter", "Datagrams and timers that raised an error."),
}
_REFUSED: Final = ("snug_media_packets_refused_total", "counter", "RTP packets refused, by what is wrong.")
_EVENTS: Final = ("snug_media_events_total", "counter", "What else the SFU counts, by its name in the code.")
_REFUSED_PREFIX: Final = "refused: "

Labels = tuple[tuple[str, str], ...]


class Page:
    """A page of metrics: one block for each name, with its help, its type and all its values."""

    def __init__(self) -> None:
        self._families: dict[tuple[str, str, str], dict[Labels, float]] = {}

    def put(self, family: tuple[str, str, str], value: float, **labels: str) -> None:
        """Add `value` to the metric `family` (name, type, help) with these labels.

        A label that does not match `_LABEL` becomes "other". The label `worker` is not checked.
        """
        shown: Labels = tuple(
            (name, label if name == "worker" or _LABEL.match(label) else "other")
            for name, label in labels.items()
        )
        values = self._families.setdefault(family, {})
        values[shown] = values.get(shown, 0) + value

    def lines(self) -> Iterator[str]:
        """Yield the lines of the page, without line ends."""
        for (name, kind, text), values in self._families.items():
            yield f"# HELP {name} {text}"
            yield f"# TYPE {name} {kind}"
            for labels, value in values.items():
                inside = ",".join(f'{label}="{of}"' for label, of in labels)
                shown = repr(value) if isinstance(value, float) else str(value)
                yield f"{name}{{{inside}}} {shown}" if inside else f"{name} {shown}"


def _media(page: Page, totals: Mapping[str, int], worker: str) -> None:
    for count, value in totals.items():
        if count in _MEDIA:
            page.put(_MEDIA[count], value, worker=worker)
        elif count.startswith(_REFUSED_PREFIX):
            page.put(_REFUSED, value, worker=worker, reason=count.removeprefix(_REFUSED_PREFIX))
        elif count != "refused":  # "refused" is the sum of the counts by reason
            page.put(_EVENTS, value, worker=worker, event=count)
    for count in _MEDIA:
        if count not in totals and not count.startswith("bytes"):
            page.put(_MEDIA[count], 0, worker=worker)  # report events that have not happened yet as 0


def _machine(page: Page, heartbeats: Iterable[tuple[str, Heartbeat]]) -> None:
    for worker, heartbeat in heartbeats:
        page.put(
            ("snug_cpu_seconds_total", "counter", "CPU time, user and system."), heartbeat.cpu, worker=worker
        )
        page.put(("snug_resident_memory_bytes", "gauge", "Resident memory."), heartbeat.memory, worker=worker)


def _process(page: Page, server: Server) -> None:
    about = "Whether the server can serve new meetings (1), as /readyz."
    page.put(("snug_ready", "gauge", about), int(not server.unready()))
    about = "Log lines that nobody read in time, or that no disk took."
    page.put(("snug_log_lines_dropped_total", "counter", about), logs.dropped())
    about = "TCP connections that are no WebSockets now."
    page.put(("snug_http_connections", "gauge", about), server.greeting)
    about = "Bytes of answers that wait for readers of HTTP."
    page.put(("snug_http_unread_bytes", "gauge", about), server.signaling.admission.entrance.visits.unread)
    about = "Requests that were no valid HTTP."
    page.put(("snug_http_malformed_total", "counter", about), server.http_log.malformed)


def text(server: Server, media: MediaView) -> str:
    """Return the page's text. Without workers, the server's process has the label of worker 0.

    With workers, only the workers have numbers.
    """
    signaling, page = server.signaling, Page()
    hub = signaling.hub
    for name, value, about in (
        ("snug_uptime_seconds", round(server.clock() - server.started_at, 3), "Since the start."),
        ("snug_connections", signaling.connections, "WebSockets now."),
        ("snug_connections_at_the_door", hub.at_the_door(), "WebSockets that have opened no door yet."),
        ("snug_rooms", hub.room_count, "Rooms held."),
        ("snug_lobbies", len(hub.lobby_sizes()), "Lobbies held."),
        ("snug_memory_bytes", signaling.memory, "Bytes that count against the setting memory_bytes."),
        ("snug_messages_waiting", signaling.pump.turns.waiting, "WebSockets with a message that waits."),
        (
            "snug_handshakes_waiting",
            len(signaling.admission.handshakes),
            "WebSockets that wait to be opened.",
        ),
        (
            "snug_clients_unknown",
            signaling.admission.clients.unknown.connections,
            "WebSockets whose client no proxy has named: no quota applies to them.",
        ),
        ("snug_queued_bytes", signaling.queued_bytes(), "Bytes that wait for slow readers of WebSockets."),
    ):
        page.put((name, "gauge", about), value)
    _process(page, server)
    for code, count in sorted(signaling.refusals.items()):
        page.put(("snug_refusals_total", "counter", "Refusals, by their code."), count, code=code)
    for what, count in sorted(signaling.relieved.items()):
        page.put(
            ("snug_relieved_total", "counter", "What was given up for want of memory."), count, what=what
        )
    page.put(("snug_messages_sent_total", "counter", "Messages sent to WebSockets."), signaling.sent)
    page.put(("snug_messages_sent_bytes_total", "counter", "Bytes of these."), signaling.sent_bytes)
    page.put(
        ("snug_room_delays_total", "counter", "How often a room waited for its budget."),
        signaling.pump.turns.delayed,
    )
    own = Heartbeat({}, time.process_time(), process.resident_memory())
    workers = server.signaling.media
    if isinstance(workers, Workers):
        page.put(("snug_media_workers", "gauge", "Media workers there should be."), media.workers)
        page.put(("snug_media_workers_silent", "gauge", "Media workers that gave no answer."), media.silent)
        page.put(
            ("snug_media_workers_replaced_total", "counter", "Media workers that ended by themselves."),
            workers.replaced,
        )
        page.put(("snug_signaling_cpu_seconds_total", "counter", "CPU time of the first process."), own.cpu)
        page.put(
            ("snug_signaling_resident_memory_bytes", "gauge", "Resident memory of the first process."),
            own.memory,
        )
        heartbeats = [(str(number), heartbeat) for number, heartbeat in sorted(media.heartbeats.items())]
    else:
        heartbeats = [("0", Heartbeat(media.totals, own.cpu, own.memory))]
    for worker, heartbeat in heartbeats:
        _media(page, heartbeat.totals, worker)
    _machine(page, heartbeats)
    return "\n".join(page.lines()) + "\n"


def loopback_address(listen: str) -> tuple[str, int]:
    """Return the loopback address and port of ``HOST:PORT``. Raises ConfigError for any other address."""
    found = config.loopback(listen)
    if found is None:
        host, _ = config.host_and_port(listen)
        raise ConfigError(f"metrics are served on a loopback address, like 127.0.0.1, and not on {host}")
    return found


class Metrics(Loopback):
    """The HTTP listener for the metrics of one server. Stopping it twice is harmless."""

    def __init__(self, server: Server, listen: str) -> None:
        self._server = server
        super().__init__(*loopback_address(listen))

    async def start(self) -> str:
        """Listen, and return the URL of the page. Raises OSError if the port is taken."""
        app = web.Application(client_max_size=1024)
        app.add_routes([web.get("/metrics", self._answer)])
        return f"{await self._listen(app)}/metrics"

    async def _answer(self, request: web.Request) -> web.Response:
        # DNS rebinding: a page whose host name resolves to this address sends its own host name
        if request.headers.get(hdrs.HOST) not in self._hosts:
            raise web.HTTPForbidden(text="metrics are asked for by their own address\n")
        media = self._server.signaling.media
        held = await media.inspect() if isinstance(media, Workers) else view.local_media_view(self._server)
        headers: dict[str, Any] = {hdrs.CONTENT_TYPE: CONTENT_TYPE, hdrs.CACHE_CONTROL: "no-store"}
        return web.Response(body=text(self._server, held).encode(), headers=headers)
