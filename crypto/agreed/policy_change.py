"""SNUG-13: the policy that a commit brings, and the hosts' keys in it."""

from __future__ import annotations

from snugroom.crypto.agreed import room_state
from snugroom.crypto.agreed.names import check_text
from snugroom.crypto.entry.invite import canonical_origin
from snugroom.crypto.errors import MalformedError, ValidationError


def keys_stay_or_change(old: room_state.Policy, new: room_state.Policy) -> None:
    """ValidationError("SNUG-13") unless all keys of the hosts stay, or all change at once.

    Otherwise a key is left to somebody who lost the others.
    """
    secrets = old.return_public, old.room_admin_public
    if (new.later_keys, new.return_public, new.room_admin_public) == (old.later_keys, *secrets):
        return
    latest = new.link_keys[-1]
    expected = old.with_keys(latest, new.return_public, new.room_admin_public)
    if (
        new.later_keys != expected.later_keys
        or latest in old.link_keys
        or new.return_public in secrets
        or new.room_admin_public in secrets
    ):
        raise ValidationError("SNUG-13", "the hosts' keys change all at once, or not at all")


def sound_policy(data: bytes) -> room_state.Policy:
    """Return a decoded policy with a sound title, and with servers of sound origins, each named once.

    ValidationError("SNUG-13") for any other one.
    """
    try:
        found = room_state.Policy.decode(data)
        check_text(found.title, room_state.TITLE_MAX)
        origins = {server.origin for server in found.servers}
        if len(origins) != len(found.servers) or any(canonical_origin(each) != each for each in origins):
            raise MalformedError("a server is named twice, or not in canonical form")
    except MalformedError as error:
        raise ValidationError("SNUG-13", str(error)) from None
    return found
