"""Submit jobs one after the other with this project's client. In: a list of arguments. Out: the answers' codes."""

from __future__ import annotations

import json
import sys

from conductor.lib.conductor_submit import Submit
from conductor.lib.exceptions import ConductorError

answers = []
for arguments in json.load(sys.stdin):
    try:
        response, code = Submit(arguments).main()
        answers.append({"code": code, "response": response})
    except ConductorError as error:
        answers.append({"raised": type(error).__name__, "message": str(error)})
print(json.dumps(answers))
