"""Quizzes: five questions, a word on every option, one question from the run."""

import html
import os
import sys
from pathlib import Path

import pytest

from edakit import quiz
from edakit.errors import ArgumentError
from edakit.learn import Question, progress
from edakit.learn.bank import quizzes

BANK = Path(__file__).parent.parent / "notebooks" / "exercises"
os.environ.setdefault("EDAKIT_EXERCISES", str(BANK))
every_quiz = pytest.mark.parametrize("nr", quizzes())


@pytest.fixture(autouse=True)
def _learner(monkeypatch, tmp_path):
    monkeypatch.delenv("EDAKIT_CHECK", raising=False)
    monkeypatch.setenv("EDAKIT_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.setenv("EDAKIT_EXERCISES", str(BANK))


@every_quiz
def test_five_questions_one_from_the_run_and_a_word_on_every_option(nr):
    questions = quiz(nr).questions
    assert len(questions) == 5
    assert any(question.run for question in questions)
    for question in questions:
        assert len(question.options) >= 3
        for option, said in question.options.items():
            assert len(said) > 20, f"{question.text} {option}"
        assert len({said for option, said in question.options.items() if option != question.right}) >= 1


@every_quiz
def test_the_right_options_do_not_all_stand_in_one_place(nr):
    places = [list(question.options).index(question.right) for question in quiz(nr).questions]
    assert len(set(places)) >= 2, places


@every_quiz
def test_it_reads_the_same_each_time_and_fits(nr):
    assert repr(quiz(nr)) == repr(quiz(nr))
    assert max(map(len, repr(quiz(nr)).splitlines())) <= 200


def test_the_question_from_the_run_follows_the_run():
    from shop.start import credit_system, shop_system

    from edakit import run

    payment = __import__("shop.start", fromlist=["payment_taking"]).payment_taking(0.1, vary=True)
    labs = [run(credit_system, seed=seed, payment=payment) for seed in range(8)] + [run(shop_system, orders=7)]
    asked = {(each.text, each.right) for each in (quiz("00", lab).questions[0] for lab in labs)}
    assert len(asked) > 4
    assert len({right for _, right in asked}) > 1


def test_answers_in_code():
    q = quiz("00")
    assert q.score == 0
    for n, question in enumerate(q.questions, 1):
        wrong = next(option for option in question.options if option != question.right)
        said = q.answer(n, wrong)
        assert not said
        assert str(said) == f"Not so. {question.options[wrong]}"
        assert q.answer(n, "abcdef"[list(question.options).index(question.right)])
    assert q.score == 5
    assert "(x)" in repr(q)
    assert progress().rows()[0]["quiz"] == "5 of 5"


@pytest.mark.parametrize(("n", "option"), [(0, "a"), (6, "a"), ("1", "a"), (1, "z"), (1, None)])
def test_what_is_not_there(n, option):
    with pytest.raises(ArgumentError):
        quiz("00").answer(n, option)
    with pytest.raises(ArgumentError, match="no quiz '77'"):
        quiz("77")


def test_a_run_it_cannot_ask_about():
    from edakit import Lab

    with pytest.raises(ArgumentError):
        quiz("00", Lab())


def test_buttons_answer_and_show_what_is_said():
    pytest.importorskip("ipywidgets")
    q = quiz("00")
    bundle = q._repr_mimebundle_()
    assert bundle["text/plain"] == repr(q)
    right = list(q.questions[1].options).index(q.questions[1].right)
    q._radios[1].index = right
    assert q.questions[1].chosen == q.questions[1].right
    assert q._lines[1].value == html.escape(q.questions[1].feedback())
    assert q._radios[2].index is None
    q.answer(3, "a")
    assert q._radios[2].index == 0


def test_without_widgets_it_is_text(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    assert list(quiz("00")._repr_mimebundle_()) == ["text/plain"]


def test_text_is_escaped(tmp_path, monkeypatch):
    ipywidgets = pytest.importorskip("ipywidgets")
    (tmp_path / "00_quiz.py").write_text(
        "from edakit.learn import Question\n"
        "def questions(lab):\n"
        "    return [Question('<img src=x>', {'<b>': '<script>x</script>', 'b': 'no'}, 'b', run=True) for _ in range(5)]\n"
    )
    monkeypatch.setenv("EDAKIT_EXERCISES", str(tmp_path))
    q = quiz("00")
    box = q._shown(ipywidgets)
    q.answer(1, "a")
    values = [child.value for child in box.children if isinstance(child, ipywidgets.HTML)]
    assert not any("<img" in value or "<script" in value for value in values)


@pytest.mark.parametrize("options", [{"a": ""}, {1: "", "1": ""}, {"b": "", "c": ""}])
def test_a_question_has_its_right_answer_among_different_options(options):
    with pytest.raises(ArgumentError):
        Question("which?", options, "a" if "a" in options else 1 if 1 in options else "d")
