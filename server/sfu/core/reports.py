"""RTCP reports: sender reports to receivers, receiver reports and REMB to publishers.

The REMB for a video sender without layers is the largest rate that any of its receivers can take, capped by
``remb_ceiling``. The smallest rate would let one slow receiver spoil the video for everybody. A receiver that
cannot keep up gets fewer streams.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Generic

from snugroom.server.sfu.core.effects import Effect, P, SendRtcp
from snugroom.server.sfu.core.peers import Peer
from snugroom.server.sfu.core.subscriptions import Subscriptions
from snugroom.server.sfu.core.tracks import Track
from snugroom.server.sfu.limits import OWN_SSRC, MediaLimits
from snugroom.wire import rtcp


class Reports(Generic[P]):
    """Reports to all peers: to publishers once in `report_interval`."""

    def __init__(self, subscriptions: Subscriptions[P], limits: MediaLimits) -> None:
        self._subscriptions = subscriptions
        self._limits = limits
        self._peers = subscriptions.peers
        self._next_report = float("-inf")

    def tick(self, now: float) -> list[Effect[P]]:
        """Report to the publishers, if the time has come."""
        effects: list[Effect[P]] = []
        if now >= self._next_report:
            self._next_report = now + self._limits.report_interval
            for peer, known in self._peers.items():
                if known.ready and known.tracks:
                    effects += self._report(peer, known, now)
        return effects

    def sender_report(self, track: Track[P], report: rtcp.SenderReport, now: float) -> list[Effect[P]]:
        """Pass a sender's report on to the receivers of its stream, and to the workers that need it."""
        if now - track.sr_at < self._limits.sr_interval:
            return []
        track.last_sr, track.sr_at = report.middle_ntp, now
        bridges = () if track.crossing is None else track.crossing.wants
        data = rtcp.sender_report(report)
        effects: list[Effect[P]] = [SendRtcp(bridge, data) for bridge in bridges]
        if track.source is None:
            return effects + [SendRtcp(peer, data) for peer in self._subscriptions.receivers(track)]
        source = track.source
        for peer in track.receivers:
            offset = source.subscriptions[peer].stream_rewriter.offsets.timestamp
            seen = replace(report, ssrc=source.ssrc, timestamp=report.timestamp + offset)
            effects.append(SendRtcp(peer, rtcp.sender_report(seen)))
        return effects

    def estimate(self, peer: P, track: Track[P], block: rtcp.ReportBlock) -> None:
        """The loss-based half of draft-ietf-rmcat-gcc-02 (section 6), for one receiver of one stream."""
        if track.kind != "video":
            return
        limits = self._limits
        estimate = track.estimates.get(peer, float(limits.remb_ceiling))
        if block.fraction > 26:  # over 10%
            estimate *= 1 - block.fraction / 512
        elif block.fraction < 5:  # under 2%
            estimate *= 1.08
        track.estimates[peer] = min(max(estimate, limits.remb_floor), limits.remb_ceiling)

    def _report(self, peer: P, known: Peer[P], now: float) -> list[Effect[P]]:
        blocks = [b for track in known.tracks.values() if (b := track.reception_report(now)) is not None]
        if not blocks:
            return []
        data = rtcp.receiver_report(OWN_SSRC, blocks)
        video = [track for track in known.tracks.values() if track.kind == "video"]
        if video:
            # A little below the limit: what is dropped beyond it would look like loss.
            most = int(0.9 * self._limits.member_bitrate)
            rate = min(most, sum(self.bitrate(track, now) for track in video))
            data += rtcp.remb(OWN_SSRC, rate, [track.ssrc for track in video])
        return [SendRtcp(peer, data)]

    def bitrate(self, track: Track[P], now: float) -> int:
        """Return the rate that the stream's best receiver can take; for a layer, the ceiling."""
        limits = self._limits
        if track.source is not None:
            return limits.remb_ceiling
        best = 0.0 if track.crossing is None else track.crossing.rate
        for peer in track.receivers:
            known = self._peers[peer]
            can = track.estimates.get(peer, float(limits.remb_ceiling))
            if now - known.remb_at <= limits.remb_age:
                can = min(can, known.remb / max(1, known.videos))
            best = max(best, can)
        if not track.receivers and not best:
            best = float(limits.remb_ceiling)
        return int(min(max(best, limits.remb_floor), limits.remb_ceiling))
