"""The catalogue of sentences: complete in every language, and nothing left in English."""

from __future__ import annotations

import copy
import pickle
import re
from typing import Any, Final

import pytest

from snugroom.client.session.catalogue import sentence as catalogue
from snugroom.client.session.catalogue.sentence import LANGUAGES, Language, in_language, listed, sentence

FILES: Final = sorted(path.stem for path in catalogue._FOLDER.glob("*.toml"))
#: What a language says as English does, because it says so: anything else that is the same was forgotten.
ALIKE: Final[dict[str, set[str]]] = {
    "de": {
        "alarm.input",
        "alarm.source",
        "auc",
        "auc_text",
        "find_idle",
        "live",
        "meet.chat",
        "meet.chat_told",
        "meet.code",
        "meet.hand",
        "meet.reacted",
        "meet.shortcut",
        "prejoin.optional",
        "room.ruled",
        "row_code",
        "row_said",
        "since.policy",
        "terminal.files_typed",
        "terminal.invite_row",
        "theme.system",
    },
    "zh-Hans": {"alarm.source", "auc", "since.policy", "terminal.files_typed"},
    "zh-Hant": {"alarm.source", "auc", "since.policy", "terminal.files_typed"},
}
#: Sentences that send a person to a button, by the button's own words.
BUTTONS: Final = {
    "cannot.no_code_yet": "meet.compare",
    "dropped.proof": "meet.alarm_evidence",
    "alarm.stale": "meet.override_yes",
    "alarm.stale.no_host": "meet.override_yes",
    "alarm.stale.no_host_few": "meet.override_yes",
}
_TYPED: Final = re.compile(r"`[^`]*`|https?://[\w.:/#]+|snug [a-z-]+")
#: Holes as `sentence.py` describes them.
_SHAPE: Final = re.compile(
    r"[^{}]*(?:\{\w+(?::(?:n|capital|clause|all)|\|(?:[^{}|]|\{\w+\})*\|(?:[^{}|]|\{\w+\})*)?\}[^{}]*)*\Z"
)

SENTENCES: Final = {(name, key): row for name in FILES for key, row in catalogue.table(name).items()}
#: For each sentence, its texts by language: those of the page, and perhaps those of a terminal.
FORMS: Final = [
    (key, form)
    for (_, key), row in SENTENCES.items()
    for form in ([row, row["terminal"]] if "terminal" in row else [row])
]


def _args(template: str) -> set[str]:
    """The arguments that are shown: one that only chooses a form need not be in every language."""
    return set(re.findall(r"\{(\w+)[:}]", template))


def test_every_sentence_is_in_every_language() -> None:
    for key, form in FORMS:
        assert [name for name in form if name not in ("about", "terminal")] == list(LANGUAGES), key
        assert all(isinstance(form[language], str) and form[language] for language in LANGUAGES), key


def test_no_key_is_in_two_files_of_one_program() -> None:
    keys = [
        key
        for name, key in SENTENCES
        if name not in ("lecture", "landlord", "projector", "predictions", "scenes", "waiting")
    ]
    assert len(keys) == len(set(keys))


def test_a_template_has_no_other_braces_than_those_of_its_arguments() -> None:
    for key, form in FORMS:
        for language in LANGUAGES:
            assert _SHAPE.match(form[language]), (key, language)


def test_every_language_takes_the_arguments_of_english() -> None:
    for key, form in FORMS:
        for language in LANGUAGES:
            assert _args(form[language]) == _args(form["en"]), (key, language)


@pytest.mark.parametrize("language", ALIKE)
def test_nothing_is_left_in_english(language: Language) -> None:
    found = {key for key, form in FORMS if form[language] == form["en"]}
    assert found == ALIKE[language]


@pytest.mark.parametrize("language", ALIKE)
def test_text_that_is_typed_stays_as_it_is(language: Language) -> None:
    for key, form in FORMS:
        assert sorted(_TYPED.findall(form[language])) == sorted(_TYPED.findall(form["en"])), key


def test_only_a_terminal_is_told_commands() -> None:
    """The page has buttons."""
    for (name, key), row in SENTENCES.items():
        for language in LANGUAGES if name != "terminal" else ():
            assert not re.search(r"(?<![\w/.])/[a-z]", row[language]), (key, language)
        if "terminal" in row:
            commands = [
                set(re.findall(r"(?<![\w/])(?:/|--)[a-z]+", row["terminal"][language]))
                for language in LANGUAGES
            ]
            assert commands[0], key
            assert all(each == commands[0] for each in commands), key


@pytest.mark.parametrize("language", ALIKE)
def test_a_sentence_names_a_button_as_it_is_called(language: Language) -> None:
    texts = {key: row[language] for (_, key), row in SENTENCES.items()}
    for key, button in BUTTONS.items():
        assert re.search(f"[„「“]{re.escape(texts[button])}[“」”]", texts[key]), key


def test_each_chinese_script_has_its_own_signs() -> None:
    simplified = set("这们会说话对门开页还进让谁么样听见议请码钥证删务连网个时间")
    traditional = set("這們會說話對門開頁還進讓誰麼樣聽見議請碼鑰證刪務連網個時間")
    for key, form in FORMS:
        assert not simplified & set(form["zh-Hant"]), key
        assert not traditional & set(form["zh-Hans"]), key


# -- Sentence ---------------------------------------------------------------------------------------------


def test_a_sentence_is_its_english_text_and_can_be_said_in_other_languages() -> None:
    said = sentence("alarm.stale", who=["Ada", "Bo", "Cem"])
    assert said.startswith("\u201cAda\u201d, \u201cBo\u201d and \u201cCem\u201d haven't answered")
    assert in_language(said, "de").startswith("\u201eAda\u201c, \u201eBo\u201c und \u201eCem\u201c haben")
    assert in_language(said, "zh-Hans").startswith("\u201cAda\u201d、\u201cBo\u201d和\u201cCem\u201d有一阵子")
    assert in_language("Ada", "de") == "Ada"


def test_a_sentence_inside_a_sentence_is_in_the_same_language() -> None:
    streams = [sentence("stream.own.sound"), sentence("stream.video", whose="Bo")]
    said = sentence("status.cleared.reaching", whom=[sentence("watch.you"), "Cem"], streams=streams)
    assert said.startswith("Your sound")
    assert "your" not in in_language(said, "de").lower()
    assert "Cem" in in_language(said, "de")


def test_an_argument_is_no_template() -> None:
    said = sentence("alarm.false_end", name="{why}", why="{name}")
    assert said == "\u201c{why}\u201d tried to end the meeting: {name}"


def test_a_wrong_key_and_a_missing_argument_are_errors() -> None:
    for key, args in (("alarm.no_such", {}), ("alarm.false_end", {"name": "Ada"})):
        with pytest.raises(KeyError):
            sentence(key, **args)


def test_a_sentence_survives_copies() -> None:
    said: Any = sentence("alarm.stale", who=["Ada"])
    for again in (copy.deepcopy(said), pickle.loads(pickle.dumps(said))):  # noqa: S301
        assert again == said
        assert in_language(again, "de") == in_language(said, "de")


def test_names_are_listed_as_each_language_does() -> None:
    assert listed([]) == ""
    assert listed(["Ada", "Bo"], "de") == "Ada und Bo"
    assert listed(list("1234567")) == "1, 2, 3, 4, 5 and 2 more"
    assert listed(list("1234567"), "zh-Hant") == "1、2、3、4、5和另外 2 個"
