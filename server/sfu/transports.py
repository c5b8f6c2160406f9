"""ICE and DTLS of all peers, and the lookup of a peer by its ufrag and by its addresses."""

from __future__ import annotations

import collections
import logging
from collections.abc import Callable
from typing import Final

from snugroom.server.rate import TokenBucket
from snugroom.server.sfu.core.subscriptions import Subscriptions
from snugroom.server.sfu.egress import Egress
from snugroom.server.sfu.io import dtls, srtp
from snugroom.server.sfu.io.ice import Address, Credentials, IceLite
from snugroom.server.sfu.limits import MediaLimits
from snugroom.server.sfu.link import Endpoint, Link
from snugroom.wire import stun
from snugroom.wire.messages import Media

log = logging.getLogger(__name__)

#: Datagrams of a handshake kept until the peer's address is proven: a long ClientHello has several.
_HELD_MAX: Final = 4


class Transports:
    """The transports of all peers: each has ICE credentials, and after its handshake addresses and keys."""

    def __init__(
        self,
        limits: MediaLimits,
        subscriptions: Subscriptions[Endpoint],
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
        #: Peers whose selected address has not answered a check yet.
        self.unproven: dict[Link, None] = {}
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
        return IceLite(
            local,
            Credentials(media.ufrag, media.password),
            limits.addresses_per_peer,
            limits.rebinding,
            limits.idle,
            self._rng,
        )

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
        link.ice.continue_from(old)
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
        self.unproven.pop(link, None)
        link.held.clear()
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
        """Answer a check of a peer and select its address, or take an answer to a check of the server."""
        if stun.is_success(datagram):
            self._on_answer(datagram, source, now)
            return
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
        if (
            holder is not None
            and holder is not link
            and holder.ice.holds(source, self._limits.address_hold, now)
        ):
            # A member can forge the source of a check; this must not give it another member's address.
            self._counts["contested"] += 1
            return
        refused = link.ice.refused
        answer = link.ice.check(request, source, len(datagram), now)
        if answer is None:
            self._counts["refused_checks" if link.ice.refused > refused else "strangers"] += 1
            return
        if not answer.good:
            self._egress.send(answer.reply, source)  # smaller than three times the check
            return
        self.claim(link, source, now)
        if link.ice.selected == source and not link.ice.proven(source, now):
            self.unproven[link] = None
            self._ask(link, now)  # before the answer: the client answers before it begins a handshake
        self._send_unproven(link, answer.reply, source, now)
        self._activate(link, now)
        self._on_hello(link, request.attributes.get(stun.CLIENT_HELLO, b""), source, now)

    def _on_answer(self, datagram: bytes, source: Address, now: float) -> None:
        link = self.by_address.get(source)
        if link is None:
            self._counts["strangers"] += 1
            return
        try:
            response = stun.parse_success(datagram)
        except stun.StunError:
            self._counts["garbage"] += 1
            return
        if not link.ice.answered(response, source, now):
            self._counts["unasked"] += 1  # the answer to a check that was sent twice, for example
            return
        self._counts["proven"] += 1
        self._activate(link, now)

    def _activate(self, link: Link, now: float) -> None:
        """Send to the peer's selected address from now on, if it is proven."""
        address = link.ice.active
        if address is None or address == link.address:
            return
        link.address = address
        self._egress.changed()
        if link.outbound is not None:
            self._counts["moved"] += 1
        held, link.held = link.held, []
        for datagram in held:
            self.on_dtls(link, datagram, address, now)

    def _ask(self, link: Link, now: float) -> None:
        """Send a check to the peer, if one is due."""
        due = link.ice.due_check(now)
        if due is not None:
            self._egress.send(*due)

    def _send_unproven(self, link: Link, datagram: bytes, address: Address, now: float) -> None:
        """Send to an address that may not be the peer's own, within what came from there."""
        if link.ice.spend(address, len(datagram), now):
            self._egress.send(datagram, address)
        else:
            self._counts["withheld"] += 1

    def gone(self, address: Address) -> None:
        """Release the address of a closed TCP connection, so that the next checked address is selected."""
        link = self.by_address.pop(address, None)
        if link is not None:
            link.ice.forget(address)

    def claim(self, link: Link, source: Address, now: float) -> None:
        """Assign `source` to this peer, and release the addresses that its agent has dropped."""
        holder = self.by_address.get(source)
        if holder is link:
            return
        if holder is not None:
            holder.ice.forget(source)
            if holder.address == source:
                self.drop(holder, now)
        self.by_address[source] = link
        for address, owner in list(self.by_address.items()):
            if owner is link and address not in link.ice.addresses:
                del self.by_address[address]

    # -- DTLS ------------------------------------------------------------------------------

    def on_dtls(self, link: Link, datagram: bytes, source: Address, now: float) -> None:
        """Continue the peer's handshake, or begin one at its ClientHello.

        Datagrams that come before the address is proven are kept: a flight is larger than a ClientHello.
        """
        link.ice.credit(source, len(datagram))
        if link.address is not None:
            self._shake_hands(link, datagram, link.address, now)
        elif len(link.held) < _HELD_MAX:
            link.held.append(datagram)
        else:
            self._counts["garbage"] += 1

    def _on_hello(self, link: Link, hello: bytes, source: Address, now: float) -> None:
        """Begin the handshake with the ClientHello of a check, unless there is one already.

        If the address is not proven yet, the first flight goes there within what came from there. Nothing
        happens at a check that is too small for it: the client repeats its ClientHello after the checks.
        """
        if link.dtls is not None or source != link.ice.selected or not dtls.is_client_hello(hello):
            return
        if link.ice.spend(source, dtls.FIRST_FLIGHT, now):
            self._shake_hands(link, dtls.first_record(hello), source, now)

    def _shake_hands(self, link: Link, datagram: bytes, address: Address, now: float) -> None:
        """Give this datagram to the peer's association, and send what that answers to `address`."""
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
        answers = association.receive(datagram)
        if address != link.address and sum(map(len, answers)) > dtls.FIRST_FLIGHT:
            self._counts["withheld"] += 1  # its timer sends it again, when the address is proven
            answers = []
        for answer in answers:
            self._egress.send(answer, address)
        self._settle(link, association, now)

    def _settle(self, link: Link, association: dtls.DtlsServer, now: float) -> None:
        """Act on the association's state."""
        self._counts["withheld"] += association.withheld
        association.withheld = 0
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
        """Send checks and handshakes' messages again, and end the handshakes that take too long."""
        for link in list(self.unproven):
            if link.ice.selected is None or link.ice.proven(link.ice.selected, now):
                del self.unproven[link]
            else:
                self._ask(link, now)
        for link in list(self.handshaking):
            association = link.dtls
            assert association is not None
            if now >= link.deadline:
                association.state = dtls.State.FAILED
            elif link.address is not None:
                for datagram in association.timer():
                    self._egress.send(datagram, link.address)
            self._settle(link, association, now)

    @property
    def waits(self) -> bool:
        """Whether a handshake or the proof of an address is under way."""
        return bool(self.unproven or self.handshaking)

    def sweep(self, now: float) -> None:
        """Renew consent, and stop sending to peers without it for `idle` seconds (RFC 7675)."""
        if self._egress.multi_transport is not None:
            self._egress.multi_transport.sweep(now, self.by_address)
        for link in self.links.values():
            if not link.ice.silent(self._limits.idle, now):
                self._ask(link, now)
            else:
                self._counts["silent"] += 1
                link.ice.consent_at = None
                link.tries = 0
                self.drop(link, now)
