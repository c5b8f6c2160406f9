"""The bill of materials of a release, as CycloneDX 1.6 in JSON: its Python packages, and those in the page.

The versions of Python packages are those of `locked.txt`, with which Snug is tested; an installation may have
newer ones. Packages of npm are inside the built page. The same sources give the same bytes.
"""

from __future__ import annotations

import json
import re
import tomllib
import uuid
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

#: A package of `locked.txt`: its name and version, then the packages that need it.
_LOCKED: Final = re.compile(
    r"^(?P<name>[a-z0-9.-]+)==(?P<version>[^ ;]+)(?: ; [^\\]+?)? \\\n(?:    --hash=\S+(?: \\)?\n)+"
    r"    # via (?P<via>.+)$",
    re.MULTILINE,
)
_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_DNS, "snugroom")


@dataclass(frozen=True)
class Package:
    """A package; `needed_by` has names of packages, `snugroom` or the page."""

    kind: str
    name: str
    version: str
    needed_by: frozenset[str]
    license: str | None = None
    sha512: str | None = None

    @property
    def purl(self) -> str:
        """Return the package URL, which also names the component in this file."""
        return f"pkg:{self.kind}/{self.name.replace('@', '%40')}@{self.version}"

    def component(self) -> dict[str, Any]:
        """Return the component."""
        group, _, name = self.name.rpartition("/")
        made: dict[str, Any] = {"type": "library", "bom-ref": self.purl, "purl": self.purl}
        made |= {"group": group} if group else {}
        made |= {"name": name, "version": self.version, "scope": "required"}
        made |= {"hashes": [{"alg": "SHA-512", "content": self.sha512}]} if self.sha512 else {}
        made |= {"licenses": [{"expression": self.license}]} if self.license else {}
        return made


def python_packages(root: Path) -> list[Package]:
    """Return the packages of `locked.txt`."""
    text = (root / "packaging/build/locked.txt").read_text(encoding="utf-8")
    found = [
        Package(
            "pypi",
            each["name"],
            each["version"],
            frozenset(name.split()[0] for name in each["via"].split(", ") if not name.startswith("-c ")),
        )
        for each in _LOCKED.finditer(text)
    ]
    if len(found) != len(re.findall(r"^[a-z]", text, re.MULTILINE)):
        raise ValueError("locked.txt has lines of another form")
    return found


def npm_packages(root: Path) -> list[Package]:
    """Return the packages that the page is made of, without those that only build it."""
    locked = json.loads((root / "client/web/package-lock.json").read_text(encoding="utf-8"))["packages"]
    inside = {path: data for path, data in locked.items() if path and not data.get("dev")}

    def name(path: str) -> str:
        return path.rpartition("node_modules/")[2]

    return [
        Package(
            "npm",
            name(path),
            data["version"],
            frozenset(
                name(other) or "page"
                for other, needs in {"": locked[""], **inside}.items()
                if name(path) in needs.get("dependencies", {}) | needs.get("peerDependencies", {})
            ),
            data.get("license"),
            b64decode(data["integrity"].removeprefix("sha512-")).hex(),
        )
        for path, data in inside.items()
    ]


def _dependencies(whole: str, page: str, packages: list[Package]) -> Iterator[dict[str, Any]]:
    refs = {("pypi", "snugroom"): whole, ("npm", "page"): page}
    refs |= {(each.kind, each.name): each.purl for each in packages}
    for (kind, name), ref in refs.items():
        needed = [each.purl for each in packages if each.kind == kind and name in each.needed_by]
        yield {"ref": ref, "dependsOn": sorted(needed + ([page] if ref == whole else []))}


def bill(root: Path, page_hash: str, made: int) -> str:
    """Return the file. `made` is the time of the sources, in seconds of Unix time."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    version = project["version"]
    whole, page = f"pkg:pypi/{project['name']}@{version}", f"snug-page@{version}"
    packages = [*python_packages(root), *npm_packages(root)]
    components = sorted((each.component() for each in packages), key=lambda each: str(each["purl"]))
    components.append(
        {
            "type": "application",
            "bom-ref": page,
            "name": "snug-page",
            "version": version,
            "description": "the meeting page, by the hash of its files that `snug page --hash` prints",
            "scope": "required",
            "hashes": [{"alg": "SHA-256", "content": page_hash}],
        }
    )
    value: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(made, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "application",
                "bom-ref": whole,
                "purl": whole,
                "name": project["name"],
                "version": version,
                "description": project["description"],
                "licenses": [{"expression": project["license"]}],
            },
        },
        "components": components,
        "dependencies": sorted(_dependencies(whole, page, packages), key=lambda each: str(each["ref"])),
    }
    number = uuid.uuid5(_NAMESPACE, json.dumps(value, sort_keys=True))
    value["serialNumber"] = f"urn:uuid:{number}"
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
