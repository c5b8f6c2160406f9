"""Writes tests/web/shared/words.json: what Python says, for the catalogue to have word for word in English.

`rows` are sentences by key and arguments, as the functions of client/session make them.
`python -m tests.web.vectors_words`
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content, sentences
from snugroom.client.session.entry import contacts, identity_check, invites, lobby
from snugroom.client.session.features import compared
from snugroom.client.session.features.comparing import _NO_CODE
from snugroom.client.session.features.reporting import KEPT_MAX, Reporting
from snugroom.client.session.features.revocation import Revocation
from snugroom.client.session.features.roles import Roles, _mode_sentence, changes
from snugroom.client.session.kernel.membership import Membership
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.verdict import Change
from snugroom.crypto import mls
from snugroom.crypto.agreed.room_state import Mode
from snugroom.crypto.errors import ValidationError
from snugroom.crypto.proof.identity import DIGITS, IdentityKey

PATH: Final = Path(__file__).parent / "shared" / "words.json"

_FEW: Final = (["Ada"], ["Ada", "Bo"], ["Ada", "Bo", "Cem"], ["Ada", "Bo", "Cem", "Dana", "Eve", "Ada", "Bo"])

Args = dict[str, Any]
Row = tuple[str, Args, ev.Alarm | ev.Status | str]


def say(key: str, **args: Any) -> Args:
    """A sentence inside a sentence."""
    return {"key": key, "args": args} if args else {"key": key}


def _alarms() -> Iterator[Row]:
    why = "the reason"
    reason = say("verbatim", text=why)
    yield "alarm.void_commit", {"why": reason, "who": "Bo", "slot": 7}, sentences.void_commit(why, "Bo", 7)
    yield "alarm.stuck", {"who": "Bo"}, sentences.stuck("Bo")
    yield "alarm.receipt", {}, sentences.receipt()
    yield "alarm.two_stories", {"slot": 1234}, sentences.two_stories(1234)
    yield "alarm.maybe_lost", {"text": "yes, „so“"}, sentences.maybe_lost("yes, „so“")
    yield "alarm.missed", {"count": 3}, sentences.missed(3)
    yield "alarm.refused", {"why": why}, sentences.refused(why)
    yield "alarm.not_done", {"why": reason}, sentences.not_done(why)
    yield "alarm.false_end", {"name": "Bo", "why": reason}, sentences.false_end("Bo", why)
    yield "alarm.forged_media", {"name": "Bo"}, sentences.forged_media("Bo")
    yield "alarm.withheld", {"slot": 9, "who": say("watch.server_itself")}, sentences.withheld(9, "")
    yield "alarm.gone", {"who": "Bo", "leaf": 1, "seconds": 60}, sentences.gone("Bo", 1, 60.0)
    yield "alarm.double_beat", {"who": "Bo", "leaf": 1}, sentences.double_beat("Bo", 1, False)
    yield "alarm.double_beat.host", {"who": "Bo", "leaf": 1}, sentences.double_beat("Bo", 1, True)
    yield "alarm.unreadable_commit", {"who": "Bo", "leaf": 1}, sentences.unreadable_commit("Bo", 1)
    yield (
        "alarm.unreadable_commit.again",
        {"victim": "Ada", "victimLeaf": 2, "who": "Bo", "leaf": 1},
        sentences.unreadable_again("Ada", 2, "Bo", 1),
    )
    yield "alarm.reordered.renumbered", {}, sentences.renumbered()
    yield "alarm.code_fork", {"name": "Bo"}, sentences.code_fork("Bo")
    yield "alarm.code_cheat", {"name": "Bo"}, sentences.code_cheat("Bo")
    yield "alarm.code_different", {}, sentences.code_different()
    yield "alarm.unreportable", {"name": "Bo"}, sentences.unreportable("Bo")
    yield "alarm.dropped.often", {"count": 10}, sentences.dropped_often(10)
    the_others = sentences.unheard("The others", True)
    yield "alarm.unheard.everybody", {"who": ["Ada", "Bo"]}, the_others
    for names in _FEW:
        who = sentences.listed(names)
        yield "alarm.two_stories.by", {"slot": 3, "who": names}, sentences.two_stories(3, who)
        yield "alarm.unverified_media", {"names": names}, sentences.unverified_media(who)
        yield "alarm.withheld", {"slot": 3, "who": names}, sentences.withheld(3, who)
        yield "alarm.stale", {"who": names}, sentences.stale(who, False)
        yield "alarm.stale.no_host", {"who": names}, sentences.stale(who, True)
        yield "alarm.silent", {"who": names, "seconds": 15}, sentences.silent(who, 15.0)
        key = "alarm.unheard.one" if len(names) == 1 else "alarm.unheard.many"
        yield key, {"who": names}, sentences.unheard(who, False)
        yield "alarm.reordered", {"who": names}, sentences.reordered(who)
        yield "alarm.reordered.held_back", {"who": names}, sentences.held_back(who)
        aborted = sentences.code_aborted(who, "nothing came for 8 seconds")
        yield "alarm.code_aborted", {"names": names, "why": say("nocode.nothing", seconds=8)}, aborted
        several = len(names) > 1
        for we, key in ((True, "alarm.page_differs"), (False, "alarm.page_differs.others")):
            differs = sentences.page_differs(who, several, 2, 2 + len(names), we)
            yield key, {"names": names, "most": 2, "of": 2 + len(names)}, differs
        streams = [
            ("Ada", 0, "sound"),
            ("your", 1, "pictures"),
            ("Bo", 2, "screen_sound"),
            ("Bo", 3, "screen"),
        ]
        streams = streams[: len(names)]
        said = sentences.listed(
            sentences.stream_of(whose if whose == "your" else f"{whose}'s", number)
            for whose, number, _ in streams
        )
        phrases = [
            say(f"stream.own.{kind}") if whose == "your" else say(f"stream.{kind}", whose=whose)
            for whose, _, kind in streams
        ]
        whom = sentences.listed([*names[:2], "you"])
        args = {"streams": phrases, "whom": [*names[:2], say("watch.you")]}
        yield "alarm.not_reaching", args, sentences.not_reaching(said, whom, False)
        yield "alarm.not_reaching.blamed", args, sentences.not_reaching(said, whom, True)


def _invites() -> Iterator[Row]:
    called = [
        (0, "", say("invite.open")),
        (5, "", say("invite.number", index=5)),
        (5, None, say("invite.other", index=5)),
        (5, "Bo's mother", say("invite.label", label="Bo's mother", index=5)),
    ]
    for index, label, sentence in called:
        text = invites.invite_name(index, label)
        yield sentence["key"], sentence.get("args", {}), text
        for earlier, came_in, which in (
            ("Ada", True, "came_in"),
            (None, True, "somebody_in"),
            ("Ada", False, "both_wait"),
        ):
            args = {"invite": sentence, "earlier": earlier, "name": "Bo"}
            yield f"alarm.invite_leaked.{which}", args, sentences.invite_leaked(text, earlier, "Bo", came_in)
        removed = sentences.removed_knocks(text, "Ada", "Bo")
        yield "alarm.removed_knocks", {"invite": sentence, "removed": "Ada", "name": "Bo"}, removed
        opens_nothing = f"{text[:1].upper()}{text[1:]} opens nothing any more."
        yield "status.revoked", {"invite": sentence}, opens_nothing


def _statuses() -> Iterator[Row]:
    yield "status.asks_again", {"name": "Bo"}, sentences.asks_again("Bo")
    yield "status.reports", {}, sentences.reports()
    yield "status.no_admission", {}, sentences.no_admission()
    yield "status.away.unreachable", {}, sentences.unreachable()
    yield "status.away.restarted", {}, sentences.restarted()
    yield "status.cleared.fresh", {}, sentences.FRESH_AGAIN
    yield "status.cleared.handed_over", {}, sentences.HANDED_OVER
    yield "status.override", {}, sentences.OVERRIDE
    yield "watch.paused_stale", {}, sentences.PAUSED_STALE
    yield "watch.paused_withheld", {}, sentences.PAUSED_WITHHELD
    yield "room.ended_unheard", {}, sentences.ENDED_UNHEARD
    for key in ("sender_gone", "too_many", "wrong", "stopped"):
        yield f"file.{key}", {}, getattr(sentences, f"FILE_{key.upper()}")
    for key, text in (("locked", lobby.IS_LOCKED), ("full", lobby.IS_FULL), ("over", lobby.IS_OVER)):
        yield f"refusal.{key}", {}, text
        yield "status.not_yet", {"why": say(f"refusal.{key}")}, sentences.not_yet(text)
    not_added = "You could not be let in: the name is taken. Knock again with another name, or ask the host."
    yield "refusal.not_added", {"why": "the name is taken"}, not_added
    why = say("refusal.not_added.yet", why="the name is taken")
    yield "status.not_yet", {"why": why}, sentences.not_yet(not_added)
    broke = say("nocode.broke")
    yield "status.no_code", {"why": broke}, _NO_CODE.format("your own connection broke")
    for names in _FEW:
        yield (
            "status.removal_reach.all",
            {"names": names, "total": 5},
            sentences.removal_reach(names, 5, "", 0),
        )
        args = {"names": names, "total": 7, "reached": 5, "missing": ["Dana", "Eve"]}
        yield "status.removal_reach", args, sentences.removal_reach(names, 7, "Dana and Eve", 2)
    what: sentences.Drop
    for what in ("serves", "restarted", "refuses", "forgotten"):
        found = say(f"dropped.{what}")
        args = {"what": found, "proof": say("dropped.proof")}
        yield "alarm.dropped", args, sentences.dropped(what, None)
        args = {"what": found, "proof": say("dropped.saved", file="snug-evidence.json")}
        yield "alarm.dropped", args, sentences.dropped(what, "snug-evidence.json")
        yield "dropped.gave_up", {"what": found}, sentences.dropped_end(what)


def _codes() -> Iterator[Row]:
    """What has changed since codes were compared, as a memory of it tells it."""
    seen = compared.ShownCode(1, {}, 0.0)
    same = compared._Basis("short", True, seen)
    different = compared._Basis("short", False, seen)
    yield "compared.different", {}, compared._text(different, [], [])
    yield "compared.same", {}, compared._text(same, [], [])
    came, left = say("since.came", name="Bo", by="Ada"), say("since.left", name="Cem")
    both = say("since.and", before=came, next=left)
    texts = ["Bo came in (let in by Ada)", "Cem left"]
    yield "compared.since", {"changes": both}, compared._text(same, texts, [])
    for names in _FEW:
        key = "compared.since.new" if len(names) == 1 else "compared.since.news"
        yield key, {"changes": both, "names": names}, compared._text(same, texts, names)
    policy = say("room.made_host", who="Ada", whom="Bo")
    yield "since.policy", {"text": policy}, "Ada made Bo a host."[:-1]
    by = say("since.came_by", name="Bo", by="Ada", invite=say("invite.number", index=5))
    yield by["key"], by["args"], f"Bo came in (let in by Ada, {compared._invite(5)})"


def _looks() -> Iterator[Row]:
    """What is odd about somebody's name and identity."""
    ada, other = (IdentityKey(bytes([n]) * 32) for n in (1, 2))
    book = contacts.Contacts(IdentityKey(bytes([3]) * 32))
    book.learn(ada.public, "Ada", 0.0)
    for verb, said in (("knocks", "knocks"), ("here", "is here")):
        for public, which in ((None, "no_key"), (other.public, "other_key")):
            (impostor,) = identity_check.check_identity("Ada", public, book, verb=said).warnings
            yield f"look.{verb}.{which}", {"petname": "Ada"}, impostor
            (alike,) = identity_check.check_identity("ADA", public, book, verb=said).warnings
            yield f"look.alike.{which}", {"petname": "Ada"}, alike
    (known,) = identity_check.check_identity("Bo", ada.public, book).warnings
    yield "look.known_as", {"petname": "Ada"}, known
    waiting = identity_check.check_identity("Bo", None, None, waiting=[(4, "Bo"), (5, "BO")]).warnings
    yield "look.same_waits", {"knock": 4, "name": "Bo"}, waiting[0]
    yield "look.alike_waits", {"knock": 5, "name": "BO"}, waiting[1]


def _refused() -> Iterator[Row]:
    """What can't be done, where a few lines have it said."""
    book = contacts.Contacts(IdentityKey(bytes([3]) * 32))
    ada = IdentityKey(bytes([1]) * 32).public
    digits = "0" * DIGITS

    yield "cant.no_contact", {"what": "Bo"}, _refusal(lambda: book.named("Bo"))
    yield "cant.no_key", {"digits": DIGITS}, _refusal(lambda: book.add("12", "Bo", 0.0))
    yield "cant.own_key", {}, _refusal(lambda: book.add(book.own.public.hex(), "Bo", 0.0))
    yield "cant.contact_name", {}, _refusal(lambda: book.learn(ada, None, 0.0))
    yield "cant.petname", {"why": say("name.size", most=64)}, _refusal(lambda: book.add(digits, "", 0.0))
    book.add(digits, "Ada", 0.0)
    yield "cant.in_book", {"petname": "Ada"}, _refusal(lambda: book.add(digits, "Bo", 0.0))
    yield "cant.known_as", {"petname": "Ada"}, _refusal(lambda: book.learn(ada, "ADA", 0.0))
    made = invites.InviteBook()
    yield "cant.label", {"most": 64}, _refusal(lambda: made.make("x" * 65, False, (), bytes))
    yield "cant.invites_all", {}, _refusal(lambda: made.make("", False, (), bytes))
    codes = compared.Comparisons()
    yield "cant.digits_few", {"least": 10}, _refusal(lambda: codes.digits(True, "12", 0.0))
    yield "cant.digits_none", {}, _refusal(lambda: codes.digits(True, "1" * 10, 0.0))


class _Told(list[ev.Status]):
    """In the place of a room: everybody is a host and called Bo, and what is told is kept."""

    def __init__(self, mode: Mode = Mode.ASK) -> None:
        super().__init__()
        policy = SimpleNamespace(mode=mode)
        self.m = SimpleNamespace(own_leaf=0, policy=policy, is_host=lambda _: True, name=lambda _: "Bo")
        self.tell, self.host_only = self.append, lambda: None


def _roles() -> Iterator[Row]:
    """What hosts do, and what members hear of it."""
    for on, mode, key in ((True, Mode.LOCKED, "locked_already"), (False, Mode.ASK, "not_locked")):
        roles = cast(Roles, SimpleNamespace(room=_Told(mode)))
        yield f"room.{key}", {}, _refusal(partial(Roles.lock, roles, on, 0.0))
    names = {Mode.ASK: "ask", Mode.WAVE_IN: "all"}
    for after, name in names.items():
        unlocked = _mode_sentence("Bo", Mode.LOCKED, after)
        yield f"room.mode_unlocked_{name}", {"who": "Bo"}, unlocked
        changed = _mode_sentence("Bo", Mode.WAVE_IN if after is Mode.ASK else Mode.ASK, after)
        yield f"room.mode_changed_{name}", {"who": "Bo"}, changed
    yield "room.mode_locked", {"who": "Bo"}, _mode_sentence("Bo", Mode.ASK, Mode.LOCKED)
    for hosts, key in ((1, "own"), (2, "shared")):
        before = SimpleNamespace(hosts=[b"key"] * hosts)
        change = SimpleNamespace(
            policy_before=before, policy_after=None, by=0, returned=True, added=[(1, "Ada")]
        )
        (back,) = changes(cast(Change, change), cast(Membership, _Told().m))
        yield f"room.back_by_{key}_key", {"name": "Ada", "who": "Bo"}, back.text
    for taken in ([5], [5, 6]):
        room = _Told()
        revocation = Revocation(cast(Room, room))
        revocation.content_received(
            cast(mls.ApplicationMessage, SimpleNamespace(sender=1)), content.Revoked(taken), 0.0
        )
        yield "status.revoked.by", {"name": "Bo", "count": len(taken), "invite": 5}, room[0]
    nobody = SimpleNamespace(members=tuple)
    yield "room.somebody", {}, Membership.name(cast(Membership, nobody), 0)
    why = say("verbatim", text="too few")
    yield "room.ruled", {"rule": "SNUG-7", "why": why}, str(ValidationError("SNUG-7", "too few"))
    kept = cast(Reporting, SimpleNamespace(_kept={}))
    unknown = _refusal(lambda: Reporting._accused(kept, "12ab"))
    yield "cant.report_unknown", {"name": "12ab", "most": KEPT_MAX}, unknown


def _streams() -> Iterator[Row]:
    for number, kind in enumerate(("sound", "pictures", "screen_sound", "screen")):
        yield f"stream.{kind}", {"whose": "Bo"}, sentences.stream_of("Bo's", number)
        yield f"stream.own.{kind}", {}, sentences.stream_of("your", number)


def _refusal(act: Callable[[], object]) -> str:
    """Why it can't be done."""
    try:
        act()
    except ValueError as error:
        return str(error)
    raise AssertionError("it was done")


def vectors() -> dict[str, Any]:
    """Rows, as many as there are functions that make sentences, and more."""
    rows = [*_alarms(), *_invites(), *_statuses(), *_codes(), *_looks(), *_refused()]
    rows += [*_roles(), *_streams()]
    return {
        "rows": [
            {
                "key": key,
                "args": args,
                "kind": None if isinstance(said, str) else said.kind,
                "text": said if isinstance(said, str) else said.text,
            }
            for key, args, said in rows
        ],
    }


if __name__ == "__main__":
    PATH.write_text(json.dumps(vectors(), indent=1, ensure_ascii=False) + "\n")
