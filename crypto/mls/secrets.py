"""The secret tree and its ratchets (RFC 9420 section 9): one key per message, deleted after use.

Deletion (section 9.2): a tree node's secret is wiped when its children are derived, a ratchet's when it
steps, a message key when the message has been accepted. Keys of skipped generations are kept for late
messages, at most `window` per ratchet. Looking up a generation consumes no key; only `MessageKey.consume`
does. It derives keys once: those of generations ahead are kept, at most `max_gap` + 1 per ratchet.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from snugroom.crypto.errors import MissingKeyError, ReplayError, ValidationError
from snugroom.crypto.kdf import NotCopyable
from snugroom.crypto.mls import treemath
from snugroom.crypto.mls.labels import derive_tree_secret, expand_with_label
from snugroom.crypto.primitives import Buffer, Suite

MAX_GENERATION = 2**32 - 1


class RatchetKind(Enum):
    """The two ratchets of each leaf; the value is the label of their first secret."""

    HANDSHAKE = "handshake"
    APPLICATION = "application"


def wipe(secret: bytearray) -> None:
    """Overwrite with zeros. Copies made by the interpreter or a library cannot be wiped."""
    secret[:] = bytes(len(secret))


@dataclass(frozen=True, repr=False)
class MessageKey:
    """The AEAD key and nonce of one generation. Call `consume` once the message has been authenticated."""

    generation: int
    key: Buffer
    nonce: bytes
    consume: Callable[[], None]


class Ratchet(NotCopyable):
    """One sender's keys of one kind, in order (section 9.1).

    `_secret` derives the generation after those in `_ahead`. These were derived for a message that has not
    been authenticated, and are kept: a forged message with a high generation costs its derivations once.
    """

    def __init__(self, suite: Suite, secret: bytearray, *, max_gap: int, window: int) -> None:
        self._suite = suite
        self._secret = secret
        self._next = 0
        self._max_gap, self._window = max_gap, window
        self._ahead: deque[tuple[bytearray, bytes]] = deque()  # (key, nonce) of `_next` and the following
        self._skipped: OrderedDict[int, tuple[bytearray, bytes]] = OrderedDict()

    @property
    def next_generation(self) -> int:
        """The generation after the highest that was consumed."""
        return self._next

    def peek(self, generation: int) -> MessageKey:
        """Return the key of a generation without consuming it.

        Raises `ReplayError` if it was consumed or dropped, `ValidationError` SNUG-17 if it is ahead by more
        than the allowed gap.
        """
        if generation < self._next:
            try:
                key, nonce = self._skipped[generation]
            except KeyError:
                raise ReplayError(f"generation {generation} was used, or is too old") from None
            return MessageKey(generation, key, nonce, lambda: self._forget(generation))
        if generation - self._next > self._max_gap:
            raise ValidationError(
                "SNUG-17", f"generation {generation} is more than {self._max_gap} ahead of {self._next}"
            )
        while self._next + len(self._ahead) <= generation:
            self._step(self._next + len(self._ahead))
        key, nonce = self._ahead[generation - self._next]
        return MessageKey(generation, key, nonce, lambda: self._advance(generation))

    def _step(self, generation: int) -> None:
        """Derive key and nonce of the generation that `_secret` belongs to, and the next secret."""
        suite, secret = self._suite, self._secret
        key = bytearray(derive_tree_secret(suite, secret, "key", generation, suite.nk))
        self._ahead.append((key, derive_tree_secret(suite, secret, "nonce", generation, suite.nn)))
        self._secret = bytearray(derive_tree_secret(suite, secret, "secret", generation, suite.nh))
        wipe(secret)

    def _forget(self, generation: int) -> None:
        key, _ = self._skipped.pop(generation)
        wipe(key)

    def _advance(self, generation: int) -> None:
        while self._next <= generation:
            self._skipped[self._next] = self._ahead.popleft()
            self._next += 1
        self._forget(generation)
        while len(self._skipped) > self._window:
            _, (dropped, _) = self._skipped.popitem(last=False)
            wipe(dropped)

    def wipe(self) -> None:
        wipe(self._secret)
        for key, _ in (*self._ahead, *self._skipped.values()):
            wipe(key)
        self._ahead.clear()
        self._skipped.clear()


class SecretTree(NotCopyable):
    """All ratchets of an epoch, derived from the encryption secret on demand."""

    def __init__(
        self, suite: Suite, size: int, encryption_secret: Buffer, *, max_gap: int = 200, window: int = 200
    ) -> None:
        """`size` is the number of leaves of the tree, including blank ones.

        `max_gap`: maximum number of generations that one message may skip; `window`: maximum number of
        skipped keys kept per ratchet.
        """
        self._suite, self._size = suite, size
        self._max_gap, self._window = max_gap, window
        self._nodes: dict[int, bytearray] = {treemath.root(size): bytearray(encryption_secret)}
        self._ratchets: dict[tuple[int, RatchetKind], Ratchet] = {}
        self._kinds = tuple(RatchetKind)

    def _ratchet(self, leaf: int, kind: RatchetKind) -> Ratchet:
        if (leaf, kind) not in self._ratchets:
            self._start(leaf)
        try:
            return self._ratchets[leaf, kind]
        except KeyError:
            raise MissingKeyError(f"the {kind.value} keys of leaf {leaf} are gone") from None

    def _start(self, leaf: int) -> None:
        """Derive down to a leaf; each secret on the path is replaced by those of its children."""
        if not 0 <= leaf < self._size:
            raise MissingKeyError(f"there is no leaf {leaf}")
        node, suite = 2 * leaf, self._suite
        for index in reversed(treemath.direct_path(node, self._size)):
            secret = self._nodes.pop(index, None)
            if secret is not None:
                for side, child in (("left", treemath.left(index)), ("right", treemath.right(index))):
                    derived = expand_with_label(suite, secret, "tree", side.encode(), suite.nh)
                    self._nodes[child] = bytearray(derived)
                wipe(secret)
        secret = self._nodes.pop(node, None)
        if secret is not None:
            for kind in self._kinds:
                start = bytearray(expand_with_label(suite, secret, kind.value, b"", suite.nh))
                self._ratchets[leaf, kind] = Ratchet(suite, start, max_gap=self._max_gap, window=self._window)
            wipe(secret)

    def peek(self, leaf: int, kind: RatchetKind, generation: int) -> MessageKey:
        """Return the key for a received message. Raises as `Ratchet.peek` does, and `MissingKeyError`."""
        return self._ratchet(leaf, kind).peek(generation)

    def next(self, leaf: int, kind: RatchetKind) -> MessageKey:
        """Return the next key for sending and consume it: no key is returned twice.

        Raises `MissingKeyError` if the ratchet is exhausted.
        """
        ratchet = self._ratchet(leaf, kind)
        if ratchet.next_generation > MAX_GENERATION:
            raise MissingKeyError("the ratchet is exhausted")
        peeked = ratchet.peek(ratchet.next_generation)
        key = bytes(peeked.key)
        peeked.consume()
        return MessageKey(peeked.generation, key, peeked.nonce, lambda: None)

    def only_application(self, own_leaf: int) -> None:
        """Wipe all handshake keys and our leaf's keys: the rest opens late application messages of others."""
        self._start(own_leaf)
        self._kinds = (RatchetKind.APPLICATION,)
        for leaf, kind in list(self._ratchets):
            if leaf == own_leaf or kind == RatchetKind.HANDSHAKE:
                self._ratchets.pop((leaf, kind)).wipe()

    def wipe(self) -> None:
        """Wipe all secrets."""
        for secret in self._nodes.values():
            wipe(secret)
        for ratchet in self._ratchets.values():
            ratchet.wipe()
        self._nodes.clear()
        self._ratchets.clear()


def sender_data_key(suite: Suite, sender_data_secret: Buffer, ciphertext: bytes) -> tuple[bytes, bytes]:
    """Return (key, nonce) of the sender data, from a sample of the ciphertext (RFC 9420 section 6.3.2)."""
    sample = ciphertext[: suite.nh]
    key = expand_with_label(suite, sender_data_secret, "key", sample, suite.nk)
    return key, expand_with_label(suite, sender_data_secret, "nonce", sample, suite.nn)
