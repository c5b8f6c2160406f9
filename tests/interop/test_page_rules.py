"""The page refuses the same messages as our members, by the same numbered rule, and blames the same leaf.

Every case of `tests/mls` that breaks a rule of RFC 9420 is tried on the page's MLS: who judges otherwise than
the others splits the room. Commits with random bytes changed are given to both, and both must say the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import snugroom.crypto.mls.welcome
from snugroom.crypto.errors import ValidationError
from snugroom.crypto.mls import (
    CommitError,
)
from snugroom.crypto.mls.labels import sign_with_label
from snugroom.crypto.mls.messages import GroupInfo
from tests.interop.page_room import PageBundle, PageError, PageGroup, PageRoom, as_ours
from tests.interop.peer import PeerError
from tests.interop.ts_peer import PageProcess
from tests.mls import rule_cases, rule_cases_entering, rule_cases_external
from tests.mls.rule_cases import MEMBERS, PACKAGES, Case, switched_off
from tests.mls.rule_cases_entering import WELCOMES
from tests.mls.rule_cases_external import OUTSIDE
from tests.mls.world import Room, add_of, forge, new_bundle, state_of


def ids(cases: list[Case]) -> list[str]:
    return [f"{case.rule} {number}" for number, case in enumerate(cases)]


def at(page: PageProcess, place: int) -> Callable[..., PageRoom]:
    return lambda size, **options: PageRoom(page, size, place=place, **options)


# --- key packages ---


class _Package:
    """Where the cases have a `KeyPackageIn`."""

    def __init__(self, page: PageProcess, encoded: bytes) -> None:
        self._page, self._encoded = page, encoded

    def verify(self, suite: int, now: int | None = None) -> None:
        try:
            self._page.call("verify", -1, keyPackage=self._encoded, suite=int(suite), now=now)
        except PeerError as error:
            raise as_ours(error) from error


@pytest.mark.parametrize("case", PACKAGES, ids=ids(PACKAGES))
def test_key_packages(page: PageProcess, monkeypatch: pytest.MonkeyPatch, case: Case) -> None:
    monkeypatch.setattr(rule_cases, "wire", lambda package: _Package(page, package.encoded))
    with pytest.raises(ValidationError) as caught:
        case.attempt(case.off)
    assert caught.value.rule == case.rule
    _Package(page, new_bundle("honest").encoded).verify(1, 1_500)


# --- what members sign ---

# the page's limit is that of the protocol (1,000 proposals): it can't be lowered for a test
FROM_MEMBERS = [case for case in MEMBERS if case.rule != "MLS-12.1-1"]


@pytest.mark.parametrize("case", FROM_MEMBERS, ids=ids(FROM_MEMBERS))
def test_messages_of_members(page: PageProcess, monkeypatch: pytest.MonkeyPatch, case: Case) -> None:
    monkeypatch.setattr(rule_cases, "Room", at(page, -1))
    with pytest.raises(ValidationError) as caught:
        case.attempt(case.off)
    assert caught.value.rule == case.rule
    if case.rule not in ("MLS-6-1", "MLS-6.3.2-1"):
        assert isinstance(caught.value, CommitError)
        assert caught.value.sender in (0, 1)


def test_as_many_proposals_as_the_protocol_allows(page: PageProcess) -> None:
    room = PageRoom(page, 2)
    psk = rule_cases.PSK
    for number in range(1, 1_001):
        nonce = number.to_bytes(32, "big")
        room.theirs.process(
            forge(room.ours[0], replace(psk, psk=replace(psk.psk, nonce=nonce)), private=False)
        )
    with pytest.raises(CommitError) as caught:
        room.theirs.process(forge(room.ours[0], psk, private=False))
    assert (caught.value.rule, caught.value.sender) == ("MLS-12.1-1", 0)


BY_COMMIT = 6
"""The first of OUTSIDE that comes by a commit from outside, and those before with no commit's path."""


@pytest.mark.parametrize("case", OUTSIDE, ids=ids(OUTSIDE))
def test_messages_from_outside(page: PageProcess, monkeypatch: pytest.MonkeyPatch, case: Case) -> None:
    """Commits from outside are not read at all: SNUG-2 would refuse each."""
    monkeypatch.setattr(rule_cases_external, "Room", at(page, 1))
    by_commit = case in OUTSIDE[BY_COMMIT:] or case.rule == "MLS-6-4"
    with pytest.raises(PageError if by_commit else ValidationError) as caught:
        case.attempt(case.off)
    if by_commit:
        assert str(caught.value).startswith("UnsupportedError")
    else:
        assert isinstance(caught.value, ValidationError)
        assert caught.value.rule == case.rule


# --- entering ---


class _Joining:
    """Where the cases have `Group`."""

    @staticmethod
    def join(welcome: bytes, bundle: PageBundle, **options: Any) -> PageGroup:
        return bundle.join(welcome, options.get("psks", {}), options.get("known_groups", ()))


# the page judges no lifetimes when it joins; suite 3 it doesn't have; two cases reach into our own code, and
# are tried below
ENTERING = [
    case
    for case in WELCOMES
    if case.attempt not in (rule_cases_entering.leaf_elsewhere, rule_cases_entering.tampered_tree)
    and case.rule not in ("MLS-12.4.3.1-2", "MLS-7.3-5", "MLS-13.4-3")
]


@pytest.mark.parametrize("case", ENTERING, ids=ids(ENTERING))
def test_welcomes(page: PageProcess, monkeypatch: pytest.MonkeyPatch, case: Case) -> None:
    monkeypatch.setattr(
        rule_cases_entering, "new_bundle", lambda name, **options: PageBundle(page, name, **options)
    )
    monkeypatch.setattr(rule_cases_entering, "Group", _Joining)
    with pytest.raises(ValidationError) as caught:
        case.attempt(case.off)
    assert caught.value.rule == case.rule


def invited_with(
    room: Room, newcomer: PageBundle, change: Callable[[GroupInfo], GroupInfo], by: int = 0
) -> bytes:
    """A Welcome whose GroupInfo is changed before it is signed."""
    original = snugroom.crypto.mls.welcome.make_group_info
    private = state_of(room[by]).signature_private

    def changed(*arguments: Any) -> GroupInfo:
        info = change(original(*arguments))
        return replace(info, signature=sign_with_label(private, "GroupInfoTBS", info.to_be_signed()))

    with switched_off(("welcome.make_group_info", changed)):
        welcome = room[by].stage([add_of(newcomer)]).welcome  # type: ignore[arg-type] # it stands for one
    assert welcome is not None
    return welcome
