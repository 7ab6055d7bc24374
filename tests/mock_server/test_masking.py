"""What is secret is masked in journal and log however it is wrapped, and a record of the log is a line."""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.serving.log_lines import JsonLines, TextLines
from conductor_mock.wire import masking
from conductor_mock.wire.masking import mask_headers, mask_query, mask_text, mask_variable

SECRET = "S3CRET-of/the+studio=="
FIELDS = ["private_key", "client_secret", "access_token", "PASSWORD", "signature", "api_key"]
FIELDS += ["VRAY_TOKEN", "MY_SECRET_2", "studioApiKey", "AWS_CREDENTIALS_FILE"]

WRAPPINGS = {
    "JSON": lambda text: json.dumps({"value": text}),
    "a list": lambda text: json.dumps([1, text]),
    "a URL": lambda text: f"https://host/a?b=1&next={quote(text, safe='')}&c=2",
    "a form": lambda text: f"a=1&value={quote_plus(text)}",
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
}
wrapped = st.lists(st.sampled_from(sorted(WRAPPINGS)), max_size=3)


def wrap(text: str, wrappings: list[str]) -> str:
    for wrapping in wrappings:
        text = WRAPPINGS[wrapping](text)
    return text


def shows(text: str, depth: int = 5) -> bool:
    """Whether a curious reader finds the secret."""
    if "S3CRET" in text:
        return True
    words = text.replace("\\", "").replace("&", '"').replace("=", '"', 1).split('"')
    return depth > 0 and any(
        shows(inner, depth - 1) for inner in map(decoded, words) if inner not in ("", text)
    )


def decoded(word: str) -> str:
    try:
        return base64.urlsafe_b64decode(word.replace("+", "-").replace("/", "_") + "===").decode()
    except ValueError:
        return ""


FORMS: dict[str, Callable[[str], str]] = {
    "a field of JSON": lambda name: json.dumps({"a": 1, name: SECRET, "b": 2}),
    "a list in JSON": lambda name: json.dumps({"a": 1, name: ["]", SECRET], "b": 2}),
    "an object in JSON": lambda name: json.dumps({"a": 1, name: {"pem": {"}": 1}, "is": SECRET}, "b": 2}),
    "JSON with air": lambda name: f'{{ "{name}" :\n "{SECRET}" }}',
    "another spelling": lambda name: json.dumps({name.replace("_", "-").upper(): SECRET}),
    "camel case": lambda name: json.dumps({"x" + name.title().replace("_", ""): SECRET}).replace('"x', '"'),
    "a dictionary": lambda name: repr({name: SECRET, "it's": 1}),
    "a dictionary of bytes": lambda name: repr({name.encode(): SECRET.encode()}),
    "a parameter": lambda name: f"a=1&{name}={quote(SECRET, safe='')}",
    "a header": lambda _name: f"Accept: */*\r\nX-Api-Key: {SECRET}\r\nHost: a",
    "a login": lambda _name: f"GET / HTTP/1.1\nAuthorization: Basic {SECRET}",
    "a bearer in repr": lambda _name: repr(f"Authorization\nBearer\n{SECRET}"),
    "a cookie": lambda _name: f"Set-Cookie: session={SECRET}; Path=/",
    "a URL's user": lambda _name: f"postgresql://kim:{quote(SECRET, safe='')}@db/x",
    "an option": lambda _name: f"serve --port 1 --admin-token {SECRET} --execute",
    "an option with its sign": lambda name: f"serve --{name.replace('_', '-')}={SECRET}",
}


@pytest.mark.parametrize("form", FORMS)
@given(name=st.sampled_from(FIELDS), wrappings=wrapped)
def test_a_secret_is_masked_however_it_is_written_and_wrapped(
    form: str, name: str, wrappings: list[str]
) -> None:
    text = wrap(FORMS[form](name), wrappings)
    assert not shows(mask_text(text))
    assert not shows(json.dumps(mask_query({"other": [text], name: [SECRET]})))
    assert not shows(json.dumps(mask_headers([("X-Other", text), (f"X-{name}", SECRET)])))


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ('{"token": [1, {"a": "]"}], "b": 2}', '{"token": "***", "b": 2}'),
        ('{"token": 55, "b": 2}', '{"token": "***", "b": 2}'),
        ('{"token": null, "b": 2}', '{"token": null, "b": 2}'),
        ('"token":"token": 5', '"token":"***": 5'),
        ('"token":\\\\"token\\\\":-1.5e3', '"token":\\\\"token\\\\":\\\\"***\\\\"'),
        ("{'token': \"it's\", 'b': 2}", "{'token': \"***\", 'b': 2}"),
        ('{"a": "{\\"token\\": [\\"x\\"]}", "b": 2}', '{"a": "{\\"token\\": \\"***\\"}", "b": 2}'),
        ("'token': is missing", "'token': is missing"),
        ("http://kim:pw@host/a@b", "http://kim:***@host/a@b"),
        ("--token-file x --other y", "--token-file x --other y"),
    ],
)
def test_what_stands_around_a_secret_stays(text: str, masked: str) -> None:
    assert mask_text(text) == masked


@given(st.sampled_from(FIELDS), st.text(max_size=12), st.integers(0, 400), st.integers(0, 3))
def test_a_secret_in_json_in_json_is_masked_wherever_it_is_cut(
    name: str, secret: str, cut: int, depth: int
) -> None:
    text = json.dumps({"a": 1, name: f"<{secret}>", "b": 2}, ensure_ascii=False)
    for _ in range(depth):
        text = json.dumps({"c": text, "d": ">"[:0]}, ensure_ascii=False)
    masked = mask_text(text[:cut])
    assert "<" not in masked
    if cut >= len(text):
        for _ in range(depth):
            masked = json.loads(masked)["c"]
        assert json.loads(masked) == {"a": 1, name: "***", "b": 2}


words = st.sampled_from(
    ["token", "SECRET", "Password", "passwd", "credential", "api-key", "API_KEY", "private"]
)
letters = st.text("abcXYZ_.- 09", max_size=20)


@given(letters, words, letters, st.integers() | st.floats(allow_nan=False, allow_infinity=False), wrapped)
def test_a_name_that_says_secret_hides_its_value_wherever_it_stands(
    before: str, word: str, after: str, number: float, wrappings: list[str]
) -> None:
    """The rule is one for fields, parameters, headers and variables, and for numbers as for texts."""
    name = f"{before}{word}{after}"
    if name.startswith("--"):  # an option: what is behind its blank is its value, which goes, too
        name = name.replace(" ", "")
    assert not shows(mask_text(wrap(json.dumps({"environment": {name: SECRET}, "n": 1}), wrappings)))
    assert json.loads(mask_text(json.dumps({"a": 1, name: number, "b": 2}))) == {"a": 1, name: "***", "b": 2}
    assert mask_variable(name, SECRET) == "***"
    assert mask_query({name: [SECRET]}) == {name: ["***"]}
    assert mask_headers([(name, SECRET)]) == {name: "***"}


pieces = st.sampled_from(
    [
        *("token", "SECRET", "PassWord", "passwd", "Credential", "api-key", "APIKEY", "signature", "private"),
        *("Bearer ", "-----BEGIN", "-----begin", "eyJ", "EYJ0", "authorization", "Cookie", "ftp://", "a:b@"),
        *("\u017fecret", "to\u212aen", "s\u0131gnature", "=", ": ", '"', "x", " ", "/", "-", "_"),
    ]
)


@given(st.lists(pieces, max_size=8).map("".join))
def test_a_text_that_gets_no_closer_look_has_nothing_that_it_would_find(text: str) -> None:
    """Letters beyond ASCII that stand for those of a name (the long s, the sign of Kelvin) get it in any case."""
    assert masking._may_name_one(text) or not masking._NAMED.search(text)


def test_masking_takes_time_in_proportion_to_the_text() -> None:
    """Counted in what a text grows by: names that nearly end are tried from each quote, and no further."""
    for piece in ("token", '"token', "token=", '"token"', '\\"'):
        assert len(mask_text(piece * 12_000)) <= 12_000 * len(piece)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "Authorization",
            "Proxy-Authorization",
            "X-Forwarded-Authorization",
            "Cookie",
            "Set-Cookie",
            "X-Api-Key",
        ),
        *("X-Auth-Token", "X-Amz-Signature", "X-Goog-Credential"),
    ],
)
def test_headers_that_hold_secrets_are_masked(name: str) -> None:
    assert mask_headers([(name, SECRET), ("Accept", "*/*")]) == {name: "***", "Accept": "*/*"}


@pytest.mark.parametrize(
    "text",
    [
        *(
            "a job titled bearer of news",
            "/tmp/a%20b/c%C3%A9.exr",
            '{"title": "tokens of love", "frames": "1-9"}',
        ),
        *(
            '{"md5": "1B2M2Y8AsgTpgAmY7PhCfg=="}',
            "render -o /proj/out/a.####.exr 100%",
            "0123456789abcdef" * 4,
        ),
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert mask_text(text) == text


def line_of(formatter: logging.Formatter, text: str, *, fails: bool) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logger = logging.Logger("conductor_mock.test")
    logger.addHandler(handler)
    logger.warning("GET %s 404", text, exc_info=ValueError(text) if fails else None)
    return stream.getvalue()


@given(st.text(), st.booleans())
def test_a_record_is_a_line_and_obeys_nobody(text: str, fails: bool) -> None:
    for formatter in (TextLines("%(levelname)s %(message)s"), JsonLines()):
        first, *more = line_of(formatter, text, fails=fails)[:-1].split("\n")
        assert all(line.startswith("  ") for line in more)
        assert fails or not more
        assert not set("".join([first, *more])) & set("\x1b\r\x07\x08\x7f\x85\x9b\u2028\u202e")


def test_a_secret_in_a_path_or_an_error_is_not_logged() -> None:
    for formatter in (TextLines("%(message)s"), JsonLines()):
        for text in (f"/a?client_secret={SECRET}", json.dumps({"private_key": SECRET})):
            assert "S3CRET" not in line_of(formatter, text, fails=True)


@pytest.mark.parametrize(
    "name", ["AWS_SECRET_KEY", "TOKEN", "Db_Passwd", "api-key", "PRIVATE", "RV_CREDENTIALS"]
)
def test_a_variable_that_sounds_secret_is_masked(name: str) -> None:
    assert mask_variable(name, SECRET) == "***"
    assert mask_variable("PATH", "/usr/bin") == "/usr/bin"
