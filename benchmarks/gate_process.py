"""What `synthml gate` costs as a process, beside `import mlflow` and beside asking MLflow for the same model without synthml.

    uv run python benchmarks/gate_process.py

Records the demo in a folder that is removed afterwards, starts `mlflow server` on its store, and runs every command in turn.
Prints medians of CPU seconds (user and system, of the process alone) and of wall-clock seconds, and the ratio to `import mlflow`.
"""

import argparse
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

BARE = """
import sys
import mlflow

client = mlflow.MlflowClient(sys.argv[1])
version = client.get_model_version(sys.argv[2], "1")
client.get_logged_model(version.source.rpartition("/")[2])
client.get_run(version.run_id)
"""
NAME = "rand-hie-high-use"


def seconds(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[float, float]:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def served(folder: Path, environment: dict[str, str]) -> tuple[subprocess.Popen, str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    given = {**environment, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    output = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen([*command, "--port", str(port), "--workers", "1"], cwd=folder, env=given, **output)
    for _ in range(120):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
            return server, f"http://127.0.0.1:{port}"
        except OSError:
            time.sleep(1)
    server.kill()
    raise SystemExit("the server did not answer")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=9)
    times = parser.parse_args().times
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    for name in ("SYNTHML_TRUST", "SYNTHML_SIGNING_KEY", "MLFLOW_TRACKING_URI", "PYTHONDONTWRITEBYTECODE"):
        environment.pop(name, None)
    synthml = [sys.executable, "-m", "synthml_tracking.cli"]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        subprocess.run([*synthml, "demo"], cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)
        server, address = served(folder, environment)
        commands = {"import mlflow": [sys.executable, "-c", "import mlflow"]}
        for what, uri in (("sqlite", "sqlite:///mlflow.db"), ("http", address)):
            commands[f"MLflow alone asks for version, model and run, {what}"] = [sys.executable, "-c", BARE, uri, NAME]
            asked = ["gate", f"models:/{NAME}/1", "--policy", "research-sandbox", "--dry-run", "--tracking-uri", uri]
            commands[f"synthml gate, {what}"] = [*synthml, *asked]
        found: dict[str, list[tuple[float, float]]] = {what: [] for what in commands}
        try:
            for turn in range(times + 1):
                for what, command in commands.items():
                    measured = seconds(command, folder, environment)
                    if turn:  # the first run of each compiles and fills caches
                        found[what].append(measured)
        finally:
            server.terminate()
            server.wait()
    base = statistics.median(cpu for cpu, _ in found["import mlflow"])
    print("| process | CPU s | wall s | CPU, times `import mlflow` |\n|---|---|---|---|")
    for what, measured in found.items():
        cpu, wall = (statistics.median(values) for values in zip(*measured, strict=True))
        print(f"| {what} | {cpu:.2f} | {wall:.2f} | {cpu / base:.2f} |")


if __name__ == "__main__":
    main()
