"""A person at a browser: opens the page that the client asks for and presses the button that agrees to it.

The client's own web server may not listen yet when the page sends the browser there, so that is tried again.
"""

import html
import http.cookiejar
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

TRIES = 100
cookies = http.cookiejar.CookieJar()
opener = urllib.request.build_opener(
    urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(cookies)
)


def visit(url: str, form: bytes | None = None) -> str:
    with opener.open(url, form, timeout=20) as page:
        return str(page.read().decode())


def main(url: str) -> None:
    text = visit(url)
    [action] = re.findall(r'<form method="post" action="([^"]*)"', text)
    fields = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', text)
    form = urllib.parse.urlencode({name: html.unescape(value) for name, value in fields}).encode()
    for _ in range(TRIES):
        try:
            visit(urllib.parse.urljoin(url, html.unescape(action)), form)
        except urllib.error.HTTPError:
            raise
        except urllib.error.URLError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the client's web server never answered")


main(sys.argv[1])
