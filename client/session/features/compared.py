"""The codes that a person has compared, and the changes in the room since (protocol section 8).

Members are identified by their leaves' signature keys. A rejoin keeps the key, and nobody else gets it: a
member that rejoins is not new, and a member that takes over a name or a leaf is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue.sentence import CommandError, sentence
from snugroom.client.session.entry.invites import invite_name
from snugroom.client.session.features.roles import changes as policy_changes
from snugroom.client.session.kernel.membership import Membership
from snugroom.client.session.kernel.verdict import Change

#: Changes that are kept as sentences; newcomers are identified by keys, without this limit.
CHANGES_MAX: Final = 200
#: Epochs whose digits a person may still confirm.
DIGITS_MAX: Final = 16
#: Minimum number of digits that identify the compared code: a committer who changes the keys until a new code
#: begins like one that was read out has 10^10 beginnings to try.
DIGITS_MIN: Final = 10
#: Seconds within which nobody can have read 40 digits.
JUST_NOW: Final = 10.0

How = Literal["short", "digits"]


@dataclass(frozen=True)
class ShownCode:
    """A code that was shown: its epoch, and the members that it covers (names by signature key)."""

    epoch: int
    members: Mapping[bytes, str]
    at: float


@dataclass(frozen=True)
class _Digits(ShownCode):
    digits: str
    newcomers: bool  # whether a member came in with this epoch


@dataclass(frozen=True)
class _Basis:
    how: How
    same: bool
    seen: ShownCode


def members_of(m: Membership) -> dict[bytes, str]:
    """Return the members' names by signature key."""
    return {m.signature_key(leaf) or b"": name for leaf, name, _ in m.members()}


class Comparisons:
    """One person's codes and comparisons, for as long as the meeting lasts."""

    def __init__(self) -> None:
        self._basis: _Basis | None = None
        self._digits: deque[_Digits] = deque(maxlen=DIGITS_MAX)
        self._changes: deque[tuple[int, str]] = deque(maxlen=CHANGES_MAX)  # (epoch, sentence)
        self._here: dict[bytes, str] = {}

    def begin(self, m: Membership, now: float) -> None:
        """Start with the first epoch, or the first after a rejoin: then members may have come and gone."""
        here = members_of(m)
        came = [here[key] for key in here if key not in self._here] if self._here else []
        went = [self._here[key] for key in self._here if key not in here]
        epoch = m.group.epoch
        for name in came:
            self._changes.append((epoch, sentence("since.came_meanwhile", name=name)))
        for name in went:
            self._changes.append((epoch, sentence("since.went_meanwhile", name=name)))
        self._here = here
        self._digits.append(_Digits(epoch, here, now, m.code, bool(came)))

    def adopted(self, change: Change, m: Membership, now: float) -> bool:
        """Record an adopted commit (`m`: the membership after it); return whether more than keys changed."""
        said = list(_sentences(change, m))
        self._changes.extend((m.group.epoch, text) for text in said)
        self._here = members_of(m)
        newcomers = bool(change.added) and not change.rejoined
        self._digits.append(_Digits(m.group.epoch, self._here, now, m.code, newcomers))
        return bool(said)

    # -- a person's statements -------------------------------------------------------------------------

    def short(self, same: bool, seen: ShownCode) -> None:
        """Record that the four words of `seen` have been compared."""
        self._basis = _Basis("short", same, seen)

    def digits(self, same: bool, which: str, now: float) -> None:
        """Record a comparison of the long code: the current one, or the one that begins with `which`.

        CommandError if the epoch of the compared digits cannot be determined.
        """
        if which:
            if len(which) < DIGITS_MIN or not (which.isascii() and which.isdecimal()):
                raise CommandError(sentence("cannot.digits_few", least=DIGITS_MIN))
            alike = [d for d in self._digits if d.digits.startswith(which)]
            if not alike:
                raise CommandError(sentence("cannot.digits_none"))
            if len({d.digits for d in alike}) > 1:
                # A committer can choose a few first digits, and so make them stand for other members.
                raise CommandError(sentence("cannot.digits_two"))
            found = alike[-1]
        else:
            found = self._digits[-1]
            if any(d.newcomers and now - d.at < JUST_NOW for d in list(self._digits)[1:]):
                raise CommandError(sentence("cannot.digits_new", least=DIGITS_MIN))
        self._basis = _Basis("digits", same, found)

    # -- queries ---------------------------------------------------------------------------------------

    @property
    def verified(self) -> bool:
        """Whether the last statement was that the codes are the same."""
        return self._basis is not None and self._basis.same

    def state(self, m: Membership, *, news: bool) -> ev.Comparison | None:
        """Return the changes since the comparison; None without one. `news`: this epoch has added to them."""
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
        return sentence("compared.different")
    changes = list(since)
    if not changes:
        return sentence("compared.same")
    if not new:
        return sentence("compared.since", changes=changes)
    return sentence("compared.since.new", changes=changes, names=new)


def _sentences(change: Change, m: Membership) -> Iterator[str]:
    """Yield a commit's changes that matter to a comparison, each with its author."""
    by = m.name(change.by)
    if not change.rejoined:
        for _, name, invite in change.added:
            if change.back:
                yield sentence("since.back", name=name)
            elif invite is None:
                yield sentence("since.came", name=name, by=by)
            else:
                yield sentence("since.came_by", name=name, by=by, invite=invite_name(invite, ""))
        for leaf, name, _ in change.removed:
            if leaf in change.left:
                yield sentence("since.left", name=name)
            else:
                yield sentence("since.removed", name=name, by=by)
    for event in policy_changes(change, m):
        if event.kind in ("host", "no_host"):
            yield sentence("since.policy", text=event.text)
