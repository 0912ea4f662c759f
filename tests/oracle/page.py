"""Opens a page of the documentation in headless Chromium and prints, as JSON, what a person would see.

usage: page.py URL SCREENSHOT.png docs|dictionary

For both the answer has problems (console errors and warnings, exceptions, failed requests) and requests (every URL
asked for). For docs it also has operations (method and path), and tried (what a call says that was tried); for
dictionary, tables (their names) and text.
"""

import json
import sys
import tempfile

from browser import Browser, asked, problems

# A laptop.
WIDTH, HEIGHT = 1440, 900

# Swagger UI lists every operation; one of them is opened and tried. What can be pressed, and when it may be: until Swagger UI
# has worked an operation out, it fails at running it, and its button is dead from then on.
DOCS = [
    ("document.querySelector('#operations-about-status .opblock-summary-control')", "true"),
    (
        "document.querySelector('#operations-about-status .execute')",
        "ui.specSelectors.specResolvedSubtree(['paths', '/api/v1/status', 'get'])",
    ),
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

# By page: what is pressed on it, when it has settled, what is seen then.
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
        for button, may_be_pressed in steps:
            browser.wait_for(f"{button} && {may_be_pressed}")
            browser.evaluate(f"{button}.click()")
        browser.wait_for(settled)
        seen = browser.evaluate(seen_on_it)
        browser.picture(screenshot)
    print(
        json.dumps(
            {**seen, "problems": list(problems(browser.events)), "requests": asked(browser.events)}, ensure_ascii=False
        )
    )


main()
