"""The two filter grammars of the list endpoints."""

from __future__ import annotations

import contextlib
import operator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.api import record_filters
from conductor_mock.catalog import default, filters
from conductor_mock.catalog.filters import FilterError

OPERATORS = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


def names(text: str) -> list[str]:
    wanted = filters.parse(text)
    return [record["name"] for record in default().instance_types if wanted.matches(record)]


# Instance types: field=op:value[:type]


@pytest.mark.parametrize("text", ["", " ", ",", ",,"])
def test_an_empty_filter_matches_every_machine(text: str) -> None:
    assert len(names(text)) == len(default().instance_types)


def test_the_vendors_terms_find_what_they_say() -> None:
    assert names("cpu=gte:96:int,gpu.gpu_count=eq:8:int") == ["n1-standard-96-v100-8"]
    assert names("cores=gte:160:int") == ["n1-ultramem-160"]
    assert all(not name.endswith("-w") for name in names("operating_system=ne:windows"))
    assert len(names("operating_system=ne:windows")) + len(names("operating_system=eq:windows")) == len(
        names("")
    )
    assert "n1-standard-4-t4-1" in names("gpu.gpu_count=eq:1:int")
    assert "n1-standard-4" not in names("gpu.gpu_count=eq:1:int")


def test_all_terms_must_hold_and_a_trailing_comma_does_no_harm() -> None:
    both = names("cores=gte:32:int,operating_system=eq:windows,")
    assert set(both) == set(names("cores=gte:32:int")) & set(names("operating_system=eq:windows"))
    assert both


def test_the_alias_is_for_records_that_lack_the_field() -> None:
    wanted = filters.parse("cpu=eq:8:int")
    assert wanted.matches({"cores": 8})
    assert not wanted.matches({"cores": 8, "cpu": 4})


@pytest.mark.parametrize("kind", ["", ":int"])
@pytest.mark.parametrize("name", list(OPERATORS))
def test_a_record_without_the_field_fails_every_operator(name: str, kind: str) -> None:
    wanted = filters.parse(f"gpu.gpu_count={name}:1{kind}")
    assert not wanted.matches({"gpu": None})
    assert not wanted.matches({})
    assert not wanted.matches({"gpu": "T4"})
    assert not wanted.matches({"gpu": {"gpu_count": None}})
    assert not wanted.matches({"gpu": {"gpu_count": {}}})


def test_text_that_looks_like_a_number_is_compared_as_one() -> None:
    wanted = filters.parse("memory=gte:16")
    assert wanted.matches({"memory": "120"})
    assert wanted.matches({"memory": "16.0"})
    assert not wanted.matches({"memory": "7.5"})
    assert filters.parse("memory=gt:7.2:float").matches({"memory": 7.5})


def test_with_a_type_a_text_fails_and_without_one_it_is_compared() -> None:
    assert not filters.parse("cores=ne:8:int").matches({"cores": "many"})
    assert filters.parse("cores=ne:8").matches({"cores": "many"})
    assert filters.parse("gpu.gpu_model=eq:NVIDIA T4").matches({"gpu": {"gpu_model": "NVIDIA T4"}})
    assert filters.parse("preemptible=eq:true").matches({"preemptible": True})


@pytest.mark.parametrize(
    ("term", "words"),
    [
        ("cores", "field=op:value"),
        ("cores=8", "field=op:value"),
        ("=eq:8", "field=op:value"),
        ("gpu..gpu_count=eq:1", "field=op:value"),
        ("cores=eq:8:int:int", "field=op:value"),
        ("cores=about:8", "accepted are eq, ne, gt, gte, lt, lte"),
        ("cores=eq:8:integer", "accepted are int, float"),
        ("cores=eq:8:", "unknown type ''"),
        ("cores=eq:many:int", "'many' is not"),
        ("cores=eq:7.5:int", "'7.5' is not"),
        ("cores=eq:\u0668:int", "is not"),
    ],
)
def test_a_bad_term_is_named_with_what_is_accepted(term: str, words: str) -> None:
    with pytest.raises(FilterError) as caught:
        filters.parse(f"operating_system=ne:windows,{term}")
    assert repr(term) in str(caught.value)
    assert words in str(caught.value)


NUMBERS = st.integers(min_value=-(10**6), max_value=10**6)


@given(
    have=NUMBERS,
    want=NUMBERS,
    name=st.sampled_from(list(OPERATORS)),
    kind=st.sampled_from(["", ":int", ":float"]),
)
def test_numbers_compare_as_python_compares_them(have: int, want: int, name: str, kind: str) -> None:
    wanted = filters.parse(f"a.b={name}:{want}{kind}")
    assert wanted.matches({"a": {"b": have}}) == OPERATORS[name](have, want)
    assert wanted.matches({"a": {"b": str(have)}}) == OPERATORS[name](have, want)


FIELDS = st.from_regex(r"[a-z_]{1,6}(\.[a-z_]{1,6}){0,2}", fullmatch=True)
VALUES = st.from_regex(r"[A-Za-z0-9_.-]{0,8}", fullmatch=True)
TERMS = st.builds(filters.Term, FIELDS, st.sampled_from(list(OPERATORS)), VALUES)


@given(st.lists(TERMS, max_size=4))
def test_a_filter_is_read_back_from_its_text(terms: list[filters.Term]) -> None:
    wanted = filters.Filter(tuple(terms))
    assert filters.parse(str(wanted)) == wanted


@given(
    text=st.one_of(
        st.text(alphabet="cores.gpu=eqgtln:int,1 \u0660\n", max_size=30),
        st.lists(TERMS.map(str), max_size=3).map(",".join),
        st.tuples(TERMS.map(str), st.text(max_size=3)).map("".join),
    )
)
def test_any_text_is_a_filter_or_a_filter_error(text: str) -> None:
    """A filter that was read is read again from what it says that it is, and knows of every machine whether it fits."""
    try:
        wanted = filters.parse(text)
    except FilterError:
        return
    assert filters.parse(str(wanted)) == wanted
    fitting = [record for record in default().instance_types if wanted.matches(record)]
    assert all(all(term.matches(record) for term in wanted.terms) for record in fitting)
    assert wanted.terms or fitting == list(default().instance_types)


def test_very_long_numbers_are_compared_not_refused() -> None:
    assert not filters.parse(f"cores=gte:{'9' * 10_000}:int").matches({"cores": 8})
    assert record_filters.parse(f"jid_lt_{'9' * 10_000}").matches({"jid": "00012"})


# Jobs, tasks, projects: field_op_value


def jids(text: str) -> list[str]:
    wanted = record_filters.parse(text)
    records = [{"jid": f"{number:05d}", "account_id": 7} for number in range(8, 16)]
    return [str(record["jid"]) for record in records if wanted.matches(record)]


def test_both_bounds_are_exclusive() -> None:
    # Trap 38: the client asks for 12 to 13 in this way.
    assert jids("jid_gt_00011,jid_lt_00014") == ["00012", "00013"]


def test_a_job_id_may_be_padded_or_not() -> None:
    assert jids("jid_eq_12") == jids("jid_eq_00012") == ["00012"]
    assert jids("jid_gt_9,jid_lt_100") == ["00010", "00011", "00012", "00013", "00014", "00015"]
    assert record_filters.parse("jid_gt_99999").matches({"jid": "100000"})


def test_a_field_name_may_hold_underscores() -> None:
    wanted = record_filters.parse("account_id_eq_7")
    assert wanted.terms == (record_filters.RecordTerm("account_id", "eq", "7"),)
    assert wanted.matches({"account_id": 7})
    assert not wanted.matches({"account_id": "70"})


def test_a_value_may_hold_what_looks_like_an_operator() -> None:
    assert record_filters.parse("title_eq_a_gt_b").matches({"title": "a_gt_b"})


def test_iso_dates_are_ordered() -> None:
    wanted = record_filters.parse("created_gt_2024-04-10,created_lt_2024-05-01")
    created = ["2024-04-09T23:59:59Z", "2024-04-10T00:00:00Z", "2024-04-30T12:00:00Z", "2024-05-01T00:00:00Z"]
    assert [wanted.matches({"created": each}) for each in created] == [False, True, True, False]


def test_a_record_without_the_field_fails_the_term() -> None:
    assert not record_filters.parse("location_eq_mars").matches({"location": None})
    assert not record_filters.parse("location_eq_mars").matches({})


def test_fields_may_have_aliases() -> None:
    wanted = record_filters.parse(
        "jobLabel_eq_00012,taskLabel_eq_003", {"jobLabel": "jid", "taskLabel": "tid"}
    )
    assert wanted.matches({"jid": "00012", "tid": "003"})
    assert not wanted.matches({"jid": "00012", "tid": "004"})


@pytest.mark.parametrize("text", ["", ",", " , "])
def test_an_empty_record_filter_matches_everything(text: str) -> None:
    assert record_filters.parse(text).matches({})


@pytest.mark.parametrize("term", ["jid", "jid_12", "_eq_12", "jid_ne_12", "jid=eq:12", "eq_12", "a-b_eq_12"])
def test_a_bad_record_term_is_named_with_what_is_accepted(term: str) -> None:
    with pytest.raises(FilterError) as caught:
        record_filters.parse(f"jid_gt_1,{term}")
    assert repr(term) in str(caught.value)
    assert "eq, gt, lt" in str(caught.value)


WHOLE = st.integers(min_value=0, max_value=10**9)


@given(have=WHOLE, want=WHOLE, name=st.sampled_from(["eq", "gt", "lt"]), width=st.integers(1, 12))
def test_digits_compare_as_numbers_however_they_are_padded(
    have: int, want: int, name: str, width: int
) -> None:
    wanted = record_filters.parse(f"some_field_{name}_{want:0{width}d}")
    assert wanted.matches({"some_field": have}) == OPERATORS[name](have, want)
    assert wanted.matches({"some_field": f"{have:05d}"}) == OPERATORS[name](have, want)


@given(
    text=st.text(alphabet="jid_eqgtl0123,= \n\u0660", max_size=30),
    record=st.dictionaries(st.just("jid"), WHOLE),
)
def test_any_text_is_a_record_filter_or_a_filter_error(text: str, record: dict[str, Any]) -> None:
    with contextlib.suppress(FilterError):
        wanted = record_filters.parse(text)
        assert wanted.matches(record) in (True, False)
        assert record_filters.parse(str(wanted)) == wanted
