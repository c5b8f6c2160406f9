"""SNUG-1 to SNUG-15 on one commit each; no check, and no condition of one, is idle."""

from __future__ import annotations

import ast
import inspect
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from types import CodeType, ModuleType
from typing import Any

import pytest

from snugroom.crypto.agreed import policy, rejoins
from snugroom.crypto.agreed.commit_view import CommitView
from snugroom.crypto.errors import ValidationError
from tests.policy.cases import Case, all_cases
from tests.policy.commits import BO, CEM, commit, leaf, remove


def verdict(view: CommitView, module: Any = policy) -> str | None:
    """The rule that a commit breaks, None if it is valid."""
    try:
        module.judge_commit(view)
    except ValidationError as error:
        return error.rule
    return None


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.name)
def test_a_case(case: Case) -> None:
    assert verdict(case.view) == case.rule


def test_every_number_has_cases_and_names_differ() -> None:
    counts = Counter(case.rule for case in all_cases())
    assert counts.keys() == {None, *(f"SNUG-{n}" for n in range(1, 16))}
    assert len({case.name for case in all_cases()}) == len(all_cases())


#: Rules whose breach another rule notices as well. The other is named: a commit is void either way.
BACKED = {"SNUG-14": {"SNUG-13"}}


@pytest.mark.parametrize("number", range(1, 16))
def test_without_a_check_what_it_forbids_would_pass(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_check(view: CommitView) -> None:
        pass

    rule, name = f"SNUG-{number}", f"snug_{number}"
    real = getattr(policy, name)
    checks = tuple(no_check if check is real else check for check in policy.COMMIT_CHECKS)
    assert (checks == policy.COMMIT_CHECKS) is (number == 8), "all but the rejoin are in the list"
    monkeypatch.setattr(policy, "COMMIT_CHECKS", checks)
    monkeypatch.setattr(policy, name, no_check)
    after = [verdict(case.view) for case in all_cases() if case.rule == rule]
    if rule in BACKED:
        assert set(after) == BACKED[rule]
    else:
        assert None in after, "the check is idle: another one forbids the same"
    # what can't be read as a context is told by whoever reads it, under the same number
    unreadable = 8 if number == 1 else 0
    assert after.count(rule) == unreadable


# -- every condition ------------------------------------------------------------------------------------

JUDGING = [
    "context",
    "by_host",
    "rejoin_leaf",
    "replacement",
    "_same_name",
    "_is_self_remove",
    "_allowed_name",
    "_exactly_two",
    "_has_rejoin_key",
    "_is_signed",
    "ticket_is_signed",
    "_known_suite",
    "_looks",
    "_no_external_senders",
    "_replaced",
    "_withdraws",
    "judge_group",
    "judge_commit",
    *(f"snug_{n}" for n in range(1, 22)),
]
_FLIPPED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}


def _mutations(function: ast.FunctionDef) -> Iterator[tuple[str, list[Any], int, ast.AST]]:
    """Each change of one place of a function: what it is, and which item of which list becomes what."""
    for node in ast.walk(function):
        for _, value in ast.iter_fields(node):
            for at, child in enumerate(value if isinstance(value, list) else ()):
                if isinstance(child, ast.Raise):
                    yield f"{child.lineno}: raise gone", value, at, ast.Pass()
        if isinstance(node, ast.BoolOp):
            neutral = ast.Constant(isinstance(node.op, ast.And))
            for at, part in enumerate(node.values):
                yield f"{node.lineno}: without {ast.unparse(part)}", node.values, at, neutral
        if isinstance(node, ast.Compare):
            for at, operator in enumerate(node.ops):
                other = _FLIPPED[type(operator)]()
                text = f"{node.lineno}: {ast.unparse(node)} -> {type(other).__name__}"
                yield text, node.ops, at, other


def _functions(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    return {n.name: n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name in JUDGING}


_TREES = {module: ast.parse(inspect.getsource(module)) for module in (policy, rejoins)}
_JUDGES = {name: (m, function) for m, tree in _TREES.items() for name, function in _functions(tree).items()}
_MUTANTS = [
    (name, number, text)
    for name, (_, function) in _JUDGES.items()
    for number, (text, *_) in enumerate(_mutations(function))
]
#: Changes that make no difference to any commit, and why.
EQUIVALENT = {
    ("snug_8", "without raw is None"): "SNUG-7 asks SNUG-8 of an Add with a ticket only",
    ("_replaced", "without remove.removed is None"): "as above: of a Remove of a leaf only",
}


def _mutant(name: str, number: int) -> ModuleType:
    """The module `policy` with one change of the function, which is in it or in `rejoins`."""
    of, function = _JUDGES[name]
    _, place, at, new = list(_mutations(function))[number]
    old = place[at]
    if isinstance(new, ast.stmt | ast.expr):
        ast.fix_missing_locations(ast.copy_location(new, old))
    place[at] = new
    try:
        codes = {module: compile(tree, "policy_changed", "exec") for module, tree in _TREES.items()}
    finally:
        place[at] = old
    made = _module(codes[policy])
    if of is rejoins:
        changed = _module(codes[rejoins])
        vars(made).update(snug_8=changed.snug_8, replacement=changed.replacement)
    return made


def _module(code: CodeType) -> ModuleType:
    module = ModuleType("crypto.policy_changed")
    sys.modules[module.__name__] = module  # dataclasses looks its module up
    try:
        exec(code, module.__dict__)  # noqa: S102 - our own source, with one change
    finally:
        del sys.modules[module.__name__]
    return module


def _of(module: Any, view: CommitView) -> Any:
    return module.CommitView(**{f.name: getattr(view, f.name) for f in fields(view)})


def _says(module: Any, case: Case) -> str | None:
    try:
        return verdict(_of(module, case.view), module)
    except Exception as error:
        return type(error).__name__


#: Heartbeats 4 and 6 are known, as (prev, digest); 5 or another comes: (seq, prev, digest, known, verdict).
_KNOWN = {4: (b"3", b"4"), 6: (b"5", b"6")}
_BEATS: list[tuple[int, bytes, bytes, dict[int, tuple[bytes, bytes]], bool | str]] = [
    (1, bytes(32), b"1", {}, True),
    (1, b"0", b"1", {}, "SNUG-19: a first beat"),
    (2, bytes(32), b"2", {}, "SNUG-19: a first beat"),
    (5, b"4", b"5", _KNOWN, True),
    (5, b"x", b"5", _KNOWN, "SNUG-19: beat 5 does not follow"),
    (5, b"4", b"x", _KNOWN, "SNUG-19: beat 6 does not follow"),
    (6, b"5", b"6", _KNOWN, True),  # again
    (6, b"5", b"x", _KNOWN, "SNUG-19: two beats with the number 6"),
    (7, b"6", b"7", _KNOWN, True),
    (7, b"x", b"7", _KNOWN, "SNUG-19: beat 7 does not follow"),
    (9, b"8", b"9", _KNOWN, True),  # after a gap
    (3, b"2", b"3", _KNOWN, True),  # late
    (3, b"2", b"x", _KNOWN, "SNUG-19: beat 4 does not follow"),
]

#: Checks called by themselves: (check, arguments, True if it holds, else what the error says or begins with).
CALLS: list[tuple[str, dict[str, Any], bool | str]] = [
    *(
        (
            "snug_17",
            {"epoch": epoch, "current": 7, "sender_removed": removed},
            (epoch in (6, 7) and not removed) or "SNUG-17: a message",
        )
        for epoch in (0, 5, 6, 7, 8)
        for removed in (False, True)
    ),
    ("snug_18", {"by_host": True, "chain": b"a", "current_chain": b"a"}, True),
    (
        "snug_18",
        {"by_host": True, "chain": b"b", "current_chain": b"a"},
        "SNUG-18: it speaks of another history",
    ),
    ("snug_18", {"by_host": False, "chain": b"a", "current_chain": b"a"}, "SNUG-18: only a host"),
    *(
        ("snug_19", {"seq": seq, "prev": prev, "digest": digest, "known": known}, expected)
        for seq, prev, digest, known, expected in _BEATS
    ),
    ("snug_20", {"announcers": {0: 1}, "key_leaf": 0, "stream": 1}, True),
    ("snug_20", {"announcers": {1: 1, 3: 0}, "key_leaf": 3, "stream": 0}, True),
    ("snug_20", {"announcers": {1: 1}, "key_leaf": 0, "stream": 1}, "SNUG-20: a stream sealed by another"),
    ("snug_20", {"announcers": {0: 1}, "key_leaf": 0, "stream": 0}, "SNUG-20: a stream sealed as another"),
    (
        "snug_20",
        {"announcers": {}, "key_leaf": 0, "stream": 1},
        "SNUG-20: a stream that nobody has announced",
    ),
    *(
        ("snug_22", {"forged": False, "unlisted": seconds}, seconds <= 2.0 or "SNUG-22: sound or pictures")
        for seconds in (0.0, 1.9, 2.0, 2.1, 60.0)
    ),
    ("snug_22", {"forged": True, "unlisted": 0.0}, "SNUG-22: a frame that its sender has not signed"),
    # what SNUG-2 and SNUG-5 refuse is no business of those that come later, and no trouble for them
    ("snug_6", {"v": commit(None, path_leaf=leaf("new"))}, True),
    ("snug_6", {"v": commit(9, path_leaf=leaf("new"))}, True),
    ("snug_6", {"v": commit(BO, path_leaf=None)}, True),
    ("snug_7", {"v": commit(None)}, True),
    ("snug_7", {"v": commit(None, remove(CEM))}, "SNUG-7: only a host may do that (remove)"),
]


def _holds(module: Any, name: str, arguments: dict[str, Any], expected: bool | str) -> bool:
    if "v" in arguments:
        arguments = {"v": _of(module, arguments["v"])}
    try:
        getattr(module, name)(**arguments)
    except ValidationError as error:
        return isinstance(expected, str) and str(error).startswith(expected)
    except Exception:
        return False  # no check may fail in another way
    return expected is True


@pytest.mark.parametrize(("name", "arguments", "holds"), CALLS)
def test_a_check_by_itself(name: str, arguments: dict[str, Any], holds: bool | str) -> None:
    assert _holds(policy, name, arguments, holds)


def test_a_message_that_mls_refuses_breaks_snug_16() -> None:
    error = policy.snug_16(ValidationError("MLS-12.2-3", "two Removes of one leaf"))
    assert error.rule == "SNUG-16"
    assert "MLS-12.2-3: two Removes of one leaf" in str(error)


@pytest.mark.no_cover  # measured, it takes three times as long and covers nothing more
@pytest.mark.parametrize(("name", "number", "text"), _MUTANTS, ids=[f"{n} {t}" for n, _, t in _MUTANTS])
def test_each_condition_decides_something(name: str, number: int, text: str) -> None:
    """With one raise, one part of a condition or one comparison changed, some case is judged wrongly."""
    module = _mutant(name, number)
    likely_first = sorted(all_cases(), key=lambda case: case.rule != name.upper().replace("_", "-"))
    wrong = any(not _holds(module, call, arguments, expected) for call, arguments, expected in CALLS) or any(
        _says(module, case) != case.rule for case in likely_first
    )
    reason = EQUIVALENT.get((name, text.partition(": ")[2]))
    if reason is None:
        assert wrong, f"no case notices: {name} {text}"
    else:
        assert not wrong, "this does make a difference: take it off the list"
