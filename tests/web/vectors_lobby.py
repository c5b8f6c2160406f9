"""Shared vectors of cards, knocks and replies (crypto/entry/lobby.py, crypto/entry/knocks.py)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from snugroom.crypto import fields, hpke, kdf
from snugroom.crypto.agreed.names import check_text
from snugroom.crypto.entry import answers, knocks, lobby
from snugroom.crypto.entry.answers import AlreadyMember, Answer, Received, Refusal, ReplyBody
from snugroom.crypto.entry.invite import HostKeys, HostSeed
from snugroom.crypto.errors import SnugError
from snugroom.crypto.kdf import H, Rng, SigningKey
from snugroom.crypto.proof.identity import IdentityKey
from tests.web.cases import HOST, HOST_KEYS, NOW, ORIGIN, OTHER, SECRET, SUITE, Cases, Seed, filled


def _made_card(seeds: list[bytes], origin: str, answers: list[bytes], rng: Rng) -> lobby.Card:
    keys = HostKeys(tuple(HostSeed(seed) for seed in seeds))
    return lobby.make_card(keys, origin, lobby.make_card_secret(NOW, rng=rng), answers)


def _check_card(card: bytes, host: bytes, origin: str, asked: list[bytes]) -> None:
    lobby.Card.decode(card).verify(host, origin, asked)


def _pair(card_rng: Rng) -> lobby.CardSecret:
    return lobby.make_card_secret(NOW + 0.7, rng=card_rng)


def _card(secret: lobby.CardSecret) -> lobby.Card:
    return lobby.make_card(HOST_KEYS, ORIGIN, secret, [filled("nonce", 16)])


def _knock(
    card_rng: Rng,
    seed: bytes,
    index: int,
    package: bytes,
    name: str,
    greeting: str,
    own: bytes | None,
    rng: Rng,
) -> Any:
    shown = None if own is None else IdentityKey(own)
    made, _ = lobby.knock(
        HostSeed(seed).invite(ORIGIN, SECRET, index),
        _card(_pair(card_rng)),
        package,
        name,
        greeting,
        identity=shown,
        rng=rng,
    )
    return [made.enc, made.ciphertext]


def _open_knock(card_rng: Rng, enc: bytes, ciphertext: bytes) -> Any:
    return lobby.open_knock(_pair(card_rng), lobby.Knock(enc, ciphertext), HOST_KEYS.tokens)


def _reply(card_rng: Rng, rng: Rng, answer: ReplyBody, reply_rng: Rng) -> Any:
    """The way there and back: what is answered to a knock, and what the newcomer finds in it."""
    made, pending = lobby.knock(
        HOST.invite(ORIGIN, SECRET, 0), _card(_pair(card_rng)), b"package", "Ada", "", rng=rng
    )
    reply = lobby.reply(
        lobby.open_knock(_pair_again(card_rng), made, HOST_KEYS.tokens), answer, rng=reply_rng
    )
    return [reply.id, reply.sealed, pending.open(reply)]


def _pair_again(card_rng: Rng) -> lobby.CardSecret:
    # what was drawn once is drawn again: the same seed from its beginning
    return _pair(Seed("card").rng())


def _answer(body: bytes) -> Any:
    answer = answers.read_answer(body)
    assert answers.encode_answer(answer) == body
    return answer


def _posted(envelope_key: bytes, message: Any, rng: Rng) -> Any:
    blob = lobby.post(envelope_key, message, rng=rng)
    assert lobby.read(envelope_key, blob) == message
    return [len(blob), H(blob), blob[:64]]


def _in_an_envelope(inner: bytes, size: int) -> Any:
    """Read bytes that are in the envelope under the key of 32 zeros, padded to a blob of that size."""
    key = bytes(32)
    sealed = kdf.seal(
        key, fields.padded(inner, size - kdf.SEAL_OVERHEAD), b"snug 1 posted", rng=Seed("veil").rng()
    )
    return lobby.read(key, sealed)


def _book(each: int, steps: list[list[Any]]) -> list[Any]:
    """A host's book of knocks, step by step."""
    book, told = knocks.Knocks(each=each), []
    exporter = hpke.Exporter(SUITE, bytes(32))
    for step, *given in steps:
        outcome: Any
        try:
            if step == "issue":
                book.issue(given[0], single=given[1])
                outcome = None
            elif step == "consider":
                index, package, expiry, now = given
                outcome = book.consider(
                    lobby.OpenedKnock(index, bytes(32), package, "Ada", "", expiry, exporter), now
                )
            elif step == "renew":
                number, index, package, expiry, now = given
                newer = lobby.OpenedKnock(index, bytes(32), package, "Ada", "", expiry, exporter)
                outcome = book.renew(number, newer, now)
            elif step == "waiting":
                outcome = [[w.id, w.knock.index, w.since] for w in book.waiting(*given)]
            elif step == "take":
                outcome = book.take(*given).key_package
            else:
                outcome = getattr(book, step)(*given)
        except SnugError as error:
            outcome = {"error": type(error).__name__, "text": str(error)}
        told.append(outcome)
    return told


def _cards(cases: Cases) -> lobby.Card:
    """Cards, and the checks of one."""
    seeds, mine, others = [seed.seed for seed in HOST_KEYS.seeds], filled("nonce", 16), filled("others", 16)
    card = cases.do("card", seeds, ORIGIN, [mine], Seed("card"))
    for named in (
        [],
        [mine, others],
        [filled(f"nonce {n}", 16) for n in range(16)],
        [mine] * 17,
        [mine[:15]],
    ):
        cases.do("card", seeds, ORIGIN, named, Seed("card"))
    raw, host = card.encode(), HOST.host_public
    for given in (
        (raw, host, ORIGIN, [mine]),
        (raw, host, ORIGIN, [others, mine]),
        (raw, host, ORIGIN, [others]),
        (raw, host, ORIGIN, []),
        (raw, HOST_KEYS.current.host_public, ORIGIN, [mine]),
        (raw, host, OTHER, [mine]),
        (raw, filled("another"), ORIGIN, [mine]),
        (raw, SigningKey(filled("another")).public, ORIGIN, [mine]),
        (raw[:-1] + bytes([raw[-1] ^ 1]), host, ORIGIN, [mine]),
        (raw[:-65] + bytes([raw[-65] ^ 1]) + raw[-64:], host, ORIGIN, [mine]),
        (raw[:33] + others + raw[49:], host, ORIGIN, [others]),
        (bytes([raw[0] ^ 1]) + raw[1:], host, ORIGIN, [mine]),
    ):
        cases.do("check_card", *given)
    return card  # type: ignore[no-any-return]


def _knocks(cases: Cases) -> tuple[bytes, bytes]:
    """Knocks, good and forged; the parts of one good knock."""
    own, package = filled("identity"), filled("package", 300)
    knocks = [
        cases.do("knock", Seed("card"), HOST_KEYS.seeds[i % 2].seed, *given, Seed(f"knock {i}"))
        for i, given in enumerate(
            (
                (0, package, "Ada", "", None),
                (0x8001, package, "Ada", "Hello, \U0001f98a!", own),
                (0xFFFF, b"k" * 8192, "Zoë", "g" * 280, own),
                (1, b"", "Ada", "", None),
                (1, bytes(8193), "Ada", "", None),
                (1, package, "Ada:", "", None),
                (1, package, "Ada", "g" * 281, None),
            )
        )
    ]
    for made in knocks[:3]:
        cases.do("open_knock", Seed("card"), *made)
    enc, ciphertext = knocks[1]
    cases.do("open_knock", Seed("another card"), enc, ciphertext)
    cases.do("open_knock", Seed("card"), enc, ciphertext[:-1])
    cases.do("open_knock", Seed("card"), ciphertext[:32], ciphertext)
    cases.do("open_knock", Seed("card"), bytes(32), ciphertext)
    for forged in _forged(package, own):
        cases.do("open_knock", Seed("card"), *forged)
    return enc, ciphertext


def _answers(cases: Cases) -> None:
    """Answers and refusals of hosts."""
    answer = Answer(
        b"welcome",
        filled("number", 16),
        filled("door"),
        filled("steward"),
        filled("handed", 64),
        2**53 - 1,
        filled("chain"),
        2**31,
        b"ledger",
    )
    replies = (
        answer,
        replace(answer, before=filled("before", 128), admission=filled("admission", 64), welcome=bytes(9000)),
        replace(answer, ledger=b"", pieces=filled("pieces", 113)),
        replace(answer, pieces=bytes(65_536)),
        replace(answer, admission=bytes(63)),
        replace(answer, number=bytes(15)),
        replace(answer, door_seed=bytes(31)),
        replace(answer, slot=-1),
        replace(answer, at=-1),
        replace(answer, welcome=bytes(131_000)),
        Refusal(""),
        Refusal("r" * 280),
        Refusal("r" * 281),
        Refusal("a\nb"),
        Received(),
        AlreadyMember(filled("group", 16), 7, filled("chain")),
        AlreadyMember(bytes(256), 7, filled("chain")),
        AlreadyMember(filled("group", 16), 7, bytes(31)),
    )
    for each in replies:
        cases.do("reply", Seed("card"), Seed("knock"), each, Seed("reply"))
    for body in (
        answers.encode_answer(answer),
        answers.encode_answer(replies[1])[:200],
        answers.encode_answer(Refusal("no")),
        answers.encode_answer(Received()),
        answers.encode_answer(AlreadyMember(filled("group", 16), 7, filled("chain"))),
    ):
        cases.cuts("answer", body)
    cases.do("answer", b"\5")


def _messages(cases: Cases, card: lobby.Card, enc: bytes, ciphertext: bytes) -> None:
    """Messages in the lobby's envelope."""
    raw = card.encode()
    envelope_key = filled("veil")
    messages: list[Any] = [
        lobby.CardRequest(filled("nonce", 16)),
        card,
        lobby.Knock(enc, ciphertext),
        lobby.Reply(filled("id", 8), b"sealed"),
        lobby.RecoveryMessage(b"inside"),
        lobby.Piece(b"sealed"),
        lobby.RecoveryMessage(bytes(131_072 - lobby._ENVELOPE_OVERHEAD)),
        lobby.RecoveryMessage(bytes(131_072 - lobby._ENVELOPE_OVERHEAD + 1)),
    ]
    for message in messages:
        cases.do("post", envelope_key, message, Seed("post"))
    for inner in (
        b"",
        b"\0",
        b"\1",
        b"\1" + bytes(15),
        b"\1" + bytes(17),
        b"\2" + raw,
        b"\2" + raw[1:],
        b"\2" + raw + b"\0",
        b"\2" + raw[:65] + b"\0",
        b"\2" + raw[:32] + b"\0" + raw[65:],
        b"\3" + bytes(31),
    ):
        cases.do("under", inner, 512)
    for inner in (
        b"\3" + bytes(32),
        b"\4" + bytes(7),
        b"\4" + bytes(8),
        b"\5",
        b"\6",
        b"\6" + bytes(400),
        b"\7",
    ):
        cases.do("under", inner, 512)
    cases.do("under", b"\2" + raw[:65] + b"\x11" + bytes(17 * 64), 2048)
    cases.do("under", b"\2" + raw[:32] + b"\x11" + bytes(17 * 16) + raw[65:], 1024)
    cases.do("under", b"\1" + bytes(16), 600)
    cases.do("read", envelope_key, bytes(512))


def lobby_cases() -> Any:
    """crypto/entry/lobby.py."""
    cases = Cases(
        card=_made_card,
        check_card=_check_card,
        text=check_text,
        knock=_knock,
        open_knock=_open_knock,
        reply=_reply,
        answer=_answer,
        post=_posted,
        under=_in_an_envelope,
        read=lobby.read,
        book=_book,
    )
    card = _cards(cases)
    for text, most in (
        ("", 0),
        ("a", 0),
        ("é", 2),
        ("é", 1),
        ("e\u0301", 9),
        ("\u212b", 9),
        *(
            (f"a{c}b", 9)
            for c in "\n\t\0\x7f\x9f\u200b\u200d\u202a\u202e\u2066\u2069\u2028\u2029\ufeff\ue000\U0001f98a"
        ),
        ("a\ud800b", 9),
        ("a\U0001fae8b", 9),
        *((f"a{c}b", 9) for c in "\u00ad\u061c\u200c\u200e\u200f\U000e0041\U00013439"),
        ("q\u0330\u0331", 9),
        ("q\u0330\u0331\u0332", 9),
        ("\u0f66\u0f92\u0fb2\u0f7c", 99),
    ):
        cases.do("text", text, most)
    enc, ciphertext = _knocks(cases)
    _answers(cases)
    _messages(cases, card, enc, ciphertext)
    cases.do("book", 1, _STEPS)
    cases.do("book", 2, _STEPS)
    crowd = [["issue", i, False] for i in range(258)]
    crowd += [["consider", i, i.to_bytes(2, "big"), 1000, 1] for i in range(258)]
    cases.do("book", 1, [*crowd, ["waiting", 600], ["waiting", 601]])
    return cases


_STEPS: Final[list[list[Any]]] = [
    ["issue", 0, False],
    ["issue", 0x8001, True],
    ["issue", 0, False],
    ["consider", 5, b"a", 1000, 1],
    ["consider", 0, b"a", 1000, 1],
    ["consider", 0, b"a", 1000, 2],
    ["consider", 0, b"b", 1000, 3],
    ["consider", 0, b"c", 1000, 4],
    ["consider", 0x8001, b"d", 1000, 5],
    ["consider", 0x8001, b"e", 1000, 6],
    ["consider", 0, b"f", 7, 7],
    ["renew", 1, 0, b"a", 1000, 7],
    ["renew", 1, 0, b"i", 1000, 7],
    ["renew", 1, 0, b"j", 7, 7],
    ["renew", 7, 0, b"k", 1000, 7],
    ["waiting", 8],
    ["take", 1, 9],
    ["take", 1, 10],
    ["consider", 0, b"a", 1000, 11],
    ["use", [0, 0x8001]],
    ["consider", 0x8001, b"g", 1000, 12],
    ["waiting", 13],
    ["revoke", 0],
    ["consider", 0, b"h", 1000, 14],
    ["waiting", 15],
]


def _forged(package: bytes, own: bytes) -> list[tuple[bytes, bytes]]:
    """Knocks that open and say what is not allowed, or weren't made with what they name."""
    card = _card(_pair(Seed("card").rng()))
    forged = []

    def make(rest: Callable[[bytes], bytes], *, index: int = 1, token: int | None = None) -> None:
        sender = hpke.Sender(SUITE, card.eph_public, b"snug 1 knock", rng=Seed("forged").rng())
        contents = rest(sender.enc)
        by = HOST.invite_token(index if token is None else token)
        inside = lobby.KnockInside(
            lobby._use(by, card.eph_public, sender.enc, index, contents), index, contents
        )
        forged.append((sender.enc, sender.seal(b"", fields.padded(inside.encode(), 4096))))

    def said(
        name: bytes = b"Ada", greeting: bytes = b"", key_package: bytes = package, shown: bytes = bytes(64)
    ) -> bytes:
        p = fields.prefixed
        return p(key_package, 2) + p(name, 1) + p(greeting, 2) + shown

    shown = IdentityKey(own).knock_proof(card.eph_public, filled("another enc"), package)
    make(lambda _: said())
    make(lambda _: said(), token=2)
    make(lambda _: said(name=b""))
    make(lambda _: said(name=b"\xff"))
    make(lambda _: said(name=b"Ada (host)"))
    make(lambda _: said(greeting=b"a\nb"))
    make(lambda _: said(greeting=b"g" * 281))
    make(lambda _: said(key_package=b""))
    make(lambda _: said() + b"\0")
    make(lambda _: said(shown=bytes(63)))
    make(lambda _: said(shown=bytes(63) + b"\1"))
    make(lambda _: said(shown=shown))
    make(lambda enc: said(shown=IdentityKey(own).knock_proof(card.eph_public, enc, package)))
    make(lambda enc: said(shown=IdentityKey(own).knock_proof(card.eph_public, enc, b"another")))
    return forged


#: By the name of the file.
FILES: Final[dict[str, Callable[[], Any]]] = {
    "lobby": lobby_cases,
}
