"""`ApiClient` used directly. In: the service's URL. Out: what each way of asking gave."""

import json
import sys

from ciocore import api_client  # type: ignore[import-not-found]


def main() -> None:
    url = json.load(sys.stdin)
    client = api_client.ApiClient()
    plain = client.make_request("api/v1/projects/", verb="GET", use_api_key=True)
    by_url = client.make_request(verb="GET", conductor_url=f"{url}/api/v1/projects/", use_api_key=True)
    api_client.ApiClient.register_client("studio-tool", "1.2.3")
    token = api_client.get_bearer_token()
    prepared = api_client.ApiClient().make_prepared_request(
        "GET",
        f"{url}/api/v1/projects/",
        headers={"Authorization": f"Bearer {token}", "X-Unwanted": "1"},
        params={"filter": "status_eq_active"},
        remove_headers_list=["X-Unwanted"],
    )
    refused = api_client.ApiClient().make_request(
        "/api/v2/files/get_upload_urls",
        verb="POST",
        data=json.dumps({"upload_files": [], "project": "default"}),
        use_api_key=True,
        raise_on_error=False,
    )
    answer = {
        "plain": plain,
        "by_url": by_url,
        "prepared": [prepared.text, prepared.status_code],
        "refused": refused,
        "cut": api_client.truncate_middle("a very long interpreter path", 11),
    }
    print(json.dumps(answer))


main()
