"""`snug evidence` and `snug report`: verify offline what a file proves and what it does not.

Both verify every signature before they print any result. Exit status: 0 if everything verified, 1 if not,
2 if the file or the command line can't be read.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from snugroom.client.headless.text import plain
from snugroom.client.session.catalogue import content
from snugroom.client.session.catalogue.sentence import listed
from snugroom.client.session.features.images import mime_of
from snugroom.crypto.entry.invite import Invite
from snugroom.crypto.errors import SnugError
from snugroom.crypto.kdf import H
from snugroom.crypto.proof import evidence, report
from snugroom.crypto.proof.evidence import Findings
from snugroom.crypto.proof.report import Report, VerifiedMessage

#: Seconds for which beats must have named two starts of the server: clocks differ a little.
_TOGETHER: Final = 15
_OK, _UNPROVEN, _USAGE = 0, 1, 2

#: Statements that no evidence can prove.
_EVIDENCE_NOT: Final = (
    "That no host ended the meeting or removed anybody: a word that never came can't be shown not to exist.",
    "That the keys are of different people, or of members: whoever knew the room's number could make keys "
    "and sign with them, its server and any one member included.",
    "How many members there were: beats name them, and those are the word of the keys that signed them.",
    "That the server put these members out: a network can fail as well.",
    "Whose a name is: every key calls itself what it likes, and is in the list whether it was here or not.",
    "Whose clocks were right: times are by each signer's own.",
    "That the server's key is that operator's. A running server shows its key in the first message to "
    "whoever connects (`challenge`), and makes a new one at each start: compare it while that server runs, "
    "or ask others who met there at that time.",
    "The server's last words, its wrong signatures, that and why it refused somebody, and when the room was "
    "lost: those are the exhibit's author's word. A server signs no refusal, nor what it wants of who opens "
    "a room.",
)
#: Statements that no report can prove.
_REPORT_NOT: Final = (
    "Who the person is: a key is a program's, for one meeting.",
    "When it was said, and what was said before it and after it: the epoch, and who was host then, are the "
    "writer's own word.",
    "That the host is honest: a host can let anybody in, can be the writer itself under another key, and can "
    "make up a whole meeting in which nobody else ever was.",
    "That the host key is the host's: it has to come from the host, by the link or by word of mouth.",
)


def add_parser(commands: Any) -> None:
    """Add `evidence` and `report` to the commands (argparse's subparsers)."""
    shown = commands.add_parser("evidence")
    what = shown.add_subparsers(dest="evidence", required=True, metavar="WHAT")
    verify = what.add_parser("verify", help="show what a file proves and what it does not, offline")
    verify.add_argument("file", metavar="FILE", type=Path)
    verify.add_argument("--json", action="store_true", help="one JSON object")
    merge = what.add_parser("merge", help="merge several members' files, to standard output")
    merge.add_argument("files", metavar="FILE", type=Path, nargs="+")
    shown.set_defaults(run=run)

    shown = commands.add_parser("report")
    what = shown.add_subparsers(dest="report", required=True, metavar="WHAT")
    verify = what.add_parser("verify", help="show what a report proves and what it does not")
    verify.add_argument("file", metavar="FILE", type=Path)
    of = verify.add_mutually_exclusive_group()
    of.add_argument("--link", metavar="LINK", help="the meeting's link, from its host")
    of.add_argument("--host-key", metavar="HEX", help="the host's key, 64 hex digits")
    verify.add_argument("--json", action="store_true", help="one JSON object")
    shown.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    try:
        if arguments.command == "report":
            return _verify_report(arguments)
        if arguments.evidence == "merge":
            return _merge(arguments.files)
        return _verify_evidence(arguments)
    except OSError as error:
        print(f"snug: {error.filename} can't be read: {error.strerror}", file=sys.stderr)
        return _USAGE


def _digest(data: bytes) -> str:
    return H(data).hex()


def _read(path: Path, most: int) -> bytes:
    with path.open("rb") as file:
        return file.read(most + 1)


def _bad(arguments: argparse.Namespace, error: SnugError, **more: Any) -> int:
    text = f"This proves nothing: {error}."
    if arguments.json:
        _json({"verified": False, "text": text, **more})
    else:
        print(plain(text))
    return _UNPROVEN


def _json(value: dict[str, Any]) -> None:
    print(json.dumps(value, ensure_ascii=True, indent=1))


def _tell(title: str, sentences: Iterable[str]) -> None:
    print(title)
    for sentence in sentences:
        print(f"  - {plain(sentence)}")


def _clock(at: int) -> str:
    """Return Unix seconds as UTC text, or the number itself if it is outside the calendar."""
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return f"{at} s"


# -- evidence ------------------------------------------------------------------------------------


def _merge(files: list[Path]) -> int:
    read = []
    for path in files:
        try:
            found = evidence.decode_evidence(_read(path, evidence.FILE_MAX))
            evidence.verify_evidence(found)
        except SnugError as error:
            print(f"snug: {path}: {error}", file=sys.stderr)
            return _UNPROVEN
        read.append(found)
    try:
        merged = evidence.merge(read)
    except SnugError as error:
        print(f"snug: {error}", file=sys.stderr)
        return _UNPROVEN
    sys.stdout.write(evidence.encode(merged).decode())
    return _OK


def _verify_evidence(arguments: argparse.Namespace) -> int:
    data = _read(arguments.file, evidence.FILE_MAX)
    try:
        found = evidence.verify_evidence(evidence.decode_evidence(data))
    except SnugError as error:
        return _bad(arguments, error)
    proven = proven_of(found)
    if arguments.json:
        _json(_evidence_json(found, proven))
        return _OK
    print(f"Evidence of room {found.number.hex()}.")
    if found.names:
        _tell("Names, by which each key has called itself:", (_named(found, n) for n in found.names))
    _tell("Proven:", proven)
    _tell("As the exhibits tell it, not proven:", claims_of(found))
    _tell("Not proven:", _EVIDENCE_NOT)
    return _OK


def _order(found: Findings) -> list[bytes]:
    """Return all keys in a fixed order, which defines the members' numbers."""
    return sorted({*(m.key for m in found.members), *(e.key for e in found.exhibits)})


def _who(found: Findings, key: bytes) -> str:
    order = _order(found)
    return f"member {order.index(key) + 1}" if key in order else f"key {key.hex()[:16]}"


def _named(found: Findings, named: evidence.NamedKey) -> str:
    known = named.key in _order(found)
    return f"{_who(found, named.key)}: {named.name}" + ("" if known else " (it has signed nothing here)")


def _server(key: bytes) -> str:
    return f"the server key {key.hex()[:16]}..."


def proven_of(found: Findings) -> list[str]:
    """Return the facts that verified signatures prove, one sentence each."""
    sentences = []
    if found.members:
        last = found.members[0]
        keys = len(found.members)
        sentences.append(
            f"{keys} different key{'s' if keys > 1 else ''} signed beats in this room, the last of them at "
            f"{_clock(last.at)}."
        )
    for member in found.members:
        by = listed([_server(key) for key in found.served_by(member)])
        served = f"{by} signed the same history" if by else "no receipt for that here"
        sentences.append(
            f"{_who(found, member.key).capitalize()} was there at {_clock(member.at)}, at slot {member.slot} "
            f"(history {member.chain.hex()[:16]}): {served}."
        )
    for server_key in sorted({key for key, _, _ in found.receipts}):
        slots = [slot for key, _, slot in found.receipts if key == server_key]
        sentences.append(
            f"The server with the key {server_key.hex()} served this room: it signed slots {min(slots)} to "
            f"{max(slots)}."
        )
    for probe in found.probes:
        whose = f"The server with the key {probe.server_key.hex()}"
        more = ""
        if not probe.same_server:
            more = (
                " (the key of this room's server by the word of the exhibit; no receipt of it is here)"
                if probe.claimed_server
                else ", which is not the key that served this room: it was started anew, or is another"
            )
        sentences.append(
            f"{whose} was running and opened another room after {probe.beats} of these beats, of "
            f"{probe.keys} keys, had been signed: it signed something that contains them{more}."
        )
    for server_key, slot in found.equivocations:
        sentences.append(
            f"TWO STORIES: {_server(server_key)} signed two different histories for "
            f"slot {slot}, and no opening of the room lies between. An honest server never does so."
        )
    sentences += [
        f"Members' beats name different histories at slot {slot}: they were shown different meetings, or "
        "one of them lies."
        for slot in found.split_slots
    ]
    sentences += [
        f"Members' beats name different keys of the server for one start of it: {_named_keys(found, start)}. "
        "They were shown two servers, or one of them lies."
        for start in found.starts
        if len(start.named) > 1
    ]
    if not sentences:
        return ["Nothing but that the exhibits are their makers': there are no beats and no receipts."]
    return [*(_lost(found, loss) for loss in found.losses), *sentences]


def _lost(found: Findings, loss: evidence.Loss) -> str:
    """Say how many keys signed that they lost the room at one server, and what its own key signed then."""
    others = len(loss.keys) - loss.heard
    of = f"{len(found.members)} key{'s' if len(found.members) > 1 else ''}"
    who = [f"{loss.heard} of the {of} that signed beats here"] if loss.heard else []
    who += [f"{others} key{'s' if others > 1 else ''} without a beat here"] if others else []
    times = dict.fromkeys(map(_clock, (loss.first, loss.last)))
    text = (
        f"{' and '.join(who).capitalize()} signed that they lost the room at the server with the key "
        f"{loss.server_key.hex()}, at {' to '.join(times)} by their own clocks"
    )
    if loss.probed is not None:
        key, seconds = loss.probed
        text += (
            f"; that server's own key signed another room, {seconds} s later by the word and clock of "
            f"{_who(found, key)}"
        )
    if not any(key == loss.server_key for key, _, _ in found.receipts):
        text += ". No receipt by that key is here"
    return text + "."


def _named_keys(found: Findings, start: evidence.ServerStart) -> str:
    named = ((listed([_who(found, key) for key in keys]), server) for server, keys in start.named.items())
    return ", and ".join(f"{who} {_server(key) if key else 'a key that is not here'}" for who, key in named)


def _together(found: Findings) -> list[str]:
    """Say which starts of the server were named at one time: a restart can have been shown to some alone."""
    sentences = []
    latest = found.starts[0] if found.starts else None
    for start in found.starts[1:]:
        assert latest is not None
        seconds = min(start.last, latest.last) - start.first
        if seconds >= _TOGETHER:
            sentences.append(
                "By their signers' clocks, beats named two starts of the server at one time, for "
                f"{seconds} s: {_named_keys(found, latest)}, and {_named_keys(found, start)}. A restart was "
                "shown to some of them alone, or they were at two servers, or clocks differ."
            )
        latest = max(latest, start, key=lambda each: each.last)
    return sentences


def _present(found: Findings) -> int | None:
    """Return the number of members that most of the newest beats name; None without a beat."""
    slot = max((member.slot for member in found.members), default=None)
    counts = Counter(member.present for member in found.members if member.slot == slot)
    return max(counts, key=lambda present: (counts[present], present), default=None)


def claims_of(found: Findings) -> list[str]:
    """Return the exhibits' further claims, one sentence each."""
    sentences = [f"The meeting was at {found.origin}.", *_together(found)]
    present = _present(found)
    if present is not None:
        sentences.append(f"{present} member{'s were' if present > 1 else ' was'} there, by the newest beats.")
    for exhibit in found.exhibits:
        who = _who(found, exhibit.key).capitalize()
        if exhibit.dropped_at is None:
            sentences.append(f"{who} was not dropped when this was made, at {_clock(exhibit.at)}.")
        else:
            sentences.append(f"{who} lost the room at {_clock(exhibit.dropped_at)}.")
        kept = [w for w in exhibit.last_words[:-3] if w.code in ("receipt", "server_key")]
        sentences += [f"{who} was shown, at {_clock(w.at)}: {w.code}: {w.text}" for w in kept]
        sentences += [
            f"{who} heard last, at {_clock(w.at)}: {w.code}: {w.text}" for w in exhibit.last_words[-3:]
        ]
        if exhibit.probe is not None:
            sentences.append(
                f"{who} tried a room of its own at {_clock(exhibit.probe.at)}. {exhibit.probe.text}"
            )
    return sentences


def _evidence_json(found: Findings, proven: list[str]) -> dict[str, Any]:
    return {
        "verified": True,
        "origin": found.origin,
        "room": found.number.hex(),
        "members": [
            {
                "member": _order(found).index(m.key) + 1,
                "key": m.key.hex(),
                "beats": m.count,
                "last": m.at,
                "slot": m.slot,
                "chain": m.chain.hex(),
                "served": bool(found.served_by(m)),
                "served_by": [key.hex() for key in found.served_by(m)],
            }
            for m in found.members
        ],
        "exhibits": [{"key": e.key.hex(), "at": e.at, "dropped_at": e.dropped_at} for e in found.exhibits],
        "probes": [
            {
                "key": p.exhibit_key.hex(),
                "at": p.at,
                "server_key": p.server_key.hex(),
                "beats": p.beats,
                "keys": p.keys,
                "same_server": p.same_server,
            }
            for p in found.probes
        ],
        "losses": [
            {
                "server_key": loss.server_key.hex(),
                "keys": [key.hex() for key in loss.keys],
                "heard": loss.heard,
                "first": loss.first,
                "last": loss.last,
                "seconds": None if loss.probed is None else loss.probed[1],
            }
            for loss in found.losses
        ],
        "present": _present(found),
        "two_stories": [{"server_key": key.hex(), "slot": slot} for key, slot in found.equivocations],
        "split_slots": found.split_slots,
        "two_keys": [
            {"incarnation": s.incarnation.hex(), "server_keys": [key.hex() or None for key in s.named]}
            for s in found.starts
            if len(s.named) > 1
        ],
        "names": [{"key": n.key.hex(), "name": n.name} for n in found.names],
        "proven": proven,
        "claimed": claims_of(found),
        "not_proven": list(_EVIDENCE_NOT),
    }


# -- reports -------------------------------------------------------------------------------------


def _verify_report(arguments: argparse.Namespace) -> int:
    data = _read(arguments.file, report.FILE_MAX)
    try:
        host_public = _host_key(arguments)
    except (SnugError, ValueError) as error:
        print(f"snug: {error}", file=sys.stderr)
        return _USAGE
    try:
        read = report.decode_report(data)
        if host_public is None:
            return _only_claimed(arguments, read)
        proven = report.verify_report(read, host_public)
        said = [content.decode(p.data) for p in proven]
    except SnugError as error:
        return _bad(arguments, error)
    if not all(isinstance(what, content.Say | content.Image) for what in said):
        return _bad(arguments, SnugError("it is of something that is neither a message nor a picture"))
    if arguments.json:
        rows = [_report_json(p, what) for p, what in zip(proven, said, strict=True)]
        _json({"verified": True, "messages": rows, "not_proven": list(_REPORT_NOT)})
        return _OK
    _tell("Proven:", (_proven_sentence(p, what) for p, what in zip(proven, said, strict=True)))
    _tell("Not proven:", _REPORT_NOT)
    return _OK


def _host_key(arguments: argparse.Namespace) -> bytes | None:
    if arguments.link is not None:
        return Invite.parse(arguments.link).host_public
    if arguments.host_key is None:
        return None
    try:
        key = bytes.fromhex(arguments.host_key)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise ValueError("--host-key takes 64 hex digits")
    return key


def _only_claimed(arguments: argparse.Namespace, read: Report) -> int:
    """Report the claim alone: without the host key from the host, a report proves nothing."""
    count = f"{len(read.messages)} message{'s' if len(read.messages) > 1 else ''}"
    text = (
        f"This claims to be {count} in the meeting of the host key {read.host_public.hex()}. Nothing of it "
        "is proven: give --link LINK or --host-key HEX, from the host of that meeting and not from whoever "
        "brought this report."
    )
    if arguments.json:
        _json({"verified": False, "text": text, "claimed_host_key": read.host_public.hex()})
    else:
        print(text)
    return _UNPROVEN


def _what(what: content.AnyContent) -> str:
    if isinstance(what, content.Say):
        return f"wrote: \u201c{what.text}\u201d"
    assert isinstance(what, content.Image)
    kind = mime_of(what.data) or "of no kind that is shown"
    return f"sent a picture ({kind}, {len(what.data):,} bytes, SHA-256 {_digest(what.data)})"


def _proven_sentence(proven: VerifiedMessage, what: content.AnyContent) -> str:
    came = (
        "opened the meeting"
        if proven.invite is None
        else f"was let in by the host with invite {proven.invite}"
    )
    host = " By the writer's own word it was a host's key then." if proven.claims_host else ""
    return (
        f"The holder of the leaf key {proven.signature_key.hex()} {_what(what)}, in the meeting of the host "
        f"key {proven.host_public.hex()}, in what it calls epoch {proven.epoch}; that key {came}.{host}"
    )


def _report_json(proven: VerifiedMessage, what: content.AnyContent) -> dict[str, Any]:
    value: dict[str, Any] = {
        "key": proven.signature_key.hex(),
        "host_key": proven.host_public.hex(),
        "group": proven.group_id.hex(),
        "epoch": proven.epoch,
        "invite": proven.invite,
        "claims_host": proven.claims_host,
        "text": _proven_sentence(proven, what),
    }
    if isinstance(what, content.Say):
        return value | {"kind": "say", "said": what.text}
    assert isinstance(what, content.Image)
    kind, digest = mime_of(what.data), _digest(what.data)
    return value | {"kind": "image", "mime": kind, "bytes": len(what.data), "sha256": digest}
