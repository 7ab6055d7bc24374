"""Log in with a browser, once, and use the token again. Out: the credentials file and what the token opens."""

import json
from pathlib import Path

from ciocore import api_client  # type: ignore[import-not-found]


def main() -> None:
    token = api_client.read_conductor_credentials(use_api_key=False)
    again = api_client.read_conductor_credentials(use_api_key=False)
    text, code = api_client.ApiClient().make_request("/api/v1/projects/", verb="GET", use_api_key=False)
    answer = {
        "token": token,
        "again": again,
        "kept": json.loads(Path(api_client.get_creds_path()).read_text()),
        "account_id": api_client.account_id_from_jwt(token),
        "same_domain": api_client.creds_same_domain({"access_token": token}),
        "projects": [text, code],
    }
    print()
    print(json.dumps(answer))


main()
