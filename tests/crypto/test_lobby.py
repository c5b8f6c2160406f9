"""Cards and knocks: round trips, readers, and every refusal."""

from __future__ import annotations

import copy
import os
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snugroom.crypto import hpke, kdf
from snugroom.crypto.entry import lobby
from snugroom.crypto.entry.answers import Refusal
from snugroom.crypto.entry.invite import HostSeed, Invite
from snugroom.crypto.entry.lobby import (
    BUCKETS,
    Card,
    CardRequest,
    Knock,
    LobbyMessage,
    Reply,
    knock,
    make_card,
    open_knock,
    post,
    read,
    reply,
)
from snugroom.crypto.errors import (
    AuthenticationError,
    MalformedError,
    SnugError,
    StateError,
    UnsupportedError,
    ValidationError,
)
from snugroom.crypto.fields import padded, prefixed, uint, unpadded
from snugroom.crypto.proof.identity import IdentityKey
from tests.crypto.lobby_people import (
    ENVELOPE_KEY,
    KEY_PACKAGE,
    KEYS,
    NONCE,
    NOW,
    ORIGIN,
    SECRET,
    SEED,
    TEXTS,
    card_of,
    host_secret,
    knocked,
)

INVITE = SEED.invite(ORIGIN, SECRET, 5)


# -- in the envelope -----------------------------------------------------------------------------

messages = st.one_of(
    st.builds(CardRequest, st.binary(min_size=16, max_size=16)),
    st.builds(
        Card,
        st.binary(min_size=32, max_size=32),
        st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=16).map(tuple),
        st.lists(st.binary(min_size=64, max_size=64), min_size=1, max_size=16).map(tuple),
    ),
    st.builds(Knock, st.binary(min_size=32, max_size=32), st.binary(max_size=3000)),
    st.builds(Reply, st.binary(min_size=8, max_size=8), st.binary(max_size=3000)),
)


@given(messages)
def test_messages_round_trip_in_buckets(message: LobbyMessage) -> None:
    blob = post(ENVELOPE_KEY, message)
    assert len(blob) in BUCKETS
    assert read(ENVELOPE_KEY, blob) == message


def test_small_messages_look_alike() -> None:
    refusal = reply(knocked()[0], Refusal("not today"))
    assert {len(post(ENVELOPE_KEY, m)) for m in (CardRequest(NONCE), card_of(host_secret()), refusal)} == {
        BUCKETS[0]
    }


def test_the_envelope_hides_and_binds() -> None:
    card = card_of(host_secret())
    blob = post(ENVELOPE_KEY, card)
    assert blob != post(ENVELOPE_KEY, card)
    assert card.eph_public not in blob
    with pytest.raises(AuthenticationError):
        read(os.urandom(32), blob)
    for position in range(0, len(blob), 37):
        changed = blob[:position] + bytes((blob[position] ^ 1,)) + blob[position + 1 :]
        with pytest.raises(AuthenticationError):
            read(ENVELOPE_KEY, changed)


@pytest.mark.parametrize("size", [0, 27, 28, 511, 513, 262_144])
def test_blobs_of_other_sizes_are_refused(size: int) -> None:
    with pytest.raises(MalformedError):
        read(ENVELOPE_KEY, bytes(size))


def _sealed(plaintext: bytes) -> bytes:
    return kdf.seal(ENVELOPE_KEY, plaintext, b"snug 1 posted")


def _inner(inner: bytes) -> bytes:
    return _sealed(padded(inner, BUCKETS[0] - kdf.SEAL_OVERHEAD))


@pytest.mark.parametrize(
    ("blob", "kind"),
    [
        (_inner(b""), MalformedError),
        (_inner(b"\x00"), UnsupportedError),
        (_inner(b"\x07"), UnsupportedError),
        (_inner(b"\x01" + bytes(15)), MalformedError),
        (_inner(b"\x01" + bytes(17)), MalformedError),
        (_inner(b"\x02" + bytes(32) + b"\x01" + bytes(16) + b"\x01" + bytes(63)), MalformedError),
        (_inner(b"\x02" + bytes(32) + b"\x01" + bytes(16) + b"\x01" + bytes(65)), MalformedError),
        (_inner(b"\x03" + bytes(31)), MalformedError),
        (_inner(b"\x04" + bytes(7)), MalformedError),
        (_sealed(padded(b"\x01", 483) + b"\x01"), MalformedError),
        (_sealed(uint(481, 4) + bytes(480)), MalformedError),
    ],
)
def test_bytes_that_are_no_message_are_refused(blob: bytes, kind: type[SnugError]) -> None:
    assert len(blob) == BUCKETS[0]
    with pytest.raises(kind):
        read(ENVELOPE_KEY, blob)


def test_the_largest_message() -> None:
    room = BUCKETS[-1] - kdf.SEAL_OVERHEAD - 4 - 1 - 8
    assert len(post(ENVELOPE_KEY, Reply(bytes(8), bytes(room)))) == BUCKETS[-1]
    with pytest.raises(MalformedError, match="too many for a lobby"):
        post(ENVELOPE_KEY, Reply(bytes(8), bytes(room + 1)))


# -- cards --------------------------------------------------------------------------------------


def test_a_card_answers_its_own_requests_alone() -> None:
    """The server repeats the card of another newcomer, of another visit, or of an hour ago."""
    mine, before, others = b"m" * 16, b"b" * 16, b"o" * 16
    card = card_of(host_secret(), others, mine)
    card.verify(SEED.host_public, ORIGIN, {before, mine})
    for asked in ({before}, set[bytes]()):
        with pytest.raises(AuthenticationError, match="none of our requests"):
            card.verify(SEED.host_public, ORIGIN, asked)
    forged = replace(card_of(host_secret(), others), answers=(mine,))
    with pytest.raises(AuthenticationError, match="not signed"):
        forged.verify(SEED.host_public, ORIGIN, {mine})


@pytest.mark.parametrize("count", [0, 17])
def test_a_card_answers_one_to_sixteen_requests(count: int) -> None:
    answers = tuple(bytes([n]) * 16 for n in range(count))
    with pytest.raises(MalformedError, match="1 to 16"):
        make_card(KEYS, ORIGIN, host_secret(), answers)
    with pytest.raises(MalformedError, match="1 to 16"):
        read(ENVELOPE_KEY, post(ENVELOPE_KEY, replace(card_of(host_secret()), answers=answers)))


def test_a_card_is_the_host_s_for_this_server() -> None:
    card = card_of(host_secret())
    with pytest.raises(AuthenticationError):
        card.verify(HostSeed.from_random().host_public, ORIGIN, {NONCE})
    with pytest.raises(AuthenticationError):
        card.verify(SEED.host_public, "https://other.example", {NONCE})
    for changed in (
        replace(card, eph_public=bytes(32)),
        replace(card, answers=(NONCE, bytes(16))),
        replace(card, signatures=(bytes(64),)),
    ):
        with pytest.raises(AuthenticationError):
            changed.verify(SEED.host_public, ORIGIN, {NONCE})


def test_a_card_is_for_the_links_of_all_generations() -> None:
    later, former = HostSeed(bytes(32)), HostSeed(bytes([1]) * 32)
    card = make_card(KEYS.with_next(later), ORIGIN, host_secret(), (NONCE,))
    assert read(ENVELOPE_KEY, post(ENVELOPE_KEY, card)) == card
    for seed in (SEED, later):
        card.verify(seed.host_public, ORIGIN, {NONCE})
    with pytest.raises(AuthenticationError):
        card.verify(former.host_public, ORIGIN, {NONCE})
    for count in (0, 17):
        wrong = replace(card, signatures=card.signatures[:1] * count)
        with pytest.raises(MalformedError, match="1 to 16 entries"):
            read(ENVELOPE_KEY, post(ENVELOPE_KEY, wrong))


def test_one_secret_opens_the_knocks_at_all_its_cards() -> None:
    """250 guests at a lecture have sixteen cards, and each of their knocks is opened once."""
    secret = host_secret()
    for number in range(3):
        sent, _ = knock(INVITE, card_of(secret, bytes([number]) * 16), KEY_PACKAGE, "Ada", "")
        assert open_knock(secret, sent, KEYS.tokens).index == 5


def test_a_knock_tells_of_which_generation_its_invite_is() -> None:
    later = HostSeed(bytes(32))
    keys = KEYS.with_next(later)
    secret = host_secret()
    card = make_card(keys, ORIGIN, secret, (NONCE,))
    for seed in (SEED, later):
        sent, _ = knock(seed.invite(ORIGIN, SECRET, 5), card, KEY_PACKAGE, "Ada", "")
        opened = open_knock(secret, sent, keys.tokens)
        assert (opened.index, opened.host_public) == (5, seed.host_public)


def test_a_card_s_secret_goes() -> None:
    secret = host_secret()
    sent, _ = knock(INVITE, card_of(secret), KEY_PACKAGE, "Ada", "")
    assert not secret.expired(NOW + 599)
    assert secret.expired(NOW + 600)
    assert hpke.public_key(secret.private) == secret.public
    with pytest.raises(StateError):
        copy.deepcopy(secret)
    secret.erase()
    secret.erase()
    with pytest.raises(StateError, match="erased"):
        open_knock(secret, sent, KEYS.tokens)


# -- knocks -------------------------------------------------------------------------------------

NAMES = st.sampled_from(["Ada", "B", "Zoë", "名前", "x" * 64, "O'Neill-Smith 3rd"])


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 65_535), st.binary(min_size=1, max_size=3000), NAMES, TEXTS)
def test_knocks_round_trip(index: int, key_package: bytes, name: str, greeting: str) -> None:
    secret = host_secret()
    sent, _ = knock(SEED.invite(ORIGIN, SECRET, index), card_of(secret), key_package, name, greeting)
    again = read(ENVELOPE_KEY, post(ENVELOPE_KEY, sent))
    assert isinstance(again, Knock)
    opened = open_knock(secret, again, KEYS.tokens)
    assert (opened.index, opened.key_package) == (index, key_package)
    assert (opened.name, opened.greeting, opened.expiry) == (name, greeting, secret.expiry)


def test_a_knock_s_size_tells_nothing_of_its_words() -> None:
    card = card_of(host_secret())
    sizes = {
        len(post(ENVELOPE_KEY, knock(INVITE, card, bytes(400), name, greeting)[0]))
        for name, greeting in (("A", ""), ("x" * 64, "y" * 280))
    }
    assert sizes == {2048}
    sent, _ = knock(INVITE, card, bytes(400), "A", "")
    other, _ = knock(INVITE, card, bytes(500), "x" * 64, "y" * 280)
    assert len(sent.ciphertext) == len(other.ciphertext)
    assert len(post(ENVELOPE_KEY, knock(INVITE, card, bytes(2000), "A", "")[0])) == 4096


def test_only_the_card_s_holder_reads_a_knock() -> None:
    secret, other = host_secret(), host_secret()
    sent, _ = knock(INVITE, card_of(secret), KEY_PACKAGE, "Ada", "")
    with pytest.raises(AuthenticationError):
        open_knock(other, sent, KEYS.tokens)
    for changed in (
        Knock(os.urandom(32), sent.ciphertext),
        Knock(sent.enc, sent.ciphertext[:-1]),
        Knock(sent.enc, bytes((sent.ciphertext[0] ^ 1,)) + sent.ciphertext[1:]),
    ):
        with pytest.raises(AuthenticationError):
            open_knock(secret, changed, KEYS.tokens)


def test_only_the_invite_s_holder_makes_a_knock() -> None:
    secret = host_secret()
    forged = Invite(ORIGIN, SECRET, SEED.host_public, 6, INVITE.token)
    sent, _ = knock(forged, card_of(secret), KEY_PACKAGE, "Ada", "")
    with pytest.raises(AuthenticationError, match="invite 6"):
        open_knock(secret, sent, KEYS.tokens)


def _raw_knock(
    secret: lobby.CardSecret, rest: bytes, *, token: bytes = INVITE.token, proof: bytes | None = None
) -> Knock:
    """A knock by a holder of invite 5 who doesn't keep to the rules."""
    sender = hpke.Sender(lobby.SUITE, secret.public, b"snug 1 knock", rng=os.urandom)
    if proof is None:
        proof = kdf.mac(token, b"snug 1 use", secret.public, sender.enc, kdf.H(rest))
    return Knock(sender.enc, sender.seal(b"", padded(proof + rest, len(proof + rest) + 40)))


def _rest(
    index: int = 5,
    key_package: bytes = b"kp",
    name: bytes = b"Ada",
    greeting: bytes = b"",
    shown: bytes = bytes(64),
    end: bytes = b"",
) -> bytes:
    words = prefixed(key_package, 2) + prefixed(name, 1) + prefixed(greeting, 2)
    return uint(index, 2) + words + shown + end


@pytest.mark.parametrize(
    ("rest", "kind"),
    [
        (_rest(end=b"x"), MalformedError),
        (_rest()[:-1], MalformedError),
        (_rest()[:4], MalformedError),
        (b"\x00", MalformedError),
        (b"", MalformedError),
        (_rest(key_package=b""), MalformedError),
        (_rest(key_package=bytes(8193)), MalformedError),
        (_rest(name=b""), ValidationError),
        (_rest(name=b"x" * 65), ValidationError),
        (_rest(name=b"\xff"), MalformedError),
        (_rest(name="e\u0301".encode()), ValidationError),
        (_rest(name=b"A\x1b[2J"), ValidationError),
        (_rest(greeting=b"x" * 281), MalformedError),
        (_rest(greeting=b"\xc3"), MalformedError),
        (_rest(greeting="e\u0301".encode()), MalformedError),
        (_rest(greeting=b"a\nb"), MalformedError),
        (_rest(greeting="a\u202eb".encode()), MalformedError),
        (_rest(greeting="a\u2028b".encode()), MalformedError),
        (_rest(shown=b""), MalformedError),
        (_rest(shown=bytes(63) + b"\1"), MalformedError),
        (_rest(shown=b"\1" + bytes(63)), MalformedError),
        (_rest(shown=b"\x09" + bytes(30) + b"\x80" + bytes(32)), MalformedError),
        (_rest(shown=b"\x09" + bytes(63)), AuthenticationError),
    ],
)
def test_a_holder_s_wrong_knock_is_refused(rest: bytes, kind: type[SnugError]) -> None:
    secret = host_secret()
    with pytest.raises(kind):
        open_knock(secret, _raw_knock(secret, rest), KEYS.tokens)


def test_a_knock_may_show_an_identity_and_its_size_does_not_tell() -> None:
    secret, me = host_secret(), IdentityKey.generate()
    for size in range(1400, 1800, 7):  # around the edge of a bucket too
        package = bytes(size)
        sent, _ = knock(INVITE, card_of(secret), package, "Ada", "", identity=me)
        bare, _ = knock(INVITE, card_of(secret), package, "Ada", "")
        assert len(post(ENVELOPE_KEY, sent)) == len(post(ENVELOPE_KEY, bare))
        assert len(sent.ciphertext) == len(bare.ciphertext)
    assert open_knock(secret, sent, KEYS.tokens).identity == me.public
    assert open_knock(secret, bare, KEYS.tokens).identity is None
    assert me.public not in sent.ciphertext


def test_an_identity_that_another_knock_has_shown_is_not_shown_again_by_somebody_else() -> None:
    # a host (or who holds this card) has Ada's proof; it fits no other card, encryption or KeyPackage
    secret, other, me = host_secret(), host_secret(), IdentityKey.generate()
    sent, _ = knock(INVITE, card_of(secret), KEY_PACKAGE, "Ada", "", identity=me)
    opened = hpke.open(lobby.SUITE, secret.private, sent.enc, b"snug 1 knock", b"", sent.ciphertext)
    shown = unpadded(opened.plaintext)[-64:]
    assert shown[:32] == me.public
    for card, package in ((secret, KEY_PACKAGE), (other, KEY_PACKAGE), (secret, b"another")):
        again = _raw_knock(card, _rest(key_package=package, shown=shown))
        with pytest.raises(AuthenticationError, match="identity"):
            open_knock(card, again, KEYS.tokens)


def test_a_raw_knock_by_the_rules_opens() -> None:
    secret = host_secret()
    opened = open_knock(secret, _raw_knock(secret, _rest()), KEYS.tokens)
    assert (opened.index, opened.key_package, opened.name, opened.greeting) == (5, b"kp", "Ada", "")
    for wrong in (_raw_knock(secret, _rest(), proof=bytes(32)), _raw_knock(secret, _rest(), token=bytes(16))):
        with pytest.raises(AuthenticationError):
            open_knock(secret, wrong, KEYS.tokens)


def test_the_proof_comes_first() -> None:
    # nothing of a knock that isn't proven is judged: its wrong name must not matter
    secret = host_secret()
    with pytest.raises(AuthenticationError):
        open_knock(secret, _raw_knock(secret, _rest(name=b""), proof=bytes(32)), KEYS.tokens)


def test_the_proof_holds_for_one_encryption_alone() -> None:
    # a host who was knocked at can't pass the knock on as its own to another card of the same meeting
    secret, other = host_secret(), host_secret()
    rest = _rest()
    proof = kdf.mac(INVITE.token, b"snug 1 use", secret.public, bytes(32), kdf.H(rest))
    for card in (secret, other):
        with pytest.raises(AuthenticationError):
            open_knock(card, _raw_knock(card, rest, proof=proof), KEYS.tokens)


@pytest.mark.parametrize(
    ("key_package", "name", "greeting"),
    [
        (KEY_PACKAGE, "", ""),
        (KEY_PACKAGE, "x" * 65, ""),
        (KEY_PACKAGE, "e\u0301", ""),
        (KEY_PACKAGE, "Ada", "x" * 281),
        (KEY_PACKAGE, "Ada", "tab\there"),
        (KEY_PACKAGE, "Ada", "\ud800"),
        (b"", "Ada", ""),
        (bytes(8193), "Ada", ""),
    ],
)
def test_the_newcomer_s_end_refuses_too(key_package: bytes, name: str, greeting: str) -> None:
    with pytest.raises((MalformedError, ValidationError)):
        knock(INVITE, card_of(host_secret()), key_package, name, greeting)
