"""Every numbered rule of RFC 9420 refuses an attempt that would succeed without the rule's function.

Each case attempts something that breaks one rule. `test_the_rule_refuses` wants exactly that rule's number;
`test_nothing_else_refuses_in_its_place` runs the same attempt with the rule's function switched off and wants
that number no more, so that a case can't pass for another reason than its rule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import snugroom.crypto.mls.treekem
import snugroom.crypto.mls.validate
import snugroom.crypto.mls.validate_commit
import snugroom.crypto.mls.welcome
from snugroom.crypto.errors import ValidationError
from snugroom.crypto.mls import (
    Add,
    CommitError,
    Extension,
    GroupContextExtensions,
    KeyPackageIn,
    PathError,
    Proposal,
    ReInit,
    Remove,
)
from snugroom.crypto.mls.messages import GroupInfo
from snugroom.crypto.mls.nodes import ExtensionType
from snugroom.crypto.mls.proposals import Commit, UpdatePathNode
from snugroom.crypto.mls.treekem import NewPath
from snugroom.crypto.primitives import hpke_generate
from tests.mls.rule_cases import (
    GCE,
    MEMBERS,
    PACKAGES,
    PSK,
    UNKNOWN,
    Case,
    garbled,
    nothing,
    resigned,
    stage_with,
    switched_off,
    update,
    with_nodes,
)
from tests.mls.rule_cases_entering import TREES, WELCOMES, welcomed
from tests.mls.rule_cases_external import OUTSIDE
from tests.mls.world import (
    NOW,
    SUITE,
    Room,
    add_of,
    forge,
    make_leaf,
    make_package,
    new_bundle,
    rng,
    state_of,
)

CASES = [*PACKAGES, *MEMBERS, *OUTSIDE, *TREES, *WELCOMES]
IDS = [f"{case.rule} {number}" for number, case in enumerate(CASES)]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_the_rule_refuses(case: Case) -> None:
    with pytest.raises(ValidationError) as caught:
        case.attempt(case.off)
    assert caught.value.rule == case.rule


@pytest.mark.no_cover  # measured, it takes three times as long and covers nothing more
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_nothing_else_refuses_in_its_place(case: Case) -> None:
    with case.off():
        try:
            case.attempt(case.off)
        except Exception as error:
            assert getattr(error, "rule", None) != case.rule  # noqa: PT017 - most go through, some break later


def test_every_rule_has_a_case() -> None:
    import re

    modules = (snugroom.crypto.mls.validate, snugroom.crypto.mls.validate_commit, snugroom.crypto.mls.welcome)
    listed = {
        rule
        for module in modules
        for rule in re.findall(r"^(MLS-\d[\w.]*-\d+)\s", module.__doc__ or "", re.MULTILINE)
    }
    # 7.5 and 12.1.2-2 are tested below; 12.2-1 is what has no function of its own
    elsewhere = {"MLS-7.5-1", "MLS-7.5-2", "MLS-12.1.2-2", "MLS-12.2-1"}
    assert listed - elsewhere == {case.rule for case in CASES} - elsewhere
    assert len(listed) > 60


# --- blame ---


@pytest.mark.parametrize("case", [c for c in MEMBERS if c.rule not in ("MLS-6-1", "MLS-6.3.2-1")])
def test_a_signed_message_that_breaks_a_rule_names_its_sender(case: Case) -> None:
    with pytest.raises(CommitError) as caught:
        case.attempt(case.off)
    assert caught.value.sender in (0, 1)
    assert not isinstance(caught.value, PathError)


@pytest.mark.parametrize("case", OUTSIDE[-6:])
def test_a_newcomer_who_breaks_a_rule_has_no_leaf_to_name(case: Case) -> None:
    with pytest.raises(CommitError) as caught:
        case.attempt(case.off)
    assert caught.value.sender is None


def test_the_committer_is_held_to_the_same_rules() -> None:
    room = Room(3)
    refused: list[tuple[str, list[Proposal]]] = [
        ("MLS-12.2-3", [Remove(0)]),
        ("MLS-12.2-4", [Remove(1), Remove(1)]),
        ("MLS-12.2-7", [PSK, PSK]),
        ("MLS-12.2-8", [GCE, GCE]),
        ("MLS-12.2-9", [ReInit(b"next", 1, SUITE, ()), PSK]),
        ("MLS-12.1.3-1", [Remove(9)]),
        ("MLS-12.4.2-1", [PSK]),
        ("MLS-13.4-2", [GroupContextExtensions((UNKNOWN,))]),
    ]
    for rule, proposals in refused:
        with pytest.raises(ValidationError) as caught:
            room[0].stage(proposals)
        assert caught.value.rule == rule
    # none of the refusals has used up a handshake key
    assert room[1].process(room[0].stage().message)
    with pytest.raises(ValidationError, match=r"MLS-7\.3-5"):
        room[0].stage([add_of(new_bundle("late"))], now=NOW * 2)
    with pytest.raises(ValidationError, match=r"MLS-12\.1\.3-1"):
        room[0].propose(Remove(9))


def test_a_path_that_does_not_open_for_us_is_told_apart() -> None:
    room = Room(3)
    forged = stage_with(garbled)(room, switched_off)
    before = room[2].epoch_authenticator
    for place in (1, 2):
        with pytest.raises(PathError) as caught:
            room[place].process(forged)
        error = caught.value
        assert (error.rule, error.sender) == ("MLS-7.5-1", 0)
        assert error.commit.path_leaf is not None
        assert error.commit.group is None
    assert room[2].epoch_authenticator == before
    room.commit(by=1)


def test_a_path_secret_of_other_keys_is_told_apart() -> None:
    def other_keys(room: Room, new: NewPath) -> NewPath:
        changed = tuple(
            UpdatePathNode(hpke_generate(rng)[1], node.encrypted_path_secret) for node in new.path.nodes
        )
        tree = state_of(room[0]).tree.copy()
        keys = {i: n.encryption_key for (i, _), n in zip(tree.filtered_direct_path(0), changed, strict=True)}
        parent_hash = snugroom.crypto.mls.treekem._set_parents(tree, 0, keys)
        return resigned(room, with_nodes(new, *changed), parent_hash=parent_hash)

    room = Room(3)
    with pytest.raises(PathError) as caught:
        room[2].process(_with_context_of(room, other_keys))
    assert caught.value.rule in ("MLS-7.5-1", "MLS-7.5-2")


def _with_context_of(room: Room, change: Callable[[Room, NewPath], NewPath]) -> bytes:
    return stage_with(change)(room, switched_off)


def test_an_update_of_ours_whose_key_we_lack_is_told_apart() -> None:
    room = Room(3)
    proposal = forge(room[1], update(room))
    for place in (0, 2):
        room[place].process(proposal)
    [(reference, stored)] = room[0].stored_proposals.items()
    state_of(room[1]).proposals[reference] = stored
    with pytest.raises(PathError) as caught:
        room[1].process(room[0].stage(include_stored=True).message)
    assert (caught.value.rule, caught.value.sender) == ("MLS-12.1.2-2", 0)


def test_a_path_secret_that_is_sealed_to_no_key_of_ours() -> None:
    room = Room(3)
    stage = room[0].stage()
    state_of(room[2]).private_keys.clear()
    with pytest.raises(PathError, match=r"MLS-7\.5-1"):
        room[2].process(stage.message)


def test_a_welcome_signed_by_the_newcomers_own_leaf_is_refused() -> None:
    def by_the_newcomer(info: GroupInfo) -> GroupInfo:
        return replace(info, signer=2)

    with switched_off(("welcome.verify_info", nothing)), pytest.raises(ValidationError) as caught:
        welcomed(by_the_newcomer)(switched_off)
    assert caught.value.rule == "MLS-12.4.3.1-5"


def test_broken_contents_of_a_signed_proposal_are_the_senders_fault() -> None:
    room = Room(2)
    broken = Extension(ExtensionType.REQUIRED_CAPABILITIES, b"\xff")
    with pytest.raises(CommitError) as caught:
        room[1].process(forge(room[0], Commit((Add(_unknown_suite()),))))
    assert caught.value.sender == 0
    with switched_off(("commit.check_members", nothing)):
        forged = room[0].stage([GroupContextExtensions((broken,))]).message
    with pytest.raises(CommitError) as caught:
        room[1].process(forged)
    assert (caught.value.rule, caught.value.sender) == ("MLS-12.2-1", 0)


def _unknown_suite() -> Any:
    private = rng(32)
    return make_package(make_leaf(private), private, suite=7)


def test_a_key_package_of_an_unknown_suite_is_unsupported() -> None:
    from snugroom.crypto.errors import UnsupportedError

    with pytest.raises(UnsupportedError):
        KeyPackageIn.decode(_unknown_suite().encoded).verify()
