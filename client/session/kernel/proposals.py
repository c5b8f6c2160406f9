"""The proposals of the commit for each intent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from snugroom.client.session.kernel import intents
from snugroom.client.session.kernel.journal import Journal
from snugroom.crypto import mls
from snugroom.crypto.agreed import policy
from snugroom.crypto.agreed.ledger import Ledger
from snugroom.crypto.agreed.room_state import POLICY_EXTENSION, Policy, RejoinTicket
from snugroom.crypto.kdf import Rng


class State(Protocol):
    """The state of a room that proposals depend on: `Membership` has it."""

    @property
    def group(self) -> mls.Group: ...
    @property
    def policy(self) -> Policy: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def journal(self) -> Journal: ...


@dataclass(frozen=True)
class Built:
    """Proposals of a commit."""

    intents: Sequence[intents.Intent]  # those that it carries out
    proposals: Sequence[mls.Proposal]
    references: Sequence[bytes] = ()  # of stored proposals
    carried: Sequence[bytes] = ()  # the messages of those
    invites: Sequence[int] = ()  # the one that admits each newcomer, in the order of the Adds


def proposals_for(state: State, wanted: Sequence[intents.Intent], rng: Rng) -> Built | None:
    """Return the content of the commit for an intent or for several newcomers; None if nothing is to do."""
    if all(type(intent) is intents.AddIntent for intent in wanted):
        return _additions(state, [each for each in wanted if isinstance(each, intents.AddIntent)], rng)
    (intent,) = wanted
    link = mls.PreSharedKey.external(policy.LINK_PSK_ID, rng)
    members = {m.leaf: m.leaf_node.signature_key for m in state.group.members()}
    if isinstance(intent, intents.RejoinIntent):
        key = intent.key_package.leaf_node.signature_key
        leaf = next((leaf for leaf, k in members.items() if k == key), None)
        ticket = RejoinTicket.decode(intent.ticket)
        away = state.ledger.away_member(key)
        if (leaf is None and away is None) or any(r.nonce == ticket.nonce for r in state.ledger.rejoins):
            return None
        replaced = [] if leaf is None else [mls.Remove(leaf)]
        return Built(wanted, [*replaced, link, mls.Add(intent.key_package)])
    if isinstance(intent, intents.ReplaceIntent):
        new = intent.key_package
        if (
            members.get(intent.leaf) != intent.signature_key
            or new.leaf_node.signature_key in members.values()
        ):
            return None
        return Built(wanted, [mls.Remove(intent.leaf), link, mls.Add(new)], invites=[intent.invite])
    if isinstance(intent, intents.HostReturnIntent):
        return _host_return(state, intent, link)
    if isinstance(intent, intents.RemoveIntent):
        if members.get(intent.leaf) != intent.signature_key:
            return None
        return Built(wanted, [mls.Remove(intent.leaf)])
    if isinstance(intent, intents.WithdrawIntent):
        return None if state.ledger.away_member(intent.signature_key) is None else Built(wanted, [])
    if isinstance(intent, intents.PolicyIntent):
        changed = intent.change(state.policy)
        return None if changed is None else Built(wanted, [_with_policy(state, changed)])
    if isinstance(intent, intents.SelfRemoveIntent):
        if intent.leaf not in members or intent.reference not in state.group.stored_proposals:
            return None
        return Built(wanted, [], [intent.reference], [intent.proposal])
    assert isinstance(intent, intents.HealIntent)
    return Built(wanted, []) if intent.epoch == state.group.epoch else None


def _additions(state: State, wanted: Sequence[intents.AddIntent], rng: Rng) -> Built | None:
    """Return the Adds of all newcomers who are no members yet, with one PSK (SNUG-10)."""
    members = {m.leaf_node.signature_key for m in state.group.members()}
    new = [each for each in wanted if each.key_package.leaf_node.signature_key not in members]
    if not new:
        return None
    link = mls.PreSharedKey.external(policy.LINK_PSK_ID, rng)
    adds = [mls.Add(each.key_package) for each in new]
    return Built(new, [link, *adds], invites=[each.invite for each in new])


def _with_policy(state: State, changed: Policy) -> mls.Proposal:
    kept = state.group.extensions[0]
    return mls.GroupContextExtensions((kept, mls.Extension(POLICY_EXTENSION, changed.encode())))


def _host_return(state: State, intent: intents.HostReturnIntent, link: mls.Proposal) -> Built | None:
    """Put the returning host's new leaf in place of the host's leaf of that name; None if there is none."""
    leaf = intent.key_package.leaf_node
    old = next(
        (
            m
            for m in state.group.members()
            if m.leaf_node.signature_key in state.policy.hosts
            and m.leaf_node.credential.identity == leaf.credential.identity
        ),
        None,
    )
    if old is None or old.leaf_node.signature_key == leaf.signature_key:
        return None
    hosts = (set(state.policy.hosts) - {old.leaf_node.signature_key}) | {leaf.signature_key}
    changed = replace(state.policy, version=state.policy.version + 1, hosts=tuple(sorted(hosts)))
    replacement = [mls.Remove(old.leaf), link, mls.Add(intent.key_package)]
    return Built([intent], [*replacement, _with_policy(state, changed)])
