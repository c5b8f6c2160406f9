"""AWS's mls-rs as a group member, through the bindings of `agentvault-mls-rs-uniffi`.

The bindings offer, found by trying: suite 1 only; a group id of one's own; handshakes are sent as
PublicMessage (PrivateMessage ones are understood); Add and Remove by value and by reference; empty
commits; exporter; the ratchet tree. Not offered: PSKs, GroupContextExtensions, Update, extra capabilities,
the epoch, its authenticator, the tree hash, authenticated data, the sender's leaf. Its members know the
basic credential alone and no extension type of ours.
"""

from __future__ import annotations

from collections.abc import Sequence

import mls_rs_uniffi as mls

from tests.interop.peer import NOTHING, USUAL, Changes, Manner, Peer, PeerError, Psk, Received, Staged, View


class RsPeer:
    """One member of mls-rs."""

    kind = "mls-rs"

    def __init__(self, name: str) -> None:
        self.name = name.encode()
        keys = mls.generate_signature_keypair(mls.CipherSuite.CURVE25519_AES128)
        self.signature_key: bytes = keys.public_key.bytes
        self._client = mls.Client(self.name, keys, mls.client_config_default())
        self.key_package: bytes = self._client.generate_key_package_message().to_bytes()
        self._group: mls.Group | None = None
        self._staged: mls.Message | None = None

    def create(self, group_id: bytes, extensions: Sequence[tuple[int, bytes]] = ()) -> None:
        assert not extensions, "the bindings give a group no extensions"
        self._group = self._client.create_group(group_id)

    def join(self, welcome: bytes, psks: Sequence[Psk] = ()) -> None:
        self.know(psks)
        with _refusals():
            self._group = self._client.join_group(None, mls.Message.from_bytes(welcome)).group

    def know(self, psks: Sequence[Psk]) -> None:
        assert not psks, "the bindings know no PSKs"

    def stage(self, changes: Changes = NOTHING, manner: Manner = USUAL) -> Staged:
        """The manner is mls-rs's own: PublicMessage, a path where the RFC demands one."""
        self.know(changes.psks)
        assert changes.extensions is None, "the bindings change no extensions"
        assert not (changes.adds and changes.removes), "the bindings add or remove"
        group = self._joined()
        with _refusals():
            if changes.adds:
                made = group.add_members([mls.Message.from_bytes(p.key_package) for p in changes.adds])
            elif changes.removes:
                made = group.remove_members([_identity(p) for p in changes.removes])
            else:
                made = group.commit()
        self._staged = made.commit_message
        welcome = None if made.welcome_message is None else made.welcome_message.to_bytes()
        return Staged(made.commit_message.to_bytes(), welcome)

    def adopt(self) -> None:
        assert self._staged is not None
        with _refusals():
            self._joined().process_incoming_message(self._staged)
        self._staged = None

    def propose_add(self, peer: Peer) -> bytes:
        """An Add by reference, as PublicMessage."""
        with _refusals():
            (made,) = self._joined().propose_add_members([mls.Message.from_bytes(peer.key_package)])
        return bytes(made.to_bytes())

    def propose_remove(self, peer: Peer, *, private: bool = True) -> bytes:
        """As PublicMessage, whatever `private` says."""
        with _refusals():
            (made,) = self._joined().propose_remove_members([_identity(peer)])
        return bytes(made.to_bytes())

    def process(self, message: bytes) -> Received:
        with _refusals():
            got = self._joined().process_incoming_message(mls.Message.from_bytes(message))
        if got.is_application_message():
            return Received("application", None, got.data)
        if got.is_received_proposal():
            return Received("proposal", None)
        if got.is_commit():
            self._staged = None
            return Received("removed" if got.effect.is_removed() else "commit", None)
        raise PeerError(f"unexpected: {got}")

    def protect(self, data: bytes) -> bytes:
        with _refusals():
            return bytes(self._joined().encrypt_application_message(data).to_bytes())

    def view(self, label: str = "interop", context: bytes = b"", length: int = 32) -> View:
        group = self._joined()
        return View(
            epoch=None,
            exported=group.export_secret(label.encode(), context, length),
            tree=group.export_tree().bytes,
        )

    def _joined(self) -> mls.Group:
        assert self._group is not None, "not in a group"
        return self._group


def _identity(peer: Peer) -> mls.SigningIdentity:
    """The opaque handle by which mls-rs names a member: made from the name and public key alone."""
    keys = mls.SignatureKeypair(
        cipher_suite=mls.CipherSuite.CURVE25519_AES128,
        public_key=mls.SignaturePublicKey(bytes=peer.signature_key),
        secret_key=mls.SignatureSecretKey(bytes=bytes(64)),  # never used: nothing is signed
    )
    return mls.Client(peer.name, keys, mls.client_config_default()).signing_identity()


class _refusals:  # noqa: N801 - reads as a statement in `with`
    """Turn the bindings' errors into PeerError."""

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, mls.Error):
            raise PeerError(str(error)) from error
