"""The wheel holds both packages, their types, templates and policies, and nothing else."""

import sys
import zipfile

REQUIRED = (
    "synthml/__init__.py",
    "synthml/py.typed",
    "synthml/policy/clinical-default.yaml",
    "synthml/policy/monitor-default.yaml",
    "synthml/policy/release-default.yaml",
    "synthml/policy/research-sandbox.yaml",
    "synthml/synthesis/dpmm_worker.py",
    "synthml_tracking/__init__.py",
    "synthml_tracking/cli.py",
    "synthml_tracking/py.typed",
)


def main(path: str) -> int:
    names = zipfile.ZipFile(path).namelist()
    missing = [name for name in REQUIRED if name not in names]
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    templates = [name for name in names if name.startswith("synthml/report/templates/")]
    tests = [name for name in names if name.split("/")[-1].startswith(("test_", "conftest")) or "/tests/" in name]
    strange = sorted(tops - {"synthml", "synthml_tracking"}) + tests
    print(f"{path.rsplit('/', 1)[-1]}: {len(names)} files, {len(templates)} templates")
    for name in missing:
        print(f"missing: {name}")
    for name in strange:
        print(f"does not belong there: {name}")
    return 1 if missing or strange or not templates else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
