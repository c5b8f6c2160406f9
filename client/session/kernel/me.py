"""A participant's own leaf, and the group of a meeting that it opens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from snugroom.client.session.kernel.membership import SUITE
from snugroom.client.session.kernel.views import rejoin_key_extension
from snugroom.crypto import mls
from snugroom.crypto.agreed import room_state
from snugroom.crypto.agreed.names import check_name
from snugroom.crypto.kdf import Rng, SigningKey

#: A KeyPackage is valid from so many seconds before the time at which it is made, and for as many after it;
#: only the admitting host checks it. Two clocks that differ by more don't meet: lobbies are of one day.
PACKAGE_LIFETIME: Final = 24 * 3600
#: Capabilities of every leaf of a meeting.
CAPABILITIES: Final = mls.Capabilities(
    extensions=(room_state.POLICY_EXTENSION, room_state.REJOIN_EXTENSION, room_state.REJOIN_KEY_EXTENSION)
)


class Me:
    """A participant's own leaf data: one signature key for one meeting."""

    def __init__(self, name: str, rng: Rng, private: bytes | None = None) -> None:
        """`private`: the seed of the signature key (32 bytes) that a device has kept; None: a new one."""
        self.name = check_name(name)
        self.rng = rng
        fresh = mls.generate_signature_key(SUITE, rng)
        self.private, self.public = fresh if private is None else (private, SigningKey(private).public)

    def new_leaf(self) -> tuple[SigningKey, Callable[[float], mls.KeyPackageBundle]]:
        """Return a new leaf's rejoin key, and a function of the time that makes KeyPackages for that leaf."""
        rejoin_key = SigningKey.generate(self.rng)
        return rejoin_key, lambda now: self.package(now, rejoin_key)

    def package(
        self,
        now: float,
        rejoin_key: SigningKey,
        ticket: room_state.RejoinTicket | None = None,
        signers: Sequence[SigningKey] = (),
    ) -> mls.KeyPackageBundle:
        """Return a fresh KeyPackage, with a rejoin ticket if one is given, which `signers` sign.

        `rejoin_key` is the new leaf's.
        """

        def extensions(init_key: bytes, encryption_key: bytes) -> Sequence[mls.Extension]:
            if ticket is None:
                return ()
            signed = ticket.signed(signers, init_key, encryption_key, rejoin_key.public)
            return (mls.Extension(room_state.REJOIN_EXTENSION, signed.encode()),)

        return mls.create_key_package(
            SUITE,
            signature_private=self.private,
            credential=mls.Credential.basic(room_state.Identity(self.name).encode()),
            capabilities=CAPABILITIES,
            lifetime=mls.Lifetime(int(now) - PACKAGE_LIFETIME, int(now) + PACKAGE_LIFETIME),
            extensions=extensions,
            leaf_extensions=(rejoin_key_extension(rejoin_key),),
            rng=self.rng,
        )

    def found(
        self, group_id: bytes, policy: room_state.Policy, rejoin_key: SigningKey, now: float
    ) -> mls.Group:
        """Return a new meeting's group, with us as its only member and `policy` as its first policy."""
        bundle = self.package(now, rejoin_key)
        required = mls.Extension(
            mls.ExtensionType.REQUIRED_CAPABILITIES,
            mls.RequiredCapabilities(extensions=(room_state.POLICY_EXTENSION,)).encode(),
        )
        return mls.Group.create(
            bundle,
            group_id=group_id,
            extensions=(required, mls.Extension(room_state.POLICY_EXTENSION, policy.encode())),
            rng=self.rng,
        )
