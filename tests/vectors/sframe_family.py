"""RFC 9605's public vectors: headers, AES-CTR with HMAC, and whole encryptions, each in both directions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cryptography.exceptions import InvalidTag

from snugroom.crypto.errors import AuthenticationError, MalformedError, SnugError
from snugroom.crypto.media.sframe import (
    CtrHmac,
    FrameKey,
    Header,
    Opener,
    Sealer,
    Suite,
    encode_header,
    expand,
    extract,
    key_size,
    labels,
    tag_size,
)
from tests.vectors.result import Result

Entry = Mapping[str, Any]


class MismatchError(Exception):
    """Our value differs from the vector's."""


def _same(what: str, ours: object, theirs: object) -> None:
    if ours != theirs:
        shown = ours.hex() if isinstance(ours, bytes) else ours
        raise MismatchError(f"{what}: ours is {shown}")


def _refused(what: str, attempt: Callable[[], object], *kinds: type[Exception]) -> None:
    try:
        attempt()
    except kinds:
        return
    raise MismatchError(f"{what} was accepted")


def _header(entry: Entry) -> None:
    encoded = bytes.fromhex(entry["encoded"])
    kid, counter = int(entry["kid"]), int(entry["ctr"])
    _same("encoded", encode_header(kid, counter), encoded)
    _same("decoded", Header.decode(encoded + b"rest"), Header(kid, counter, len(encoded)))
    _refused("a header cut short", lambda: Header.decode(encoded[:-1]), MalformedError)


def _suite(entry: Entry) -> Suite | None:
    try:
        return Suite(int(entry["cipher_suite"]))
    except ValueError:
        return None


def _flip(data: bytes) -> bytes:
    return data[:-1] + bytes((data[-1] ^ 1,))


def _ctr_hmac(entry: Entry) -> None:
    suite = Suite(int(entry["cipher_suite"]))
    key, nonce, aad, plain, sealed = (bytes.fromhex(entry[k]) for k in ("key", "nonce", "aad", "pt", "ct"))
    _same("key size", key_size(suite), len(key))
    _same("enc_key | auth_key", bytes.fromhex(entry["enc_key"] + entry["auth_key"]), key)
    cipher = CtrHmac(suite, key)
    _same("ct", cipher.encrypt(nonce, plain, aad), sealed)
    _same("pt", cipher.decrypt(nonce, sealed, aad), plain)
    _refused("a wrong tag", lambda: cipher.decrypt(nonce, _flip(sealed), aad), InvalidTag)
    _refused("another AAD", lambda: cipher.decrypt(nonce, sealed, aad + b"x"), InvalidTag)


def _sframe(entry: Entry) -> None:
    suite = Suite(int(entry["cipher_suite"]))
    kid, counter = int(entry["kid"]), int(entry["ctr"])
    base_key, metadata, plain, sealed = (
        bytes.fromhex(entry[k]) for k in ("base_key", "metadata", "pt", "ct")
    )
    key_label, salt_label = labels(suite, kid)
    _same("sframe_key_label", key_label, bytes.fromhex(entry["sframe_key_label"]))
    _same("sframe_salt_label", salt_label, bytes.fromhex(entry["sframe_salt_label"]))
    secret = extract(suite, base_key)
    _same("sframe_secret", secret, bytes.fromhex(entry["sframe_secret"]))
    key, salt = expand(suite, secret, kid)
    _same("sframe_key", key, bytes.fromhex(entry["sframe_key"]))
    _same("sframe_salt", salt, bytes.fromhex(entry["sframe_salt"]))
    frame_key = FrameKey(suite, secret, kid)
    _same("nonce", frame_key.nonce(counter), bytes.fromhex(entry["nonce"]))
    _same("aad", encode_header(kid, counter) + metadata, bytes.fromhex(entry["aad"]))
    _same("ct", frame_key.encrypt(counter, metadata, plain), sealed)
    _same("tag size", len(sealed) - len(encode_header(kid, counter)) - len(plain), tag_size(suite))
    _same("(ctr, pt)", Opener(frame_key).open(metadata, sealed), (counter, plain))
    own = Sealer(frame_key).seal(metadata, plain)
    _same("our own frame", Opener(frame_key).open(metadata, own), (0, plain))
    opener = Opener(frame_key)
    _refused("a wrong tag", lambda: opener.open(metadata, _flip(sealed)), AuthenticationError)
    _refused("other metadata", lambda: opener.open(metadata + b"x", sealed), AuthenticationError)


_SECTIONS: Mapping[str, Callable[[Entry], None]] = {
    "header": _header,
    "aes_ctr_hmac": _ctr_hmac,
    "aes_256_ctr_hmac": _ctr_hmac,
    "sframe": _sframe,
}


def is_sframe(data: object) -> bool:
    """Whether parsed JSON has the shape of the SFrame vectors: an object whose members are its sections."""
    return isinstance(data, dict) and bool(data) and data.keys() <= _SECTIONS.keys()


def run(data: object) -> Result:
    """Run a parsed file of SFrame vectors; an entry counts once, a suite that we don't know is skipped."""
    result = Result()
    if not isinstance(data, dict):
        result.failed.append("not an object of sections")
        return result
    for section, entries in data.items():
        check = _SECTIONS.get(section)
        if check is None or not isinstance(entries, list):
            result.failed.append(f"{section}: an unknown section")
            continue
        for index, entry in enumerate(entries):
            where = f"{section}[{index}]"
            try:
                if "cipher_suite" in entry and _suite(entry) is None:
                    result.skipped.append(f"{where}: cipher suite {entry['cipher_suite']}")
                    continue
                check(entry)
            except MismatchError as mismatch:
                result.failed.append(f"{where}: {mismatch}")
            except (SnugError, InvalidTag, KeyError, TypeError, ValueError) as error:
                result.failed.append(f"{where}: {type(error).__name__} {error}")
            else:
                result.passed += 1
    return result
