"""The inventory is complete by the code, not only by the objects that a test happens to have made."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import msgspec

import snugroom.server
from snugroom.server.config import Settings
from snugroom.server.disclosure import inventory
from snugroom.server.disclosure.kinds import SETTINGS
from snugroom.server.sfu.limits import MediaLimits

FOLDER = Path(snugroom.server.__file__ or "").parent
#: Parts of the package that no honest server runs, and messages, which belong to their holder.
OTHERS = ("hostile", "wire", "sfu/bench", "doctor", "setup")
#: Classes whose instances exist only within a call, or in another process than a server's, or that have only
#: attributes of a base class: no audit can meet them.
MOMENTARY = {
    "snugroom.server.disclosure.audit.Audit",
    "snugroom.server.disclosure.metrics.Page",
    "snugroom.server.logs.SafeRecord",
    "snugroom.server.logs._Handler",
    "snugroom.server.loopback.Loopback",
    *(f"snugroom.server.nodes.outcomes.{name}" for name in ("Here", "At", "Nowhere", "Placed", "Lost")),
    "snugroom.server.rooms.effects.*",
    *(f"snugroom.server.rooms.placement.{name}" for name in ("Enter", "TurnAway", "Close")),
    "snugroom.server.rooms.facts.RoomFacts",
    "snugroom.server.sfu.core.bandwidth.estimate.BandwidthEstimate",
    "snugroom.server.sfu.core.effects.*",
    "snugroom.server.sfu.core.twcc_sequence.TwccFeedback",
    "snugroom.server.sfu.io.ice.Answer",
    "snugroom.server.sfu.io.mmsg.PreparedBurst",
    "snugroom.server.sfu.io.sockets.*",
    "snugroom.server.sfu.limits.MediaError",
}


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for file in sorted(FOLDER.rglob("*.py")):
        name = file.relative_to(FOLDER).with_suffix("").as_posix()
        if not name.startswith(OTHERS) and "workers/__main__" not in name:  # that one starts a worker
            yield (
                "snugroom.server." + name.replace("/", ".").removesuffix(".__init__"),
                ast.parse(file.read_text()),
            )


def _fields(node: ast.ClassDef) -> set[str]:
    """The attributes of a class: annotated fields, and whatever its methods assign to `self`."""
    data = any("dataclass" in ast.unparse(d) for d in node.decorator_list) or any(
        "Struct" in ast.unparse(base) for base in node.bases
    )
    found: set[str] = set()
    for inner in ast.walk(node):
        if (
            isinstance(inner, ast.Attribute)
            and isinstance(inner.ctx, ast.Store)
            and isinstance(inner.value, ast.Name)
            and inner.value.id == "self"
        ):
            found.add(inner.attr)
    if data:
        annotated = (line for line in node.body if isinstance(line, ast.AnnAssign))
        names = {line.target.id for line in annotated if isinstance(line.target, ast.Name)}
        found |= names - {"_", *_arguments(node)}
    return found


def _arguments(node: ast.ClassDef) -> set[str]:
    """The fields that are only arguments of `__init__` (`InitVar`)."""
    annotated = (line for line in node.body if isinstance(line, ast.AnnAssign))
    return {ast.unparse(line.target) for line in annotated if "InitVar" in ast.unparse(line.annotation)}


def _missing(module: str, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef):
            continue
        kind = getattr(importlib.import_module(module), node.name, None)
        if not isinstance(kind, type) or any(fnmatch(f"{module}.{node.name}", m) for m in MOMENTARY):
            continue
        for name in _fields(node):
            if inventory.entry(kind, name) is None and not isinstance(getattr(kind, name, None), property):
                yield f"{module}.{node.name}.{name}"


def test_every_attribute_that_the_code_sets_is_in_the_inventory() -> None:
    modules = dict(_modules())
    assert "snugroom.server.rooms.room" in modules
    assert [where for module, tree in modules.items() for where in _missing(module, tree)] == []


def test_an_attribute_that_is_new_is_missed() -> None:
    tree = ast.parse("class Hub:\n def __init__(self): self.diary: list[str] = []")
    assert list(_missing("snugroom.server.rooms.hub", tree)) == ["snugroom.server.rooms.hub.Hub.diary"]


def test_every_setting_is_declared_and_may_be_a_text() -> None:
    for kind in (Settings, MediaLimits):
        for field in msgspec.structs.fields(kind):
            assert inventory.entry(kind, field.name) == (SETTINGS, ("setting",))
