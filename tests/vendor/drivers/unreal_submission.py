"""A level artist's evening with Unreal's plug-in. In: the project and the panel's values. Out: what came of it."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).parents[1] / "hosts"))

import unreal  # type: ignore[import-not-found]

wanted = json.load(sys.stdin)
unreal.open_project(wanted["project"])

from ciocore import package_tree  # type: ignore[import-not-found]  # noqa: E402
from ciounreal.common.conductor_data import ConductorData  # type: ignore[import-not-found]  # noqa: E402
from ciounreal.conductor_job import ConductorJob  # type: ignore[import-not-found]  # noqa: E402
from ciounreal.conductor_job_submitter import ConductorJobSubmitter  # type: ignore[import-not-found]  # noqa: E402

ConductorData.get_ciocore_data()
machines = ConductorData.get_instance_types()
machine = machines[0]
settings = SimpleNamespace(
    general_settings=SimpleNamespace(
        project=ConductorData.get_projects()[0],
        job_title="{level_sequence_name} of {job_name}",
        instance_type=machine["description"],
        pre_emptible=True,
    ),
    environment_settings=SimpleNamespace(
        variables=SimpleNamespace(
            key_values={"SHOW": SimpleNamespace(value="dune", merge_policy="exclusive")}
        )
    ),
    advanced_settings=SimpleNamespace(
        location_tag="",
        notify="kim@example.com",
        template='UnrealEditor-Cmd.exe "{project_path}" -QueueManifest="{queue_manifest}" -Level="{map_path}"',
    ),
    uploads_settings=SimpleNamespace(
        use_daemon=False, files=SimpleNamespace(paths=[]), folders=SimpleNamespace(paths=[])
    ),
    perforce_settings=SimpleNamespace(use_perforce=False),
)
output = SimpleNamespace(
    output_resolution=SimpleNamespace(x=1920, y=1080),
    output_directory=SimpleNamespace(path=wanted["output"]),
    file_name_format="{sequence_name}.{frame_number}",
)
job = unreal.ConductorMoviePipelineExecutorJob("night", wanted["sequence"], wanted["level"], output, settings)
submitter = ConductorJobSubmitter()
submitter.add_job(job)
built = [one.as_dict() for one in submitter._jobs]
answer = None
if wanted["submit"]:
    submitter.submit_jobs()
    answer = submitter._submitted_job_descriptors[0].submission_response
print()
print(
    json.dumps(
        {
            "hosts": [package_tree.to_name(one) for one in ConductorData.get_supported_software_packages()],
            "projects": ConductorData.get_projects(),
            "machines": [one["description"] for one in machines],
            "complaints": [submitter.submit_failed_message] if submitter.submit_failed_message else [],
            "built": built[0],
            "answer": answer,
            "chosen": [ConductorJob.get_current_software_package()],
            "shown": unreal.messages,
        }
    )
)
