"""The reference of the Python API, from the docstrings of the public names: for `tests.docs.generate`."""

from __future__ import annotations

import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Any, Final

from snugroom import Media

#: The packages whose `__all__` is public.
PACKAGES: Final = ("snugroom", "snugroom.testing")
#: Modules of fixtures.
PLUGIN: Final = "snugroom.testing.plugin"
#: Classes that people make by calling them.
MADE: Final = ("Media", "Network", "Server")
_ATTRIBUTE: Final = re.compile(r"((?:^ +#: .+\n)+) +(?:self\.)?(\w+)\b", re.MULTILINE)


def public() -> dict[str, list[str]]:
    """Return the public names by package."""
    return {name: list(importlib.import_module(name).__all__) for name in PACKAGES}


def _text(of: Any) -> str:
    return (inspect.getdoc(of) or "").replace("``", "`")


class _Plain(str):
    """An annotation or a default, shown as it is written."""

    def __repr__(self) -> str:
        return str(self)


def _default(value: object) -> object:
    if not isinstance(value, Media):
        return value
    return _Plain("Media()" if value == Media() else f"Media(size={value.size})")


def _signature(function: Any, name: str) -> str:
    found = inspect.signature(function)
    kept = [
        each.replace(
            annotation=_Plain(each.annotation),
            default=_default(each.default),
        )
        for each in found.parameters.values()
        if each.name not in ("self", "cls")
    ]
    told = found.replace(parameters=kept, return_annotation=_Plain(found.return_annotation))
    return f"{'await ' if inspect.iscoroutinefunction(function) else ''}{name}{told}"


def _attributes(kind: type) -> Iterator[str]:
    for comment, name in _ATTRIBUTE.findall(inspect.getsource(kind)):
        if not name.startswith("_"):
            yield f"`{name}`: " + " ".join(re.sub(r"^ +#: ", "", comment, flags=re.MULTILINE).split())


def _members(kind: type) -> Iterator[str]:
    yield from _attributes(kind)
    for name, member in vars(kind).items():
        if name.startswith("_"):
            continue
        if isinstance(member, property):
            yield f"`{name}`: {_text(member)}"
        elif isinstance(member, classmethod):
            yield f"`{_signature(member.__func__, f'{kind.__name__}.{name}')}`\n\n{_text(member)}"
        elif inspect.isfunction(member):
            call = _signature(inspect.unwrap(member), name)
            call = f"async with {call}" if inspect.isasyncgenfunction(inspect.unwrap(member)) else call
            yield f"`{call}`\n\n{_text(member)}"


def _about(name: str, value: Any) -> Iterator[str]:
    yield f"### `{name}`\n"
    if not inspect.isclass(value):
        yield "A `Mapping[str, Any]`: an object of `--json`, with its name under `event` ([list](json.md)).\n"
        return
    if name in MADE:
        yield f"    {_signature(value.__init__, name).replace(' -> None', '')}\n"
    yield f"{_text(value)}\n"
    for member in _members(value):
        yield f"- {textwrap.indent(member, '  ').lstrip()}\n"


def page() -> str:
    """Return the generated part of docs/reference/python-api.md."""
    lines: list[str] = []
    for package, names in public().items():
        lines.append(f"## `{package}`\n")
        for name in names:
            lines += _about(name, getattr(importlib.import_module(package), name))
    lines.append("## Fixtures of pytest\n")
    plugin = importlib.import_module(PLUGIN)
    for name in sorted(each for each in vars(plugin) if each.startswith("snug_")):
        lines.append(f"- `{name}`: {textwrap.indent(_text(getattr(plugin, name)), '  ').lstrip()}")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"
