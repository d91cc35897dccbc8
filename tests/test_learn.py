import sys

import pytest

from edakit.errors import ArgumentError
from edakit.learn import predict

QUESTION = "How often is Ada charged?"


@pytest.fixture(autouse=True)
def _nothing_is_kept(monkeypatch):
    monkeypatch.setenv("EDAKIT_CHECK", "1")


def test_a_prediction_reads_as_question_and_options():
    assert repr(predict(QUESTION, [0, 1, 2])) == f"Predict: {QUESTION}\n  ( ) 0\n  ( ) 1\n  ( ) 2"


def test_unanswered_the_reveal_only_says_what_the_run_says():
    assert repr(predict(QUESTION, [0, 1, 2]).reveal(2, because={0: "it is lost"})) == "The run says: 2."


def test_a_wrong_answer_hears_what_would_have_had_to_be_true():
    guess = predict(QUESTION, [0, 1, 2]).answer(1)
    said = guess.reveal(2, because={0: "the message would have to be lost", 1: "the broker would have to see the work"})
    assert str(said) == "You said: 1. The run says: 2.\nFor 1: the broker would have to see the work"
    assert "(x) 1" in repr(guess)


def test_a_right_answer_is_told_so():
    assert str(predict(QUESTION, [0, 1, 2]).answer(2).reveal(2)) == "You said: 2. So does the run."


def test_zero_and_nothing_are_answers_too():
    assert str(predict(QUESTION, [0, "none"]).answer(0).reveal("none")) == "You said: 0. The run says: none."


def test_what_was_not_offered_is_refused():
    guess = predict(QUESTION, [0, 1, 2])
    for wrong in (lambda: guess.answer(7), lambda: guess.reveal(7), lambda: guess.reveal(1, because={7: ""})):
        with pytest.raises(ArgumentError, match="7 is not among the options"):
            wrong()


@pytest.mark.parametrize("options", [[], ["one"], [1, "1"], [None, 1]])
def test_options_must_be_a_choice(options):
    with pytest.raises(ArgumentError):
        predict(QUESTION, options)


def test_shown_it_has_radio_buttons_that_answer():
    pytest.importorskip("ipywidgets")
    guess = predict(QUESTION, [0, 1, 2])
    bundle = guess._repr_mimebundle_()
    assert bundle["text/plain"] == repr(guess)
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert guess._radio.index is None
    guess._radio.index = 1
    assert guess.said == 1
    guess.answer(0)
    assert guess._radio.index == 0


def test_without_widgets_it_is_text_and_is_answered_in_code(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    guess = predict(QUESTION, [0, 1])
    assert list(guess._repr_mimebundle_()) == ["text/plain"]
    assert guess.answer(1).said == 1


def test_questions_are_escaped():
    pytest.importorskip("ipywidgets")
    guess = predict("<img src=x onerror=alert(1)>", [0, 1])
    assert "<img" not in guess._shown(__import__("ipywidgets")).children[0].value
