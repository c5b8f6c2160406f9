"""A participant's own leaf, and the group of a meeting that it opens."""

from __future__ import annotations

from typing import Final

from snugroom.client.session.kernel.membership import SUITE
from snugroom.crypto import mls
from snugroom.crypto.agreed import room_state
from snugroom.crypto.agreed.names import check_name
from snugroom.crypto.kdf import Rng

#: Lifetime of a KeyPackage in seconds; only the admitting host checks it.
PACKAGE_LIFETIME: Final = 24 * 3600
_SKEW: Final = 3600
#: Capabilities of every leaf of a meeting.
CAPABILITIES: Final = mls.Capabilities(extensions=(room_state.POLICY_EXTENSION, room_state.REJOIN_EXTENSION))


class Me:
    """A participant's own leaf data: one signature key for one meeting."""

    def __init__(self, name: str, rng: Rng) -> None:
        self.name = check_name(name)
        self.rng = rng
        self.private, self.public = mls.generate_signature_key(SUITE, rng)

    def package(self, now: float, ticket: room_state.RejoinTicket | None = None) -> mls.KeyPackageBundle:
        """Return a fresh KeyPackage, with a rejoin ticket if one is given."""
        extensions = () if ticket is None else (mls.Extension(room_state.REJOIN_EXTENSION, ticket.encode()),)
        return mls.create_key_package(
            SUITE,
            signature_private=self.private,
            credential=mls.Credential.basic(room_state.Identity(self.name).encode()),
            capabilities=CAPABILITIES,
            lifetime=mls.Lifetime(int(now) - _SKEW, int(now) + PACKAGE_LIFETIME),
            extensions=extensions,
            rng=self.rng,
        )

    def found(self, group_id: bytes, policy: room_state.Policy, now: float) -> mls.Group:
        """Return a new meeting's group, with us as its only member and `policy` as its first policy."""
        bundle = self.package(now)
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
