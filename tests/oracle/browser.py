"""A headless Chromium, driven over the DevTools protocol: what the tests of the pages share."""

import base64
import json
import pathlib
import subprocess
import time

import websocket

# Tests are made with a server without optimisations, beside others.
PATIENCE_SECONDS = 300

# A page has been put together from what its server said.
SHOWN = "document.body.dataset.state === 'shown' && !document.querySelector('.state.loading') && !document.querySelector('[aria-busy=\"true\"]')"

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
]


class Browser:
    """One tab of a Chromium of its own."""

    def __init__(self, profile):
        self.process = subprocess.Popen(
            ["chromium", *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.events, self.next_id = [], 0
        port, path = self.wait_for_port(pathlib.Path(profile) / "DevToolsActivePort")
        # The Origin header of a script is refused.
        self.socket = websocket.create_connection(
            f"ws://127.0.0.1:{port}{path}", timeout=PATIENCE_SECONDS, suppress_origin=True
        )
        self.session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def size(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def open(self, url):
        # The page before may be complete still.
        self.evaluate("window.isLeft = true")
        self.call("Page.navigate", url=url)
        self.wait_for("!window.isLeft && location.href !== 'about:blank' && document.readyState === 'complete'")

    def picture(self, file, whole=True):
        taken = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        pathlib.Path(file).write_bytes(base64.b64decode(taken["data"]))

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
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise SystemExit(f"the page refuses {expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def holds(self, expression, seconds=PATIENCE_SECONDS):
        """Whether something becomes true on the page within so many seconds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.evaluate(f"Boolean({expression})"):
                return True
            time.sleep(0.1)
        return False

    def wait_for(self, expression):
        if not self.holds(expression):
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


def asked(events):
    """Every URL that was asked for."""
    return [event["params"]["request"]["url"] for event in events if event.get("method") == "Network.requestWillBeSent"]
