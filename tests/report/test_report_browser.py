"""The report in a real browser: no message, no request, no sideways scrolling at any width, links that work in MLflow's frame."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pypdf
import pytest
from report.report_dossiers import dossier, hostile, verdict

from synthml.report.html import report_html

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from synthml.evidence import Dossier

CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")]
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
)

WIDTHS = """<!doctype html><body><script>
const told = {};
for (const width of [320, 390, 740, 800, 850, 1000, 1160, 1600]) {
  const frame = document.createElement("iframe"); frame.src = "/report"; frame.style = `width:${width}px;height:800px`;
  document.body.append(frame);
  frame.onload = () => { const page = frame.contentDocument;
    page.querySelectorAll("details").forEach(fold => fold.open = true);
    told[width] = page.documentElement.scrollWidth - page.documentElement.clientWidth;
    if (Object.keys(told).length == 8) fetch("/told?" + encodeURIComponent(JSON.stringify(told))); };
}
</script>"""
FRAME = """<!doctype html><body><script>
onmessage = event => fetch("/told?" + encodeURIComponent(JSON.stringify(event.data)));
fetch("/clicking").then(r => r.text()).then(text => {
  const frame = document.createElement("iframe"); frame.sandbox = "allow-scripts";
  frame.src = URL.createObjectURL(new Blob([text], {type: "text/html"})); document.body.append(frame); });
</script>"""
CLICK = """<script>setTimeout(() => { document.querySelector("nav a[href='#groups']").click();
  setTimeout(() => parent.postMessage({focused: document.activeElement.id, moved: scrollY > 100}, "*"), 1500); }, 200)</script>"""


@contextmanager
def served(pages: dict[str, str]) -> Iterator[tuple[str, list[str]]]:
    """A server on this machine; the paths that were asked for."""
    asked: list[str] = []

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

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def dom(address: str, profile: Path) -> tuple[str, str]:
    """The document as the browser holds it, and what it wrote to its console."""
    assert CHROMIUM
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "--dump-dom", address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


def told(page: str, pages: dict[str, str], profile: Path) -> dict[str, object]:
    """Open a page that calls /told?<json>, and what it told."""
    assert CHROMIUM
    with served(pages) as (origin, asked):
        command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "--remote-debugging-port=0", origin + page]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as browser:
            end = time.monotonic() + 60
            while time.monotonic() < end and not any(path.startswith("/told?") for path in asked):
                time.sleep(0.1)
            browser.terminate()
        answer = next((path for path in asked if path.startswith("/told?")), None)
    assert answer is not None, "the browser did not answer"
    return dict(json.loads(unquote(answer.partition("?")[2])))


@pytest.mark.parametrize("made", [dossier, hostile])
def test_it_opens_without_a_message_and_asks_for_nothing(made: Callable[[], Dossier], tmp_path: Path) -> None:
    """Neither from a server nor from a file does it write to the console, and the server is asked for the page alone."""
    subject = made()
    text = report_html(subject, verdict(subject))
    file = tmp_path / "report.html"
    file.write_text(text, encoding="utf-8")
    document, messages = dom(file.as_uri(), tmp_path / "profile")
    assert messages == ""
    assert document.count("<tr") == text.count("<tr")
    with served({"/report": text}) as (origin, asked):
        _, messages = dom(f"{origin}/report", tmp_path / "profile")
    assert messages == ""
    assert set(asked) <= {"/report", "/favicon.ico"}


@pytest.mark.parametrize("made", [dossier, hostile])
def test_the_page_scrolls_only_downwards(made: Callable[[], Dossier], tmp_path: Path) -> None:
    """From a phone to a wide screen, with every fold open, the page is no wider than its window, whatever the labels."""
    subject = made()
    found = told("/widths", {"/widths": WIDTHS, "/report": report_html(subject, verdict(subject))}, tmp_path)
    assert found == dict.fromkeys(("320", "390", "740", "800", "850", "1000", "1160", "1600"), 0)


def test_links_work_in_a_sandboxed_frame(tmp_path: Path) -> None:
    """MLflow shows an artifact on a blob address without an origin, where a browser refuses plain links within the page."""
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", report_html(dossier()))
    found = told("/frame", {"/frame": FRAME, "/clicking": text.replace("</body>", CLICK + "</body>")}, tmp_path)
    assert found == {"focused": "groups", "moved": True}


@pytest.mark.parametrize("made", [dossier, hostile])
def test_the_first_printed_page_stands_by_itself(made: Callable[[], Dossier], tmp_path: Path) -> None:
    """Verdict, answer and all eighteen questions are on page one, and the chapters begin on page two, whatever the labels."""
    subject = made()
    file, printed = tmp_path / "report.html", tmp_path / "report.pdf"
    file.write_text(report_html(subject, verdict(subject)), encoding="utf-8")
    assert CHROMIUM
    command = [
        CHROMIUM,
        *FLAGS,
        f"--user-data-dir={tmp_path}",
        "--no-pdf-header-footer",
        f"--print-to-pdf={printed}",
        file.as_uri(),
    ]
    subprocess.run(command, capture_output=True, timeout=120, check=True)
    first, second = (page.extract_text() for page in pypdf.PdfReader(printed).pages[:2])
    assert "What was asked" in first
    assert all(re.search(rf"\n{number} [A-Z]", first) for number in range(1, 19))
    assert first.count("Approver is not the author") == 1
    assert "Is the primary metric measured" in second
