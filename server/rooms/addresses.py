"""The address of a client: of the socket, from a header of a trusted proxy, or from the PROXY protocol.

A trusted proxy appends the address of its own peer to the header, so the header is read from its end, and
the first address that is no trusted proxy is the client's. Everything before it is the client's own claim.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Sequence
from typing import Final

#: Number of proxies in a row, at most.
_HOPS: Final = 8
#: Maximum length of one entry of a header.
_ENTRY_MAX: Final = 256
#: Maximum length of a PROXY header: version 1 has 107 bytes, version 2 some TLVs behind its addresses.
PROXY_MAX: Final = 1024
_V1_MAX: Final = 107
_V2_START: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_V2_HEAD: Final = struct.Struct("!12sBBH")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ProxyError(ValueError):
    """A connection that does not begin with a valid PROXY header."""


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def prefix(address: str) -> bytes | None:
    """Return the bytes that stand for a client: of IPv4 all 4, of IPv6 the first 8. None for other text.

    A network gives each customer an IPv6 /64 at least, with more addresses than there could be counters.
    """
    found = _parsed(address)
    return None if found is None else found.packed[:8]


def is_loopback(address: str) -> bool:
    """Return whether `address` is a loopback address."""
    found = _parsed(address)
    return found is not None and found.is_loopback


class Proxies:
    """The trusted proxies, `networks`. ValueError if one is neither an address nor a network."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks: list[Network] = [ipaddress.ip_network(each) for each in networks]

    def __bool__(self) -> bool:
        return bool(self._networks)

    def trusts(self, address: str) -> bool:
        """Return whether `address` belongs to a trusted proxy."""
        found = _parsed(address)
        return found is not None and any(found in network for network in self._networks)

    def client(self, peer: str, lines: Sequence[str], name: str) -> str | None:
        """Return the client's address, given that of the socket and the lines of the header `name`.

        None: a trusted proxy did not say, or a program on this machine connects and no proxy is named. Such
        clients look alike, so no quota of one client applies to them.
        """
        if not self.trusts(peer):
            return None if not self and is_loopback(peer) else peer
        entry = _forwarded_for if name == "Forwarded" else _bare
        behind = None
        for text in reversed(",".join(lines[-_HOPS:]).rsplit(",", _HOPS)[-_HOPS:]):
            address = entry(text) if len(text) <= _ENTRY_MAX else None
            if address is None:
                return None
            behind = address
            if not self.trusts(address):
                break
        return behind


def _bare(text: str) -> str | None:
    """Return the address of ``ADDRESS``, ``IPV4:PORT`` or ``[IPV6]:PORT``; None for anything else."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    found = _parsed(text)
    return None if found is None else str(found)


def _forwarded_for(text: str) -> str | None:
    """Return the address of ``for=`` in an element of ``Forwarded`` (RFC 7239 section 4), or None."""
    for pair in text.split(";"):
        name, _, value = pair.strip().partition("=")
        if name.lower() == "for":
            return _bare(value.strip('"'))
    return None


def proxy_header(data: bytes) -> tuple[str | None, int] | None:
    """Parse a PROXY header, version 1 or 2, at the beginning of `data`. None: it is not complete yet.

    Return the client's address, and the length of the header. The address is None if the proxy speaks for
    itself (LOCAL, UNKNOWN). Raises ProxyError.
    """
    if data[:12] == _V2_START[: len(data)]:
        return _version_2(data)
    if data[:6] == b"PROXY "[: len(data)]:
        return _version_1(data)
    raise ProxyError("the connection does not begin with a PROXY header")


def _version_1(data: bytes) -> tuple[str | None, int] | None:
    end = data.find(b"\r\n", 0, _V1_MAX)
    if end < 0:
        if len(data) >= _V1_MAX:
            raise ProxyError("the PROXY header has no end")
        return None
    words = data[:end].decode("ascii", "replace").split(" ")
    if len(words) > 1 and words[1] == "UNKNOWN":
        return None, end + 2
    version = {"TCP4": 4, "TCP6": 6}.get(words[1] if len(words) == 6 else "")
    try:
        source, target = (ipaddress.ip_address(word) for word in words[2:4])
    except ValueError:
        raise ProxyError("the PROXY header has no addresses") from None
    ports = all(word.isascii() and word.isdigit() and int(word) < 65536 for word in words[4:])
    if source.version != version or target.version != version or not ports:
        raise ProxyError("the PROXY header is not valid")
    return str(source), end + 2


def _version_2(data: bytes) -> tuple[str | None, int] | None:
    if len(data) < _V2_HEAD.size:
        return None
    _, command, family, size = _V2_HEAD.unpack_from(data)
    end = _V2_HEAD.size + size
    if command not in (0x20, 0x21) or end > PROXY_MAX:
        raise ProxyError("the PROXY header is not valid")
    if len(data) < end:
        return None
    if command == 0x20:  # LOCAL: the proxy's own check
        return None, end
    width = {0x11: 4, 0x21: 16}.get(family)
    if width is None or size < 2 * width + 4:
        raise ProxyError("the PROXY header has no addresses of TCP")
    return str(ipaddress.ip_address(data[_V2_HEAD.size : _V2_HEAD.size + width])), end
