"""Everything about tokens, with the key in the environment. Out: paths, tokens, and what is read from them."""

import json
from pathlib import Path

from ciocore import api_client  # type: ignore[import-not-found]


def bearer() -> dict[str, str]:
    token = api_client.read_conductor_credentials(use_api_key=True)
    return {"first": token, "again": api_client.read_conductor_credentials(use_api_key=True)}


def main() -> None:
    read = bearer()
    key_file = Path(api_client.get_creds_path(api_key=True))
    answer = {
        "read": read,
        "key_file": str(key_file),
        "browser_file": api_client.get_creds_path(),
        "kept": json.loads(key_file.read_text()),
        "bearer": api_client.get_bearer_token(),
        "refreshed": api_client.get_bearer_token(refresh=True),
        "not_kept": api_client.get_api_key_bearer_token(),
        "account_id": api_client.account_id_from_jwt(read["first"]),
        "account_name": api_client.account_name_from_jwt(read["first"]),
        "same_domain": api_client.creds_same_domain({"access_token": read["first"]}),
    }
    print(json.dumps(answer))


main()
