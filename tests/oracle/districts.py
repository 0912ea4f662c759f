"""Goes down a municipality on the built-in pages in headless Chromium and prints, as JSON, what a person would see.

usage: districts.py URL ARTEFACTS DISTRICT

The answer: offered (group and names of the scopes to choose from, on the whole and within the DISTRICT), districts (rows of
the table of units on the whole), down (heading and address after a click on the first of them), units (the rows there),
unit (heading of a unit of it, and how many others stand beside it on its page of units), problems, requests.
"""

import json
import pathlib
import sys
import tempfile
import time

from browser import SHOWN, Browser, asked, problems

ROWS = "[...document.querySelectorAll('#units tbody tr')].map((row) => [...row.cells].map((cell) => cell.textContent))"
OFFERED = "[...document.querySelectorAll('#scope optgroup')].map((group) => [group.label, [...group.children].map((option) => option.textContent)])"
HEADING = "document.getElementById('heading').innerText"
ADDRESS = "location.pathname + decodeURIComponent(location.search)"


def main():
    base, artefacts, district = sys.argv[1:]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, Browser(profile) as browser:
        browser.size(1440, 900)

        def settled(expression):
            time.sleep(0.3)
            browser.wait_for(SHOWN)
            return browser.evaluate(expression)

        def visit(path):
            browser.open(base + path)
            return settled("undefined")

        visit("/?period=2025")
        browser.picture(pathlib.Path(artefacts) / "page-municipality.png")
        seen = {"heading": settled(HEADING), "offered": {"whole": settled(OFFERED)}}
        visit("/units?period=2025")
        seen["districts"] = settled(ROWS)
        browser.evaluate("document.querySelector('#units tbody tr a').click()")
        seen["down"] = [settled(HEADING), settled(ADDRESS)]
        seen["units"] = settled(ROWS)
        browser.picture(pathlib.Path(artefacts) / "page-district.png")
        visit(f"/units?period=2025&scope={district}")
        seen["offered"]["district"] = settled(OFFERED)
        browser.evaluate("document.querySelector('#units tbody tr a').click()")
        seen["unit"] = [settled(HEADING), settled(ADDRESS)]
        visit(settled("location.pathname.replace('unit', 'units') + location.search"))
        seen["beside"] = len(settled(ROWS))
        for page in ("/clocks", "/goals", "/report?year=2025", "/explore?metric=cases_open&period=2025", "/sql"):
            visit(page)
    print(
        json.dumps(
            {**seen, "problems": list(problems(browser.events)), "requests": asked(browser.events)}, ensure_ascii=False
        )
    )


main()
