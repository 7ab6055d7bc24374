"""Submit jobs one after the other. In: a list of arguments of `Submit`. Out: for each, the answer or the error."""

import json
import sys

from ciocore import conductor_submit  # type: ignore[import-not-found]

answers = []
for arguments in json.load(sys.stdin):
    try:
        response, code = conductor_submit.Submit(arguments).main()
        answers.append({"code": code, "response": response})
    except Exception as error:  # noqa: BLE001 - the test wants to know
        answers.append({"raised": type(error).__name__, "message": str(error)})
print()
print(json.dumps(answers))
