"""Reports in meetings that allow them, none in others; images in the chat."""

from __future__ import annotations

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.entry.invites import InviteBook
from snugroom.client.session.features import reporting as reporting_module
from snugroom.client.session.features.images import mime_of
from snugroom.client.session.features.reporting import Reporting
from snugroom.client.session.options import Options
from snugroom.crypto.agreed.room_state import SINGLE_USE
from snugroom.crypto.entry.invite import HostSeed, Invite
from snugroom.crypto.errors import SnugError
from snugroom.crypto.proof import report
from snugroom.crypto.proof.report import NO_INVITE, VerifiedMessage
from snugroom.lab.simulation.world import Participant, World

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\4\0\0\0\4" + bytes(84)
REPORTABLE = Options(reports=True)


def meeting(w: World, *names: str, options: Options = REPORTABLE) -> list[Participant]:
    host = w.host(names[0], options=options)
    people = [host]
    for name in names[1:]:
        people.append(w.guest(w.link_of(host), name))
        w.until(lambda: w.agreed(people))
    w.until(lambda: all(p.room.is_synced(w.now) for p in people))
    w.run(1)
    return people


def host_key(w: World, host: Participant) -> bytes:
    return Invite.parse(w.link_of(host)).host_public


def name_of(who: Participant, text: str) -> str:
    return next(e.id for e in who.told if isinstance(e, ev.Said) and e.text == text)


def reported(who: Participant, w: World, *texts: str) -> bytes:
    w.do(who, ev.SaveReport(tuple(name_of(who, text) for text in texts), "r.json"))
    save = [e for e in who.performed if isinstance(e, ev.Save)][-1]
    assert (save.what, save.path) == ("report", "r.json")
    return save.data


def judged(data: bytes, key: bytes) -> list[VerifiedMessage]:
    return report.verify_report(report.decode_report(data), key)


def hear(*people: Participant, w: World, text: str) -> None:
    w.until(lambda: all(any(t == text for _, t in p.said) for p in people))


# -- reports ---------------------------------------------------------------------------------------


def test_everybody_is_told_the_price_on_coming_in_and_nobody_elsewhere() -> None:
    w = World(1)
    for who in meeting(w, "Ada", "Bo"):
        told = [e.text for e in who.told if isinstance(e, ev.Status) and e.kind == "reports"]
        assert told == [
            "This meeting keeps signatures for reports: others can prove later what you write here."
        ]
    other = World(2)
    for who in meeting(other, "Ada", "Bo", options=Options()):
        assert not any(isinstance(e, ev.Status) and e.kind == "reports" for e in who.told)
        assert who.room.feature(Reporting)._admissions == {}


def test_a_report_of_one_message_shows_that_one_and_who_signed_it() -> None:
    w = World(3)
    ada, bo, cem = meeting(w, "Ada", "Bo", "Cem")
    w.do(bo, ev.Say("a threat"))
    w.do(ada, ev.Say("an answer in confidence"))
    hear(ada, cem, w=w, text="a threat")
    hear(cem, w=w, text="an answer in confidence")
    data = reported(cem, w, "a threat")
    (proven,) = judged(data, host_key(w, ada))
    said = content.decode(proven.data)
    assert isinstance(said, content.Say)
    assert said.text == "a threat"
    assert proven.signature_key == cem.room.membership.signature_key(1)
    assert (proven.invite, proven.claims_host) == (0, False)
    raw = report.decode_report(data)
    assert b"confidence" not in b"".join(m.tbs for m in raw.messages)
    for who in (ada, cem):
        assert (who.room.membership.signature_key(0) or b"x") not in data, "nobody else's key, in any form"


def test_hosts_can_be_reported_too() -> None:
    w = World(4)
    ada, bo = meeting(w, "Ada", "Bo")
    w.do(ada, ev.Say("by the host"))
    hear(bo, w=w, text="by the host")
    (proven,) = judged(reported(bo, w, "by the host"), host_key(w, ada))
    assert (proven.invite, proven.claims_host) == (None, True)


def test_a_message_of_a_removed_member_can_be_reported() -> None:
    w = World(5)
    ada, bo, cem = meeting(w, "Ada", "Bo", "Cem")
    w.do(bo, ev.Say("and then gone"))
    hear(cem, w=w, text="and then gone")
    w.do(ada, ev.Remove(1))
    w.until(lambda: bo.ended is not None and cem.roster == ["Ada", "Cem"])
    assert judged(reported(cem, w, "and then gone"), host_key(w, ada))


def test_newcomers_and_those_who_rejoin_are_shown_all_admissions() -> None:
    w = World(6)
    ada, bo = people = meeting(w, "Ada", "Bo")
    bo.room.needs_rejoin = True
    w.do(bo, ev.Tick())
    w.until(lambda: bo.session._guest is None and w.agreed(people) and bo.room.is_synced(w.now), 20)
    dana = w.guest(w.link_of(ada), "Dana")
    w.until(lambda: w.agreed([ada, bo, dana]) and dana.room.is_synced(w.now))
    w.run(1)
    for who in (ada, bo, dana):
        others = {
            who.room.membership.signature_key(leaf)
            for leaf in (0, 1, 2)
            if leaf != who.room.membership.own_leaf
        }
        assert set(who.room.feature(Reporting)._admissions) >= others
    w.do(bo, ev.Say("after a rejoin"))
    hear(dana, w=w, text="after a rejoin")
    (proven,) = judged(reported(dana, w, "after a rejoin"), host_key(w, ada))
    assert proven.invite == 0


def test_a_meeting_that_is_not_reportable_has_nothing_to_report() -> None:
    w = World(7)
    ada, bo = meeting(w, "Ada", "Bo", options=Options())
    w.do(bo, ev.Say("in confidence"))
    hear(ada, w=w, text="in confidence")
    with pytest.raises(ValueError, match="keeps no signatures"):
        w.do(ada, ev.SaveReport((name_of(ada, "in confidence"),), "r.json"))
    assert ada.room.feature(Reporting)._kept == {}


def test_a_report_of_unknown_messages_is_refused() -> None:
    w = World(8)
    ada, bo = meeting(w, "Ada", "Bo")
    w.do(bo, ev.Say("x"))
    hear(ada, w=w, text="x")
    name = name_of(ada, "x")
    for names in ((), (name, name), ("0" * 32,), (name[:5],), ("",)):
        with pytest.raises(ValueError, match=r"1 to 64|no message"):
            w.do(ada, ev.SaveReport(names, "r.json"))
    w.do(ada, ev.SaveReport((name[:6],), "r.json"))  # enough where it is of one message alone


def test_a_member_who_withholds_its_admission_is_named_once() -> None:
    w = World(9)
    ada, bo, cem = meeting(w, "Ada", "Bo", "Cem")
    for who in (ada, cem):
        key = who.room.membership.signature_key(1)
        del who.room.feature(Reporting)._admissions[key]
    w.run(15)
    for text in ("one", "two"):
        w.do(bo, ev.Say(text))
        hear(ada, cem, w=w, text=text)
    for who in (ada, cem):
        assert who.alarms.count("unreportable") == 1
    with pytest.raises(ValueError, match="has not shown"):
        w.do(cem, ev.SaveReport((name_of(cem, "one"),), "r.json"))


def test_a_member_without_an_admission_hears_it_before_others_suspect_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A host tries to make Bo look like a member who withholds its admission."""
    w = World(19)
    monkeypatch.setattr(Reporting, "admission_for", lambda self, key: b"")
    ada, bo = meeting(w, "Ada", "Bo")
    w.run(15)
    assert [e.kind for e in bo.told if isinstance(e, ev.Status)].count("no_admission") == 1
    w.do(bo, ev.Say("one"))
    hear(ada, w=w, text="one")
    (text,) = [e.text for e in ada.told if isinstance(e, ev.Alarm) and e.kind == "unreportable"]
    assert "An honest program shows the signature" in text


def test_no_honest_member_is_suspected() -> None:
    w = World(10)
    people = meeting(w, "Ada", "Bo", "Cem")
    for n in range(8):
        w.cut(w.random.choice(people).links[ev.ROOM])
        w.do(people[n % 3], ev.Say(f"{n}"))
        w.run(5)
    assert all("unreportable" not in p.alarms for p in people)
    assert not any(isinstance(e, ev.Status) and e.kind == "no_admission" for p in people for e in p.told)


@pytest.mark.parametrize("how", ["another invite", "another's key", "another host", "no signature"])
def test_an_admission_that_is_not_the_hosts_word_is_none(how: str) -> None:
    w = World(11)
    ada, bo, cem = meeting(w, "Ada", "Bo", "Cem")
    key, group = bo.room.membership.signature_key(1), bo.room.membership.group.group_id
    seed = ada.room.host_keys.current.host_key
    other = HostSeed(b"x" * 32).host_key
    invite, admission = {
        "another invite": (5, report.sign_admission(seed, group, key, 5)),
        "another's key": (0, report.sign_admission(seed, group, cem.room.membership.signature_key(2), 0)),
        "another host": (0, report.sign_admission(other, group, key, 0)),
        "no signature": (0, bytes(64)),
    }[how]
    seen = cem.room.feature(Reporting)
    del seen._admissions[key]
    bo.room.relay(content.Admitted(invite, admission))
    w.run(1)
    assert key not in seen._admissions
    bo.room.relay(content.Admitted(0, report.sign_admission(seed, group, key, 0)))
    w.do(bo, ev.Tick())
    w.until(lambda: key in seen._admissions)


def test_an_answer_with_a_wrong_admission_is_not_shown_on() -> None:
    w = World(12)
    ada, bo = meeting(w, "Ada", "Bo")
    own = bo.room.feature(Reporting)
    right = own._admission
    own.take(bytes(64))
    assert own._admission == right
    own.take(
        report.sign_admission(
            ada.room.host_keys.current.host_key, bo.room.membership.group.group_id, bytes(32), 0
        )
    )
    assert own._admission == right


def test_a_member_can_not_report_what_nobody_said() -> None:
    """Mallory has everything that a member has, and makes reports by hand."""
    w = World(13)
    ada, bo, mallory = meeting(w, "Ada", "Bo", "Mallory")
    w.do(bo, ev.Say("good morning"))
    hear(mallory, w=w, text="good morning")
    real = report.decode_report(reported(mallory, w, "good morning"))
    key = host_key(w, ada)
    changed = real.messages[0].tbs.replace(b"good morning", b"vile morning")
    assert changed != real.messages[0].tbs
    accused = real.messages[0]
    forged = report.ReportedMessage(
        changed, accused.signature, accused.signature_key, accused.invite, accused.admission
    )
    with pytest.raises(SnugError):
        report.verify_message(forged, key)
    own = mallory.room.feature(Reporting)._admission
    hers = mallory.room.membership.signature_key(2)
    signed = mallory.room.membership.sign("snug 1 evidence", changed)
    for k, s in ((hers, signed), (accused.signature_key, signed)):
        with pytest.raises(SnugError):
            report.verify_message(report.ReportedMessage(changed, s, k, 0, own), key)


def test_the_memory_of_reportable_messages_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    w = World(14)
    ada, bo = meeting(w, "Ada", "Bo")
    kept = ada.room.feature(Reporting)
    monkeypatch.setattr(reporting_module, "KEPT_MAX", 5)
    for n in range(9):
        w.do(bo, ev.Say(f"{n}"))
        w.run(0.3)
    assert len(kept._kept) == 5
    assert kept._bytes == sum(len(k.tbs) for k in kept._kept.values())
    with pytest.raises(ValueError, match="no message"):
        w.do(ada, ev.SaveReport((name_of(ada, "0"),), "r.json"))
    assert judged(reported(ada, w, "8"), host_key(w, ada))
    monkeypatch.setattr(reporting_module, "KEPT_BYTES", len(next(iter(kept._kept.values())).tbs) + 10)
    w.do(bo, ev.Say("x"))
    hear(ada, w=w, text="x")
    assert len(kept._kept) == 1


def test_a_threat_can_not_hide_behind_a_harmless_message_of_the_same_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A flood makes members forget shown messages sooner than kept ones."""
    monkeypatch.setattr("snugroom.client.session.kernel.outbox.SEEN_MAX", 8)
    w = World(18)
    ada, mallory = meeting(w, "Ada", "Mallory")
    mallory.room.relay(content.Say(bytes(16), "Good morning."))
    hear(ada, w=w, text="Good morning.")
    for n in range(10):
        mallory.room.relay(content.Revoked([n]))
    mallory.room.relay(content.Say(bytes(16), "I know where you live."))
    hear(ada, w=w, text="I know where you live.")
    (proven,) = judged(reported(ada, w, "I know where you live."), host_key(w, ada))
    assert b"I know where" in proven.data
    (proven,) = judged(reported(ada, w, "Good morning."), host_key(w, ada))
    assert b"Good morning." in proven.data


def test_nobody_is_given_the_number_that_stands_for_no_invite() -> None:
    drawn = iter((b"\xff\xff", b"\x7f\xff", b"\0\7"))
    assert InviteBook().make("", True, bytes(32), (), lambda size: next(drawn)) == SINGLE_USE | 7
    assert NO_INVITE == 0xFFFF


# -- images ----------------------------------------------------------------------------------------


def images(who: Participant) -> list[ev.Image]:
    return [e for e in who.told if isinstance(e, ev.Image)]


def test_images_reach_everybody_once() -> None:
    w = World(20)
    ada, bo, cem = meeting(w, "Ada", "Bo", "Cem", options=Options())
    w.do(bo, ev.SendImage("me.png", PNG))
    w.until(lambda: all(images(p) for p in (ada, cem)))
    for who in (ada, cem):
        (got,) = images(who)
        assert (got.leaf, got.name, got.mime, got.data, got.path) == (1, "Bo", "image/png", PNG, None)
        assert str(PNG) not in repr(got)
    assert images(bo) == []


def test_an_image_is_sent_again_after_a_lost_connection() -> None:
    w = World(21, latency=0.2)
    ada, bo = meeting(w, "Ada", "Bo", options=Options())
    w.do(bo, ev.SendImage("x", PNG))
    w.cut(bo.links[ev.ROOM])
    w.until(lambda: len(images(ada)) == 1)
    w.kill_server()
    w.run(0.5)
    w.start_server()
    w.run(10)
    assert len(images(ada)) == 1


def test_the_largest_image_fits_and_a_larger_one_is_refused() -> None:
    w = World(22)
    ada, bo = meeting(w, "Ada", "Bo", options=Options())
    largest = PNG.ljust(content.IMAGE_MAX, b"x")
    w.do(bo, ev.SendImage("x", largest))
    w.until(lambda: bool(images(ada)))
    assert images(ada)[0].data == largest
    assert "refused" not in bo.alarms
    w.run(5)
    for data, why in ((largest + b"x", "at most"), (b"MZ" + bytes(50), "PNG, JPEG"), (b"", "PNG, JPEG")):
        with pytest.raises(ValueError, match=why):
            w.do(bo, ev.SendImage("x", data))
    w.do(bo, ev.SendImage("x", PNG))
    with pytest.raises(ValueError, match="every 3 seconds"):
        w.do(bo, ev.SendImage("x", PNG))


def test_an_image_that_lies_about_its_type_is_shown_to_nobody() -> None:
    w = World(23)
    ada, bo = meeting(w, "Ada", "Bo", options=Options())
    bo.room.relay(content.Image(bytes(16), "image/gif", PNG))
    bo.room.relay(content.Image(bytes(15) + b"1", "image/png", b"<svg onload=x>"))
    w.do(bo, ev.Say("after"))
    hear(ada, w=w, text="after")
    assert images(ada) == []


@pytest.mark.parametrize(
    ("data", "mime"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"GIF89a", "image/gif"),
        (b"GIF87a", "image/gif"),
        (b"RIFF\0\0\0\0WAVE", None),
        (b"<svg", None),
        (b"\x89PNG", None),
        (b"", None),
    ],
)
def test_kinds_are_told_by_the_first_bytes(data: bytes, mime: str | None) -> None:
    assert mime_of(data) == mime


def test_an_image_can_be_reported() -> None:
    w = World(24)
    ada, bo = meeting(w, "Ada", "Bo")
    w.do(bo, ev.SendImage("x", PNG))
    w.until(lambda: bool(images(ada)))
    w.do(ada, ev.SaveReport((images(ada)[0].id,), "r.json"))
    save = [e for e in ada.performed if isinstance(e, ev.Save)][-1]
    (proven,) = judged(save.data, host_key(w, ada))
    shown = content.decode(proven.data)
    assert isinstance(shown, content.Image)
    assert shown.data == PNG


def test_nobody_is_shown_anothers_image_as_their_own_twice() -> None:
    """The id is the sender's choice: Bo's reuse of Cem's id hides nothing of Cem's."""
    w = World(25)
    ada, bo, cem = meeting(w, "Ada", "Bo", "Cem", options=Options())
    same = bytes(16)
    bo.room.relay(content.Image(same, "image/png", PNG + b"b"))
    w.do(bo, ev.Tick())
    w.until(lambda: len(images(ada)) == 1)
    cem.room.relay(content.Image(same, "image/png", PNG + b"c"))
    w.do(cem, ev.Tick())
    w.until(lambda: len(images(ada)) == 2)
    assert [p.name for p in images(ada)] == ["Bo", "Cem"]
    cem.room.relay(content.Image(same, "image/png", PNG + b"c"))
    w.do(cem, ev.Say("after"))
    hear(ada, w=w, text="after")
    assert len(images(ada)) == 2, "one image of one sender under one id is shown once"
    cem.room.relay(content.Image(same, "image/png", PNG + b"d"))
    w.until(lambda: len(images(ada)) == 3)
    assert len({p.id for p in images(ada)}) == 3, "and another one is another"
