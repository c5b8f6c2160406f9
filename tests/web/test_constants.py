"""Constants that a module and its twin in the page both have are equal."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any, Final

from tests.web.twins import twins

#: A number, or a product or power of numbers.
_NUMBER: Final = r"[-\d_.]+(?: \*\*? [\d_.]+)*"
_CONSTANT: Final = re.compile(rf"^(?:export )?const ([A-Z][A-Z0-9_]*) = ({_NUMBER});", re.MULTILINE)


def constants(module: Path) -> dict[str, Any]:
    """The numbers of a module's own constants, without the underscore of private ones."""
    found = {}
    for node in ast.parse(module.read_text(encoding="utf-8")).body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)])
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr())
            ):
                text = ast.unparse(node.value or node)
                if name.lstrip("_").isupper() and re.fullmatch(_NUMBER, text):
                    found[name.lstrip("_")] = eval(text)  # noqa: S307
    return found


def test_twins_have_the_same_constants() -> None:
    compared = 0
    for module, twin in twins():
        own = constants(module)
        for name, text in _CONSTANT.findall(twin.read_text(encoding="utf-8")):
            if name in own:
                compared += 1
                assert eval(text) == own[name], (twin, name)  # noqa: S307
    assert compared > 180
