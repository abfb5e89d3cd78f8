"""The page in a real browser, in a frame without rights, as MLflow shows artifacts: drawn, every tab, and nothing asked for."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest

from synthml.drift import compare, page_of

if TYPE_CHECKING:
    from pathlib import Path

CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")]
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--remote-debugging-port=0",
)  # fmt: skip
FRAME = """<!doctype html><body><script>
onmessage = event => fetch("/told?" + encodeURIComponent(JSON.stringify(event.data)));
fetch("/page").then(r => r.text()).then(text => {
  const frame = document.createElement("iframe"); frame.sandbox = "allow-scripts"; frame.style = "width:1200px;height:2000px";
  frame.src = URL.createObjectURL(new Blob([text], {type: "text/html"})); document.body.append(frame); });
</script>"""
PROBE = """
const wrong = []; let blocked = 0, alerted = 0;
addEventListener("error", e => wrong.push(String(e.message)));
addEventListener("securitypolicyviolation", () => { blocked += 1; });
window.alert = () => { alerted += 1; };
const drawn = at => document.getElementById("root" + at).textContent.includes("Drift Score");
const started = Date.now();
const tick = setInterval(() => {
  if (drawn(0) && document.getElementById("pane1").hidden) document.getElementById("tab1").click();
  if ((drawn(0) && drawn(1)) || Date.now() - started > 50000) {
    clearInterval(tick);
    setTimeout(() => parent.postMessage({drawn: [!!drawn(0), !!drawn(1)], wrong, blocked, alerted,
      hidden: document.getElementById("pane0").hidden, images: document.querySelectorAll("img").length,
      svg: document.querySelectorAll("#root1 svg").length > 3}, "*"), 1500);
  }
}, 200);
"""


def table(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    found = pd.DataFrame({"</script><img src=x onerror=alert(1)>": rng.normal(size=300)})
    found["ward"] = np.array(rng.choice(["<img src=x onerror=alert(2)>", "east"], 300), dtype=object)
    return found


def test_it_is_drawn_in_a_frame_without_rights(tmp_path: Path) -> None:
    """No error, nothing stopped by the policy, nothing asked for, no name that became an element or ran."""
    kinds = {"</script><img src=x onerror=alert(1)>": "numeric", "ward": "categorical"}
    one = compare(table(1), table(2), names=("source", "synthetic"), kinds=kinds)
    other = compare(table(2), table(3), names=("synthetic", "holdout"), kinds=kinds)
    digest = base64.b64encode(hashlib.sha256(PROBE.encode()).digest()).decode()
    page = page_of([one, other]).replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
    page = page.replace("<header>", f"<script>{PROBE}</script><header>", 1)
    pages, asked = {"/frame": FRAME, "/page": page}, []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = pages.get(self.path, "").encode()
            self.send_response(200 if body else 204)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    assert CHROMIUM
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        command = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path}", f"http://127.0.0.1:{server.server_port}/frame"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as browser:
            end = time.monotonic() + 90
            while time.monotonic() < end and not any(path.startswith("/told?") for path in asked):
                time.sleep(0.1)
            browser.terminate()
        server.shutdown()
        thread.join()
    answer = next((path for path in asked if path.startswith("/told?")), None)
    assert answer is not None, "the browser did not answer"
    assert json.loads(unquote(answer.partition("?")[2])) == {
        "drawn": [True, True], "wrong": [], "blocked": 0, "alerted": 0, "hidden": True, "images": 0, "svg": True,
    }  # fmt: skip
    assert {path for path in asked if not path.startswith("/told?")} <= {"/frame", "/page", "/favicon.ico"}
