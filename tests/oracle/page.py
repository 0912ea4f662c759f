"""Opens a page of the documentation in headless Chromium and prints, as JSON, what a person would see.

usage: page.py URL SCREENSHOT.png docs|dictionary

For both the answer has problems (console errors and warnings, exceptions, failed requests) and requests (every URL
asked for). For docs it also has operations (method and path), and tried (what a call says that was tried); for
dictionary, tables (their names) and text.
"""

import json
import sys
import tempfile
import time

from browser import PATIENCE_SECONDS, Browser, asked, problems

# A laptop.
WIDTH, HEIGHT = 1440, 900

# A person presses a button again on which nothing has come.
AGAIN_SECONDS = 10

# Swagger UI lists every operation; one of them is opened and tried.
DOCS = [
    ("document.querySelector('#operations-about-status .opblock-summary-control')", "click()"),
    ("document.querySelector('#operations-about-status .execute')", "click()"),
]
DOCS_SETTLED = "document.querySelector('#operations-about-status .live-responses-table .response-col_status')"
DOCS_SEEN = """
({
  operations: [...document.querySelectorAll('.opblock-summary')].map((row) =>
    row.querySelector('.opblock-summary-method').innerText + ' ' + row.querySelector('.opblock-summary-path').dataset.path),
  tried: document.querySelector('#operations-about-status .live-responses-table').innerText,
})
"""
DICTIONARY_SEEN = """({ tables: [...document.querySelectorAll('h3 > code')].map((node) => node.innerText), text: document.body.innerText })"""

# By page: what is done on it, when it has settled, what is seen then.
PAGES = {
    "docs": (DOCS, DOCS_SETTLED, DOCS_SEEN),
    "dictionary": ([], "true", DICTIONARY_SEEN),
}


def main():
    url, screenshot, page = sys.argv[1:]
    steps, settled, seen_on_it = PAGES[page]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, Browser(profile) as browser:
        browser.size(WIDTH, HEIGHT)
        browser.open(url)
        for element, deed in steps:
            browser.wait_for(element)
            browser.evaluate(f"{element}.{deed}")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while steps and time.monotonic() < deadline and not browser.holds(settled, AGAIN_SECONDS):
            # Swagger UI does nothing for a button that is pressed while it still works the operation out.
            browser.evaluate(f"{element}.{deed}")
        browser.wait_for(settled)
        seen = browser.evaluate(seen_on_it)
        browser.picture(screenshot)
    print(json.dumps({**seen, "problems": list(problems(browser.events)), "requests": asked(browser.events)}, ensure_ascii=False))


main()
