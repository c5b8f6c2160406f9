"""Pairs of modules, Python's and its twin in the page. Names that only one has are listed with a reason."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
#: Folders of twins: a module `my_name.py` has the twin `myName.ts`.
FOLDERS: Final = (("client/session", "client/web/src/session"), ("crypto", "client/web/src/crypto"))
#: Twins may take names from here: generated files of the page, and Python's ground floor.
GENERATED: Final = ("client/web/src/wire/layouts/*.ts", "client/web/src/wire/content.ts")
GROUND: Final = ("wire/signed.py", "wire/rights.py", "wire/errors.py")
#: The reasons for names that only one of two twins has.
DIFFERENCES: Final = Path(__file__).with_name("twins.toml")

_DECLARED: Final = (
    r"(?:declare )?(?:(?:async )?function\*? (\w+)|(?:abstract )?class (\w+)"
    r"|(?:interface|type|enum) (\w+)|(?:const|let) (\w+))"
)
_EXPORTED: Final = re.compile(rf"^export {_DECLARED}", re.MULTILINE)
_OWN: Final = re.compile(rf"^(?:export )?{_DECLARED}", re.MULTILINE)
_REEXPORTED: Final = re.compile(r"^export (?:type )?\{([^}]*)\}", re.MULTILINE)
_INTERFACE: Final = re.compile(r"^export interface (\w+)[^{]*\{\n(.*?)\n\}", re.MULTILINE | re.DOTALL)
_MEMBER: Final = re.compile(r"^  (?:readonly )?(\w+)\??(?:<\w+>)?[:(]", re.MULTILINE)


@dataclass(frozen=True)
class Names:
    """The names at the top level of a module: public ones, and all."""

    public: frozenset[str]
    every: frozenset[str]


def twins() -> Iterator[tuple[Path, Path]]:
    """Yield each module that has a twin, and the twin."""
    for ours, pages in FOLDERS:
        for module in sorted((ROOT / ours).rglob("*.py")):
            folders = module.relative_to(ROOT / ours).with_suffix("").parts
            path = "/".join(re.sub(r"_(\w)", lambda found: found[1].upper(), name) for name in folders)
            twin = ROOT / pages / f"{path}.ts"
            if twin.exists():
                yield module, twin


def spelled(name: str) -> str:
    """Return a name as both languages would spell it: `note_place` and `notePlace` are one."""
    return name.replace("_", "").lower()


def of_python(text: str) -> Names:
    """Return the names that a module defines. A name that begins with an underscore is not public."""
    names: set[str] = set()
    for node in ast.parse(text).body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
            case ast.Assign(targets=targets):
                names |= {target.id for target in targets if isinstance(target, ast.Name)}
    names = {name for name in names if not name.startswith("__")}
    return Names(frozenset(name for name in names if name[0] != "_"), frozenset(names))


def of_typescript(text: str) -> Names:
    """Return the names that a module declares or passes on. Its exports are public."""
    exported = {next(filter(None, found)) for found in _EXPORTED.findall(text)}
    for block in _REEXPORTED.findall(text):
        words = [word.strip().removeprefix("type ") for word in block.split(",") if word.strip()]
        exported |= {word.rpartition(" as ")[2] for word in words}
    own = {next(filter(None, found)) for found in _OWN.findall(text)}
    return Names(frozenset(exported), frozenset(exported | own))


def ports_of_python(text: str) -> dict[str, set[str]]:
    """Return the members of each protocol of a module, spelled as in both languages."""
    found: dict[str, set[str]] = {}
    for port in ast.parse(text).body:
        if isinstance(port, ast.ClassDef):
            members = found[port.name] = set()
            for each in port.body:
                match each:
                    case ast.FunctionDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                        members.add(spelled(name))
    return found


def ports_of_typescript(text: str) -> dict[str, set[str]]:
    """Return the members of each interface of a module, spelled as in both languages."""
    bare = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    return {
        name: {spelled(each) for each in _MEMBER.findall(body)} for name, body in _INTERFACE.findall(bare)
    }


def missing(these: Names, *those: Names) -> set[str]:
    """Return the public names of the first that the others have nowhere."""
    there = {spelled(name) for names in those for name in names.every}
    return {name for name in these.public if spelled(name) not in there}


def differences() -> tuple[set[str], set[str], int]:
    """Return the names of Python alone, as ``MODULE NAME``; those of the page alone; how many both have."""
    only_python: set[str] = set()
    only_page: set[str] = set()
    both = 0
    files = [file for pattern in GENERATED for file in ROOT.glob(pattern)]
    generated = [of_typescript(file.read_text(encoding="utf-8")) for file in files]
    ground = [of_python((ROOT / path).read_text(encoding="utf-8")) for path in GROUND]
    for module, twin in twins():
        ours = of_python(module.read_text(encoding="utf-8"))
        pages = of_typescript(twin.read_text(encoding="utf-8"))
        where = module.relative_to(ROOT)
        only_python |= {f"{where} {name}" for name in missing(ours, pages, *generated)}
        only_page |= {f"{where} {name}" for name in missing(pages, ours, *ground)}
        both += len({spelled(name) for name in ours.public} & {spelled(name) for name in pages.public})
    return only_python, only_page, both


@dataclass(frozen=True)
class Reason:
    """Why twins differ: a heading, a sentence, and the names as ``MODULE NAME``."""

    title: str
    text: str
    python: tuple[str, ...]
    page: tuple[str, ...]


def reasons() -> list[Reason]:
    """Return the listed differences. KeyError or ValueError if the list is malformed."""
    found = []
    for row in tomllib.loads(DIFFERENCES.read_text(encoding="utf-8"))["reason"]:
        if not row["text"].strip():
            raise ValueError(f"no reason is given for {row['title']}")
        lists = [tuple(_rows(row.get(side, {}))) for side in ("python", "page")]
        found.append(Reason(row["title"], row["text"], *lists))
    return found


def _rows(names: dict[str, str]) -> Iterator[str]:
    for module, listed in names.items():
        yield from (f"{module} {name}" for name in listed.split())
