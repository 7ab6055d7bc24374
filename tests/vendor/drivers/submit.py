"""Submit jobs one after the other. In: a list of arguments of `Submit`. Out: for each, the answer or the error."""

import json
import sys

from ciocore import conductor_submit

answers = []
for arguments in json.load(sys.stdin):
    try:
        response, code = conductor_submit.Submit(arguments).main()
        answers.append({"code": code, "response": response})
    except Exception as error:
        answers.append({"raised": type(error).__name__, "message": str(error)})
print()
print(json.dumps(answers))
