"""The documented quick start ("Submitting with the Python API"), in Python 3: same names, same order.

    conductor-mock run -- python examples/quickstart.py

PROJECT and TOOLS name the two folders that the document calls /path/to/project and /path/to/tools/custom_vray.
"""

import logging
import os

from conductor.lib import api_client, conductor_submit, package_utils

PROJECT = os.environ.get("PROJECT", "/path/to/project")
TOOLS = os.environ.get("TOOLS", "/path/to/tools/custom_vray")

# Set up logging (optional)
conductor_submit.set_logging(logging.DEBUG)

# Create a dictionary of arguments for your job.
args = {}

# Give the job a title to help identify it in the web dashboard.
args["job_title"] = "Test Job: Vray Standalone Test"

# Specify the Conductor project to associate this job with.
args["project"] = "default"

# Specify the what type of instance to use.
args["machine_flavor"] = "standard"
args["cores"] = 2

# Specify the list of file dependencies the job requires: files or directories from anywhere.
args["upload_paths"] = [
    f"{PROJECT}/batman_0008.vrscene",
    f"{PROJECT}/batman_0024.vrscene",
    f"{PROJECT}/textures",
    TOOLS,
]

# Indicate that uploading should occur immediately.
args["local_upload"] = True

# The environment in which custom tools or plugins are found.
custom_environment = {
    "VRAY_PLUGINS_x64": f"{TOOLS}/plugin",
    "LD_LIBRARY_PATH": f"{TOOLS}/bin",
}

# Indicate which software packages should be made available for the job.
args["software_package_ids"] = ["7208372e306614d514944938c395e0e7"]

# Request the packages that you want to use from Conductor.
all_packages = api_client.request_software_packages()
packages = [p for p in all_packages if p["package_id"] in args["software_package_ids"]]

# Merge the environments from your chosen packages with the custom environment.
args["environment"] = package_utils.merge_package_environments(packages, base_env=custom_environment)

# Define the task data for the job. Each entry defines a command to be executed.
args["tasks_data"] = [
    {
        "command": (
            f"vray -display=0 -sceneFile={PROJECT}/batman_0008.vrscene -imgFile={PROJECT}/output/output.exr"
        ),
        "frames": "8",
    },
    {
        "command": (
            f"vray -display=0 -sceneFile={PROJECT}/batman_0024.vrscene -imgFile={PROJECT}/output/output.exr"
        ),
        "frames": "24",
    },
]

# Define the directory where rendered images can be found when tasks are complete.
args["output_path"] = f"{PROJECT}/output"

# Instantiate a Submit object with the job args.
submission = conductor_submit.Submit(args)

# Run the submission
response, response_code = submission.main()

# Inspect the response code
print(response_code)
# 201

# Inspect the response
print(response)
# {'body': 'job submitted.', 'jobid': '00001', 'status': 'success', 'uri': '/jobs/00001'}
