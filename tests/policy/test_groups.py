"""A newcomer's checks of the group into which a host leads it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from snugroom.client.session import events as ev
from snugroom.crypto import mls
from snugroom.crypto.agreed import policy
from snugroom.crypto.agreed.room_state import POLICY_EXTENSION, REJOIN_EXTENSION, Identity
from snugroom.crypto.errors import ValidationError
from snugroom.lab.simulation.world import Participant, World
from tests.policy.commits import BO, MEMBERS, POLICY, REQUIRED, leaf

BACKWARDS = (POLICY_EXTENSION, replace(POLICY, title="\u202eylkeeW").encode())
CARRIED = (POLICY_EXTENSION, POLICY.encode())
SOUND: dict[str, Any] = {"suite": 1, "extensions": (REQUIRED, CARRIED), "members": tuple(MEMBERS.values())}


@pytest.mark.parametrize("changes", [{}, {"suite": 3}, {"members": ()}], ids=repr)
def test_a_sound_group(changes: dict[str, Any]) -> None:
    policy.judge_group(**SOUND | changes)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"suite": 2}, "SNUG-15"),
        ({"extensions": (REQUIRED, CARRIED, (5, b"\0"))}, "SNUG-14"),
        ({"extensions": (REQUIRED,)}, "SNUG-13"),
        ({"extensions": (CARRIED, REQUIRED)}, "SNUG-13"),
        ({"extensions": (REQUIRED, CARRIED, CARRIED)}, "SNUG-13"),
        ({"extensions": (REQUIRED, (POLICY_EXTENSION, b"\1"))}, "SNUG-13"),
        ({"extensions": (REQUIRED, BACKWARDS)}, "SNUG-13"),
        ({"members": (leaf(1, identity=b""),)}, "SNUG-11"),
        ({"members": (leaf(1, identity=b"\0\xff"),)}, "SNUG-11"),
        ({"members": (MEMBERS[BO], leaf(2, identity=Identity("Cem", flags=1).encode()))}, "SNUG-11"),
        ({"members": (MEMBERS[BO], leaf(2, "C\x1bem"))}, "SNUG-11"),
        ({"members": (MEMBERS[BO], leaf(2, "Cem", rejoin_key=b""))}, "SNUG-6"),
    ],
)
def test_a_group_that_is_none_of_ours(changes: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValidationError) as caught:
        policy.judge_group(**SOUND | changes)
    assert caught.value.rule == rule


def led_into(
    monkeypatch: pytest.MonkeyPatch, seed: int, spoil: dict[str, Any]
) -> tuple[Participant, Participant]:
    """A host whose group isn't sound, and who doesn't mind; a guest to whom it sends a Welcome."""
    w = World(seed)
    with monkeypatch.context() as patch:
        patch.setattr(policy, "judge_group", lambda **facts: None)
        if "identity" in spoil:
            patch.setattr(Identity, "encode", lambda self: spoil["identity"])
        if "extension" in spoil:
            create = mls.Group.create

            def more(bundle: Any, *, extensions: Any, **options: Any) -> mls.Group:
                return create(bundle, extensions=(*extensions, spoil["extension"]), **options)

            patch.setattr(mls.Group, "create", more)
        host = w.host("Ada")
    guest = w.guest(w.link_of(host), "Bo")
    w.until(lambda: guest.ended is not None or len(guest.roster) > 1, 30)
    return host, guest


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        ({"extension": mls.Extension(mls.ExtensionType.EXTERNAL_SENDERS, b"\0")}, "SNUG-14"),
        ({"extension": mls.Extension(REJOIN_EXTENSION, b"")}, "SNUG-13"),
        ({"identity": b"\0A\x1bda"}, "SNUG-11"),
        ({"identity": b"\1Ada"}, "SNUG-11"),
    ],
    ids=["external senders", "another extension", "a name with an escape", "flags"],
)
def test_a_guest_does_not_enter_it(monkeypatch: pytest.MonkeyPatch, spoil: dict[str, Any], rule: str) -> None:
    _, guest = led_into(monkeypatch, 400, spoil)
    assert guest.ended is not None
    assert guest.ended.reason == "refused"
    assert rule in guest.ended.text
    assert not guest.of(ev.Roster)


def test_a_guest_enters_a_sound_one(monkeypatch: pytest.MonkeyPatch) -> None:
    _, guest = led_into(monkeypatch, 401, {})
    assert guest.roster == ["Ada", "Bo"]
