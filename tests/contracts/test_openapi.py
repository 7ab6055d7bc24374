"""openapi.yaml as a document: its layout, its evidence, and examples that keep it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from conductor_contracts.contract import Contract, load
from conductor_contracts.evidence import tags_of
from support.schema_keywords import EXPLAINED_KEYWORDS

BROUGHT_BY_ISSUE_2 = {
    "auth.token",
    "accounts.get",
    "packages.list",
    "projects.list",
    "instance_types.list",
    "files.get_upload_urls",
    "objects.put",
    "jobs.create",
    "jobs.list",
}


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, spec in methods.items():
            yield method, path, spec


def schemas(node: Any, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema below a schema, itself included."""
    yield place, node
    for name, part in node.get("properties", {}).items():
        yield from schemas(part, f"{place}.{name}")
    for keyword in ("items", "additionalProperties", "propertyNames", "not", "if", "then"):
        if isinstance(node.get(keyword), dict):
            yield from schemas(node[keyword], f"{place}.{keyword}")
    for keyword in ("allOf", "anyOf"):
        for number, part in enumerate(node.get(keyword, ())):
            yield from schemas(part, f"{place}.{keyword}{number}")


@pytest.fixture(scope="module")
def contract() -> Contract:
    return load()


@pytest.fixture(scope="module")
def all_schemas(contract: Contract) -> list[tuple[str, dict[str, Any]]]:
    named = contract.document["components"]["schemas"]
    found = [pair for name, node in named.items() for pair in schemas(node, name)]
    for _, _, spec in operations(contract.document):
        for one in spec.get("parameters", ()):
            found += schemas(one["schema"], f"{spec['operationId']} {one['name']}")
    return found


def fields(contract: Contract) -> Iterator[tuple[str, dict[str, Any]]]:
    """Everything that must say on what evidence it stands."""
    for _, _, spec in operations(contract.document):
        yield spec["operationId"], spec
        for one in spec.get("parameters", ()):
            yield f"{spec['operationId']} parameter {one['name']}", one
        for status, answer in spec["responses"].items():
            if "$ref" not in answer:
                yield f"{spec['operationId']} {status}", answer
            for name, header in answer.get("headers", {}).items():
                yield f"{spec['operationId']} {status} {name}", header
    components = contract.document["components"]
    for name, answer in components["responses"].items():
        yield name, answer
        for header_name, header in answer.get("headers", {}).items():
            yield f"{name} {header_name}", header
    for name, node in components["schemas"].items():
        # Fields named inside a rule are the fields of the schema itself, seen again.
        if name != "HashedFile":
            for field, part in node.get("properties", {}).items():
                yield f"{name}.{field}", part
    yield from components["securitySchemes"].items()


def test_every_operation_and_field_says_on_what_evidence_it_stands(contract: Contract) -> None:
    found = dict(fields(contract))
    assert len(found) > 200
    grades = contract.grades
    assert {
        name: node.get("x-evidence") for name, node in found.items() if node.get("x-evidence") not in grades
    } == {}


def test_every_source_names_a_section_of_the_reference(contract: Contract) -> None:
    wrong = {
        name: node.get("x-source")
        for name, node in fields(contract)
        if not re.match(r"wire reference \d+(\.\d+)*\b", node.get("x-source", ""))
    }
    assert wrong == {}


def test_a_grade_is_that_of_the_best_tag_of_its_source(contract: Contract) -> None:
    """No higher than the evidence that is named, and no lower: `recorded` stands on [rec] or [list], `ran` on a run."""
    grades = list(contract.grades)
    grade = {tag.name: grades.index(tag.grade) for tag in contract.tags}
    wrong = {
        name: (node["x-evidence"], node["x-source"])
        for name, node in fields(contract)
        if grades.index(node["x-evidence"]) != min(grade[tag] for tag in tags_of(node["x-source"]))
    }
    assert wrong == {}


def test_a_guess_says_why_no_program_proves_it(contract: Contract) -> None:
    """But for refusals, of which the service's own are not known."""
    guesses = [
        row
        for row in contract.fidelity()
        if row.grade == "inferred" and not (row.part.startswith("response") and row.name[:1] in "45")
    ]
    assert guesses
    assert [row for row in guesses if not re.search(r"\[inferred\]: \w", row.source)] == []


def test_the_legend_explains_the_tags_that_are_used_and_no_others(contract: Contract) -> None:
    used = {tag for _, node in fields(contract) for tag in tags_of(node["x-source"])}
    assert {tag.name for tag in contract.tags} == used
    assert {tag.grade for tag in contract.tags} == set(contract.grades)


def test_every_operation_and_field_is_described(contract: Contract) -> None:
    assert [name for name, node in fields(contract) if not node.get("description", "").strip()] == []


def test_operation_ids_are_unique_and_read_noun_dot_verb(contract: Contract) -> None:
    ids = [spec["operationId"] for _, _, spec in operations(contract.document)]
    assert len(ids) == len(set(ids)) == len(contract.operations)
    assert [one for one in ids if not re.fullmatch(r"[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*(_v\d)?", one)] == []
    assert set(ids) >= BROUGHT_BY_ISSUE_2


def test_an_operation_is_tagged_with_its_noun_and_the_tag_is_described(contract: Contract) -> None:
    tags = {tag["name"] for tag in contract.document["tags"]}
    for operation in contract.operations.values():
        assert operation.tag == operation.id.partition(".")[0]
        assert operation.tag in tags


def test_operations_say_how_they_are_retried_by_whom_and_which_traps_they_hold(contract: Contract) -> None:
    for operation in contract.operations.values():
        assert operation.retry in contract.retries, operation.id
        assert operation.clients, operation.id
        assert all(1 <= trap <= 40 for trap in operation.traps), operation.id


def test_every_refusal_has_the_one_error_shape(contract: Contract) -> None:
    for operation in contract.operations.values():
        for status, schema in operation.response_schemas.items():
            assert (schema == "Error") == (status >= 400), (operation.id, status)


def test_every_operation_documents_what_any_of_them_may_answer(contract: Contract) -> None:
    for operation in contract.operations.values():
        assert {400, 405, 415, 429, 503, 507} <= set(operation.statuses), operation.id
        assert (401 in operation.statuses) == (
            operation.authentication != "never" or operation.id in ("auth.token", "companion.login")
        )
        assert 500 not in operation.statuses, operation.id


def test_the_schemas_use_only_keywords_that_can_be_explained(
    all_schemas: list[tuple[str, dict[str, Any]]],
) -> None:
    notes = {"description", "example"}
    strange = {
        f"{place}: {keyword}"
        for place, node in all_schemas
        for keyword in node
        if not (keyword in EXPLAINED_KEYWORDS or keyword in notes or keyword.startswith("x-"))
    }
    assert strange == set()


def test_what_schema_jargon_would_explain_badly_is_put_in_words(
    all_schemas: list[tuple[str, dict[str, Any]]],
) -> None:
    """A pattern, an anyOf or a not that stands for itself says in words what it wants."""
    silent = []
    for place, node in all_schemas:
        inside_a_rule = re.search(r"\.(allOf|anyOf|if|then|not)", place)
        if not inside_a_rule and {"pattern", "not"} & node.keys() and "x-expect" not in node:
            silent.append(place)
        if "anyOf" in node and not {"x-expect", "x-fault"} & node.keys():
            silent.append(place)
    assert silent == []


def test_objects_take_unknown_fields(all_schemas: list[tuple[str, dict[str, Any]]]) -> None:
    """Refusing what the service takes would be useless; only a map may constrain its values."""
    assert [place for place, node in all_schemas if node.get("additionalProperties") is False] == []


def test_references_lead_somewhere(contract: Contract, all_schemas: list[tuple[str, dict[str, Any]]]) -> None:
    named = contract.document["components"]["schemas"]
    used = {node["$ref"].rpartition("/")[2] for _, node in all_schemas if "$ref" in node}
    for operation in contract.operations.values():
        bodies = (operation.request_schema, operation.form_schema, *operation.response_schemas.values())
        used |= {name for name in bodies if name}
    assert used == set(named)


def test_every_reusable_answer_is_used(contract: Contract) -> None:
    used = {
        answer["$ref"].rpartition("/")[2]
        for _, _, spec in operations(contract.document)
        for answer in spec["responses"].values()
        if "$ref" in answer
    }
    assert used == set(contract.document["components"]["responses"])


def test_examples_of_requests_keep_the_contract(contract: Contract) -> None:
    seen = 0
    for _, _, spec in operations(contract.document):
        media = spec.get("requestBody", {}).get("content", {}).get("application/json")
        if media is None:
            continue
        examples = (
            [media["example"]] if "example" in media else [one["value"] for one in media["examples"].values()]
        )
        for example in examples:
            operation = contract.operations[spec["operationId"]]
            assert operation.check_request(example) == []
            assert operation.unknown_fields(example) == []
            seen += 1
    assert seen >= 15


def test_examples_of_forms_keep_the_contract(contract: Contract) -> None:
    seen = 0
    for _, _, spec in operations(contract.document):
        operation = contract.operations[spec["operationId"]]
        if operation.form_schema is not None:
            form = spec["requestBody"]["content"]["application/x-www-form-urlencoded"]["example"]
            assert operation.check_form(form) == []
            assert [one.path for one in operation.check_form(dict.fromkeys(form, "\x00"))] != []
            seen += 1
    assert seen == 3


def test_every_json_answer_has_an_example_that_keeps_the_contract(contract: Contract) -> None:
    for _, _, spec in operations(contract.document):
        operation = contract.operations[spec["operationId"]]
        for status, answer in spec["responses"].items():
            if "$ref" not in answer and "application/json" in answer.get("content", {}):
                example = answer["content"]["application/json"]["example"]
                assert operation.check_response(int(status), example) == [], operation.id


def test_path_parameters_are_those_of_the_path(contract: Contract) -> None:
    for operation in contract.operations.values():
        declared = {one.name for one in operation.parameters if one.place == "path"}
        assert declared == set(re.findall(r"\{(\w+)\}", operation.path)), operation.id


def test_the_fidelity_table_has_every_operation_parameter_and_field(contract: Contract) -> None:
    rows = contract.fidelity()
    assert len(rows) == len(set(rows))
    places = {(row.operation, row.part, row.name): row.grade for row in rows}
    assert places["jobs.create", "operation", ""] == "ran"
    assert places["jobs.create", "request", "tasks_data[].command"] == "ran"
    assert places["jobs.create", "request", "autoretry_policy.failed.max_retries"] == "ran"
    assert places["jobs.create", "request", "machine_flavor"] == "client"
    assert places["jobs.create", "request", "notify.emails"] == "ran"
    assert places["packages.list", "query", "all"] == "ran"
    assert places["packages.list", "response", "data[].environment[].merge_policy"] == "recorded"
    assert places["env_vars.list", "response", "data[].env[].merge_policy"] == "client"
    assert places["tasks.list", "response", "data[].jobLabel"] == "recorded"
    assert places["jobs.get", "response", "data.tasks[].jobLabel"] == "inferred"
    assert places["objects.put", "header", "Content-MD5"] == "ran"
    assert places["objects.put", "response header", "200 ETag"] == "inferred"
    assert places["jobs.create", "response", "401"] == "client"
    assert {row.operation for row in rows} == set(contract.operations)
    assert places["uploads.update", "request", "bytes_transfered"] == "ran"
    assert places["uploads.update", "request", "bytes_transferred"] == "inferred"
    assert places["downloads.page", "response", "204"] == "client", "a third party's word"
    assert places["fileio.touch", "request", "bytes_transferred"] == "client"
    assert places["downloads.page", "response", "downloads[].files[].md5"] == "client"
    assert places["objects.put_part", "response header", "200 ETag"] == "ran"
    assert all(row.grade in contract.grades and row.source for row in rows)


def test_what_differs_is_a_row_of_the_fidelity_table(contract: Contract) -> None:
    differs = {(row.operation, row.part, row.name): row.differs for row in contract.fidelity() if row.differs}
    assert "guessed" in differs["jobs.act", "request", "action"]
    assert "invented" in differs["billing.get_usage", "operation", ""]
    assert differs["auth.token", "query", "prompt"]
    assert ("jobs.create", "operation", "") not in differs


def test_rules_over_a_query_name_parameters_of_it(contract: Contract) -> None:
    """A rule that names a parameter wrongly would never hold, or always."""
    seen = 0
    for _, _, spec in operations(contract.document):
        named = {one["name"] for one in spec.get("parameters", ()) if one["in"] == "query"}
        for rule in spec.get("x-query-rules", ()):
            assert set(rule["then"]["required"]) | set(rule["if"]["not"]["required"]) <= named
            seen += 1
    assert seen == 1
