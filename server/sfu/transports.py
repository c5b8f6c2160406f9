"""ICE and DTLS of all peers, and the lookup of a peer by its ufrag and by its addresses."""

from __future__ import annotations

import collections
import logging
from collections.abc import Callable

from snugroom.server.rate import TokenBucket
from snugroom.server.sfu.core.subscriptions import Subscriptions
from snugroom.server.sfu.egress import Egress
from snugroom.server.sfu.io import dtls, srtp
from snugroom.server.sfu.io.ice import Address, Credentials, IceLite
from snugroom.server.sfu.limits import MediaLimits
from snugroom.server.sfu.link import Link
from snugroom.server.wire import stun
from snugroom.server.wire.messages import Media

log = logging.getLogger(__name__)


class Transports:
    """The transports of all peers: each has ICE credentials, and after its handshake addresses and keys."""

    def __init__(
        self,
        limits: MediaLimits,
        subscriptions: Subscriptions[Link],
        egress: Egress,
        counts: collections.Counter[str],
        rng: Callable[[int], bytes],
    ) -> None:
        self._limits = limits
        self._subscriptions = subscriptions
        self._egress = egress
        self._counts = counts
        self._rng = rng
        #: Peers by (room, handle), by their ufrag on our side, and by each address that ICE has checked.
        self.links: dict[tuple[bytes, bytes], Link] = {}
        self.by_ufrag: dict[bytes, Link] = {}
        self.by_address: dict[Address, Link] = {}
        self.handshaking: dict[Link, None] = {}
        self.certificate = dtls.Certificate.generate()
        self._context = dtls.server_context(self.certificate)

    # -- peers -----------------------------------------------------------------------------

    def new_link(self, key: tuple[bytes, bytes], media: Media, now: float) -> Link:
        """Return the transport of a new peer, with fresh credentials. Nothing changes until `add`."""
        allowance = TokenBucket(self._limits.rtcp_rate, self._limits.rtcp_burst, now)
        return Link(key, media, self._new_ice(media), allowance)

    def _new_ice(self, media: Media) -> IceLite:
        limits = self._limits
        while (local := Credentials.fresh(self._rng)).ufrag.encode() in self.by_ufrag:
            pass
        return IceLite(local, media.ufrag, limits.addresses_per_peer, limits.rebinding)

    def add(self, link: Link) -> None:
        """Accept ICE checks and handshakes of this peer."""
        self.links[link.key] = link
        self.by_ufrag[link.ice.local.ufrag.encode()] = link

    def remove(self, link: Link, now: float) -> None:
        """Drop a peer's transport, and accept nothing from it any more."""
        self.links.pop(link.key, None)
        self.drop(link, now)
        del self.by_ufrag[link.ice.local.ufrag.encode()]

    def restart(self, link: Link, now: float, *, rekey: bool) -> None:
        """Restart ICE (RFC 8445 9): new credentials at once, the old pair until a new one is selected."""
        old = link.ice
        if rekey:
            self.drop(link, now)
        del self.by_ufrag[old.local.ufrag.encode()]
        link.ice = self._new_ice(link.media)
        link.ice.addresses, link.ice.consent_at = dict(old.addresses), old.consent_at
        link.tries = 0
        self.by_ufrag[link.ice.local.ufrag.encode()] = link

    def drop(self, link: Link, now: float) -> None:
        """Drop the peer's keys and address. It needs a whole new handshake to be accepted again."""
        if link.dtls is not None and link.address is not None:
            for datagram in link.dtls.close():
                self._egress.send(datagram, link.address)
        self._egress.perform(self._subscriptions.ready(link, False, now))
        self._egress.changed()
        self.handshaking.pop(link, None)
        link.dtls = link.inbound = link.outbound = link.address = None
        if link.twcc_row >= 0 and self._egress.packet_io is not None:
            self._egress.packet_io.twcc_sequence.close(link.twcc_row)
            link.twcc_row = -1
        for address in link.ice.addresses:
            if self.by_address.get(address) is link:
                del self.by_address[address]
        link.ice.release()
        link.rtcp_sources.clear()

    # -- ICE -------------------------------------------------------------------------------

    def on_stun(self, datagram: bytes, source: Address, now: float) -> None:
        """Answer a check of a peer, and select its address."""
        try:
            request = stun.parse_request(datagram)
        except stun.StunError:
            self._counts["garbage"] += 1
            return
        link = self.by_ufrag.get(request.username.partition(b":")[0])
        if link is None:
            self._counts["strangers"] += 1
            return
        holder = self.by_address.get(source)
        if holder is not None and holder is not link and self._holds(holder, source, now):
            # A member can forge the source of a check; this must not give it another member's address.
            self._counts["contested"] += 1
            return
        refused = link.ice.refused
        answer = link.ice.check(request, source, now)
        if answer is None:
            self._counts["refused_checks" if link.ice.refused > refused else "strangers"] += 1
            return
        self._egress.send(answer.reply, source)
        if not answer.good:
            return
        self.claim(link, source, now)
        if answer.selected:
            link.address = source
            self._egress.changed()
            if link.outbound is not None:
                self._counts["moved"] += 1

    def gone(self, address: Address) -> None:
        """Release the address of a closed TCP connection, so that the next checked address is selected."""
        link = self.by_address.pop(address, None)
        if link is not None:
            link.ice.forget(address)

    def _holds(self, holder: Link, address: Address, now: float) -> bool:
        return now - holder.ice.addresses.get(address, float("-inf")) < self._limits.address_hold

    def claim(self, link: Link, source: Address, now: float) -> None:
        """Assign `source` to this peer, and release the addresses that its agent has dropped."""
        holder = self.by_address.get(source)
        if holder is link:
            return
        if holder is not None:
            holder.ice.addresses.pop(source, None)
            if holder.address == source:
                self.drop(holder, now)
        self.by_address[source] = link
        for address, owner in list(self.by_address.items()):
            if owner is link and address not in link.ice.addresses:
                del self.by_address[address]

    # -- DTLS ------------------------------------------------------------------------------

    def on_dtls(self, link: Link, datagram: bytes, source: Address, now: float) -> None:
        """Continue the peer's handshake, or begin one at its ClientHello."""
        association = link.dtls
        if association is None:
            if not dtls.is_client_hello(datagram) or link.tries >= self._limits.handshake_tries:
                self._counts["garbage"] += 1
                return
            link.tries += 1
            fingerprint = link.media.fingerprint
            association = dtls.DtlsServer(self._context, fingerprint, self._limits.handshake_bytes)
            link.dtls, link.deadline = association, now + self._limits.handshake_time
            self.handshaking[link] = None
        for answer in association.receive(datagram):
            self._egress.send(answer, link.address or source)
        self._settle(link, association, now)

    def _settle(self, link: Link, association: dtls.DtlsServer, now: float) -> None:
        """Act on the association's state."""
        state = association.state
        if state is dtls.State.ESTABLISHED:
            if link in self.handshaking:
                del self.handshaking[link]
                assert association.keys is not None
                self.secure(link, association.keys, now)
        elif state is dtls.State.FAILED:
            self._counts["handshakes_failed"] += 1
            log.info("a handshake failed")
            self.handshaking.pop(link, None)
            link.dtls = None
        elif state is dtls.State.CLOSED:
            self.drop(link, now)

    def secure(self, link: Link, keys: srtp.Keys, now: float) -> None:
        """Set up the SRTP sessions after the handshake: packets now flow in both directions."""
        link.inbound = srtp.SrtpSession(keys.profile, keys.client, outbound=False)
        link.outbound = srtp.SrtpSession(keys.profile, keys.server, outbound=True)
        link.rtcp_sources.clear()
        self._counts["handshakes"] += 1
        assert self._egress.packet_io is not None
        link.twcc_row = self._egress.packet_io.twcc_sequence.open()
        self._egress.perform(self._subscriptions.ready(link, True, now, rekeyed=True))
        self._egress.changed()

    # -- timers ----------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Send handshakes' messages again, and end those that take too long."""
        for link in list(self.handshaking):
            association = link.dtls
            assert association is not None
            if now >= link.deadline:
                association.state = dtls.State.FAILED
            elif link.address is not None:
                for datagram in association.timer():
                    self._egress.send(datagram, link.address)
            self._settle(link, association, now)

    def sweep(self, now: float) -> None:
        """Stop sending to peers that have not renewed consent in the last `idle` seconds (RFC 7675)."""
        if self._egress.multi_transport is not None:
            self._egress.multi_transport.sweep(now, self.by_address)
        for link in self.links.values():
            consent_at = link.ice.consent_at
            if consent_at is not None and now - consent_at > self._limits.idle:
                self._counts["silent"] += 1
                link.ice.consent_at = None
                link.tries = 0
                self.drop(link, now)
