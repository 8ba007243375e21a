"""What a plain ``pip install .`` brings is what the package imports; extras are named in time."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from importlib import metadata
from pathlib import Path

import pytest

from ser.experiments.record_folder import record_files

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MODULE = {
    "scikit-learn": "sklearn",
    "pillow": "PIL",
    "praat-parselmouth": "parselmouth",
    "lazy-loader": "lazy_loader",
}
"""Distribution -> the module it brings, where they are called differently."""
WITH_TORCH = {"triton"}
"""Comes with torch where it has CUDA, and is imported only there."""


def modules(requirements):
    names = {re.match(r"[\w-]+", line)[0].lower() for line in requirements}
    return {MODULE.get(name, name) for name in names} - {"ser-book"}


PLAIN = modules(PROJECT["dependencies"])
EXTRA = {
    module
    for name, lines in PROJECT["optional-dependencies"].items()
    if name not in ("book", "test")
    for module in modules(lines)
}


def imports(*folders):
    """Foreign module -> where it is imported: (file, at once or only within a function)."""
    found = defaultdict(set)

    def visit(node, file, late):
        for child in ast.iter_child_nodes(node):
            names = []
            if isinstance(child, ast.Import):
                names = [alias.name for alias in child.names]
            elif isinstance(child, ast.ImportFrom) and not child.level:
                names = [child.module]
            for name in names:
                top = name.split(".")[0]
                if top not in sys.stdlib_module_names and top != "ser":
                    found[top].add((file.relative_to(ROOT).as_posix(), late))
            typing = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            visit(child, file, late or typing or function)

    for folder in folders or ("ser",):
        for file in (ROOT / folder).rglob("*.py"):
            visit(ast.parse(file.read_text(encoding="utf-8")), file, False)
    return found


def test_every_import_is_a_declared_dependency():
    found = imports()
    undeclared = {name: found[name] for name in set(found) - PLAIN - EXTRA - WITH_TORCH}
    assert not undeclared, "declare them in pyproject.toml"
    assert set(found) >= PLAIN, f"declared and never imported: {PLAIN - set(found)}"


def test_what_the_book_tools_and_tests_import_is_declared():
    declared = sum(PROJECT["optional-dependencies"].values(), PROJECT["dependencies"])
    names = {re.match(r"[\w-]+", line)[0].lower() for line in declared}
    brought = {
        module
        for module, of in metadata.packages_distributions().items()
        if {name.lower().replace("_", "-") for name in of} & names
    }
    own = {"chapters", "tools", "tests", "benchmarks"}
    own |= {file.stem for file in (ROOT / "tests").glob("*.py")}
    found = imports("book/chapters", "tools", "tests", "benchmarks")
    undeclared = set(found) - own - brought - modules(declared) - WITH_TORCH
    assert not {name: found[name] for name in undeclared}, "declare them in pyproject.toml"


def test_what_is_an_extra_is_imported_only_where_it_is_used():
    at_once = {n: w for n, w in imports().items() if n in EXTRA and not all(x[1] for x in w)}
    assert not at_once


BLOCKED = r"""if True:
    import sys
    from importlib import metadata

    blocked = set(sys.argv[1].split(","))
    if "undeclared" in blocked:  # all that a plain install would not have brought
        import re

        wanted, names = DECLARED, {"ser-book"}
        while wanted:
            name = re.match(r"[\w.-]+", wanted.pop())[0].lower().replace("_", "-")
            try:
                needs = [] if name in names else metadata.requires(name) or []
            except metadata.PackageNotFoundError:  # of another system
                continue
            names.add(name)
            wanted += [need for need in needs if "extra ==" not in need]
        bring = metadata.packages_distributions()
        blocked = {m for m, d in bring.items()
                   if not {x.lower().replace("_", "-") for x in d} & names}

    class Without:
        def __init__(self, finder):
            self.finder = finder

        def __getattr__(self, name):
            return getattr(self.finder, name)

        def find_spec(self, name, path=None, target=None):
            if name.split(".")[0] not in blocked:
                return self.finder.find_spec(name, path, target)

    sys.meta_path[:] = map(Without, sys.meta_path)
    from ser.cli import main
    sys.exit(main(sys.argv[2:]))
"""


def ser(blocked, *arguments):
    """``ser`` in a process of its own, in which the modules *blocked* are not installed."""
    declared = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["synthetic"]]
    code = BLOCKED.replace("DECLARED", repr(declared))
    command = [sys.executable, "-c", code, blocked, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


FIRST = ("run", "--model", "mfcc-lstm", "--protocol", "speakers", "--epochs", "1")


@pytest.mark.parametrize("arguments", [("check", "synthetic"), FIRST])
def test_the_first_example_without_parselmouth_names_the_extra(tmp_path, arguments):
    out = () if arguments[0] == "check" else ("--out", tmp_path / "out")
    done = ser("parselmouth,opensmile,av", *arguments, *out)
    assert done.returncode == 2, done.stderr
    assert "pip install 'ser-book[synthetic]'" in done.stderr and "Traceback" not in done.stderr
    assert "pip install 'ser-book[synthetic]'" in ser("", "--help").stdout


def test_egemaps_without_opensmile_names_the_extra_before_long_work(tiny_root, tmp_path):
    done = ser(
        "opensmile", "run", "--root", tiny_root, "--model", "mfcc-lstm,egemaps-lr", "--out",
        tmp_path / "out", "--jobs", "1", "--epochs", "1",
    )  # fmt: skip
    assert done.returncode == 2 and "pip install 'ser-book[egemaps]'" in done.stderr
    assert not list(record_files(tmp_path / "out")), "nothing was trained before"


def test_the_first_session_needs_nothing_but_what_is_declared(tiny_root, tmp_path):
    out = tmp_path / "out"
    done = ser("undeclared", "check", "synthetic", "--root", tiny_root)
    assert done.returncode == 0, done.stderr
    small = ("--root", tiny_root, "--batch-size", "16", "--hidden", "8", "--jobs", "1")
    done = ser("undeclared", *FIRST, *small, "--folds", "2", "--out", out)
    assert done.returncode == 0, done.stderr
    assert ser("undeclared", "report", out).returncode == 0
    models = out / "models" / "mfcc-lstm" / "speakers-release-1-seed0"
    clip = next(tiny_root.rglob("*.wav"))
    assert ser("undeclared", "predict", clip, "--checkpoint", models).returncode == 0
