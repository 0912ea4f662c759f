"""Times the built-in pages in headless Chromium: until a page is shown, and its slowest request.

usage: pages_speed.py URL [PERIOD]

Each page is opened twice: the first time the server may not have been asked since something landed, the second time it
remembers. The browser has been used before. Times are its own, in milliseconds, from the navigation on; a request's from its sending to its last byte.
"""

import json
import sys
import tempfile

from browser import SHOWN, Browser

PAGES = [
    "/",
    "/units",
    "/unit",
    "/clocks",
    "/goals",
    "/report",
    "/explore",
    "/explore?metric=inspections",
    "/sql",
    "/rejects",
]
ENTRIES = """
JSON.stringify(performance.getEntriesByType('resource').filter((one) => one.name.includes('/api/')).map((one) => [Math.round(one.responseEnd - one.requestStart), one.name.replace(location.origin, '')]))
"""


def main():
    base, *period = sys.argv[1:]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, Browser(profile) as browser:
        browser.size(1440, 900)
        # A browser that has just been started is slow with anything.
        browser.open(base + "/docs/dictionary")
        print(f"{'page':32}{'shown':>8}{'again':>8}{'requests':>10}{'slowest':>9}{'again':>7}  which")
        for page in PAGES:
            path = page + (("&" if "?" in page else "?") + f"period={period[0]}" if period else "")
            seen = []
            for _ in range(2):
                browser.open(base + path)
                browser.wait_for(SHOWN)
                shown = browser.evaluate("Math.round(Number(document.body.dataset.shownAfter))")
                seen.append((shown, sorted(json.loads(browser.evaluate(ENTRIES)), reverse=True)))
            (first, requests), (again, later) = seen
            slowest = requests[0] if requests else [0, ""]
            print(
                f"{page:32}{first:8}{again:8}{len(requests):10}{slowest[0]:9}{later[0][0] if later else 0:7}  {slowest[1][:110]}"
            )


main()
