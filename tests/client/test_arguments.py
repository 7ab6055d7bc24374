"""The arguments of a submission: what is accepted, under which names, and how the rest is refused."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.lib.download.safe_paths import output_folder
from conductor.lib.exceptions import BadArgumentError
from conductor.lib.submission.arguments import ARGUMENTS, BY_NAME, Argument, Sourced, reference
from conductor.lib.submission.resolution import resolve

TASKS = [{"command": "render", "frames": "1-10"}]
MINIMAL: dict[str, Any] = {"instance_type": "n1-standard-1", "output_path": "/out", "tasks_data": TASKS}

# A right value for every argument that can stand beside MINIMAL or replace a part of it.
GOOD: dict[str, Any] = {
    "autoretry_policy": {"preempted": {"max_retries": 2}, "failed": {"max_retries": 0}},
    "chunk_size": 15,
    "cmd": "render <frame args>",
    "cores": 64,
    "database_filepath": "/var/cache/md5s",
    "docker_image": "image",
    "enforced_md5s": {"/tmp/my_maya_file.ma": "GDVem8GYRUuh4douZwIwFg=="},
    "environment": {"PYTHONPATH": "/tmp/site-packages:/tmp/pipeline/site-packages"},
    "force": True,
    "frames": "1-100",
    "instance_type": "n1-highmem-8",
    "job_title": "My maya job",
    "local_upload": False,
    "location": "mars",
    "machine_flavor": "highcpu",
    "max_instances": 3,
    "md5_caching": False,
    "metadata": {"shot": "Ez500", "asset": "apple"},
    "notify": ["fred@flintstones.com", "wilma@flintstones.com"],
    "output_path": "/tmp/render_output",
    "owner": "fred",
    "preemptible": True,
    "priority": 800,
    "project": "Spiderman",
    "scout_frame": "1-100x5",
    "software_package_ids": ["ae8026b7d9cfe524a77a3ebe94b9130a"],
    "tasks_data": [{"command": "vray"}, {"command": "vray", "frames": "24"}],
    "upload_file": "/tmp/list.txt",
    "upload_only": True,
    "upload_paths": ["/tmp/sourceimages"],
}

# Wrong values for every argument.
BAD: dict[str, list[Any]] = {
    "autoretry_policy": [
        *([], "2", {"preempted": 2}, {"failed": {"max_retries": 6}}, {"failed": {"max_retries": -1}}),
        *(
            {"lost": {"max_retries": 1}},
            {"failed": {}},
            {"failed": {"max_retries": True}},
            {"failed": {"max": 1}},
        ),
    ],
    "chunk_size": [0, -1, 1.0, "one", "", True, [1]],
    "cmd": ["", " ", 5],
    "cores": [0, -2, "two", 2.5, True],
    "database_filepath": [5, b"x", "\0"],
    "docker_image": [5, ["x"]],
    "enforced_md5s": [[], {"/a": "d41d8cd98f00b204e9800998ecf8427e"}, {"/a": ""}, {"/a": None}, {5: "x"}],
    "environment": [
        [],
        "A=1",
        {"A": True},
        {"A": 1.5},
        {"A": 1.0},
        {"A": None},
        {"": "x"},
        {"A=B": "x"},
        {5: "x"},
        {"A": "\0"},
    ],
    "force": ["yes", 1, 0],
    "frames": ["x", "1-", 1.5, [1], True],
    "instance_type": ["", 5],
    "job_title": [5, ["x"], "\ud800"],
    "local_upload": ["False", 0, 1, []],
    "location": [5, {}],
    "machine_flavor": ["medium", "", 5, "STANDARD"],
    "max_instances": [-1, "many", 1.5],
    "md5_caching": ["false", 0],
    "metadata": [[], "a=b", {"a": None}, {"a": []}, {"a": {}}, {None: "a"}, {1: "a", "1": "b"}],
    "notify": ["fred@flintstones.com", ["fred"], [5], {"emails": []}, ["a b@c"], [""], ["a@b,c@d"]],
    "output_path": [
        *("", "out", "./out", 5, "~/out"),
        *("/a/..", "/../a", "/a/../b", "C:\\a\\..", "C:/../a", "//srv/x/../y", "\\\\srv\\x\\..", "/a\\..\\b"),
        *("\\\\srv", "\\\\", "\\srvsharex", "C:rendersx"),
    ],
    "owner": ["", 5],
    "preemptible": ["True", 1],
    "priority": [-1, "high", 1.5, "-1", "", True, "\u0661"],
    "project": [5, ["default"]],
    "scout_frame": ["auto:3", "x", 1.5, ["1"]],
    "software_package_ids": ["ae80", [5], [""], {"a": 1}],
    "tasks_data": [
        *([], {}, "render", [{}], [{"command": ""}], [{"command": 5}], ["render"], [None]),
        *([{"command": "r", "frames": "x"}], [{"command": "r", "frame": "1"}], [{"frames": "1"}]),
    ],
    "upload_file": [5, b"x"],
    "upload_only": ["yes", 1],
    "upload_paths": ["/tmp/a", [5], [b"/tmp"], {"a": "b"}, ["\0"]],
}


def fitting(name: str, value: Any) -> dict[str, Any]:
    """Return valid arguments around one that has this value."""
    args = {**MINIMAL, name: value}
    if name == "local_upload":
        return {"upload_paths": ["/a"], **args}
    if name in ("cores", "machine_flavor"):
        args.pop("instance_type")
        return {"cores": 40, **args}
    if name in ("cmd", "frames"):
        args.pop("tasks_data")
        return {"cmd": "render", "frames": "1", **args}
    if name == "upload_only":
        args.pop("tasks_data")
        return {"upload_paths": ["/a"], **args}
    return args


def test_the_samples_here_cover_the_whole_table() -> None:
    assert set(GOOD) == set(BAD) == {argument.name for argument in ARGUMENTS}


@pytest.mark.parametrize("name", GOOD)
def test_every_documented_argument_is_accepted_with_its_documented_value(name: str) -> None:
    assert resolve(fitting(name, GOOD[name]))[name] == GOOD[name]


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD.items() for value in values]
)
def test_a_single_fault_is_the_only_one_named(name: str, value: Any) -> None:
    with pytest.raises(BadArgumentError) as caught:
        resolve(fitting(name, value))
    assert {problem.argument.split("[")[0].split(".")[0] for problem in caught.value.problems} == {name}
    assert all(problem.given and problem.accepted for problem in caught.value.problems)


@given(st.sets(st.sampled_from([(name, n) for name in BAD for n in range(len(BAD[name]))]), min_size=1))
def test_all_faults_are_named_in_one_error(chosen: set[tuple[str, int]]) -> None:
    faults = {name: BAD[name][index] for name, index in chosen}
    with pytest.raises(BadArgumentError) as caught:
        resolve({**MINIMAL, **faults})
    assert faults.keys() <= {
        problem.argument.split("[")[0].split(".")[0] for problem in caught.value.problems
    }
    assert all(name in str(caught.value) for name in faults)


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        *(("title", "job_title"), ("machine_type", "machine_flavor"), ("scout_frames", "scout_frame")),
        *(("user", "owner"), ("command", "cmd"), ("frame_range", "frames")),
    ],
)
def test_the_vendors_names_mean_the_documented_ones(alias: str, name: str) -> None:
    assert BY_NAME[alias] is BY_NAME[name]
    args = fitting(name, GOOD[name])
    del args[name]
    assert resolve({**args, alias: GOOD[name]})[name] == GOOD[name]


def test_no_two_arguments_share_a_name_or_a_wire_key() -> None:
    assert len(BY_NAME) == sum(len(argument.names) for argument in ARGUMENTS)
    wire = [argument.wire for argument in ARGUMENTS if argument.wire]
    assert len(set(wire)) == len(wire)


def test_two_spellings_agree_or_are_refused() -> None:
    assert resolve({**MINIMAL, "job_title": "a", "title": "a"})["job_title"] == "a"
    with pytest.raises(BadArgumentError, match=r"title: given 'b'; accepted: one value: job_title .* 'a'"):
        resolve({**MINIMAL, "job_title": "a", "title": "b"})


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("job_titel", "job_title"), ("output-path", "output_path"), ("tasks", "tasks_data"), ("emails", None)],
)
def test_an_unknown_name_gets_the_closest_one_or_all(wrong: str, right: str | None) -> None:
    with pytest.raises(BadArgumentError) as caught:
        resolve({**MINIMAL, wrong: "x"})
    advice = f"did you mean {right}?" if right else "known are autoretry_policy, chunk_size"
    assert [problem.argument for problem in caught.value.problems] == [wrong]
    assert advice in str(caught.value)


@pytest.mark.parametrize("wrong", [None, [], "args", 5])
def test_arguments_that_are_no_dictionary_are_refused(wrong: Any) -> None:
    with pytest.raises(BadArgumentError, match="a dictionary of arguments"):
        resolve(wrong)


def test_none_counts_as_not_given() -> None:
    nothing = {argument.name: None for argument in ARGUMENTS}
    assert resolve({**nothing, **MINIMAL}).values == resolve(MINIMAL).values


def without(*names: str, **others: Any) -> dict[str, Any]:
    return {name: value for name, value in {**MINIMAL, **others}.items() if name not in names}


@pytest.mark.parametrize(
    ("args", "faulty"),
    [
        (without("output_path"), "output_path"),
        (without("tasks_data"), "tasks_data"),
        (without("tasks_data", cmd="r"), "frames"),
        (without("tasks_data", "output_path", cmd="r", frames="1"), "output_path"),
        (without(cmd="r", frames="1"), "tasks_data"),
        (without("tasks_data", cmd="r", frames="1", upload_only=True, upload_paths=[]), "upload_only"),
        (without(upload_only=True, upload_paths=[]), "upload_only"),
        (without(frames="1"), "frames"),
        (without("tasks_data", upload_only=True), "upload_paths"),
        (without("instance_type"), "instance_type"),
        (without(cores=2), "cores"),
        (without(machine_flavor="standard"), "machine_flavor"),
        (without("instance_type", machine_flavor="standard"), "cores"),
        (without("instance_type", machine_flavor="highmem", cores=1), "cores"),
        (without("instance_type", machine_flavor="highcpu", cores=1), "cores"),
        (without("instance_type", machine_flavor="ultramem", cores=39), "cores"),
    ],
)
def test_arguments_that_contradict_each_other_are_refused(args: dict[str, Any], faulty: str) -> None:
    with pytest.raises(BadArgumentError) as caught:
        resolve(args)
    assert [problem.argument for problem in caught.value.problems] == [faulty]


@pytest.mark.parametrize(
    ("flavor", "least"), [("standard", 1), (None, 1), ("highmem", 2), ("highcpu", 2), ("ultramem", 40)]
)
def test_each_flavor_has_its_least_number_of_cores(flavor: str | None, least: int) -> None:
    chosen = {} if flavor is None else {"machine_flavor": flavor}
    assert resolve(without("instance_type", cores=least, **chosen))["cores"] == least
    with pytest.raises(BadArgumentError, match="cores"):
        resolve(without("instance_type", cores=least - 1, **chosen))


@pytest.mark.parametrize(
    ("args", "accepted"),
    [
        (without("tasks_data"), "tasks, unless cmd and frames are given, or upload_only is True"),
        (
            without("tasks_data", upload_only=True),
            "paths here or in upload_file, since upload_only is True",
        ),
        (without("instance_type"), "a machine: this, or machine_flavor and cores"),
        (without("output_path"), f"{BY_NAME['output_path'].kind.accepts}, since tasks_data is given"),
        (
            without("instance_type", machine_flavor="highmem"),
            "a whole number from 1, since machine_flavor is given",
        ),
    ],
)
def test_what_is_missing_is_told_with_what_would_do(args: dict[str, Any], accepted: str) -> None:
    with pytest.raises(BadArgumentError) as caught:
        resolve(args)
    assert str(caught.value).endswith(f"given nothing; accepted: {accepted}")


@pytest.mark.parametrize("error", [KeyError("no such uid"), OSError("no name")])
def test_where_the_system_has_no_name_for_a_person_an_owner_must_be_given(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def nobody() -> str:
        raise error

    monkeypatch.setattr("getpass.getuser", nobody)
    assert resolve({**MINIMAL, "owner": "kim"})["owner"] == "kim"
    with pytest.raises(BadArgumentError, match=r"owner\b.*so give one"):
        resolve(MINIMAL)


def test_cores_alone_mean_the_standard_flavor() -> None:
    assert resolve(without("instance_type", cores=2))["machine_flavor"] == "standard"


@pytest.mark.parametrize("files", [{"upload_paths": []}, {"upload_file": "/list"}])
def test_uploading_only_needs_no_machine_and_no_output(files: dict[str, Any]) -> None:
    assert resolve({"upload_only": True, **files})["upload_only"] is True


def test_a_second_name_that_is_given_nothing_is_no_second_value() -> None:
    args = without("tasks_data", frames="1", cmd="render", command=None)
    assert resolve(args)["cmd"] == "render"
    assert resolve({**args, "cmd": None, "command": "render"})["cmd"] == "render"


@pytest.mark.parametrize(("name", "least"), [("chunk_size", 1), ("max_instances", 0), ("priority", 0)])
def test_the_least_number_is_accepted_and_less_is_not(name: str, least: int) -> None:
    assert resolve({**MINIMAL, name: least})[name] == least
    with pytest.raises(BadArgumentError, match=name):
        resolve({**MINIMAL, name: least - 1})


def test_saying_that_it_is_not_upload_only_is_no_contradiction() -> None:
    assert resolve({**MINIMAL, "upload_only": False})["upload_only"] is False


def test_metadata_is_cast_to_text_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    args = {**MINIMAL, "metadata": {"a": True, 1: 2, "f": 1.5, "t": "x"}}
    assert resolve(args)["metadata"] == {"a": "True", "1": "2", "f": "1.5", "t": "x"}
    assert "metadata['a']: True is sent as the text 'True'" in caplog.text
    assert "'t'" not in caplog.text


def test_numbers_may_be_digits_and_frames_a_number_and_paths_path_objects() -> None:
    args = {
        **MINIMAL,
        "priority": "7",
        "chunk_size": "2",
        "scout_frame": 8,
        "upload_paths": (pathlib.Path("/a"),),
    }
    resolved = resolve(args)
    assert (resolved["priority"], resolved["chunk_size"], resolved["scout_frame"]) == (7, 2, "8")
    assert resolved["upload_paths"] == ["/a"]


def test_a_variable_may_be_a_whole_number_and_is_sent_as_one() -> None:
    resolved = resolve({**MINIMAL, "environment": {"A": 1, "B": "1", "C": 2**70}})
    assert [(name, type(value)) for name, value in resolved["environment"].items()] == [
        ("A", int),
        ("B", str),
        ("C", int),
    ]


def test_defaults_are_not_shared_between_submissions() -> None:
    resolve(MINIMAL)["environment"]["A"] = "1"
    assert resolve(MINIMAL)["environment"] == {}


def test_the_config_fills_in_and_the_call_wins() -> None:
    config = {"priority": Sourced(7, "config.yml"), "project": Sourced("film", "CONDUCTOR_PROJECT")}
    resolved = resolve({**MINIMAL, "project": "other"}, config)
    assert (resolved["priority"], resolved["project"]) == (7, "other")


def test_five_arguments_are_joined_with_the_config() -> None:
    given = {
        "environment": {"A": "call", "B": "call"},
        "metadata": {"m": "call"},
        "software_package_ids": ["call"],
        "upload_paths": ["/call"],
        "notify": ["call@x"],
    }
    config = {
        "environment": Sourced({"A": "config", "C": "config"}, "file"),
        "metadata": Sourced({"n": "config"}, "file"),
        "software_package_ids": Sourced(["config"], "file"),
        "upload_paths": Sourced(["/config"], "file"),
        "notify": Sourced(["config@x"], "file"),
    }
    resolved = resolve({**MINIMAL, **given}, config)
    assert resolved["environment"] == {"A": "call", "B": "call", "C": "config"}
    assert resolved["metadata"] == {"n": "config", "m": "call"}
    assert resolved["software_package_ids"] == ["config", "call"]
    assert resolved["upload_paths"] == ["/config", "/call"]
    assert resolved["notify"] == ["config@x", "call@x"]
    assert {argument.name for argument in ARGUMENTS if argument.combines} == given.keys()


def test_a_machine_of_the_call_sets_aside_the_one_of_the_config() -> None:
    config = {"instance_type": Sourced("n1-standard-8", "file")}
    resolved = resolve(without("instance_type", cores=2), config)
    assert (resolved["instance_type"], resolved["cores"]) == (None, 2)


OF_THE_WORK = {"cmd", "frames", "tasks_data", "upload_only"}
OF_THE_MACHINE = {"instance_type", "machine_flavor", "cores"}


@pytest.mark.parametrize("given", sorted(OF_THE_WORK | OF_THE_MACHINE))
def test_a_choice_of_the_call_sets_aside_all_that_the_config_has_of_it(given: str) -> None:
    """Else a command of the call would meet the tasks of the config, and be refused for it."""
    group = OF_THE_WORK if given in OF_THE_WORK else OF_THE_MACHINE
    call = {"output_path": "/out", given: GOOD[given]}
    if group is OF_THE_MACHINE or given in ("cmd", "frames"):
        call |= {"cmd": "render", "frames": "1"}
    call |= {"machine_flavor": "highcpu", "cores": 2} if given in ("machine_flavor", "cores") else {}
    if group is OF_THE_WORK:
        call |= {"instance_type": "n1-standard-1", "upload_paths": ["/proj"]}
    config = {name: Sourced(GOOD[name], "file") for name in sorted(group)}
    resolved = resolve(call, config).values
    assert {name for name in group if resolved.get(name)} == group & set(call)
    assert all(resolved[name] == value for name, value in call.items())


def test_the_config_gives_the_machine_where_the_call_names_none_and_says_nothing_of_what_it_does_not_know() -> (
    None
):
    config = {"instance_type": Sourced("n1-standard-8", "file"), "unknown": Sourced("x", "file")}
    assert resolve(without("instance_type"), config)["instance_type"] == "n1-standard-8"


def test_a_fault_of_the_config_names_its_source() -> None:
    config = {"priority": Sourced("high", "CONDUCTOR_PRIORITY")}
    with pytest.raises(BadArgumentError, match=r"priority \(from CONDUCTOR_PRIORITY\): given 'high'"):
        resolve(MINIMAL, config)


@pytest.mark.parametrize("argument", ARGUMENTS, ids=lambda argument: argument.name)
def test_the_reference_describes_every_argument(argument: Argument) -> None:
    rows = [line for line in reference().splitlines() if line.startswith(f"| `{argument.name}` |")]
    assert len(rows) == 1
    assert argument.doc in rows[0]
    assert rows[0].count("|") == 6


parts = st.sampled_from(["a", "..", ".", "...", "a..b", " ", "é", "x y", "srv", "..a", "C:"])
roots = st.sampled_from(["/", "//", "C:\\", "C:/", "\\\\", "\\\\srv\\share\\", "", "~/", "\\", "z:/"])


@given(roots, st.lists(st.tuples(parts, st.sampled_from(["/", "\\"])), max_size=4), st.booleans())
def test_an_output_path_that_is_accepted_is_one_that_downloads_take(
    root: str, steps: list[tuple[str, str]], windows: bool
) -> None:
    path = root + "".join(part + separator for part, separator in steps)
    try:
        accepted = resolve({**MINIMAL, "output_path": path})["output_path"]
    except BadArgumentError:
        return
    output_folder(accepted, "00001", None, pathlib.PurePosixPath("/home/kim"), windows=windows)
