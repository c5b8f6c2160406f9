"""What a person has compared with the others, and what has changed in the room since (protocol section 8).

People are told apart by their leaves' signature keys, which a rejoin keeps and nobody else gets: who comes
back is nobody new, and who takes a name or a leaf over is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from client.session import events as ev
from client.session import words
from client.session.invites import called
from client.session.membership import Change, Membership
from client.session.powers import changes as policy_changes

#: Changes that are kept as sentences; who is new is known by keys, however many there were.
CHANGES_MAX: Final = 200
#: Epochs whose digits may still be said to be the same.
DIGITS_MAX: Final = 16
#: Digits that have to be named at least to say which code was compared: who changes the keys again and again
#: until a new code begins like one that was read out has 10^10 to try.
DIGITS_LEAST: Final = 10
#: Seconds for which nobody can have read 40 digits.
JUST_NOW: Final = 10.0

How = Literal["short", "digits"]


@dataclass(frozen=True)
class Seen:
    """A code that was shown: of which epoch, and which members it stood for (names by signature key)."""

    epoch: int
    members: Mapping[bytes, str]
    at: float


@dataclass(frozen=True)
class _Digits(Seen):
    digits: str
    newcomers: bool  # whether somebody had come in with this epoch


@dataclass(frozen=True)
class _Basis:
    how: How
    same: bool
    seen: Seen


def members_of(m: Membership) -> dict[bytes, str]:
    """Names by signature key."""
    return {m.signature_key(leaf) or b"": name for leaf, name, _ in m.members()}


class Compared:
    """One person's memory of codes and comparisons, for as long as the meeting lasts."""

    def __init__(self) -> None:
        self._basis: _Basis | None = None
        self._digits: deque[_Digits] = deque(maxlen=DIGITS_MAX)
        self._changes: deque[tuple[int, str]] = deque(maxlen=CHANGES_MAX)  # (epoch, sentence)
        self._here: dict[bytes, str] = {}

    def begin(self, m: Membership, now: float) -> None:
        """The first epoch that is seen, or the first after a rejoin: then others may have come and gone."""
        here = members_of(m)
        came = [here[key] for key in here if key not in self._here] if self._here else []
        went = [self._here[key] for key in self._here if key not in here]
        epoch = m.group.epoch
        for name in came:
            self._changes.append((epoch, f"{name} came in while you were out of step"))
        for name in went:
            self._changes.append((epoch, f"{name} went while you were out of step"))
        self._here = here
        self._digits.append(_Digits(epoch, here, now, m.code, bool(came)))

    def moved(self, change: Change, m: Membership, now: float) -> bool:
        """A commit was adopted; `m` is the membership after it. Whether anything but keys has changed."""
        said = list(_sentences(change, m))
        self._changes.extend((m.group.epoch, sentence) for sentence in said)
        self._here = members_of(m)
        newcomers = bool(change.added) and not change.rejoined
        self._digits.append(_Digits(m.group.epoch, self._here, now, m.code, newcomers))
        return bool(said)

    # -- a person's word -------------------------------------------------------------------------------

    def short(self, same: bool, seen: Seen) -> None:
        """The four words of `seen` have been compared."""
        self._basis = _Basis("short", same, seen)

    def digits(self, same: bool, which: str, now: float) -> None:
        """The long code has been compared: the current one, or the one that begins with `which`.

        ValueError, with a sentence, if it can't be told which epoch's digits were read.
        """
        if which:
            if len(which) < DIGITS_LEAST or not (which.isascii() and which.isdecimal()):
                raise ValueError(f"which digits? Type at least the first {DIGITS_LEAST} of the code")
            alike = [d for d in self._digits if d.digits.startswith(which)]
            if not alike:
                raise ValueError("no code of the last epochs begins with these digits")
            if len({d.digits for d in alike}) > 1:
                # who changes the keys can have a few first digits as they like, and mean other people
                raise ValueError("two codes of the last epochs begin with these digits: type more of them")
            found = alike[-1]
        else:
            found = self._digits[-1]
            if any(d.newcomers and now - d.at < JUST_NOW for d in list(self._digits)[1:]):
                raise ValueError(
                    "somebody has just come in, and the digits are others now: type the first "
                    f"{DIGITS_LEAST} of those that you have compared, as in /same digits 12345 67890"
                )
        self._basis = _Basis("digits", same, found)

    # -- what is so ------------------------------------------------------------------------------------

    @property
    def verified(self) -> bool:
        """Whether the last word was that the codes are the same."""
        return self._basis is not None and self._basis.same

    def standing(self, m: Membership, *, news: bool) -> ev.Comparison | None:
        """What has changed since; None if nothing has been compared. `news`: this epoch has added to it."""
        basis = self._basis
        if basis is None:
            return None
        known = basis.seen.members if basis.same else {}
        members = tuple(
            ev.Known(leaf, name, host, m.signature_key(leaf) not in known) for leaf, name, host in m.members()
        )
        since = tuple(text for epoch, text in self._changes if epoch > basis.seen.epoch)
        return ev.Comparison(
            epoch=m.group.epoch,
            compared=basis.seen.epoch,
            how=basis.how,
            same=basis.same,
            news=news,
            members=members,
            changes=since,
            text=_text(basis, since, [member.name for member in members if member.new_since]),
        )


def _text(basis: _Basis, since: Iterable[str], new: list[str]) -> str:
    if not basis.same:
        return "You said that the codes are not the same. Leave, and meet anew in another room."
    since = list(since)
    if not since:
        return "Since you compared codes nobody has come in or gone."
    told = f"Since you compared codes: {'; '.join(since)}."
    if not new:
        return told
    what = "is not in" if len(new) == 1 else "are not in"
    return f"{told} {words.listed(new)} {what} what you compared: type /compare to compare anew."


def _sentences(change: Change, m: Membership) -> Iterator[str]:
    """What a commit has changed for who relies on a comparison, and by whom."""
    by = m.name(change.by)
    if not change.rejoined:
        for _, name in change.added:
            way = "" if change.invite is None else f", {_invite(change.invite)}"
            yield f"{name} came in (let in by {by}{way})"
        for leaf, name, _ in change.removed:
            yield f"{name} left" if leaf in change.left else f"{name} was removed by {by}"
    for event in policy_changes(change, m):
        if event.kind in ("host", "no_host"):
            yield event.text.rstrip(".")


def _invite(index: int) -> str:
    return called(index, "")
