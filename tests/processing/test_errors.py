import re

import pytest

from processing import errors
from processing.errors import MediaError

CODES = {
    "empty", "too_large", "unsupported_type", "corrupt", "too_many_pixels", "too_many_frames", "too_long",
    "no_video", "too_many_streams", "resource_limit", "quota_exceeded", "canceled", "internal",
}  # fmt: skip


def placeholders(sentence):
    return re.findall(r"%\((\w+)\)s", sentence)


def test_sentences__every_code_of_the_contract_has_one():
    assert errors.SENTENCES.keys() == CODES


def test_errors__the_tree_drawn_is_the_tree_there_is():
    drawn = dict(re.findall(r"[├└]─ (\w+) +(\w+)", errors.__doc__))
    assert drawn == {error.__name__: error.code for error in MediaError.__subclasses__()}


@pytest.mark.parametrize("error", MediaError.__subclasses__())
def test_error__details_fill_its_sentence(error):
    details = dict.fromkeys(placeholders(error.sentence), 7)
    raised = error(**details)
    assert raised.details == details
    assert "%" not in str(raised)
    assert str(raised).count("7") >= len(details)


@pytest.mark.parametrize("error", [e for e in MediaError.__subclasses__() if placeholders(e.sentence)])
def test_error__a_missing_detail_is_noticed(error):
    with pytest.raises(KeyError):
        error()


def test_sentence_for__svg_has_its_own_under_the_stable_code():
    error = errors.Drawing()
    assert (error.code, error.details) == ("unsupported_type", {"format": "SVG"})
    assert errors.sentence_for(error.code, error.details) == str(error) != errors.SENTENCES[error.code]
    assert errors.sentence_for("unsupported_type", {}) == errors.UnsupportedType.sentence


@pytest.mark.parametrize("sentence", [*errors.SENTENCES.values(), *errors.CLOSER.values()])
def test_sentences__are_sentences(sentence):
    assert sentence[0].isupper()
    assert sentence.endswith(".")
