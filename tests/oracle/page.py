"""Opens a page in headless Chromium over the DevTools protocol and prints, as JSON, what a person would see.

usage: page.py URL SCREENSHOT.png [overview|docs|dictionary]

For every page the answer has problems (console errors and warnings, exceptions, failed requests) and requests (every
URL asked for). For docs it also has operations (method and path), and tried (what a call says that was tried); for
dictionary, tables (their names). For the overview: lang, heading, tiles (id -> lines of text), charts (drawn plots), quiet (rows of the table of quiet
units).
"""

import base64
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import websocket

# A laptop.
WIDTH, HEIGHT = 1440, 900
PATIENCE_SECONDS = 60

FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--remote-debugging-port=0", f"--window-size={WIDTH},{HEIGHT}",
]

# Settled: every part of the page has loaded or failed, and the plots are drawn.
SETTLED = """
document.querySelectorAll('.tile').length > 1
&& !document.querySelector('.state.loading')
&& !document.querySelector('[aria-busy="true"]')
&& document.querySelectorAll('.plot').length === document.querySelectorAll('.plot .main-svg:first-of-type').length
"""

SEEN = """
(() => {
  const lines = (node) => node.innerText.split('\\n').map((line) => line.trim()).filter(Boolean);
  return {
    lang: document.documentElement.lang,
    heading: document.getElementById('heading').innerText,
    tiles: Object.fromEntries([...document.querySelectorAll('.tile')].map((tile) => [tile.id, lines(tile)])),
    charts: document.querySelectorAll('.plot .main-svg:first-of-type').length,
    quiet: [...document.querySelectorAll('#quiet tbody tr')].map((row) => [...row.cells].map((cell) => cell.textContent)),
    errors: [...document.querySelectorAll('.state.error, #notice:not([hidden])')].map((node) => node.innerText),
    scrolls_sideways: document.documentElement.scrollWidth > window.innerWidth,
  };
})()
"""


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
    "overview": ([], SETTLED, SEEN),
    "docs": (DOCS, DOCS_SETTLED, DOCS_SEEN),
    "dictionary": ([], "true", DICTIONARY_SEEN),
}


class Browser:
    """One tab of a Chromium of its own."""

    def __init__(self, profile):
        self.process = subprocess.Popen(
            ["chromium", *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        self.events, self.next_id = [], 0
        port, path = self.wait_for_port(pathlib.Path(profile) / "DevToolsActivePort")
        # The Origin header of a script is refused.
        self.socket = websocket.create_connection(f"ws://127.0.0.1:{port}{path}", timeout=PATIENCE_SECONDS, suppress_origin=True)
        self.session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def wait_for_port(self, file):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise SystemExit("chromium has stopped; is the package `chromium` whole? try tests/run")
            if file.exists() and (lines := file.read_text().split()) and len(lines) == 2:
                return lines
            time.sleep(0.05)
        raise SystemExit("chromium does not open its debugging port")

    def call(self, method, **parameters):
        self.next_id += 1
        message = {"id": self.next_id, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.socket.send(json.dumps(message))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == self.next_id:
                if "error" in answer:
                    raise SystemExit(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in result:
            raise SystemExit(f"the page refuses {expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait_for(self, expression):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if self.evaluate(f"Boolean({expression})"):
                return
            time.sleep(0.1)
        raise SystemExit(f"the page did not settle: {self.evaluate('document.body.innerText')[:2000]}")


def problems(events):
    for event in events:
        method, parameters = event.get("method"), event.get("params", {})
        if method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
            yield "console: " + " ".join(str(each.get("value", each.get("description"))) for each in parameters["args"])
        elif method == "Runtime.exceptionThrown":
            yield "exception: " + json.dumps(parameters["exceptionDetails"])
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            yield f"log: {parameters['entry']['text']} {parameters['entry'].get('url', '')}"
        elif method == "Network.loadingFailed" and not parameters.get("canceled"):
            yield "request: " + parameters["errorText"]
        elif method == "Network.responseReceived" and parameters["response"]["status"] >= 400:
            yield f"answer {parameters['response']['status']}: {parameters['response']['url']}"


def main():
    url, screenshot, *page = sys.argv[1:]
    steps, settled, seen_on_it = PAGES[page[0] if page else "overview"]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(profile)
        try:
            for domain in ("Page", "Runtime", "Log", "Network"):
                browser.call(f"{domain}.enable")
            browser.call("Emulation.setDeviceMetricsOverride", width=WIDTH, height=HEIGHT, deviceScaleFactor=1, mobile=False)
            browser.call("Page.navigate", url=url)
            browser.wait_for("location.href !== 'about:blank' && document.readyState === 'complete'")
            for element, deed in steps:
                browser.wait_for(element)
                browser.evaluate(f"{element}.{deed}")
            browser.wait_for(settled)
            seen = browser.evaluate(seen_on_it)
            picture = browser.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
            pathlib.Path(screenshot).write_bytes(base64.b64decode(picture))
        finally:
            browser.process.kill()
            browser.process.wait()
    asked = [event["params"]["request"]["url"] for event in browser.events if event.get("method") == "Network.requestWillBeSent"]
    print(json.dumps({**seen, "problems": list(problems(browser.events)), "requests": asked}, ensure_ascii=False))


main()
