"""The documentation agrees with the code in names, fields and numbers."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import re
import runpy
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from snugroom.client.cli import page as page_command
from snugroom.client.headless import commands, json_output
from snugroom.client.headless.status import Status
from snugroom.client.media.stats import OwnStats, StreamStats
from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.catalogue.sentence import table
from snugroom.client.session.monitor import heartbeats
from snugroom.crypto.agreed import policy
from snugroom.lab.attacks import scene
from snugroom.lab.crowd.summary import Summary
from snugroom.lab.leakage import report as leakage
from snugroom.wire import limits, messages

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@cache
def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def rows(text: str) -> dict[str, str]:
    """Table rows by what stands in backquotes in their first column."""
    return {found[1]: found[0] for found in re.finditer(r"^\| `([^`]+)` \|.*$", text, re.MULTILINE)}


def chapter(text: str, heading: str) -> str:
    """The text under a heading, up to the next heading of its level or above."""
    level = len(heading) - len(heading.lstrip("#"))
    _, found, rest = text.partition(f"\n{heading}\n")
    assert found, f"no heading {heading!r}"
    return re.split(rf"^#{{1,{level}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def sources(*folders: str) -> str:
    return "\n".join(
        file.read_text(encoding="utf-8") for folder in folders for file in (ROOT / folder).rglob("*.py")
    )


# -- links -----------------------------------------------------------------------------------


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as forges make them."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("https://", "http://")):
            continue
        name, _, anchor = target.partition("#")
        file = path.parent / name if name else path
        if not file.exists() or (anchor and anchor not in anchors(file.read_text(encoding="utf-8"))):
            broken.append(target)
    assert broken == []


def test_every_page_is_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    todo = [ROOT / "README.md"]
    while todo:
        path = todo.pop()
        if path in seen or path.suffix != ".md":
            continue
        seen.add(path)
        for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
            name = target.partition("#")[0]
            if name and "://" not in name:
                todo.append((path.parent / name).resolve())
    assert [str(path.relative_to(ROOT)) for path in PAGES if path not in seen] == []


def test_every_page_is_in_the_menu_of_the_site() -> None:
    """`make docs` says the same, with packages that `make test` does not install."""
    settings = runpy.run_path(str(ROOT / "docs/site/conf.py"))
    listed = {f"{each}.md" for each in settings["PROJECT"]}
    for index in (ROOT / "docs").rglob("README.md"):
        lines = settings["menu"](str(index.relative_to(ROOT).with_suffix("")), index.read_text("utf-8"))
        folder = index.parent.relative_to(ROOT)
        listed |= {str(folder / f"{line}.md") for line in lines if re.match(r"[\w./-]+$", line)}
    assert {str(path.relative_to(ROOT)) for path in PAGES} - {"docs/README.md"} - listed == set()


def test_paths_in_the_pages_exist() -> None:
    """`wire`, `tests/vectors/run.py` and the like; without a suffix, a module or folder."""
    missing = {
        f"{path.name}: {name}"
        for path in PAGES
        for name in re.findall(
            r"`((?:crypto|server|client|wire|lab|tests|docs)/[\w./-]+?)/?`", path.read_text(encoding="utf-8")
        )
        if not name.endswith("node_modules") and not (ROOT / name).exists()
    }
    assert missing == set()


def test_the_folders_of_the_architecture_exist() -> None:
    text = chapter(page("docs/explanation/architecture.md"), "## Folders")
    named: set[str] = set()
    path: list[str] = []
    for indent, name in re.findall(r"^ {4}( {0,8})([\w/]+)/(?: |$)", text, re.MULTILINE):
        path[len(indent) // 2 :] = [name]
        named.add("/".join(path))
    there = {
        str(file.parent.relative_to(ROOT))
        for top in ("crypto", "server", "client", "wire", "lab")
        for file in (ROOT / top).rglob("__init__.py")
    }
    below = ("lab/hostile/acts", "lab/attacks/scenes")
    assert {name for name in there if not name.startswith(below)} <= named
    assert {name for name in named if not (ROOT / name).is_dir()} == set()
    files = set(re.findall(r"\b[\w_]+\.py\b", text))
    tops = ("crypto", "server", "client", "wire", "lab", "snugroom", "tests")
    assert files - {file.name for top in tops for file in (ROOT / top).rglob("*.py")} == set()


# -- the wire --------------------------------------------------------------------------------


WIRE = [*get_args(messages.ClientMessage), *get_args(messages.ServerMessage)]


def nested(kind: type[msgspec.Struct]) -> set[str]:
    """Field names of a struct and of those inside it."""
    names = set(kind.__struct_fields__)
    for field in msgspec.structs.fields(kind):
        info = msgspec.inspect.type_info(field.type)
        for part in getattr(info, "types", [getattr(info, "item_type", None)]):
            if isinstance(part, msgspec.inspect.StructType):
                names |= nested(part.cls)
    return names


@pytest.mark.parametrize("kind", WIRE, ids=lambda kind: str(kind.__struct_config__.tag))
def test_every_message_of_the_wire_is_documented(kind: type[msgspec.Struct]) -> None:
    row = rows(chapter(page("docs/reference/protocol.md"), "### Messages"))[str(kind.__struct_config__.tag)]
    _, _, sender, fields, *_ = row.split("|")
    assert sender.strip() == ("client" if kind in get_args(messages.ClientMessage) else "server")
    assert set(re.findall(r"`(\w+)`", fields)) == nested(kind)


def test_no_message_is_documented_that_does_not_exist() -> None:
    known = {str(kind.__struct_config__.tag) for kind in WIRE}
    assert set(rows(chapter(page("docs/reference/protocol.md"), "### Messages"))) == known


@pytest.mark.parametrize(
    "kind", get_args(content.AnyContent), ids=lambda kind: str(kind.__struct_config__.tag)
)
def test_every_content_message_is_documented(kind: type[msgspec.Struct]) -> None:
    row = rows(chapter(page("docs/reference/protocol.md"), "## 7. What members say"))[
        str(kind.__struct_config__.tag)
    ]
    assert set(re.findall(r"`(\w+)`", row.replace(r"\|", "").split("|")[2])) == nested(kind)


def test_the_limits_of_what_members_say_are_documented() -> None:
    protocol = rows(chapter(page("docs/reference/protocol.md"), "## 7. What members say"))
    text = f"1 to {content.TEXT_MAX:,} characters"
    assert text in protocol["say"]
    assert page("docs/reference/json.md").count(text) == 2, "of the command, and of the event"
    assert f"1 to {content.IMAGE_MAX:,} bytes" in protocol["image"]
    assert f"more than {content.IMAGE_PIXELS_MAX:,} pixels" in protocol["image"]


def test_the_interval_of_heartbeats_is_documented() -> None:
    least, each = heartbeats.INTERVAL_MIN, heartbeats.INTERVAL_PER_MEMBER
    told = f"max({least:g} s, N / {1 / each:g} s)"
    assert told in chapter(page("docs/reference/protocol.md"), "### Beats")
    assert f"every {least:g} s" in page("docs/reference/alarms/silent.md")


def test_every_refusal_is_documented() -> None:
    told = set(rows(chapter(page("docs/reference/protocol.md"), "### Refusals")))
    code = sources("server", "wire")
    made = set(re.findall(r'Refused\(\s*"(\w+)"', code))
    made |= set(re.findall(r'_refused\(\s*"(\w+)"', code))
    made |= set(re.findall(r'refuse\(\s*[\w.]*handle, "(\w+)"', code))
    assert told == made
    closings = set(re.findall(r'Closing\(\s*"(\w+)"', code))
    assert all(
        f"`{name}`" in chapter(page("docs/reference/protocol.md"), "### Refusals") for name in closings
    )


def test_every_rule_is_documented() -> None:
    told = set(re.findall(r"^\| (SNUG-\d+) \|", page("docs/reference/protocol.md"), re.MULTILINE))
    assert policy.__doc__ is not None
    made = set(re.findall(r"SNUG-\d+", policy.__doc__))
    assert len(made) == 22
    assert told == made


def test_the_order_of_the_checks_is_documented() -> None:
    told = re.search(r"in this order: ([\d, ()and\s]+?),\s+after RFC", page("docs/reference/protocol.md"))
    assert told is not None
    order = [number for number in re.findall(r"\d+", told[1]) if number != "8"]
    assert order == [check.__name__.removeprefix("snug_") for check in policy.COMMIT_CHECKS]


def test_every_label_is_documented() -> None:
    table = chapter(page("docs/reference/protocol.md"), "## 11. All labels")
    made = set(re.findall(r'b?"(snug 1 [a-z ]*[a-z])"', sources("crypto", "client", "server", "wire", "lab")))
    made |= {f"snug 1 {label}" for label in re.findall(r'exported\([\w.]+, "(\w+)"\)', sources("client"))}
    assert len(made) >= 25
    assert {label for label in made if f'"{label}"' not in table} == set()


def test_the_buckets_are_documented() -> None:
    told = ", ".join(f"{size:,}" for size in limits.BUCKETS)
    assert told in " ".join(page("docs/reference/protocol.md").split())


# -- the command line ------------------------------------------------------------------------


def events() -> list[tuple[str, dict[str, Any]]]:
    """One of each event, as `--json` prints it."""
    member = ev.Member(0, "Ada", True)
    samples: list[ev.Event] = [
        ev.InviteMade("https://meet.example/#2", 0),
        ev.Invites(()),
        ev.PolicyChanged(0, "title", "A sentence."),
        ev.Knocked(1, "Bo", "", 0),
        ev.AdmissionProgress(37, 100),
        ev.Roster(1, (member,), (ev.Newcomer(0, "Ada", True, 0, ""),), (), 0),
        ev.Code(1, "0" * 40),
        ev.ShortCode(1, ("a",) * 4, ("b",) * 4, (member,)),
        ev.Comparison(2, 1, "short", True, False, (), (), "A sentence."),
        ev.CodeAnswers(1, 0, (), "A sentence."),
        ev.Said(1, "Bo", "hello"),
        ev.Image(1, "Bo", "0" * 32, "image/png", b""),
        ev.Held((ev.HeldMessage("hello", "A sentence."),)),
        ev.FileOffered(1, "Bo", "0" * 32, "plan.pdf", "application/pdf", 1),
        ev.FileProgress("0" * 32, 1, 1),
        ev.FileDone("0" * 32, b""),
        ev.FileFailed("0" * 32, "A sentence."),
        ev.StateTold(1, "Bo", True, True, False, False, False),
        ev.Reacted(1, "Bo", "heart"),
        ev.Pages(()),
        ev.Vouched(1, "Bo", "new", None, "0" * 40),
        ev.BookChanged("Bo", "0" * 40, False, b"", 1.0),
        ev.Alarm("stuck", "A sentence."),
        ev.Status("away", "A sentence."),
        ev.Ended("left", "You left."),
    ]
    assert {type(sample) for sample in samples} == set(get_args(ev.Event)), "an event without a sample"
    values = {
        field.name: "audio" if field.name == "kind" else b"" if field.name == "handle" else 0
        for field in dataclasses.fields(StreamStats)
    }
    make: Callable[..., StreamStats] = StreamStats
    all_of_them = [json_output.as_json(sample) for sample in samples]
    all_of_them.append(json_output.media_json(make(**values), "Bo"))
    own = {field.name: "audio" if field.name == "kind" else 0 for field in dataclasses.fields(OwnStats)}
    make_own: Callable[..., OwnStats] = OwnStats
    all_of_them.append(json_output.sending_json(make_own(**own), None))
    all_of_them.append({"event": "recording", "text": "", "path": ""})  # as Participant.run notes it
    noted = {"text": "", "state": "", "origin": None, "pid": None}
    all_of_them.append({"event": "landlord", **noted})  # as landlord.carry notes it
    all_of_them.append({"event": "saved", "text": "", "what": "", "path": ""})  # as Keeper.save notes it
    all_of_them.append({"event": "error", "status": 2, "text": ""})  # as JsonOutput.error prints it
    # as `snug crowd` prints it
    all_of_them.append(json.loads(Summary(1, 1, 1, None, 1.0, (), (), (), (), 1.0, 1.0).as_json()))
    return [(value["event"], value) for value in all_of_them]


@pytest.mark.parametrize(("name", "value"), events(), ids=[name for name, _ in events()])
def test_every_event_is_documented_with_its_fields(name: str, value: dict[str, Any]) -> None:
    told = chapter(page("docs/reference/json.md"), f"### `{name}`")
    fields = set(rows(told.partition("| Kind |")[0]))
    assert fields == set(value) - {"event"}


def test_every_kind_of_status_is_documented() -> None:
    told = rows(chapter(page("docs/reference/json.md"), "### `status`").partition("| Kind |")[2])
    keys = [key.split(".") for key in table("alarms")]
    assert set(told) == {kind for what, kind, *_ in keys if what == "status"}


def test_every_note_is_documented() -> None:
    made = set(re.findall(r'output\.note\(\s*"(\w+)"', sources("client")))
    assert made == {"landlord", "recording", "saved"}


def test_every_reason_for_the_end_is_documented() -> None:
    told = chapter(page("docs/reference/json.md"), "### `end`")
    reasons = get_args(get_type_hints(ev.Ended)["reason"])
    assert reasons
    assert all(f"`{reason}`" in told for reason in reasons)


def test_every_exit_status_is_documented() -> None:
    told = chapter(page("docs/reference/command-line.md"), "## Exit statuses")
    assert [int(n) for n in re.findall(r"^\| (\d+) \|", told, re.MULTILINE)] == [int(s) for s in Status]


def test_documented_commands_are_commands() -> None:
    told = re.findall(
        r"^\| `(\{.*?\})` \|", chapter(page("docs/reference/json.md"), "## JSON in"), re.MULTILINE
    )
    parsed = {type(commands.parse_json(line)) for line in told}
    scripts = {
        ev.Received,
        ev.Lost,
        ev.NetworkChanged,
        ev.Tick,
        ev.Publish,
        ev.SelectStreams,
        ev.SetState,
        ev.RunPage,
    }  # what only the shell feeds
    assert parsed == set(get_args(ev.Input)) - scripts
    typed = " ".join(re.findall(r"^    /.*$", page("docs/reference/command-line.md"), re.MULTILINE)).split()
    names = {*commands._NUMBERED, *commands._PLAIN, "lock", "unlock", "invite", "known", "same", "different"}
    names |= {"image", "file", "hand", "unhand", "react", "report", "evidence"}
    assert {f"/{name}" for name in names} <= set(typed)


def keys_of(source: str) -> set[str]:
    """The keys of all dictionaries that a source writes out."""
    return {
        str(key.value)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Constant)
    }


@pytest.mark.parametrize(
    ("command", "keys"),
    [
        ("contacts", keys_of((ROOT / "client/cli/contacts.py").read_text("utf-8"))),
        ("evidence", keys_of((ROOT / "client/cli/evidence.py").read_text("utf-8"))),
        ("verify-page", keys_of(inspect.getsource(page_command.run_verify)) | {"name", "state"}),
        ("lab", keys_of(inspect.getsource(scene.as_json))),
        ("lab leakage", keys_of(inspect.getsource(leakage.as_json))),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_key_that_other_commands_print_is_documented(command: str, keys: set[str]) -> None:
    table = rows(chapter(page("docs/reference/json.md"), "## Other commands"))
    told = [row for name, row in table.items() if re.match(rf"snug {command} [.a-z ]*--json", name)]
    if command == "evidence":
        told.append(table["snug report verify --json"])
    assert len(keys) >= 5
    assert keys - set(re.findall(r"`(\w+)`", " ".join(told))) == set()


def test_every_key_that_the_demo_prints_is_documented() -> None:
    keys = keys_of((ROOT / "lab/demo/show.py").read_text("utf-8"))
    told = set(
        re.findall(r"[`\"](\w+)[`\"]", chapter(page("docs/reference/json.md"), "## `snug demo --json`"))
    )
    assert keys - told == set()
