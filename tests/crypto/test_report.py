"""Reports: the proven facts, and all forgeries that we could think of."""

from __future__ import annotations

import dataclasses
import random
from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snugroom.client.cli.evidence import _proven_sentence
from snugroom.client.session.catalogue.content import Say
from snugroom.crypto import mls
from snugroom.crypto.agreed.room_state import POLICY_EXTENSION, REPORTS, Policy
from snugroom.crypto.entry.invite import HostSeed
from snugroom.crypto.errors import MalformedError, SnugError
from snugroom.crypto.mls.framing import to_be_signed
from snugroom.crypto.mls.labels import sign_with_label, verify_with_label
from snugroom.crypto.mls.messages import FramedContent, GroupContext, Sender, SenderType, WireFormat
from snugroom.crypto.proof import report
from snugroom.crypto.proof.report import Report, ReportedMessage, VerifiedMessage
from tests.mls.world import Room, state_of

ADA, BO, MALLORY = 0, 1, 2
INVITE = 3


@dataclass
class Meeting:
    """Ada hosts; Bo and Mallory came in by invites 3 and 4."""

    seed: HostSeed
    room: Room

    @classmethod
    def make(cls, number: int, *, flags: int = REPORTS, seed: HostSeed | None = None) -> Meeting:
        rng = random.Random(number).randbytes
        seed = seed or HostSeed.from_random(rng)
        policy = Policy(1, (), seed.host_public, flags=flags)
        both = (mls.Extension(POLICY_EXTENSION, policy.encode()),)
        capabilities = mls.Capabilities(extensions=(POLICY_EXTENSION,))
        return cls(seed, Room(3, extensions=both, capabilities=capabilities))

    def key(self, leaf: int) -> bytes:
        node = state_of(self.room[leaf]).tree.leaf(leaf)
        assert node is not None
        return node.signature_key

    def private(self, leaf: int) -> bytes:
        return bytes(state_of(self.room[leaf]).signature_private)

    def admission(self, leaf: int) -> bytes:
        return report.sign_admission(
            self.seed.host_key, self.room[0].group_id, self.key(leaf), self.invite(leaf)
        )

    def invite(self, leaf: int) -> int:
        return report.NO_INVITE if leaf == ADA else INVITE + leaf - 1

    def accuse(self, leaf: int, text: bytes = b'{"type":"say"}', by: int = ADA) -> ReportedMessage:
        heard = self.room[by].process(self.room[leaf].protect(text))
        assert isinstance(heard, mls.ApplicationMessage)
        return ReportedMessage(
            heard.tbs, heard.signature, self.key(leaf), self.invite(leaf), self.admission(leaf)
        )

    def bundle(self, *messages: ReportedMessage) -> Report:
        return Report(report.FORMAT, self.seed.host_public, list(messages))


@pytest.fixture(scope="module")
def meeting() -> Meeting:
    return Meeting.make(1)


@pytest.fixture(scope="module")
def other() -> Meeting:
    return Meeting.make(2)


def refused(accused: ReportedMessage, host_public: bytes, why: str) -> None:
    with pytest.raises(SnugError, match=why):
        report.verify_message(accused, host_public)


def test_a_message_of_bo_is_proven(meeting: Meeting) -> None:
    data = report.encode(meeting.bundle(meeting.accuse(BO, b"a threat")))
    read = report.decode_report(data)
    proven = report.verify_message(read.messages[0], meeting.seed.host_public)
    group = meeting.room[0]
    assert proven == VerifiedMessage(
        meeting.key(BO), meeting.seed.host_public, group.group_id, group.epoch, INVITE, False, b"a threat"
    )


def test_the_opener_of_a_meeting_used_no_invite(meeting: Meeting) -> None:
    proven = report.verify_message(meeting.accuse(ADA, by=BO), meeting.seed.host_public)
    assert (proven.invite, proven.signature_key) == (None, meeting.key(ADA))


def test_a_message_of_the_epoch_before_is_proven_in_its_own_epoch() -> None:
    meeting = Meeting.make(3)
    late = meeting.room[BO].protect(b"late")
    before = meeting.room[ADA].epoch
    meeting.room.add("Dana")
    heard = meeting.room[ADA].process(late)
    assert isinstance(heard, mls.ApplicationMessage)
    accused = ReportedMessage(heard.tbs, heard.signature, meeting.key(BO), INVITE, meeting.admission(BO))
    assert report.verify_message(accused, meeting.seed.host_public).epoch == before


# -- made up ---------------------------------------------------------------------------------------


def test_a_writer_who_calls_itself_a_host_is_one_by_its_own_word_alone(meeting: Meeting) -> None:
    """Mallory slanders the hosts: whatever context she signs, nobody else has."""
    key = meeting.key(MALLORY)
    lie = Policy(9, (key,), meeting.seed.host_public, flags=REPORTS)
    group = meeting.room[0]
    true = state_of(group).context
    context = dataclasses.replace(true, epoch=77, extensions=(mls.Extension(POLICY_EXTENSION, lie.encode()),))
    content = FramedContent(
        group.group_id, 77, Sender(SenderType.MEMBER, MALLORY), b"", b'{"type":"say","id":"","text":"Die."}'
    )
    tbs = to_be_signed(WireFormat.PRIVATE_MESSAGE, content, context.encoded)
    signature = sign_with_label(meeting.private(MALLORY), "FramedContentTBS", tbs)
    made = ReportedMessage(tbs, signature, key, INVITE + 1, meeting.admission(MALLORY))
    proven = report.verify_message(made, meeting.seed.host_public)
    assert proven.claims_host
    said = _proven_sentence(proven, Say(bytes(16), "Die."))
    assert "By the writer's own word it was a host's key" in said
    assert "what it calls epoch 77" in said


def test_a_member_signs_anothers_words_anew(meeting: Meeting) -> None:
    """Mallory puts words into Bo's mouth: signed by Mallory, shown with Bo's key and admission."""
    group = meeting.room[MALLORY]
    state = state_of(group)
    framed = FramedContent(group.group_id, group.epoch, Sender(SenderType.MEMBER, BO), b"", b"made up")
    tbs = to_be_signed(WireFormat.PRIVATE_MESSAGE, framed, state.context.encoded)
    signature = sign_with_label(meeting.private(MALLORY), "FramedContentTBS", tbs)
    forged = ReportedMessage(tbs, signature, meeting.key(BO), INVITE, meeting.admission(BO))
    refused(forged, meeting.seed.host_public, "not signed by that key")
    # with her own key she has Bo's leaf number and her own name; but not Bo's admission
    own = msgspec.structs.replace(forged, signature_key=meeting.key(MALLORY))
    refused(own, meeting.seed.host_public, "did not sign that this key")
    # and with her own admission it is her own words
    hers = msgspec.structs.replace(own, invite=INVITE + 1, admission=meeting.admission(MALLORY))
    assert report.verify_message(hers, meeting.seed.host_public).signature_key == meeting.key(MALLORY)


def test_bos_words_under_mallorys_key(meeting: Meeting) -> None:
    real = meeting.accuse(BO)
    swapped = msgspec.structs.replace(real, signature_key=meeting.key(MALLORY))
    refused(swapped, meeting.seed.host_public, "not signed by that key")


def test_another_invite(meeting: Meeting) -> None:
    real = meeting.accuse(BO)
    for index in (0, INVITE + 1, report.NO_INVITE):
        refused(msgspec.structs.replace(real, invite=index), meeting.seed.host_public, "did not sign")


def test_a_spliced_admission(meeting: Meeting) -> None:
    real = meeting.accuse(BO)
    spliced = msgspec.structs.replace(real, admission=meeting.admission(MALLORY))
    refused(spliced, meeting.seed.host_public, "did not sign")


def test_an_admission_to_another_group_of_the_same_host(meeting: Meeting) -> None:
    real = meeting.accuse(BO)
    elsewhere = report.sign_admission(meeting.seed.host_key, b"elsewhere", meeting.key(BO), INVITE)
    refused(msgspec.structs.replace(real, admission=elsewhere), meeting.seed.host_public, "did not sign")


def test_a_message_of_another_meeting(meeting: Meeting, other: Meeting) -> None:
    refused(other.accuse(BO), meeting.seed.host_public, "another host's meeting")
    refused(meeting.accuse(BO), other.seed.host_public, "another host's meeting")


def test_a_message_listed_64_times_counts_as_no_64_messages(meeting: Meeting) -> None:
    once, other = meeting.accuse(BO, b"a threat"), meeting.accuse(BO, b"another")
    assert len(report.verify_report(meeting.bundle(once, other), meeting.seed.host_public)) == 2
    read = report.decode_report(report.encode(meeting.bundle(*[once] * 64)))
    with pytest.raises(MalformedError, match="twice"):
        report.verify_report(read, meeting.seed.host_public)


def test_a_message_sealed_again_in_another_epoch_is_the_same_message() -> None:
    meeting = Meeting.make(4)
    first = meeting.accuse(BO, b"a threat")
    meeting.room.add("Dana")
    again = meeting.accuse(BO, b"a threat")
    assert again.tbs != first.tbs
    with pytest.raises(MalformedError, match="twice"):
        report.verify_report(meeting.bundle(first, again), meeting.seed.host_public)


def test_a_whole_meeting_made_up_by_an_operator(meeting: Meeting) -> None:
    """It has host, members and admissions of its own: everything but the key in the link."""
    operators = Meeting.make(4)
    real_looking = operators.accuse(BO, b"vile")
    assert report.verify_message(real_looking, operators.seed.host_public)
    refused(real_looking, meeting.seed.host_public, "another host's meeting")


def test_an_outsider_with_the_host_key_in_its_policy(meeting: Meeting) -> None:
    """The policy names the real host; but that host has let nobody of this group in."""
    outsider = Meeting.make(5, seed=HostSeed.from_random(random.Random(6).randbytes))
    group = outsider.room[BO]
    context = state_of(group).context
    claimed = Policy(1, (), meeting.seed.host_public, flags=REPORTS)
    lying = GroupContext(
        context.cipher_suite,
        meeting.room[0].group_id,
        context.epoch,
        context.tree_hash,
        context.confirmed_transcript_hash,
        (mls.Extension(POLICY_EXTENSION, claimed.encode()),),
    )
    framed = FramedContent(lying.group_id, lying.epoch, Sender(SenderType.MEMBER, BO), b"", b"vile")
    tbs = to_be_signed(WireFormat.PRIVATE_MESSAGE, framed, lying.encoded)
    signature = sign_with_label(outsider.private(BO), "FramedContentTBS", tbs)
    for admission in (outsider.admission(BO), meeting.admission(BO)):
        forged = ReportedMessage(tbs, signature, outsider.key(BO), INVITE, admission)
        refused(forged, meeting.seed.host_public, "did not sign")


def test_a_context_swapped_for_another_epochs(meeting: Meeting) -> None:
    """A message of one epoch is shown as a message of another."""
    first = Meeting.make(7)
    real = first.accuse(BO)
    old_context = state_of(first.room[ADA]).context
    first.room.add("Dana")
    new_context = state_of(first.room[ADA]).context
    assert real.tbs.endswith(old_context.encoded)
    head = real.tbs[: -len(old_context.encoded)]
    swapped = msgspec.structs.replace(real, tbs=head + new_context.encoded)
    refused(swapped, first.seed.host_public, "not signed by that key")


def test_content_and_context_of_two_epochs_signed_by_the_sender(meeting: Meeting) -> None:
    """A sender who signs nonsense makes nothing that passes for a message."""
    group = meeting.room[BO]
    context = state_of(group).context.encoded
    for group_id, epoch in ((group.group_id, group.epoch + 1), (b"another", group.epoch)):
        framed = FramedContent(group_id, epoch, Sender(SenderType.MEMBER, BO), b"", b"x")
        tbs = to_be_signed(WireFormat.PRIVATE_MESSAGE, framed, context)
        signature = sign_with_label(meeting.private(BO), "FramedContentTBS", tbs)
        odd = ReportedMessage(tbs, signature, meeting.key(BO), INVITE, meeting.admission(BO))
        refused(odd, meeting.seed.host_public, "two meetings or epochs")


def test_a_meeting_that_keeps_no_signatures() -> None:
    private = Meeting.make(8, flags=0)
    refused(private.accuse(BO), private.seed.host_public, "keeps no signatures")


def test_a_commit_and_a_public_message_are_no_words(meeting: Meeting) -> None:
    group = meeting.room[BO]
    context = state_of(group).context.encoded
    words = FramedContent(group.group_id, group.epoch, Sender(SenderType.MEMBER, BO), b"", b"x")
    removal = FramedContent(group.group_id, group.epoch, Sender(SenderType.MEMBER, BO), b"", mls.Remove(0))
    for wire_format, framed in (
        (WireFormat.PUBLIC_MESSAGE, words),
        (WireFormat.PRIVATE_MESSAGE, removal),
    ):
        tbs = to_be_signed(wire_format, framed, context)
        signature = sign_with_label(meeting.private(BO), "FramedContentTBS", tbs)
        odd = ReportedMessage(tbs, signature, meeting.key(BO), INVITE, meeting.admission(BO))
        refused(odd, meeting.seed.host_public, "not a (Private|member)")


def test_a_signature_for_something_else_of_the_same_key(meeting: Meeting) -> None:
    """Other signatures of a leaf do not pass for a message: the labels differ."""
    real = meeting.accuse(BO)
    other_label = sign_with_label(meeting.private(BO), "LeafNodeTBS", real.tbs)
    refused(msgspec.structs.replace(real, signature=other_label), meeting.seed.host_public, "not signed")
    evidence = meeting.room[BO].sign("snug 1 evidence", real.tbs)
    verify_with_label(meeting.key(BO), "snug 1 evidence", real.tbs, evidence)
    refused(msgspec.structs.replace(real, signature=evidence), meeting.seed.host_public, "not signed")


# -- changed on the way --------------------------------------------------------------------------------


@settings(deadline=None, max_examples=300)
@given(place=st.integers(0, 10**9), flip=st.integers(1, 255))
def test_no_byte_of_a_report_can_be_changed(meeting: Meeting, place: int, flip: int) -> None:
    data = bytearray(report.encode(meeting.bundle(meeting.accuse(BO, b"a threat"))))
    data[place % len(data)] ^= flip
    with pytest.raises(SnugError):
        report.verify_report(report.decode_report(bytes(data)), meeting.seed.host_public)


def test_another_form_of_the_same_report_is_refused(meeting: Meeting) -> None:
    data = report.encode(meeting.bundle(meeting.accuse(BO)))
    for changed in (data + b"\n", data.replace(b": ", b":"), data[:-1], b"", b"[]", b"{}", b"\xff"):
        with pytest.raises(MalformedError):
            report.decode_report(changed)
    with pytest.raises(MalformedError):
        report.decode_report(report.encode(meeting.bundle()))
    with pytest.raises(MalformedError, match="at most"):
        report.decode_report(b" " * (report.FILE_MAX + 1))
