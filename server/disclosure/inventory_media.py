"""The attributes of the SFU's objects: see `server.disclosure.inventory`."""

from __future__ import annotations

from typing import Final

from snugroom.server.disclosure.kinds import COUNT, LIMITS, MACHINERY, SETTINGS, every

ATTRIBUTES: Final[dict[str, dict[str, str]]] = {
    "snugroom.server.turn.TurnServer": every("urls secret secret_file", SETTINGS + " = setting"),
    "snugroom.server.rooms.relays.Relays": every("_servers _lifetime _wall", SETTINGS),
    "snugroom.server.sfu.limits.MediaLimits": {},
    "snugroom.server.sfu.sfu.Sfu": {
        **every("_advertised _bind _also _beside", SETTINGS + " = setting"),
        **every("_tcp port _limits", SETTINGS),
        **every(
            "_clock _now _lag _late _spent _busy _ticked _length _socket _reader _ticker _loop"
            " _next_sweep _next_heartbeat",
            MACHINERY,
        ),
        "_core": "sealed_media.packets",
        "_subscriptions": "rooms[].streams",
        "_egress": "datagram_buffers",
        "_transports": "?people[].media_addresses",
        "_links": "?people[].media_addresses = number handle",
        "_by_address": "?people[].media_addresses = address",
        **every("_arrived _siblings", "media"),
        "_counts": "media = label",
    },
    "snugroom.server.sfu.io.ticker.Ticker": {
        **every("_loop _interval _tick _came _resting", MACHINERY),
        "_timer": MACHINERY + " = http",
    },
    "snugroom.server.sfu.transports.Transports": {
        "_limits": SETTINGS,
        "_subscriptions": "rooms[].streams",
        "_egress": "datagram_buffers",
        "_counts": "media = label",
        "_rng": MACHINERY,
        "links": "?people[].media_addresses = number handle",
        "by_ufrag": "media = ice",
        "by_address": "?people[].media_addresses = address",
        **every("handshaking unproven", "media"),
        "certificate": "own_keys",
        "_context": "own_keys = tls",
    },
    "snugroom.server.sfu.siblings.Siblings": {
        **every("_core _egress links", "media"),
        "_counts": "media = label",
        **every("_forward _clock _reading _now lag", MACHINERY),
        "_patience": SETTINGS,
        "_bridges": "rooms[].streams",
        "_members": "?rooms[].handles = number handle",
        "_buffer": "datagram_buffers = packet",
    },
    "snugroom.server.sfu.link.Bridge": {
        **every("number link", "media_workers"),
        **every("outbound address", MACHINERY),
    },
    "snugroom.server.sfu.link.RemoteMember": {
        "key": "?rooms[].handles = number handle",
        "place": "media_workers",
        **every("outbound address", MACHINERY),
    },
    "snugroom.server.sfu.io.worker_link.WorkerLink": {
        **every("_sound _video", "datagram_buffers"),
        **every("_now lag closed", MACHINERY),
        **every("crossed full late", "media"),
    },
    "snugroom.server.sfu.io.worker_link._Lane": {
        "batch": "datagram_buffers = packet",
        **every("records sock", MACHINERY),
    },
    "snugroom.server.sfu.egress.Egress": {
        "_counts": "media = label",
        "packet_io": "datagram_buffers",
        "multi_transport": "datagram_buffers",
        "stamp": MACHINERY + " = stamp",
    },
    "snugroom.server.sfu.link.Link": {
        "key": "?rooms[].handles = number handle",
        "media": "rooms[].streams = ice fingerprint label",
        "ice": "?people[].media_addresses",
        **every("dtls inbound outbound", "srtp_sessions"),
        **every("deadline tries twcc_row", MACHINERY),
        "address": "?people[].media_addresses = address",
        "held": "srtp_sessions = packet",
        "rtcp_sources": "rooms[].streams = stamp",
        "arrivals": COUNT,
        "rtcp_allowance": LIMITS,
    },
    "snugroom.server.sfu.io.ice.IceLite": {
        **every("local _remote", "media"),
        "_username": "media = ice",
        "_password": "media = ice",
        **every("_addresses_max _rebinding _checks _moves refused", LIMITS),
        **every("addresses selected active", "?people[].media_addresses = address"),
        **every("consent_at _proof_time _consent_interval _rng", MACHINERY),
    },
    "snugroom.server.sfu.io.ice.PeerAddress": {
        **every("since heard_at proven_at ask_at interval", MACHINERY),
        **every("received sent", COUNT),
        "transaction": "media = stamp",
    },
    "snugroom.server.sfu.io.ice.Credentials": {"ufrag": "media = ice", "password": "media = ice"},
    "snugroom.server.sfu.io.dtls.Certificate": {
        "certificate": "own_keys = tls",
        "key": "own_keys = tls",
        "fingerprint": "own_keys = own_key",
    },
    "snugroom.server.sfu.io.dtls.DtlsServer": {
        "state": "srtp_sessions",
        "keys": "srtp_sessions",
        **every("withheld _left _flights", LIMITS),
        "_connection": "srtp_sessions = tls",
        "_first": "srtp_sessions = packet",
    },
    "snugroom.server.sfu.io.srtp.Keys": {
        "profile": MACHINERY,
        "client": "srtp_sessions = srtp",
        "server": "srtp_sessions = srtp",
    },
    "snugroom.server.sfu.io.srtp.Profile": {
        "name": "- a public name = srtp",
        **every("number key salt tag", MACHINERY),
    },
    "snugroom.server.sfu.io.srtp.SrtpSession": {
        "profile": MACHINERY,
        "_session": "srtp_sessions",
        "pointer": "srtp_sessions",
    },
    "snugroom.server.sfu.io.srtp.Buffer": {"data": "datagram_buffers", "view": "datagram_buffers = packet"},
    "snugroom.server.sfu.io.packet_io.PlainPacketIo": {
        **every("_socket _length now lag", MACHINERY),
        "_inbox": "datagram_buffers",
        "_outbox": "datagram_buffers",
        "twcc_sequence": COUNT,
        **every("sent unsent octets", "media"),
    },
    "snugroom.server.sfu.io.packet_io.BatchPacketIo": {
        **every(
            "_socket segments_max _descriptor _family _name_size _lengths _length_at now _slots_used"
            " _messages_used _batches _length lag",
            MACHINERY,
        ),
        **every("_inbox _outbox _incoming _outgoing _data _columns", "datagram_buffers"),
        "_inboxes": "datagram_buffers = packet sockaddr",
        "_slots": "datagram_buffers = packet",
        "_sizes": MACHINERY + " = counts",
        "twcc_sequence": COUNT,
        "_addresses": "datagram_addresses = sockaddr address",
        "_plans": "datagram_addresses",
        **every("sent unsent octets", "media"),
    },
    "snugroom.server.sfu.io.reader.Reader": every("_loop _descriptors _read _last _streak _next", MACHINERY),
    "snugroom.server.sfu.io.multi_transport.MultiTransport": {
        **every("_udp _by_descriptor _packet_ios _only_udp _tcp", "datagram_buffers"),
        **every("_sockets _now lag", MACHINERY),
        "_split_fanouts": "rooms[].streams",
        "twcc_sequence": COUNT,
    },
    "snugroom.server.sfu.io.tcp.Tcp": {
        **every("_listeners _clock _handle _then _gone _dirty _loop _numbers _deaf ever", MACHINERY),
        "_limits": SETTINGS,
        "_connections": "datagram_buffers = address",
        "_places": LIMITS + " = address",
        "_chunk": "datagram_buffers = packet",
        "_inbox": "datagram_buffers",
        "counts": "media = label",
    },
    "snugroom.server.sfu.io.tcp.TcpConnection": {
        **every("sock greeted known_at moved_at waits", MACHINERY),
        "address": "?people[].media_addresses = address",
        "place": LIMITS + " = address",
        "incoming": "datagram_buffers = packet",
        "outgoing": "datagram_buffers = packet",
    },
    "snugroom.server.sfu.io.send_plan.SendPlan": {
        **every("count batch tags", MACHINERY),
        "names": "datagram_addresses = sockaddr",
        "pointers": "srtp_sessions",
        "sessions": "srtp_sessions",
        **every("offsets ssrc", "rooms[].streams"),
        **every("offset_columns rows", COUNT + " = counts"),
    },
    "snugroom.server.sfu.io.send_plan.GsoBatch": every(
        "lengths message plan capacity size slot used", MACHINERY
    ),
    "snugroom.server.sfu.io.mmsg.Vector": {
        "_libc": MACHINERY + " = library",
        **every("count name_size _iov _first_iov _control messages _stamp _stamped", MACHINERY),
        "_names": "datagram_buffers",
        "names": "datagram_buffers = sockaddr",
        **every(
            "lengths _iov_words _iovlen_words _control_words _segments _stamp_view", MACHINERY + " = packet"
        ),
    },
    "snugroom.server.sfu.core.forwarding.Forwarding": {
        "subscriptions": "rooms[].streams",
        **every("_pacing _peers _allocation _reports _traffic shedding bridges", "media"),
        "_limits": SETTINGS,
        "_repairing": MACHINERY,
        "counts": "media = label",
    },
    "snugroom.server.sfu.core.bridges.Bridges": {
        **every("_subscriptions _bridges", "rooms[].streams"),
        "_reports": "media",
        "_limits": SETTINGS,
        "_next_rates": MACHINERY,
    },
    "snugroom.server.sfu.core.bridges.Bridge": {
        **every("room members told", "rooms[].streams"),
        "resend_budget": LIMITS,
        "told_at": MACHINERY,
    },
    "snugroom.server.sfu.core.crossing.Crossing": every("_idle _keepalive _wanting wants", "rooms[].streams"),
    "snugroom.server.sfu.core.allocation.BandwidthAllocation": {
        "_subscriptions": "rooms[].streams",
        **every("_pacing _peers _busy", "media"),
        **every("_next_allocation _allocated_at", MACHINERY),
    },
    "snugroom.server.sfu.core.reports.Reports": {
        "_subscriptions": "rooms[].streams",
        "_limits": SETTINGS,
        "_peers": "media",
        "_next_report": MACHINERY,
    },
    "snugroom.server.sfu.core.shedding.Shedding": {
        **every("_subscriptions _groups", "rooms[].streams"),
        "_control": MACHINERY,
    },
    "snugroom.server.sfu.core.shedding.LagControl": every(
        "_calm_since _empty_at _hold _late_lag _late_since _less_at _limit _more_at part", MACHINERY
    ),
    "snugroom.server.sfu.core.shedding._Group": {"units": "rooms[].streams", "since": MACHINERY},
    "snugroom.server.sfu.core.shedding._Unit": every("tracks rank cost", "rooms[].streams"),
    "snugroom.server.sfu.core.pacing.Pacing": {"_subscriptions": "rooms[].streams", "busy": "media"},
    "snugroom.server.sfu.core.subscriptions.Subscriptions": {
        **every("_limits cache_time", SETTINGS),
        "rooms": "?rooms[].number = number",
        **every("peers _remote", "media"),
        "repairing": MACHINERY,
        "traffic": COUNT,
        "counts": "media = label",
    },
    "snugroom.server.sfu.core.traffic.ByteBudget": {"_for_sound": LIMITS},
    "snugroom.server.sfu.core.traffic.Load": every("offered _limit _since share", COUNT),
    "snugroom.server.sfu.core.traffic.RoomTraffic": every("budget load window", COUNT),
    "snugroom.server.sfu.core.traffic.Traffic": {
        **every("_limits ceiling", SETTINGS),
        **every("_budget _load _fair", COUNT),
        "_counts": "media = label",
    },
    "snugroom.server.sfu.core.peers.Room": {
        "number": "?rooms[].number = number",
        "traffic": COUNT,
        "peers": "media",
        **every("tracks sources bridges", "rooms[].streams"),
        **every("rewritten_ssrcs rtx_ssrcs retired_ssrcs forbidden_ssrcs", "sealed_media.ended_streams"),
    },
    "snugroom.server.sfu.core.peers.Peer": {
        **every(
            "room tracks tracks_by_rtx receives subscribed_ssrcs max_layers unrewritten_ssrcs"
            " stream_rewriters rtx_sequences videos stopped resumed ranks bridge",
            "rooms[].streams",
        ),
        **every("ready feedback rtx limited", "media"),
        **every("resend_budget publishing key_frames", LIMITS),
        "budget": COUNT,
        "remb": COUNT,
        "pacer": "sealed_media.packets",
        "remb_at": MACHINERY,
    },
    "snugroom.server.sfu.core.bandwidth.budget.Budget": every(
        "_padded _probed _since _tried _wait allocator estimate has_estimate prober rate", COUNT
    ),
    "snugroom.server.sfu.core.bandwidth.budget.PathEstimate": every(
        "_base _base_until _before _lowered queue _by_delay _by_loss _ceiling _delayed_at _feedback_at"
        " _floor _quiet _remb _remb_at _report_at _throughput _trend target rtt",
        COUNT,
    ),
    "snugroom.server.sfu.core.bandwidth.delay.DelayTrend": every(
        "_anchor _arrived _backwards _begun _came _delay _deltas _first _fresh _last _modified_at _over"
        " _over_count _points _prior_came _prior_last _slope _smoothed _sx _sxx _sxy _sy _threshold usage",
        COUNT,
    ),
    "snugroom.server.sfu.core.bandwidth.loss.LossBasedController": every(
        "_before _bits _count _end _lost _not_before _shown _start inherent limit", COUNT
    ),
    "snugroom.server.sfu.core.bandwidth.probe.Prober": every(
        "_arrived _end _failed _next _plan _start _reports _waits", COUNT
    ),
    "snugroom.server.sfu.core.bandwidth.estimate.Throughput": every("_begin _bytes _slot", COUNT),
    "snugroom.server.sfu.core.bandwidth.estimate.LinkCapacity": every("_deviation mean", COUNT),
    "snugroom.server.sfu.core.bandwidth.estimate.DelayBasedController": every(
        "_capacity _changed _growing rate", COUNT
    ),
    "snugroom.server.sfu.core.layer_allocator.LayerAllocator": {"_videos": "rooms[].streams"},
    "snugroom.server.sfu.core.layer_allocator._VideoState": every(
        "layer raised_at hold_until changed_at hold shown", "rooms[].streams"
    ),
    "snugroom.server.sfu.core.pacer.Pacer": every(
        "_allowance _at _blocked _keys _lost _audio _rate _resent _video queued",
        "sealed_media.packets = packet",
    ),
    "snugroom.server.sfu.core.effects.SendRtp": {
        "to": "media",
        "packet": "sealed_media.packets = packet",
        "twcc": MACHINERY,
    },
    "snugroom.server.sfu.core.tracks.SimulcastSource": every(
        "owner ssrc subscriptions tracks", "rooms[].streams"
    ),
    "snugroom.server.sfu.core.tracks.Subscription": every(
        "allocated_layer first paced peer sent source stream_rewriter max_layer track pending_track",
        "rooms[].streams",
    ),
    "snugroom.server.sfu.core.rewriter.StreamRewriter": every("_segments _last layer offsets", COUNT),
    "snugroom.server.sfu.core.fanout.Fanout": {
        **every("receivers offsets ssrc", "rooms[].streams"),
        **every("twcc once crosses", MACHINERY),
        "plan": "datagram_addresses",
    },
    "snugroom.server.sfu.core.twcc_sequence.TwccSequence": {
        **every("_next _log", COUNT + " = counts"),
        "_free": MACHINERY,
        "_ticks": COUNT,
    },
    "snugroom.server.sfu.core.twcc_arrivals.Arrivals": every(
        "_feedback _first _high _last _new _next _ticks", COUNT
    ),
    "snugroom.server.sfu.io.send_plan.Columns": {
        "_outbox": "datagram_buffers = packet",
        **every("bytes sequence timestamp ssrc number _others", "datagram_buffers = counts"),
    },
    "snugroom.server.sfu.io.srtp.Lengths": {"_data": MACHINERY, "view": MACHINERY + " = packet"},
    "snugroom.server.sfu.core.tracks.Track": {
        **every(
            "owner ssrc receivers fanouts paced paused rtx source layer pending_subscriptions bridge"
            " crossing",
            "rooms[].streams",
        ),
        "kind": "rooms[].streams = label",
        **every("clock last_pli pli_due last_sr sr_at", MACHINERY),
        "cache": "sealed_media.packets = packet",
        **every("mask bytes_rate allowance allowed_at packet_cost_min nack_budget publishing", LIMITS),
        "traffic": COUNT,
        "stamp": COUNT + " = stamp",
        **every(
            "high floor base received prior arrived latest transit jitter missing octets window rate"
            " estimates packets counted shed shed_at expired marks wanted_since",
            COUNT,
        ),
    },
}
