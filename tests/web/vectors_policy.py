"""Shared vectors of what members check: commits, single checks, groups, each with the verdict in words.

Python judges, and the page's unit tests judge the same. Bytes are hex; what many views share stands once, in
`shared`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from snugroom.crypto.agreed import policy
from snugroom.crypto.agreed.heartbeat import NO_HEARTBEAT
from snugroom.crypto.errors import ValidationError
from tests.policy import as_json
from tests.policy.cases import all_cases
from tests.policy.commits import BO, MEMBERS, POLICY, REQUIRED, leaf
from tests.policy.test_commits import CALLS
from tests.policy.test_groups import CARRIED

#: Characters of a case that is left out: full rooms and ledgers, which the page's tests fill themselves.
HEAVY: Final = 20_000
SHARED: Final = ("members", "policy", "ledger", "extensions", "path_leaf")
#: Groups that newcomers are led into; with `MEMBERS` where none are named.
GROUPS: Final[list[dict[str, Any]]] = [
    {},
    {"suite": 3},
    {"suite": 2},
    {"members": []},
    {"extensions": (REQUIRED, CARRIED, (5, b"\0"))},
    {"extensions": (REQUIRED,)},
    {"extensions": (CARRIED, REQUIRED)},
    {"extensions": (REQUIRED, CARRIED, CARRIED)},
    {"members": [leaf(1, identity=b"")]},
    {"members": [leaf(1, identity=b"\0\xff")]},
    {"members": [MEMBERS[BO], leaf(2, identity=b"\1Cem")]},
    {"members": [MEMBERS[BO], leaf(2, "C\x1bem")]},
    {"members": [MEMBERS[BO], leaf(2, "Cem", rejoin_key=b"")]},
]


def verdict(judge: Callable[[], None]) -> str | None:
    """The verdict of a check: the rule and its words, None if it holds."""
    try:
        judge()
    except ValidationError as error:
        return str(error)
    return None


def _plain(value: Any) -> Any:
    match value:
        case bytes():
            return value.hex()
        case Mapping():
            return [[key, _plain(item)] for key, item in value.items()]
        case list() | tuple():
            return [_plain(item) for item in value]
    return value


def commits() -> tuple[dict[str, list[Any]], list[dict[str, Any]]]:
    """(What views share, by field, the cases)."""
    shared: dict[str, list[Any]] = {name: [] for name in SHARED}
    cases = []
    for case in all_cases():
        text = as_json.dumps(case)
        if len(text) > HEAVY:
            continue
        made = json.loads(text)
        for name in SHARED:
            value = made["view"][name]
            if value not in shared[name]:
                shared[name].append(value)
            made["view"][name] = shared[name].index(value)
        del made["rule"]
        made["verdict"] = verdict(lambda view=case.view: policy.judge_commit(view))  # type: ignore[misc]
        cases.append(made)
    return shared, cases


def checks() -> list[dict[str, Any]]:
    """Single checks: their names, arguments and verdicts."""
    made = []
    for name, arguments, _ in CALLS:
        if "v" not in arguments:
            says = verdict(lambda name=name, arguments=arguments: getattr(policy, name)(**arguments))  # type: ignore[misc]
            made.append(
                {"check": name, "arguments": {k: _plain(v) for k, v in arguments.items()}, "verdict": says}
            )
    return made


def groups() -> list[dict[str, Any]]:
    """Groups, and what a newcomer says to them."""
    made = []
    for changes in GROUPS:
        facts = {"suite": 1, "extensions": (REQUIRED, CARRIED), "members": list(MEMBERS.values()), **changes}
        members = [as_json._plain(member) for member in facts["members"]]
        says = verdict(lambda facts=facts: policy.judge_group(**facts))  # type: ignore[misc]
        made.append(
            {
                "suite": facts["suite"],
                "extensions": _plain(facts["extensions"]),
                "members": members,
                "verdict": says,
            }
        )
    return made


def vectors() -> dict[str, Any]:
    """The file."""
    shared, cases = commits()
    return {
        "no_beat": NO_HEARTBEAT.hex(),
        "policy": POLICY.encode().hex(),
        "shared": shared,
        "commits": cases,
        "checks": checks(),
        "groups": groups(),
    }


#: By the name of the file.
FILES: Final[dict[str, Callable[[], Any]]] = {"policy": vectors}
ASCII: Final = False
