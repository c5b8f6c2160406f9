"""ts-mls and the page's MLS as members, many in one Node process, driven by JSON lines.

The programs are `ts/peer.mjs` (ts-mls by itself, as its authors mean it) and `tests/web/peers/mls_peer.ts`
(the page's own code, which uses ts-mls).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from tests.interop.lines import LineProcess
from tests.interop.peer import NOTHING, USUAL, Changes, Manner, Peer, PeerError, Psk, Received, Staged, View
from tests.interop.ts_setup import ROOT, Node

SUITES = {
    1: "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519",
    3: "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519",
}
ANSWER_SECONDS = 30.0
DEFAULT_PADDING = 256


class TsProcess(LineProcess):
    """ts-mls's members."""

    kind: ClassVar[str] = "ts-mls"
    program: ClassVar[Path] = ROOT / "tests" / "interop" / "ts" / "peer.mjs"

    def __init__(self, node: Node) -> None:
        super().__init__(node, self.program, ANSWER_SECONDS)

    def call(self, op: str, member: int, **arguments: object) -> dict[str, Any]:
        """One request. Raises PeerError with the program's own text when it refuses."""
        plain = {name: _plain(value) for name, value in arguments.items()}
        answer = self.answer({"op": op, "member": member, **plain})
        if not answer.pop("ok"):
            raise PeerError(answer["error"], answer.get("sender"), answer.get("path", False))
        return answer

    def member(
        self,
        name: str,
        *,
        suite: int = 1,
        extensions: Sequence[int] = (),
        pad_until: int = DEFAULT_PADDING,
        lifetime: tuple[int, int] | None = None,
        again: TsPeer | None = None,
    ) -> TsPeer:
        """A new member whose leaf supports `extensions`; `again` lends its signature key."""
        number = self.new_id()
        arguments: dict[str, object] = {} if lifetime is None else {"lifetime": list(lifetime)}
        if again is not None:
            arguments["again"] = again.number
        self.call(
            "new",
            number,
            name=name,
            extensions=list(extensions),
            **self._suite(suite, pad_until),
            **arguments,
        )
        return TsPeer(self, number, name.encode())

    def _suite(self, suite: int, pad_until: int) -> dict[str, object]:
        return {"suite": SUITES[suite], "padUntil": pad_until}


class PageProcess(TsProcess):
    """The page's MLS. It speaks suite 1 alone, and MLS's own padding is not used."""

    kind = "page"
    program = ROOT / "tests" / "web" / "peers" / "mls_peer.ts"

    def _suite(self, suite: int, pad_until: int) -> dict[str, object]:
        return {"suite": suite}


class TsPeer:
    """One member of ts-mls, or of the page's MLS: `kind` says which."""

    def __init__(self, process: TsProcess, number: int, name: bytes) -> None:
        self.kind = process.kind
        self._process = process
        self.number = number
        self.name = name
        made = self.call("keyPackage")
        self.key_package = bytes.fromhex(made["message"])
        self.reference = bytes.fromhex(made["reference"])
        self.signature_key = bytes.fromhex(made["signatureKey"])

    def call(self, op: str, **arguments: object) -> dict[str, Any]:
        """An operation of the program's own. Raises PeerError."""
        return self._process.call(op, self.number, **arguments)

    def create(self, group_id: bytes, extensions: Sequence[tuple[int, bytes]] = ()) -> None:
        self.call("create", groupId=group_id, extensions=[list(e) for e in extensions])

    def know(self, psks: Sequence[Psk]) -> None:
        """Remember the secrets, for commits and joins to come."""
        for psk in psks:
            self.call("psk", id=psk.id, secret=psk.secret)

    def join(self, welcome: bytes, psks: Sequence[Psk] = ()) -> None:
        self.know(psks)
        self.call("join", welcome=welcome)

    def group_info(self) -> bytes:
        """MLSMessage(GroupInfo) with external_pub and the tree."""
        return bytes.fromhex(self.call("groupInfo")["message"])

    def join_by_external_commit(self, group_info: bytes, *, resync: bool = False) -> bytes:
        """Join and return the external commit, a PublicMessage."""
        return bytes.fromhex(
            self.call("joinByExternalCommit", groupInfo=group_info, resync=resync)["message"]
        )

    def stage(self, changes: Changes = NOTHING, manner: Manner = USUAL) -> Staged:
        self.know(changes.psks)
        proposals: list[dict[str, object]] = [
            {"kind": "remove", "leaf": self.leaf_of(p)} for p in changes.removes
        ]
        proposals += [{"kind": "add", "keyPackage": p.key_package} for p in changes.adds]
        proposals += [{"kind": "psk", "id": p.id, "nonce": p.nonce} for p in changes.psks]
        if changes.extensions is not None:
            proposals.append({"kind": "extensions", "extensions": [list(e) for e in changes.extensions]})
        made = self.call(
            "stage",
            proposals=proposals,
            isPublic=not manner.private,
            forcePath=manner.force_path,
            authenticatedData=manner.authenticated_data,
        )
        return Staged(
            bytes.fromhex(made["message"]), bytes.fromhex(made["welcome"]) if made["welcome"] else None
        )

    def adopt(self) -> None:
        self.call("adopt")

    def drop(self) -> None:
        """Forget the staged commit; the generation that it used stays used."""
        self.call("drop")

    def propose(self, proposal: Mapping[str, object], *, private: bool = True) -> bytes:
        """A by-reference proposal as `peer.mjs` spells it, such as ``{"kind": "remove", "leaf": 2}``."""
        made = self.call("propose", proposal=proposal, isPublic=not private, authenticatedData=b"")
        return bytes.fromhex(made["message"])

    def propose_remove(self, peer: Peer, *, private: bool = True) -> bytes:
        return self.propose({"kind": "remove", "leaf": self.leaf_of(peer)}, private=private)

    def process(self, message: bytes) -> Received:
        got = self.call("process", message=message)
        return Received(
            got["kind"],
            got["sender"],
            bytes.fromhex(got.get("data", "")),
            bytes.fromhex(got["authenticatedData"]),
            tuple(got.get("proposals", ())),
        )

    def protect(self, data: bytes, *, authenticated_data: bytes = b"") -> bytes:
        return bytes.fromhex(self.call("protect", data=data, authenticatedData=authenticated_data)["message"])

    def view(self, label: str = "interop", context: bytes = b"", length: int = 32) -> View:
        got = self.call("view", label=label, context=context, length=length)
        assert got["active"] == "active"
        return View(
            epoch=got["epoch"],
            exported=bytes.fromhex(got["exported"]),
            tree=bytes.fromhex(got["tree"]),
            authenticator=bytes.fromhex(got["authenticator"]),
            transcript=bytes.fromhex(got["transcript"]),
            tree_hash=bytes.fromhex(got["treeHash"]),
            extensions=tuple((kind, bytes.fromhex(data)) for kind, data in got["extensions"]),
            members={leaf: (bytes.fromhex(name), bytes.fromhex(key)) for leaf, name, key in got["members"]},
        )

    def leaf_of(self, peer: Peer) -> int:
        """The leaf that holds the peer's signature key in this member's tree."""
        members = self.view().members
        assert members is not None
        return next(leaf for leaf, (_, key) in members.items() if key == peer.signature_key)


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value
