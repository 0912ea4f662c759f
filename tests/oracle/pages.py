"""Drives the built-in pages in headless Chromium and prints, as JSON, what a person would see and do on them.

usage: pages.py URL ARTEFACTS AXE.js METRIC…

Every page is looked at in Chinese and English, on a laptop, a phone and a wall, light and dark; a screenshot of each is
kept in the folder ARTEFACTS. Then somebody uses them: changes the scope and goes back, finds a unit and goes down to it,
orders, explores metrics (each METRIC), asks in SQL, errs, exports, and loses the server. The answer:
  looks      {"overview zh laptop": {lang, title, heading, state, violations, scrolls_sideways, errors}, …}
  seen       {page: {tiles, tables, figures, goals}}, in Chinese, of the year 2025
  metrics    {id: what the explorer shows as its number}
  deeds      {name: what came of it}
  problems, requests    console errors, exceptions, failed requests; every URL asked for
"""

import json
import pathlib
import sys
import tempfile
import time

from browser import SHOWN, Browser, asked, problems

SIZES = {"laptop": (1440, 900), "phone": (390, 844), "wall": (1920, 1080)}
PAGES = {
    "overview": "/?period=2025",
    "units": "/units?period=2025",
    "unit": "/unit?scope=town-dawan&period=2025",
    "clocks": "/clocks",
    "goals": "/goals",
    "report": "/report?year=2024",
    "explore": "/explore?metric=cases_open&period=2025",
    "sql": "/sql",
    "rejects": "/rejects",
}

LOOK = """
({
  lang: document.documentElement.lang,
  title: document.title,
  heading: document.getElementById('heading').innerText,
  errors: [...document.querySelectorAll('.state.error, #notice:not([hidden])')].map((node) => node.innerText),
  scrolls_sideways: document.documentElement.scrollWidth > window.innerWidth,
  charts: document.querySelectorAll('.plot').length - document.querySelectorAll('.plot > .plot-container').length,
})
"""

SEEN = """
(() => {
  const text = (node) => node.innerText.trim();
  const sections = [...document.querySelectorAll('#content section[id], #content details[id]')];
  return {
    tiles: Object.fromEntries([...document.querySelectorAll('.tile')].map((tile) => [tile.id, { value: tile.querySelector('.value')?.dataset.value, lines: text(tile).split('\\n').map((line) => line.trim()).filter(Boolean) }])),
    tables: Object.fromEntries(sections.map((part) => [part.id, [...part.querySelectorAll('tbody tr')].map((row) => [...row.cells].map((cell) => cell.textContent))])),
    figures: Object.fromEntries(sections.map((part) => [part.id, [...part.querySelectorAll('dl.figures > div')].map((one) => [...one.children].map((child) => child.textContent))])),
    goals: Object.fromEntries([...document.querySelectorAll('.goal')].map((goal) => [goal.id, { status: goal.querySelector('.badge').className, now: goal.querySelector('.now dd').innerText }])),
  };
})()
"""

# Whatever axe calls an impediment, under the rules of WCAG 2.2 A and AA and what it takes for good practice.
AXE = """
axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
  violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(' | ')}`))
"""


class Visit:
    def __init__(self, browser, base, artefacts, axe):
        self.browser, self.base, self.artefacts, self.axe = browser, base, artefacts, axe

    def open(self, path):
        self.browser.open(self.base + path)
        self.settle()

    def settle(self):
        # A change begins to be drawn at once, but not before the event that makes it is over.
        time.sleep(0.05)
        self.browser.wait_for(SHOWN)

    def do(self, script):
        result = self.browser.evaluate(script)
        self.settle()
        return result

    def scheme(self, name):
        self.browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def violations(self, but=()):
        self.browser.evaluate(self.axe + "; undefined")
        return [
            found for found in self.browser.evaluate(AXE) if not found.startswith(tuple(f"{rule}:" for rule in but))
        ]

    def look(self, name, axe=True):
        # Charts are drawn anew for another size when the browser finds the time.
        time.sleep(0.3)
        look = self.browser.evaluate(LOOK)
        if axe:
            look["violations"] = self.violations()
        # The report is as long as a report is: its beginning is enough.
        self.browser.picture(self.artefacts / f"page-{name.replace(' ', '-')}.png", whole=not name.startswith("report"))
        return {name: look}


def look_at(visit, page, path):
    """A page in both languages, all sizes and schemes; axe looks at it where something else may be wrong with it."""
    looks = {}
    for lang in ("zh", "en"):
        visit.browser.size(*SIZES["laptop"])
        visit.open(path + (("&" if "?" in path else "?") + "lang=en" if lang == "en" else ""))
        if lang == "zh":
            seen = visit.browser.evaluate(SEEN)
            visit.scheme("dark")
            looks |= visit.look(f"{page} zh laptop dark")
            visit.scheme("light")
        looks |= visit.look(f"{page} {lang} laptop")
        visit.browser.size(*SIZES["phone"])
        looks |= visit.look(f"{page} {lang} phone", axe=lang == "zh")
        visit.browser.size(*SIZES["wall"])
        looks |= visit.look(f"{page} {lang} wall", axe=False)
    visit.browser.size(*SIZES["laptop"])
    return looks, seen


def choose(selector, value):
    return f"(() => {{ const node = document.querySelector({json.dumps(selector)}); node.value = {json.dumps(value)}; node.dispatchEvent(new Event('change', {{ bubbles: true }})); }})()"


def typed(selector, text):
    return f"(() => {{ const node = document.querySelector({json.dumps(selector)}); node.focus(); node.value = {json.dumps(text)}; node.dispatchEvent(new Event('input', {{ bubbles: true }})); }})()"


def click(selector):
    return f"document.querySelector({json.dumps(selector)}).click()"


def text(selector):
    return f"document.querySelector({json.dumps(selector)})?.innerText ?? null"


ROWS = "[...document.querySelectorAll('{} tbody tr')].filter((row) => !row.hidden).map((row) => [...row.cells].map((cell) => cell.textContent))"


def wait_for_file(folder, pattern, but="nothing"):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for file in folder.glob(pattern):
            if not file.name.endswith(".crdownload") and not file.name.startswith(but):
                return file.read_bytes().decode("utf-8")
        time.sleep(0.1)
    raise SystemExit(f"nothing was saved as {pattern}")


def use(visit, downloads):
    browser, deeds = visit.browser, {}
    address = "location.pathname + location.search"

    visit.open("/")
    visit.do(choose("#scope", "towns"))
    deeds["scope"] = [browser.evaluate(text("#heading")), browser.evaluate(address)]
    visit.do(choose("#kind", "months"))
    deeds["months"] = browser.evaluate(address)
    browser.evaluate("history.back()")
    time.sleep(0.3)
    visit.do("history.back()")
    time.sleep(0.3)
    visit.settle()
    deeds["back"] = [browser.evaluate(text("#heading")), browser.evaluate(address)]
    visit.open("/?period=20x5")
    deeds["bad period"] = browser.evaluate(text("#notice"))

    visit.open("/units?period=2025")
    browser.evaluate(typed("#find", "龙"))
    deeds["found"] = [row[0] for row in browser.evaluate(ROWS.format("#units"))]
    visit.do(
        "[...document.querySelectorAll('#units thead button')].find((button) => button.innerText.includes('活跃度')).click()"
    )
    deeds["ordered"] = browser.evaluate(ROWS.format("#units"))
    visit.do(click("#units .links button"))
    deeds["saved units"] = wait_for_file(downloads, "lawpulse-units-*.csv")
    browser.evaluate(typed("#find", ""))
    browser.evaluate(click("#units tbody tr a"))
    time.sleep(0.5)
    visit.settle()
    deeds["down"] = [browser.evaluate(text("#heading")), browser.evaluate("location.pathname")]

    visit.open("/explore?metric=officer_activity_ratio&period=2025")
    visit.do(choose("#param-level", "L1"))
    visit.do(choose("#grain", "quarter"))
    deeds["explored"] = [browser.evaluate(address), browser.evaluate(ROWS.format("#trend"))]
    visit.do(click("#rows summary"))
    visit.settle()
    deeds["rows behind"] = browser.evaluate(text("#rows .body"))
    visit.open("/explore?metric=nothing")
    deeds["unknown metric"] = browser.evaluate(text("#choice .state"))

    visit.open("/goals?status=off_course")
    deeds["off course"] = browser.evaluate("[...document.querySelectorAll('.goal')].map((goal) => goal.id)")

    visit.open("/sql")
    statement = (
        "select scope, value from metric('patrols', '2025-01-01', '2026-01-01', 'all', 'towns/*') order by scope"
    )
    browser.evaluate(typed("#statement", statement))
    browser.evaluate(click("#run"))
    browser.wait_for("document.querySelector('#result tbody tr') && document.getElementById('stop').hidden")
    deeds["asked"] = browser.evaluate(ROWS.format("#result"))
    deeds["statement"] = browser.evaluate("decodeURIComponent(location.hash)")
    browser.evaluate(click("#export-csv"))
    deeds["saved rows"] = wait_for_file(downloads, "*.csv", but="lawpulse-units")
    browser.evaluate(typed("#statement", "select valu from metrics.patrols"))
    browser.evaluate(click("#run"))
    browser.wait_for("document.getElementById('problem').innerText.trim() && document.getElementById('stop').hidden")
    deeds["mistake"] = [
        browser.evaluate(text("#problem")),
        browser.evaluate(
            "(() => { const box = document.getElementById('statement'); return box.value.slice(box.selectionStart, box.selectionEnd); })()"
        ),
    ]
    deeds["violations of a mistake"] = visit.violations()
    # Somebody types, key by key.
    browser.evaluate("(() => { const box = document.getElementById('statement'); box.value = ''; box.focus(); })()")
    browser.call("Input.insertText", text="select * from insp")
    browser.wait_for("document.querySelectorAll('#options li').length")
    deeds["offered"] = browser.evaluate(
        "[...document.querySelectorAll('#options li')].map((option) => option.innerText)"
    )
    # The list is moved by the arrow keys in the box, which has the focus; axe knows that of a combobox, and a box of many
    # lines may not be called one.
    deeds["violations of offers"] = visit.violations(but=["scrollable-region-focusable"])

    visit.open("/rejects?reason=bad_time")
    deeds["refused for their time"] = browser.evaluate("[...document.querySelectorAll('#lines tbody tr')].length")
    browser.evaluate(click("#reject-replay"))
    browser.wait_for("/\\d/.test(document.getElementById('reject-said')?.innerText ?? '')")
    deeds["tried again"] = browser.evaluate(text("#reject-said"))
    visit.open("/report?year=2024")
    deeds["report"] = [
        browser.evaluate(text("article.report h1")),
        browser.evaluate("document.querySelectorAll('#contents-list a').length"),
        browser.evaluate(
            "[...document.querySelectorAll('article.report a[href^=\"#\"]')].filter((link) => !document.getElementById(link.hash.slice(1))).length"
        ),
    ]

    visit.open("/")
    browser.call("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)
    visit.do(choose("#scope", "teams"))
    deeds["offline"] = browser.evaluate(text("#tile-patrols .state"))
    browser.call(
        "Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=-1
    )
    visit.do(click("#tile-patrols .state button"))
    deeds["online again"] = browser.evaluate("document.querySelector('#tile-patrols .value')?.dataset.value")
    return deeds


def main():
    base, artefacts, axe, *metrics = sys.argv[1:]
    artefacts = pathlib.Path(artefacts)
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        tempfile.TemporaryDirectory() as downloads,
        Browser(profile) as browser,
    ):
        browser.call("Page.setDownloadBehavior", behavior="allow", downloadPath=downloads)
        visit = Visit(browser, base, artefacts, pathlib.Path(axe).read_text())
        looks, seen = {}, {}
        for page, path in PAGES.items():
            found, seen[page] = look_at(visit, page, path)
            looks |= found
        numbers = {}
        for metric in metrics:
            visit.open(f"/explore?metric={metric}&period=2025")
            numbers[metric] = browser.evaluate("document.querySelector('.headline')?.dataset.value ?? null")
        wrong = list(problems(browser.events))
        requests = asked(browser.events)
        deeds = use(visit, pathlib.Path(downloads))
    print(
        json.dumps(
            {"looks": looks, "seen": seen, "metrics": numbers, "deeds": deeds, "problems": wrong, "requests": requests},
            ensure_ascii=False,
        )
    )


main()
