"""Settings: one order of precedence, and where each value came from."""

from __future__ import annotations

import logging
import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.lib.conductor_submit import Submit
from conductor.lib.config import SETTINGS, Config, _warn_of_near_names
from conductor.lib.exceptions import ConfigError
from conductor.lib.submission.arguments import BY_NAME


def load(home: Path, text: str | None = None, **variables: str) -> Config:
    """Load a config from the text of its file and from variables."""
    if text is not None:
        (home / ".conductor").mkdir(exist_ok=True)
        (home / ".conductor/config.yml").write_text(text)
    return Config.load(environ={f"CONDUCTOR_{name}": value for name, value in variables.items()}, home=home)


def test_the_defaults_are_the_services_own_hosts(home: Path) -> None:
    config = load(home)
    assert config.url == "https://dashboard.conductortech.com"
    assert config.api_url == "https://api.conductortech.com"
    assert config.thread_count >= 1
    assert {config.source(setting.name) for setting in SETTINGS} == {"default"}


def test_the_api_url_follows_the_url(home: Path) -> None:
    assert load(home, URL="http://127.0.0.1:5000").api_url == "http://127.0.0.1:5000"
    assert load(home, URL="https://dashboard.x.com").api_url == "https://api.x.com"
    assert load(home, URL="https://dashboard.x.com", API_URL="http://b.c").api_url == "http://b.c"


def test_another_url_sets_aside_the_api_url_of_a_lower_layer(home: Path) -> None:
    text = "url: https://dashboard.x.com\napi_url: https://api.elsewhere.com"
    assert load(home, text).api_url == "https://api.elsewhere.com"
    assert load(home, text, URL="http://127.0.0.1:5000").api_url == "http://127.0.0.1:5000"


urls = st.sampled_from([None, "http://a.b", "http://c.d:1", "https://e.f"])


@given(urls, urls, urls)
def test_the_highest_layer_that_says_something_wins_and_is_named(
    tmp_path_factory: pytest.TempPathFactory, file: str | None, variable: str | None, argument: str | None
) -> None:
    home = tmp_path_factory.mktemp("home")
    path = home / "c.yml"
    path.write_text(f"url: {file}\n" if file else "")
    environ = {"CONDUCTOR_CONFIG": str(path)} | ({"CONDUCTOR_URL": variable} if variable else {})
    config = Config.load(environ=environ, home=home, url=argument)
    layers = [(argument, "argument"), (variable, "CONDUCTOR_URL"), (file, str(path))]
    default = ("https://dashboard.conductortech.com", "default")
    assert (config.url, config.source("url")) == next((layer for layer in layers if layer[0]), default)


def test_the_file_is_the_first_readable_one_of_the_list(home: Path) -> None:
    (home / "b.yml").write_text("priority: 1")
    (home / "c.yml").write_text("priority: 2")
    config = load(home, "priority: 3", CONFIG=f"{home}/missing.yml:{home}/b.yml:{home}/c.yml")
    assert config.submission()["priority"].value == "1"
    with pytest.raises(ConfigError, match="missing"):
        load(home, CONFIG=f"{home}/missing.yml")


def test_the_users_folder_can_be_moved(home: Path) -> None:
    (home / "elsewhere").mkdir()
    (home / "elsewhere/config.yml").write_text("location: mars")
    config = load(home, "location: here", USER_DIR=str(home / "elsewhere"))
    assert config.submission()["location"].value == "mars"
    assert config.submission()["location"].source == str(home / "elsewhere/config.yml")


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        *(("LOCAL_UPLOAD", "false", False), ("LOCAL_UPLOAD", "Yes", True), ("MD5_CACHING", "0", False)),
        *(("MD5_CACHING", "off", False), ("PRIORITY", "7", "7"), ("ENVIRONMENT", '{"A": "1"}', {"A": "1"})),
        *(("NOTIFY", "a@b, c@d", ["a@b", "c@d"]), ("NOTIFY", '["a@b"]', ["a@b"])),
        ("NOTIFY", ' ["a@b", "c@d"]', ["a@b", "c@d"]),
        ("TASKS_DATA", ' [{"command": "c", "frames": "1"}]', [{"command": "c", "frames": "1"}]),
        (
            "TASKS_DATA",
            '{"command": "c, d"}',
            {"command": "c, d"},
        ),  # refused as what it is, when it is checked
        *(("UPLOAD_PATHS", "/a:/b", ["/a", "/b"]), ("TITLE", "T", "T"), ("SCOUT_FRAMES", "1,2", "1,2")),
    ],
)
def test_variables_are_read_by_the_kind_of_the_argument(
    home: Path, variable: str, text: str, value: Any
) -> None:
    settings = load(home, **{variable: text}).submission()
    assert [(sourced.value, sourced.source) for sourced in settings.values()] == [
        (value, f"CONDUCTOR_{variable}")
    ]


@pytest.mark.parametrize("value", [True, False])
def test_true_and_false_have_four_words_each_in_any_case(home: Path, value: bool) -> None:
    words = ("true", "yes", "on", "1") if value else ("false", "no", "off", "0")
    for word in (*words, *(word.upper() for word in words), f" {words[0].title()} "):
        assert load(home, LOCAL_UPLOAD=word).submission()["local_upload"].value is value


def test_an_empty_variable_counts_as_not_set(home: Path) -> None:
    assert load(home, "url: http://a.b", URL="").url == "http://a.b"


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://a.b", "a.b", "http://", "http://a.b/base", "http://a.b?x=1", "http://user:secret@a.b"),
        *("http://a.b:port", "http://[::1", "5000"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_with_its_source(home: Path, url: str) -> None:
    with pytest.raises(ConfigError, match=r"url \(from CONDUCTOR_URL\)") as caught:
        load(home, URL=url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://localhost:5000", "http://[::1]:5000", "http://conductor", "https://a.b/"]
)
def test_any_origin_is_accepted_and_loses_its_last_slash(home: Path, url: str) -> None:
    assert load(home, URL=url).url == url.rstrip("/")


def test_everything_that_is_wrong_is_listed_at_once(home: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(home, "log_level: loud", URL="x", THREAD_COUNT="0", ENVIRONMENT="A=1")
    for part in ("log_level", "CONDUCTOR_URL", "CONDUCTOR_THREAD_COUNT", "CONDUCTOR_ENVIRONMENT"):
        assert part in str(caught.value)


@pytest.mark.parametrize("text", ["- a\n- b", "just words", "a: b: c", "\t"])
def test_a_file_that_holds_no_settings_is_refused_by_name(home: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"config\.yml"):
        load(home, text)


def test_a_broken_file_is_not_quoted(home: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(home, 'api_key: "{\\"private_key\\": \\"very-secret\\"}: x\n  y')
    assert "very-secret" not in str(caught.value)


def test_an_unknown_setting_is_ignored_with_advice(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    load(home, "prioritty: 7\nlog_dir: /tmp\n")
    assert "prioritty" in caplog.text
    assert "did you mean priority?" in caplog.text
    assert "log_dir" not in caplog.text


def test_an_unknown_argument_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean url"):
        Config.load(environ={}, ur1="x")


def test_the_key_and_its_path_set_each_other_aside_by_layer(home: Path) -> None:
    config = load(home, "api_key: from-file", API_KEY_PATH="/k")
    assert (config["api_key"], config["api_key_path"]) == (None, "/k")
    config = load(home, "api_key_path: /k", API_KEY="from-variable")
    assert (config["api_key"], config["api_key_path"]) == ("from-variable", None)
    config = load(home, API_KEY="both", API_KEY_PATH="/k")
    assert config["api_key"] == "both"


def test_a_key_is_never_shown(home: Path) -> None:
    config = load(home, API_KEY="very-secret")
    assert "very-secret" not in repr(config)
    with pytest.raises(ConfigError) as caught:
        load(home, "api_key: [very-secret]")
    assert "very-secret" not in str(caught.value)


def test_a_machine_of_the_environment_sets_aside_the_one_of_the_file(home: Path) -> None:
    settings = load(home, "instance_type: n1-standard-8", CORES="2").submission()
    assert settings.keys() == {"cores"}


def test_the_documented_keys_of_2019_are_what_submissions_begin_with(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scene, sky = home / "scene.ma", home / "sky.hdr"
    scene.write_text("abc")
    sky.write_text("d")
    text = f"""
        api_key_path: /keys/conductor.json
        base_url: conductortech.com
        error_reporting: true
        log_dir: /tmp/logs
        output_dir: /tmp/out
        projects: [film, ad]
        local_upload: false
        md5_caching: false
        thread_count: 3
        priority: 7
        location: mars
        project: film
        docker_image: acme/render:1
        autoretry_policy: {{preempted: {{max_retries: 2}}}}
        environment: {{LICENCE: host, PATH: /studio/bin}}
        metadata: {{show: film, shot: none}}
        software_package_ids: [p1]
        upload_paths: [{scene}]
        notify: [td@acme.test]
    """
    config = load(home, textwrap.dedent(text), PRIORITY="9", NOTIFY="kim@acme.test,lee@acme.test")
    job = {
        "instance_type": "m",
        "output_path": "/out",
        "tasks_data": [{"command": "r"}],
        "location": "venus",
        "environment": {"PATH": "/job/bin"},
        "metadata": {"shot": "s1"},
        "software_package_ids": ["p2"],
        "upload_paths": [str(sky)],
        "notify": ["me@acme.test"],
    }
    payload = Submit(job, config=config).payload()
    assert caplog.messages == []
    assert (config.thread_count, config["api_key_path"]) == (3, "/keys/conductor.json")
    assert (payload["priority"], payload["location"], payload["project"]) == (9, "venus", "film")
    assert (payload["local_upload"], payload["docker_image"]) == (False, "acme/render:1")
    assert payload["autoretry_policy"] == {"preempted": {"max_retries": 2}}
    assert payload["environment"] == {"LICENCE": "host", "PATH": "/job/bin"}
    assert payload["metadata"] == {"show": "film", "shot": "s1"}
    assert payload["software_package_ids"] == ["p1", "p2"]
    assert payload["notify"] == {"emails": ["kim@acme.test", "lee@acme.test", "me@acme.test"]}
    assert [file["destination"] for file in payload["upload_files"]] == [str(scene), str(sky)]


# Variables that were meant for a setting

VARIABLES = sorted(
    {f"CONDUCTOR_{name.upper()}" for name in (*BY_NAME, *(setting.name for setting in SETTINGS))}
)
OTHERS = (
    *("CONDUCTOR_MOCK_ADMIN_TOKEN", "CONDUCTOR_MOCK_READY_FILE", "CONDUCTOR_MOCK_SMTP", "CONDUCTOR_MOCK_RUN"),
    *("CONDUCTOR_PATHHELPER", "CONDUCTOR_DEADLINE_VERSION", "CONDUCTOR_CONFIG", "CONDUCTOR_USER_DIR"),
    *("CONDUCTOR_ACCOUNT", "CONDUCTOR_BASE_URL", "CONDUCTOR_LOG_DIR", "CONDUCTOR_DOWNLOADS", "CONDUCTORS"),
    *("CONDUCTOR_JOBID", "CONDUCTOR_TASK", "CONDUCTOR_" + "X" * 100_000, "PATH"),
)


def warned(variable: str) -> list[str]:
    """What is said of a variable."""
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger(Config.__module__)
    logger.addHandler(handler)
    try:
        _warn_of_near_names({variable: "3"})
    finally:
        logger.removeHandler(handler)
    return said


@given(variable=st.sampled_from(VARIABLES), place=st.integers(11, 60), letter=st.sampled_from(["", "Q"]))
def test_a_variable_that_is_a_slip_away_from_a_setting_is_warned_of(
    variable: str, place: int, letter: str
) -> None:
    place = 10 + place % (len(variable) - 10)
    wrong = variable[:place] + letter + variable[place + 1 :]
    if wrong in VARIABLES or wrong == "CONDUCTOR_":
        return
    (line,) = warned(wrong)
    assert line.startswith(f"{wrong} is no setting and is ignored; did you mean CONDUCTOR_")


@pytest.mark.parametrize("variable", [*VARIABLES, *OTHERS], ids=lambda name: name[:40])
def test_settings_and_variables_of_other_programs_are_not(
    variable: str,
) -> None:
    assert warned(variable) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:", "https://a.b:/", "http://[::1]:"])
def test_a_url_whose_port_is_empty_is_no_address(home: Path, url: str) -> None:
    with pytest.raises(ConfigError, match=r"wrong setting url .*accepted: http:// or https://"):
        load(home, URL=url)
