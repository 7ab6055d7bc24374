"""Matchers and blanks: what an interaction file can say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_contracts.matching import MATCHERS, MatcherError, differences
from conductor_contracts.templates import TemplateError, fill

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        # A name that begins with $ would be a matcher.
        st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    ),
)


def told(expected: Any, actual: Any) -> list[str]:
    return [str(problem) for problem in differences(expected, actual)]


@given(JSON)
def test_every_plain_value_matches_itself(value: Any) -> None:
    assert told(value, value) == []


@given(JSON, JSON)
def test_a_value_matches_exactly_one_of_a_matcher_and_its_opposite(one: Any, other: Any) -> None:
    assert bool(told(one, other)) != bool(told({"$not": one}, other))


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (1, 1.0),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({}, {"a": 1}),
        ({"a": {"$absent": True}}, {}),
        ({"a": {"$any": True}}, {"a": None}),
        ({"$type": "integer"}, 7),
        ({"$type": "number"}, 7.5),
        ({"$type": "null"}, None),
        ({"$regex": "[0-9]{5}"}, "00695"),
        ({"$regex": ".*b"}, "a\nb"),
        ({"$length": 2}, [1, 2]),
        ({"$length": {"min": 1}}, "a"),
        ({"$length": {"max": 1}}, []),
        ({"$min": 8}, "8"),
        ({"$each": {"$min": 1}}, [1, 2]),
        ({"$each": 1}, []),
        ({"$contains": {"a": 1}}, [{"a": 2}, {"a": 1, "b": 3}]),
        ({"$one_of": ["", None]}, None),
        ({"$length": 1, "$each": 1}, [1]),
        ({"$distinct": "/a/b"}, [{"a": {"b": 1}}, {"a": {"b": "1"}}, {}]),
        ({"$distinct": ""}, [1, True, "1"]),
    ],
)
def test_what_fits_is_silent(expected: Any, actual: Any) -> None:
    assert told(expected, actual) == []


@pytest.mark.parametrize(
    ("expected", "actual", "message"),
    [
        (1, True, "the body expected 1, got true"),
        (0, False, "the body expected 0, got false"),
        (1, "1", 'the body expected 1, got "1"'),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, "/a/b expected 1, got 2"),
        ({"a": 1}, {}, "/a is missing"),
        ({"a": {"$any": True}}, {}, "/a is missing"),
        ({"a": 1}, [], "the body expected an object, got a list of 0 items"),
        ([1], [1, 2], "the body expected a list of 1 item, got a list of 2 items"),
        ([1, 2], [1, 3], "/1 expected 2, got 3"),
        ({"a": {"$absent": True}}, {"a": None}, "/a expected nothing here, got null"),
        ({"$type": "integer"}, True, "the body expected a value of type integer, got true"),
        ({"$type": "integer"}, 1.5, "the body expected a value of type integer, got 1.5"),
        ({"$regex": "[0-9]{5}"}, "x00695", 'the body expected a text like [0-9]{5}, got "x00695"'),
        ({"$regex": "7"}, 7, "the body expected a text like 7, got 7"),
        ({"$length": 2}, [1], "the body expected a length of min 2 and max 2, got 1"),
        ({"$length": 2}, 22, "the body expected a text or list, got 22"),
        ({"$min": 8}, 7, "the body expected 8 or more, got 7"),
        ({"$min": 8}, None, "the body expected 8 or more, got null"),
        ({"$min": 1}, True, "the body expected 1 or more, got true"),
        ({"$each": 1}, [1, 2], "/1 expected 1, got 2"),
        ({"$each": 1}, {"a": 1}, "the body expected a list, got an object of 1 field"),
        ({"$contains": 1}, [2, 3], "the body has no item like 1 among 2"),
        ({"$contains": 1}, None, "the body expected a list, got null"),
        ({"$not": "00001"}, "00001", 'the body expected anything but "00001", got "00001"'),
        ({"$one_of": [1, 2]}, 3, "the body expected 1 or 2, got 3"),
        ({"$length": 2, "$each": 1}, [1], "the body expected a length of min 2 and max 2, got 1"),
        ({"$distinct": "/a"}, [{"a": 1}, {"a": 2}, {"a": 1}], "/2/a is the same as that of item 0: 1"),
        ({"$distinct": ""}, {"a": 1}, "the body expected a list, got an object of 1 field"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(expected: Any, actual: Any, message: str) -> None:
    assert told(expected, actual) == [message]


@pytest.mark.parametrize(
    "expected",
    [
        {"$typo": 1},
        {"$type": "text"},
        {"$any": False},
        {"$absent": True},
        {"$length": {"mni": 1}},
        {"$length": "3"},
        {"$regex": "("},
    ],
)
def test_a_misspelt_matcher_is_an_error_and_not_a_match(expected: Any) -> None:
    with pytest.raises(MatcherError):
        list(differences(expected, "x"))


def test_the_readme_documents_every_matcher() -> None:
    from importlib.resources import files

    text = files("conductor_contracts").joinpath("interactions/README.md").read_text(encoding="utf-8")
    assert [name for name in MATCHERS if f"`{{{name}: " not in text] == []


VALUES = {"size": 3, "name": "a", "scene.md5": "abc==", "jid": "00009"}


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("${size}", 3),
        ("x${size}y${name}", "x3ya"),
        ("${scene.md5}", "abc=="),
        ("${jid|next} ${jid|previous}", "00010 00008"),
        ({"${name}": ["${size}", 7, None]}, {"a": [3, 7, None]}),
        ({"$repeat": 2, "of": {"n": "${index}"}}, [{"n": 0}, {"n": 1}]),
        ({"$regex": "[0-9]{5}$"}, {"$regex": "[0-9]{5}$"}),
        ("$ {size}", "$ {size}"),
    ],
)
def test_blanks_are_filled(template: Any, filled: Any) -> None:
    assert fill(template, VALUES) == filled


def test_a_filter_takes_zeros_or_quotes_away() -> None:
    values = {"jid": "00012", "etag": '"ab12"', "bare": "ab12"}
    assert fill("${jid|unpadded}", values) == "12"
    assert fill(["${etag|unquoted}", "${bare|unquoted}"], values) == ["ab12", "ab12"]


@pytest.mark.parametrize("template", ["${nobody}", "${name|next}", "${jid|half}", "${name|unpadded}"])
def test_a_blank_that_cannot_be_filled_is_an_error(template: str) -> None:
    with pytest.raises(TemplateError):
        fill(template, VALUES)
