"""Shared vectors of fields and primitives, of HPKE, and of links (crypto/{fields,kdf,hpke,invite}.py)."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

from nacl.bindings import crypto_core_ed25519_add, crypto_scalarmult_ed25519_base_noclamp

from snugroom.crypto import fields, hpke, kdf
from snugroom.crypto.entry import invite
from snugroom.crypto.entry.invite import HostSeed, Invite
from snugroom.crypto.entry.link import _base64url, _checksum
from snugroom.crypto.kdf import Rng, SigningKey
from snugroom.wire import signed
from tests.crypto.rfc9180 import VECTORS
from tests.web.cases import DAY, NOW, ODD_KEYS, ORIGIN, OTHER, PRIME, SUITE, Cases, Seed, filled

# -- fields, kdf ---------------------------------------------------------------------------------


def _read(data: bytes, steps: list[list[Any]]) -> list[Any]:
    reader, found = fields.Reader(data), []
    for step, *given in steps:
        found.append(getattr(reader, step)(*given))
    return found


def _fields(cases: Cases) -> None:
    """Encodings of numbers, bytes and texts, and what is read of them."""
    for value, size in (
        (0, 1),
        (255, 1),
        (256, 1),
        (-1, 4),
        (65_535, 2),
        (2**32 - 1, 4),
        (2**32, 4),
        (2**53 - 1, 8),
    ):
        cases.do("uint", value, size)
    for size in (0, 1, 255, 256, 65_536):
        cases.do("prefixed", bytes(size), 1)
        cases.do("prefixed", bytes(size), 2)
    for size in (0, 3, 4, 5, 12):
        cases.do("padded", b"abcdefgh", size)
        cases.do("padded", b"", size)
    for data in (b"", b"\0\0\0", b"\0\0\0\1", b"\0\0\0\1a", b"\0\0\0\1a\0\0", b"\0\0\0\1a\0\1", b"\0\0\0\0"):
        cases.do("unpadded", data)
    for data, steps in (
        (b"\1\2\3", [["uint", 1], ["take", 2], ["end"]]),
        (b"\1\2\3", [["uint", 1], ["end"]]),
        (b"\2\2\3", [["prefixed", 1], ["end"]]),
        (b"\3\2\3", [["prefixed", 1]]),
        (b"\0\x1f" + b"\xff" * 6, [["uint", 8]]),
        (b"\0\x20" + bytes(6), [["uint", 8]]),
        (b"\xff" * 8, [["uint", 8]]),
        (b"\3abc", [["text", 1]]),
        (b"\6\xef\xbb\xbfabc", [["text", 1]]),
        (b"\4\xf0\x9f\xa6\x8a", [["text", 1]]),
        (b"\1\xff", [["text", 1]]),
        (b"\3\xed\xa0\x80", [["text", 1]]),
        (b"\2\xc0\x80", [["text", 1]]),
        (b"\4\xf4\x90\x80\x80", [["text", 1]]),
        (b"\0abc", [["text", 1], ["rest"], ["end"]]),
    ):
        cases.do("read", data, steps)


def kdf_cases() -> Any:
    """crypto/fields.py and crypto/kdf.py."""
    cases = Cases(
        uint=fields.uint,
        prefixed=fields.prefixed,
        padded=fields.padded,
        unpadded=fields.unpadded,
        read=_read,
        H=kdf.H,
        KDF=kdf.KDF,
        mac=kdf.mac,
        seal=lambda key, plaintext, aad, rng: kdf.seal(key, plaintext, aad, rng=rng),
        unseal=kdf.unseal,
        public=lambda seed: SigningKey(seed).public,
        sign=lambda seed, message: SigningKey(seed).sign(message),
        verify=kdf.verify,
    )
    _fields(cases)
    cases.do("H", b"ab", b"", b"c")
    for length in (16, 32, 80):
        cases.do("KDF", filled("key"), "a label", length)
        cases.do("KDF", b"short", b"\0\1 bytes", length)
    cases.do("mac", filled("key", 16), b"one", b"two")
    for size in (0, 1, 300):
        sealed = cases.do("seal", filled("key"), bytes(size), b"aad", Seed(f"seal {size}"))
        cases.do("unseal", filled("key"), sealed, b"aad")
    cases.do("seal", bytes(31), b"", b"", Seed("seal"))
    for key, data, aad in (
        (filled("key"), sealed, b"aae"),
        (filled("another"), sealed, b"aad"),
        (filled("key"), sealed[:-1], b"aad"),
        (filled("key"), sealed[:27], b"aad"),
        (filled("key"), sealed[:11] + b"\0" + sealed[12:], b"aad"),
    ):
        cases.do("unseal", key, data, aad)
    for seed in (filled("a seed"), bytes(32), bytes(31)):
        cases.do("public", seed)
        cases.do("sign", seed, b"message")
    for public, message, signature in _signatures():
        cases.do("verify", public, message, signature)
    return cases


_L: Final = 2**252 + 27742317777372353535851937790883648493
#: Points of order 1, 2, 4 and 8, as RFC 8032 encodes them, and in ways in which it doesn't.
_SMALL: Final = (
    (1).to_bytes(32, "little"),
    (PRIME - 1).to_bytes(32, "little"),
    bytes(32),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    PRIME.to_bytes(32, "little"),
    (PRIME + 1).to_bytes(32, "little"),
)


def _signed(public: bytes, scalar: int, point: bytes, nonce: int, message: bytes) -> bytes:
    """A signature by equation: whoever makes its own keys may take other points than RFC 8032 does."""
    digest = int.from_bytes(hashlib.sha512(point + public + message).digest(), "little")
    return point + ((nonce + digest * scalar) % _L).to_bytes(32, "little")


def _signatures() -> list[tuple[bytes, bytes, bytes]]:
    key, message = SigningKey(filled("a seed")), b"message"
    signature = key.sign(message)
    second = int.from_bytes(signature[32:], "little") + _L
    cases = [
        (key.public, message, signature),
        (key.public, b"massage", signature),
        (key.public, message, signature[:-1]),
        (key.public[1:], message, signature),
        (SigningKey(filled("another")).public, message, signature),
        (key.public, message, signature[:32] + second.to_bytes(32, "little")),
        (key.public, message, bytes(64)),
        (b"\xff" * 32, message, signature),
        (b"\2" + bytes(31), message, signature),
    ]
    for point in _SMALL:
        for sign in (0, 0x80):
            odd = point[:31] + bytes([point[31] | sign])
            # such a key signs everything with S = 0, where it isn't refused
            cases += [(odd, message + bytes([i]), odd + bytes(32)) for i in range(3)]
            cases.append((odd, message, _SMALL[0] + bytes(32)))
    scalar = int.from_bytes(hashlib.sha512(filled("a seed")).digest()[:32], "little")
    scalar = scalar & ((1 << 254) - 8) | 1 << 254
    point = crypto_scalarmult_ed25519_base_noclamp((12345).to_bytes(32, "little"))
    # of no small order, and yet not of the order that they should have
    mixed, mixed_key = (crypto_core_ed25519_add(p, _SMALL[1]) for p in (point, key.public))
    cases += [
        (key.public, message, _signed(key.public, scalar, point, 12345, message)),
        # whoever has a key of no order makes signatures that are right but for that
        (_SMALL[0], message, _signed(_SMALL[0], 0, point, 12345, message)),
        *(
            (_SMALL[1], message + bytes([i]), _signed(_SMALL[1], 0, point, 12345, message + bytes([i])))
            for i in range(4)
        ),
        (key.public, message, _signed(key.public, scalar, mixed, 12345, message)),
        (key.public, message, _signed(key.public, scalar, _SMALL[0], 0, message)),
    ]
    cases += [
        (mixed_key, message + bytes([i]), _signed(mixed_key, scalar, point, 12345, message + bytes([i])))
        for i in range(4)
    ]
    return cases


# -- hpke ----------------------------------------------------------------------------------------


def _hpke_seal(public: bytes, info: bytes, aad: bytes, plaintext: bytes, rng: Rng) -> Any:
    sealed = hpke.seal(SUITE, public, info, aad, plaintext, rng=rng)
    return [sealed.enc, sealed.ciphertext, sealed.exporter.export(b"context", 48)]


def _hpke_open(private: bytes, enc: bytes, info: bytes, aad: bytes, ciphertext: bytes) -> Any:
    opened = hpke.open(SUITE, private, enc, info, aad, ciphertext)
    return [opened.plaintext, opened.exporter.export(b"context", 48)]


def _hpke_export(private: bytes, enc: bytes, ciphertext: bytes, context: bytes, length: int) -> bytes:
    return hpke.open(SUITE, private, enc, b"info", b"aad", ciphertext).exporter.export(context, length)


def hpke_cases() -> Any:
    """crypto/hpke.py, mode base and AES-128-GCM; `rfc9180` are the RFC's own vectors of that suite."""
    cases = Cases(
        seal=_hpke_seal,
        open=_hpke_open,
        derive=lambda ikm: list(hpke.derive_key_pair(ikm)),
        public=hpke.public_key,
        export=_hpke_export,
    )
    private = filled("private")
    public = hpke.public_key(private)
    for size in (0, 1, 500):
        enc, ciphertext, _ = cases.do("seal", public, b"info", b"aad", bytes(size), Seed(f"hpke {size}"))
        cases.do("open", private, enc, b"info", b"aad", ciphertext)
    for wrong in (
        (filled("another"), enc, b"info", b"aad", ciphertext),
        (private, enc, b"Info", b"aad", ciphertext),
        (private, enc, b"info", b"Aad", ciphertext),
        (private, enc, b"info", b"aad", ciphertext[:-1]),
        (private, enc, b"info", b"aad", b""),
        (private, enc[:-1] + bytes([enc[-1] ^ 1]), b"info", b"aad", ciphertext),
        # the same point, and yet another context
        (private, enc[:-1] + bytes([enc[-1] ^ 0x80]), b"info", b"aad", ciphertext),
    ):
        cases.do("open", *wrong)
    for odd in ODD_KEYS:
        cases.do("open", private, odd, b"info", b"aad", ciphertext)
        cases.do("seal", odd, b"info", b"aad", b"text", Seed("hpke odd"))
    for size in (31, 32, 64):
        cases.do("derive", filled("ikm", size))
    cases.do("public", private)
    cases.do("public", private[1:])
    for length in (0, 1, 32, 8_160, 8_161):
        cases.do("export", private, enc, ciphertext, b"context", length)
    base = [v for v in VECTORS if v.aead == 1 and not v.psk]
    return {"cases": cases, "rfc9180": [asdict(v) for v in base]}


# -- links ---------------------------------------------------------------------------------------

# fmt: off
_ADDRESSES: Final = (
    "https://meet.example", "HTTPS://Meet.Example/", "https://meet.example:443",
    "https://meet.example:8443/", "http://127.0.0.1:8080", "http://localhost:80", "http://meet.example:443",
    "https://meet.example:0443", "https://xn--bcher-kva.example", "http://snug_server", "https://1.example",
    "https://example.1a", "", "meet.example", "ftp://meet.example", "https://", "https:///",
    "https://meet.example/room", "https://meet.example//", "https://meet.example?", "https://meet.example#",
    "https://meet.example/?x", "https://user@meet.example", "https://user:pw@meet.example",
    "https://meet.example:", "https://a.b:0", "https://a.b:65535", "https://a.b:65536", "https://a.b:-1",
    "https://a.b: 80", "https://a.b:99999", "https://a.b\u000a", " https://a.b",
    "https://b\u00fccher.example", "https://a..b", "https://a.b.", "https://.a", "https://-a.b",
    "https://a-.b", "https://a.-b", "https://a.b-", "https://a-b", "https://_a", "https://127.1",
    "https://127.0.0.256", "https://1.2.3.04", "https://1.2.3.4.5", "https://01.2.3.4", "https://1.2.3.0",
    "https://0.0.0.0", "https://255.255.255.255", "https://1.2.3.1234", "https://a.2.3.4", "https://[::1",
    "https://[fe80::1%eth0]", "https://[::1]x:80", "https://[zz]", "https://::1", "https://meet%2eexample",
    "javascript://meet.example", 'https://meet.example\\', "https://\u212aelvin", "https://mee\u0131t",
    "https://a\u0000b", "https://a b", "https://[]", "https://[:]", "https://[.]",
    "https://" + "a" * 63 + ".b", "https://" + "a" * 64 + ".b", "https://" + ".".join(["a" * 60] * 5),
    *("https://" + ".".join(["a" * 60] * 4) + ":" + "1" * n for n in (1, 4, 5)),
)
# fmt: on
# fmt: off
_SIXES: Final = (
    "::", "::1", "1::", "1::8", "2001:DB8:0:0::1", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7:8::", "1:2:3:4:5:6:7::8", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", ":::",
    "1:::2", ":1", "1:", ":1:2:3:4:5:6:7", "1:2:3:4:5:6:7:", ":1::", "::1:", "00001::", "0001::", "g::",
    "1::0", "::ffff:192.0.2.1", "::1.2.3.4", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "1.2.3.4::",
    "1.2.3.4", "::1.2.3.4:5", "::1.2.3", "::1.2.3.256", "::1.2.3.04", "1.2.3.4::1", "::1.2.3.4.5",
    "64:ff9b::10.0.0.1", "0:0:0:0:0:0:0:0", "1:0:0:2:0:0:0:3", "1:0:0:2:3:0:0:4", "10:0:2:3:4:5:6:0",
    "0:0:1:2:3:4:5:6", "fe80::0:0", "1:0:2:0:0:3:0:0", "0:1:0:1:0:1:0:1", "0:0:10:0:0:0:1:1",
    "100:0:0:100:0:0:0:0", "::ffff:0:0",
)
# fmt: on


def _parsed(link: str) -> Any:
    found = Invite.parse(link)
    assert Invite.parse(found.link()) == found
    return [found, found.link()]


def _invited(origin: str, secret: bytes, host: bytes, index: int, token: bytes, servers: list[str]) -> str:
    return Invite(origin, secret, host, index, token, tuple(servers)).link()


def _keys_of(seed: bytes, group_id: bytes) -> Any:
    host = HostSeed(seed)
    tokens = [host.invite_token(index) for index in (0, 1, 0x8000, 0xFFFF)]
    servers = [[each.origin, each.room_admin_public] for each in host.servers(group_id, (ORIGIN, OTHER))]
    return [host.host_public, host.return_public, host.room_admin_key(group_id).public, tokens, servers]


def _origins(cases: Cases) -> None:
    """Addresses of servers, in many writings."""
    for address in (*_ADDRESSES, *(f"https://[{six}]" for six in _SIXES)):
        cases.do("origin", address)
    draw = random.Random("addresses")
    for _ in range(120):
        groups = draw.choices(
            ("0", "0", "0", "1", "10", "ab0", "ffff", "00", ""), k=draw.choice((6, 7, 8, 8, 8, 9))
        )
        cases.do("origin", f"http://[{':'.join(groups)}]:80")
    for address in ("https://meet.example", "https://Meet.example", "https://meet.example/", "nothing"):
        cases.do("origin_field", address)


def _parsed_variants(cases: Cases, links: list[str]) -> None:
    """Links with text around them, cut, or changed in one place."""
    for link in links:
        address, _, code = link.partition("#")
        for text in (
            link,
            f" \t\u3000{link}\n\x1c",
            f"\ufeff{link}",
            link.upper().replace("HTTP", "http"),
            link.replace("#2", "#1"),
            link.replace("#2", "#\U0001f98a"),
            link.replace("#2", "#"),
            f"{address}#",
            address,
            address.rstrip("/") + "#" + code,
            f"{address}room#{code}",
            f"{link}#",
            f"{link}=",
            f"{link} x",
            f"{link}\U0001f98a",
            link[:-1] + "_",
            link + "A",
            link + "AA",
            link + "AAAA",
            link + "A" * LINK_ROOM,
        ):
            cases.do("parse", text)
        for cut in (*range(1, 12), 20, 40, 60, 80):
            cases.do("parse", link[:-cut])
        for last in "ABCDEFGHIJKLMNOP-_":
            cases.do("parse", link[:-1] + last)


def _links(cases: Cases, secret: bytes, host: bytes) -> None:
    """Links that are made, and what is read of links that are cut or changed."""
    token = filled("token", 16)
    good: tuple[Any, ...] = (ORIGIN, secret, host, 7, token, [])
    links = [
        cases.do("link", *good),
        cases.do("link", OTHER, secret, host, 0xFFFF, token, [ORIGIN, "https://[::1]:444"]),
        cases.do("link", "https://[::1]", secret, host, 0, token, [f"https://{i}.example" for i in range(8)]),
    ]
    for at, wrong in (
        (0, "https://Meet.example"),
        (1, secret[1:]),
        (2, host[1:]),
        (3, 65_536),
        (3, -1),
        (4, token + b"\0"),
        (5, [f"https://{i}.example" for i in range(9)]),
        (5, [ORIGIN]),
        (5, [OTHER, OTHER]),
        (5, ["nothing"]),
    ):
        cases.do("link", *(wrong if i == at else each for i, each in enumerate(good)))
    _parsed_variants(cases, links)
    fixed = secret + host + b"\0\7" + token
    for raw in (
        b"\0" + fixed + b"\0\0",
        b"\2" + fixed + b"\0\0",  # an unknown flag
        b"\1" + fixed + b"\0\0",  # at a further server, and none is named
        b"\1" + fixed + b"\1\x11https://a.example\0",
        b"\1" + fixed + b"\2\x11https://a.example\x11https://b.example\0",
        b"\0" + fixed + b"\0\1" + b"\1\7https:/" + b"\1" + host,  # relays
        b"\0" + fixed + b"\0",
        b"\0" + fixed + b"\1\0\0",
        b"\0" + fixed + b"\2\x10https://a.exampl\0",
        b"\0" + fixed + b"\1\x01\xff\0",
        b"\0",
        b"",
    ):
        whole = raw + _checksum(ORIGIN, raw)
        cases.do("parse", f"{ORIGIN}/#2{_base64url(whole)}")
        cases.do("parse", f"{OTHER}/#2{_base64url(whole)}")


def _room_messages(cases: Cases, host: bytes) -> None:
    """Messages that a room's keys sign for the server."""
    door, room_admin = SigningKey(filled("door")), SigningKey(filled("steward"))
    number = cases.do("number", door.public, room_admin.public)
    cases.do("number", door.public[1:], room_admin.public)
    nonce, chain, gate = filled("nonce"), filled("chain"), filled("gate")
    cases.do("door", ORIGIN, number, nonce, filled("client"))
    cases.do("door", ORIGIN, host, nonce, filled("client"))
    cases.do("door", ORIGIN, host[1:], nonce, filled("client"))
    cases.do("door", ORIGIN, host, nonce[1:], filled("client"))
    for slot in (0, 2**53 - 1, -1):
        cases.do("open", number, slot, gate, chain)
        cases.do("chain", chain, slot, b"blob")
    cases.do("open", number, 1, gate[1:], chain)
    for given in ((number, nonce), (number[1:], nonce), (number, nonce[1:])):
        cases.do("rekey", *given)
    cases.do("chain", chain[1:], 1, b"blob")
    opening_id, digest = filled("opening")[:8], filled("blob")
    signature = room_admin.sign(signed.RoomOpened(number, opening_id, 5, chain).encode())
    for slot, key in ((5, room_admin), (6, room_admin), (5, door)):
        cases.do("verify_opened", key.public, number, opening_id, slot, chain, signature)
    signature = room_admin.sign(signed.SlotTaken(number, opening_id, 5, chain, digest).encode())
    for slot, key in ((5, room_admin), (6, room_admin), (5, door)):
        cases.do("verify_taken", key.public, number, opening_id, slot, chain, digest, signature)
    signature = room_admin.sign(signed.Opening(number, 5, gate, chain).encode())
    for slot, key in ((5, room_admin), (6, room_admin), (5, door)):
        cases.do("verify_opening", key.public, number, slot, gate, chain, signature)
    cases.do("gate", filled("pass"))
    cases.do("gate", bytes(31))


def invite_cases() -> Any:
    """crypto/entry/invite.py."""
    cases = Cases(
        origin=invite.canonical_origin,
        origin_field=invite.origin_field,
        link=_invited,
        parse=_parsed,
        keys=_keys_of,
        token=lambda seed, index: HostSeed(seed).invite_token(index),
        lobby=lambda secret, origin, day: [
            invite.lobby_key(secret, origin, day).public,
            invite.lobby_envelope_key(secret, origin, day),
        ],
        psk=invite.link_psk,
        day=invite.day_of,
        number=invite.room_number,
        door=invite.door_message,
        open=lambda *fields: signed.Opening(*fields).encode(),
        rekey=lambda *fields: signed.Rekey(*fields).encode(),
        verify_opening=invite.verify_opening,
        verify_opened=invite.verify_opened,
        verify_taken=invite.verify_taken,
        chain=invite.chain_next,
        gate=invite.gate,
    )
    _origins(cases)
    secret, host = filled("secret", 16), filled("host")
    _links(cases, secret, host)
    cases.do("keys", filled("host seed"), b"group")
    cases.do("keys", bytes(31), b"group")
    for index in (-1, 65_536):
        cases.do("token", filled("host seed"), index)
    for key, origin, day in (
        (secret, ORIGIN, DAY),
        (secret, OTHER, DAY + 1),
        (secret[1:], ORIGIN, DAY),
        (secret, "x", 1),
    ):
        cases.do("lobby", key, origin, day)
    cases.do("psk", secret)
    cases.do("psk", secret + b"\0")
    for moment in (0, 86_399.9, 86_400, NOW + 0.5):
        cases.do("day", moment)
    _room_messages(cases, host)
    return cases


LINK_ROOM: Final = 4096


#: By the name of the file.
FILES: Final[dict[str, Callable[[], Any]]] = {
    "kdf": kdf_cases,
    "hpke": hpke_cases,
    "invite": invite_cases,
}
