"""Commits and what every member must say of them: a name, what is known, and the rule that is broken.

Plain data, so that another client can be held to the same (`as_json` exports it). In the room of these cases
Ada (leaf 0) is the host; Bo, Cem and Dana are not; slot 100 is about to be taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from snugroom.crypto.agreed.commit_view import CommitView, ProposalView
from snugroom.crypto.agreed.ledger import LEDGER_KEYS_MAX, Ledger
from snugroom.crypto.agreed.room_state import POLICY_EXTENSION, Identity, Mode, PolicyServer
from tests.policy.cases_batches import snug_10_batches, snug_11_batches, snug_12_batches, valid_batches
from tests.policy.cases_rejoin import (
    comebacks_of_strangers,
    snug_8,
    valid_comebacks,
    valid_rejoins,
    valid_withdrawals,
    withdrawals,
)
from tests.policy.cases_replaced import snug_12_replacements, valid_replacements, wrong_replacements
from tests.policy.commits import (
    ADA,
    BO,
    CEM,
    DANA,
    FAY,
    GIL,
    LEDGER,
    MEMBERS,
    NOBODY,
    OPEN,
    POLICY,
    REQUIRED,
    REVOKED,
    SINGLE,
    SLOT,
    TICKET,
    USED_OPEN,
    USED_SINGLE,
    add,
    admission,
    back,
    batch,
    comeback,
    commit,
    crowd,
    farewell,
    full_ledger,
    gce,
    h,
    leaf,
    psk,
    raw_gce,
    rejoin,
    remove,
    returning,
    withdrawal,
)
from tests.policy.host_cases import new_keys, other_keys, snug_9

SERVERS = (PolicyServer("https://s.example", h("admin", 1)), PolicyServer("http://[::1]:8080", h("admin", 2)))


@dataclass(frozen=True)
class Case:
    """`rule` is the first that the commit breaks, None where it breaks none."""

    name: str
    view: CommitView
    rule: str | None


# -- the cases -------------------------------------------------------------------------------------


def _valid() -> Iterator[tuple[str, CommitView]]:
    yield "empty", commit(BO)
    yield "empty, by the host", commit(ADA)
    yield "empty, while the room is locked", commit(BO, policy=replace(POLICY, mode=Mode.LOCKED))
    yield "empty, in the other suite", commit(BO, suite=0x0003)
    yield (
        "empty, with a member whose credential can't be read",
        commit(BO, members=MEMBERS | {4: leaf(4, identity=b"")}),
    )
    yield "a host's return", returning()
    yield "a host's return, sixteen slots after it was signed", returning(at=SLOT - 16)
    yield "a host's return, while the room is locked", returning(mode=Mode.LOCKED)
    two = tuple(sorted((*POLICY.hosts, MEMBERS[BO].signature_key)))
    yield (
        "a host's return, by another host",
        returning(sender=BO, were=two, view={"ledger": replace(LEDGER, hosted=SLOT - 1)}),
    )
    yield "a host's second return", returning(view={"ledger": replace(LEDGER, returned=SLOT - 1)})
    yield "add, open invite", admission()
    yield "add, open invite, once more", admission(invite=USED_OPEN)
    yield "add, single invite", admission(invite=SINGLE)
    yield "add, highest invite", admission(invite=0xFFFF)
    yield "add, waved in", admission(view={"policy": replace(POLICY, mode=Mode.WAVE_IN)})
    yield "add, in the other suite", admission(suite=0x0003, view={"suite": 0x0003})
    yield (
        "add, beside a credential that can't be read",
        admission(view={"members": MEMBERS | {4: leaf(4, identity=b"\0\xff")}}),
    )
    yield "add, the name just short enough", admission("é" * 32)
    yield "add, another script's name", admission("Ναταλία 🦊")
    yield (
        "add, by a second host",
        commit(
            BO,
            psk(BO),
            add(sender=BO),
            context={"invites": (OPEN,)},
            policy=replace(POLICY, hosts=tuple(sorted(MEMBERS[m].signature_key for m in (ADA, BO)))),
        ),
    )
    yield "add, the last place", admission(view={"members": crowd(999)})
    yield "add, the last key of the ledger", admission(view={"ledger": full_ledger(LEDGER_KEYS_MAX - 1)})
    yield "add with a ticket and no Remove is an ordinary one", admission(ticket=TICKET.encode())
    yield from valid_batches()
    yield from _valid_removals()
    yield from valid_rejoins()
    yield from valid_comebacks()
    yield from valid_withdrawals()


def _valid_removals() -> Iterator[tuple[str, CommitView]]:
    """Removals, changes of the policy, and farewells."""
    yield "remove", commit(ADA, remove(BO))
    yield "remove two", commit(ADA, remove(BO), remove(CEM))
    yield "remove two who are away", commit(ADA, remove(BO), remove(CEM), context={"absent": True})
    yield from valid_replacements()
    yield (
        "remove another host",
        commit(
            ADA,
            remove(BO),
            policy=replace(POLICY, hosts=tuple(sorted(MEMBERS[m].signature_key for m in (ADA, BO)))),
        ),
    )
    yield (
        "remove and add, whose name is the removed one's",
        commit(ADA, remove(BO), psk(), add("Eve", who=leaf("Bo again", "Bo")), context={"invites": (OPEN,)}),
    )
    yield "policy: mode", commit(ADA, gce(mode=Mode.LOCKED))
    yield "policy: unlock", commit(ADA, gce(mode=Mode.ASK), policy=replace(POLICY, mode=Mode.LOCKED))
    yield "policy: title", commit(ADA, gce(title="Weekly, in the garden"))
    yield (
        "policy: a title with joiners",
        commit(ADA, gce(title="\u2615\ufe0f \U0001f469\u200d\U0001f4bb \u06cc\u200c\u0627")),
    )
    yield "policy: hosts", commit(ADA, gce(hosts=tuple(m.signature_key for m in MEMBERS.values())))
    yield "policy: no host", commit(ADA, gce(hosts=()))
    yield from new_keys()
    yield "policy: servers", commit(ADA, gce(servers=SERVERS))
    yield "policy: no servers", commit(ADA, gce(servers=()), policy=replace(POLICY, servers=SERVERS))
    yield "policy and add", commit(ADA, gce(title="Eve comes"), psk(), add(), context={"invites": (OPEN,)})
    yield "farewell", commit(BO, farewell(CEM))
    yield "farewell of two", commit(BO, farewell(CEM), farewell(DANA))
    yield "farewell of the host", commit(BO, farewell(ADA))
    yield "farewell beside a removal", commit(ADA, farewell(CEM), remove(BO))


def _snug_1() -> Iterator[tuple[str, CommitView]]:
    yield "no context", commit(BO, authenticated_data=b"")
    good = commit(BO).authenticated_data
    yield "another format", commit(BO, authenticated_data=b"\x02" + good[1:])
    yield "cut short", commit(BO, authenticated_data=good[:-1])
    yield "something behind", commit(BO, authenticated_data=good + b"\0")
    yield "a count of 2, and one invite", commit(BO, authenticated_data=good[:-4] + b"\x02\0\x07\0\0\0")
    yield "a flag of 2 (return)", commit(BO, authenticated_data=good[:-3] + b"\x02" + bytes(66))
    two = withdrawal(*(each.signature_key for each in LEDGER.away)).authenticated_data
    yield "withdrawals in another order", commit(ADA, authenticated_data=two[:-64] + two[-32:] + two[-64:-32])
    yield "a withdrawal twice", commit(ADA, authenticated_data=two[:-64] + two[-32:] + two[-32:])
    yield "another room", commit(BO, context={"room": h("elsewhere")[:16]})
    yield "the slot before", commit(BO, context={"slot": SLOT - 1})
    yield "the slot after", commit(BO, context={"slot": SLOT + 1})
    yield "another chain", commit(BO, context={"chain": h("other story")})
    yield (
        "another ledger",
        commit(BO, context={"ledger": LEDGER.after(99, removed={}, added={NOBODY: (h(1), 3)}).digest()}),
    )


def _snug_2() -> Iterator[tuple[str, CommitView]]:
    yield "in clear", commit(BO, private=False)
    yield "the host's, in clear", commit(ADA, remove(BO), private=False)
    yield "from outside", commit(None)
    yield "from an empty leaf", commit(NOBODY, path_leaf=leaf(NOBODY, "Nobody"))


def _snug_3() -> Iterator[tuple[str, CommitView]]:
    yield "another's Remove, laundered", commit(ADA, remove(CEM, BO, by_reference=True))
    yield (
        "another's Add, laundered",
        commit(ADA, psk(), add(sender=BO, by_reference=True), context={"invites": (OPEN,)}),
    )
    yield "another's policy, laundered", commit(ADA, replace(gce(BO), by_reference=True))
    yield "one's own, by reference", commit(ADA, remove(CEM, by_reference=True))
    yield "another's, by value", commit(ADA, remove(CEM, BO))
    yield "another's Remove of itself, by value", commit(ADA, remove(CEM, CEM))
    yield "an Update, by reference", commit(ADA, ProposalView("update", BO, by_reference=True))
    yield (
        "from outside, by reference",
        commit(ADA, ProposalView("remove", None, by_reference=True, removed=CEM)),
    )
    yield "from outside, of nobody", commit(ADA, ProposalView("remove", None, by_reference=True))
    yield "a PSK by reference from who leaves", commit(ADA, replace(psk(BO), by_reference=True, removed=BO))


def _snug_4() -> Iterator[tuple[str, CommitView]]:
    for kind in ("update", "reinit", "external_init", "other"):
        yield kind, commit(ADA, ProposalView(kind, ADA))


def _snug_5() -> Iterator[tuple[str, CommitView]]:
    yield "empty", commit(BO, path_leaf=None)
    yield "an admission", admission(view={"path_leaf": None})


def _snug_6() -> Iterator[tuple[str, CommitView]]:
    old = replace(MEMBERS[BO], rejoin_key=h("new"))
    yield "signature key", commit(BO, path_leaf=replace(old, signature_key=h("new")))
    yield "name", commit(BO, path_leaf=replace(old, identity=Identity("Ada").encode()))
    yield "flags", commit(BO, path_leaf=replace(old, identity=Identity("Bo", flags=1).encode()))
    yield "capabilities", commit(BO, path_leaf=replace(old, capabilities=b""))
    yield "extensions", commit(BO, path_leaf=replace(old, extensions=b"\x00"))
    yield "the same rejoin key", commit(BO, path_leaf=replace(old, rejoin_key=MEMBERS[BO].rejoin_key))
    yield "no rejoin key", commit(BO, path_leaf=replace(old, rejoin_key=b""))
    yield "a rejoin key of another size", commit(BO, path_leaf=replace(old, rejoin_key=bytes(33)))
    yield "an added leaf without a rejoin key", admission(who=leaf("Eve", "Eve", rejoin_key=b""))
    yield "a rejoin whose new leaf has no rejoin key", rejoin(rejoin_key=b"")
    yield "a host's return without a rejoin key", _without_rejoin_key(returning())
    yield "two, the second without a rejoin key", batch("Eve", add(who=leaf("Finn", "Finn", rejoin_key=b"")))


def _without_rejoin_key(view: CommitView) -> CommitView:
    proposals = tuple(
        p if p.added is None else replace(p, added=replace(p.added, rejoin_key=b"")) for p in view.proposals
    )
    return replace(view, proposals=proposals)


def _snug_7() -> Iterator[tuple[str, CommitView]]:
    yield "add", commit(BO, psk(BO), add(sender=BO), context={"invites": (OPEN,)})
    yield "remove", commit(BO, remove(CEM, BO))
    absent = {"absent": True}
    yield "remove of who is away", commit(BO, remove(CEM, BO), context=absent)
    yield "a farewell of who is away", commit(ADA, farewell(CEM), context=absent)
    yield "a policy beside who is away", commit(ADA, remove(CEM), gce(), context=absent)
    yield (
        "somebody new beside who is away",
        commit(ADA, remove(BO), psk(), add("Eve"), context={"invites": (OPEN,), **absent}),
    )
    yield from withdrawals()
    yield from wrong_replacements()
    yield "comeback of two at once", commit(BO, psk(BO), back(FAY), back(GIL))
    yield "comeback of a member without a way back", commit(BO, psk(BO), back(FAY), ledger=_no_way_back())
    yield "remove of oneself, by value", commit(BO, remove(BO, BO))
    yield "policy", commit(BO, gce(BO, hosts=tuple(sorted(MEMBERS[m].signature_key for m in (ADA, BO)))))
    yield "remove beside a farewell", commit(BO, farewell(CEM), remove(DANA, BO))
    yield "add while locked", admission(view={"policy": replace(POLICY, mode=Mode.LOCKED)})
    yield "add two", commit(BO, psk(BO), add(sender=BO), add("Finn", BO), context={"invites": (OPEN, OPEN)})
    yield "add two while locked", batch("Eve", "Finn", policy=replace(POLICY, mode=Mode.LOCKED))
    yield (
        "add while locked, and unlock",
        commit(
            ADA,
            gce(mode=Mode.ASK),
            psk(),
            add(),
            context={"invites": (OPEN,)},
            policy=replace(POLICY, mode=Mode.LOCKED),
        ),
    )
    yield (
        "the one who is host in the new policy",
        commit(BO, remove(CEM, BO), gce(BO, hosts=(MEMBERS[BO].signature_key,))),
    )
    yield "a host's key in no leaf of the committer", commit(BO, remove(ADA, BO))
    yield (
        "two Adds with tickets and a Remove are no rejoin",
        commit(BO, remove(CEM, BO), psk(BO), back(CEM), back(DANA)),
    )
    yield (
        "an Add with a ticket and two Removes are no rejoin",
        commit(BO, remove(CEM, BO), remove(DANA, BO), psk(BO), back(CEM)),
    )
    yield (
        "an Add without ticket and a Remove are no rejoin",
        commit(BO, remove(CEM, BO), psk(BO), replace(back(CEM), ticket=None)),
    )
    yield (
        "an Add with a ticket and a Remove of nobody",
        commit(BO, replace(remove(CEM, BO), removed=None), psk(BO), back(CEM)),
    )


def _no_way_back() -> Ledger:
    return replace(LEDGER, away=())


def _snug_10() -> Iterator[tuple[str, CommitView]]:
    yield "no PSK", commit(ADA, add(), context={"invites": (OPEN,)})
    yield "two PSKs", commit(ADA, psk(), psk(), add(), context={"invites": (OPEN,)})
    yield from snug_10_batches()
    yield "a PSK alone", commit(BO, psk(BO))
    yield "another PSK", commit(ADA, psk(psk_id=b"snug 1 lint"), add(), context={"invites": (OPEN,)})
    yield (
        "a resumption PSK",
        commit(ADA, psk(psk_external=False, psk_id=b""), add(), context={"invites": (OPEN,)}),
    )
    yield (
        "a resumption PSK of the link's name",
        commit(ADA, psk(psk_external=False), add(), context={"invites": (OPEN,)}),
    )
    yield "a rejoin with another PSK", commit(BO, remove(CEM, BO), psk(BO, psk_id=b"?"), back(CEM))


def _snug_11() -> Iterator[tuple[str, CommitView]]:
    yield "an Add without a leaf", admission(who=None, added=None)
    yield (
        "a key of a member",
        admission(who=replace(leaf("Eve", "Eve"), signature_key=MEMBERS[BO].signature_key)),
    )
    yield "a key of who was here", admission(who=leaf("gone", "Eve"))
    yield "a key of who was here, with a ticket", admission(who=leaf("gone", "Eve"), ticket=TICKET.encode())
    yield "no credential", admission(who=leaf("Eve", identity=b""))
    yield "a name that is not UTF-8", admission(who=leaf("Eve", identity=b"\0Ev\xe9"))
    yield "flags", admission(who=leaf("Eve", identity=Identity("Eve", flags=1).encode()))
    yield "no name", admission(who=leaf("Eve", ""))
    yield "a long name", admission("e" * 65)
    yield "not NFC", admission("Zoe\u0308")
    yield "a space at the end", admission("Eve ")
    yield "a line end", admission("Eve\nAda")
    yield "an override", admission("\u202eevE")
    yield "a joiner", admission("E\u200dve")
    yield "a filler", admission("\u3164")
    yield "a variation selector", admission("Eve\ufe0f")
    yield "a character that Unicode 14.0 doesn't know", admission("Eve\U0001fae8")
    yield "a member's name", admission("Bo")
    yield "the host's name in capitals", admission("ADA")
    yield "a Cyrillic letter", admission("\u0410da")
    yield "a Greek letter", admission("\u0391da")
    yield "full width", admission("\uff21\uff44\uff41")
    yield "a digit", admission("B0")
    yield "spaced", admission("D a n a")
    yield from comebacks_of_strangers()
    yield from snug_11_batches()


def _snug_12() -> Iterator[tuple[str, CommitView]]:
    yield "no invite", admission(invite=None)
    yield "a revoked one", admission(invite=REVOKED)
    yield "a single one twice", admission(invite=USED_SINGLE)
    yield from snug_12_batches()
    yield from snug_12_replacements()
    yield "an invite and nobody new", commit(ADA, context={"invites": (OPEN,)})
    yield "an invite with a removal", commit(ADA, remove(BO), context={"invites": (OPEN,)})
    yield "an invite with a rejoin", rejoin(context={"invites": (OPEN,)})
    yield "an invite with a comeback", comeback(context={"invites": (OPEN,)})


def _snug_13() -> Iterator[tuple[str, CommitView]]:
    follower = (POLICY_EXTENSION, replace(POLICY, version=5).encode())
    yield "nothing", commit(ADA, raw_gce())
    yield "the policy alone", commit(ADA, raw_gce(follower))
    yield "the requirement alone", commit(ADA, raw_gce(REQUIRED))
    yield "the other order", commit(ADA, raw_gce(follower, REQUIRED))
    yield "one more", commit(ADA, raw_gce(REQUIRED, follower, (0xF00D, b"")))
    yield "other required capabilities", commit(ADA, raw_gce((0x0003, b"\0\0\0"), follower))
    yield "no policy", commit(ADA, raw_gce(REQUIRED, (POLICY_EXTENSION, b"")))
    yield "the same version", commit(ADA, gce(version=4))
    yield "the version before", commit(ADA, gce(version=3))
    yield "a version left out", commit(ADA, gce(version=6))
    yield "another host seed", commit(ADA, gce(host_public=h("another")))
    yield "reports switched on in mid-meeting", commit(ADA, gce(flags=1))
    yield from other_keys()
    yield "after the last version", commit(ADA, gce(version=0), policy=replace(POLICY, version=2**32 - 1))
    yield "too many hosts", commit(ADA, gce(hosts=tuple(h("host", n) for n in range(17))))
    yield "a host twice", commit(ADA, gce(hosts=(h(1), h(1))))
    yield "too long a title", commit(ADA, gce(title="t" * 129))
    for title in ("Weekly\x1b[2J", "\u202eylkeeW", "W" + 3 * "\u0330" + "eekly", "We\u0301kly"):
        yield f"the title {title!a}", commit(ADA, gce(title=title))
    nine = tuple(PolicyServer(f"https://{n}.example", h("admin", n)) for n in range(9))
    yield "too many servers", commit(ADA, gce(servers=nine))
    yield "a server twice", commit(ADA, gce(servers=(SERVERS[0], SERVERS[0])))
    for origin in (
        "https://S.example",
        "https://s.example/",
        "https://s.example:443",
        "file:///etc",
        "s.example",
        "",
    ):
        yield f"the server {origin!r}", commit(ADA, gce(servers=(PolicyServer(origin, h("admin")),)))
    yield (
        "an unknown mode",
        commit(
            ADA,
            raw_gce(
                REQUIRED,
                (
                    POLICY_EXTENSION,
                    replace(POLICY, version=5, title="")
                    .encode()
                    .replace(POLICY.later_keys[0] + b"\0", POLICY.later_keys[0] + b"\x03"),
                ),
            ),
        ),
    )


def _snug_14() -> Iterator[tuple[str, CommitView]]:
    follower = (POLICY_EXTENSION, replace(POLICY, version=5).encode())
    yield "beside", commit(ADA, raw_gce(REQUIRED, follower, (0x0005, b"\0")))
    yield "alone", commit(ADA, raw_gce((0x0005, b"\0")))


def _snug_15() -> Iterator[tuple[str, CommitView]]:
    yield "another suite", commit(BO, suite=0x0002)
    yield "a newcomer's suite", admission(suite=0x0003)
    yield "a newcomer's version", admission(version=2)
    yield "one member too many", admission(view={"members": crowd(1000)})
    yield "one key too many", admission(view={"ledger": full_ledger(LEDGER_KEYS_MAX)})
    yield "two, the second of another suite", batch("Eve", add("Finn", suite=0x0003))
    yield "two, and one member too many", batch("Eve", "Finn", members=crowd(999))
    yield "two, and one key too many", batch("Eve", "Finn", ledger=full_ledger(LEDGER_KEYS_MAX - 1))


def _order() -> Iterator[tuple[str, CommitView, str]]:
    """A commit that breaks several rules is told the same first one by everybody."""
    yield "in clear, and of another room", commit(BO, private=False, context={"room": bytes(16)}), "SNUG-2"
    yield (
        "of another room, with an Update",
        commit(BO, ProposalView("update", BO), context={"room": bytes(16)}),
        "SNUG-1",
    )
    yield "a non-host's external senders", commit(BO, raw_gce((0x0005, b""), sender=BO)), "SNUG-14"
    yield "a non-host's bad policy", commit(BO, gce(BO, version=9)), "SNUG-13"
    yield "a non-host's Add without PSK", commit(BO, add(sender=BO)), "SNUG-7"
    yield "an Add of a bad name without invite", admission("Bo", invite=None), "SNUG-11"


@cache
def all_cases() -> tuple[Case, ...]:
    """Every case, valid ones first."""
    cases = [Case(f"valid: {name}", view, None) for name, view in _valid()]
    groups = (
        _snug_1, _snug_2, _snug_3, _snug_4, _snug_5, _snug_6, _snug_7, snug_8,
        snug_9, _snug_10, _snug_11, _snug_12, _snug_13, _snug_14, _snug_15,
    )  # fmt: skip
    for number, group in enumerate(groups, 1):
        cases += [Case(f"SNUG-{number}: {name}", view, f"SNUG-{number}") for name, view in group()]
    cases += [Case(f"order: {name}", view, rule) for name, view, rule in _order()]
    return tuple(cases)
