"""Do the tests see it when the code is wrong? ``python -m tools.mutants --count 60 --seed 0``.

One operator, number or condition of the package is changed at a time, in a copy of the working
tree, and the tests that speak of that place are run until one fails. A mutant that none of them
sees has survived: either the change makes no difference, or a test is missing. What was found is
written as it goes, so that a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import ast
import copy
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tools.execute import ROOT

ROOMS = ("metrics", "protocols", "nn", "features", "training", "experiments")
"""Where wrong code gives a wrong number in silence."""
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
SLOW = ("test_book", "test_pages", "test_reference", "test_front_matter", "test_notebooks")
"""Tests of the built pages: they look at words, not at numbers."""
SHORTEST = 5
"""Letters: shorter names are words that any test may use."""
LIMIT = 200
"""Seconds for one test; who waits longer sees that something is wrong."""


@dataclass(frozen=True)
class Mutant:
    """One change: a file, the function around it, the line, and both texts."""

    file: str
    function: str
    line: int
    before: str
    after: str


def candidates(path: Path, root: Path = ROOT) -> Iterator[Mutant]:
    """Every change that can be made in one file's functions, in the order of its lines."""
    tree = ast.parse(path.read_text("utf-8"))
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            for statement in _statements(function):
                for changed, line in _changes(statement):
                    yield Mutant(
                        path.relative_to(root).as_posix(),
                        function.name,
                        line,
                        ast.unparse(statement),
                        changed,
                    )


def _statements(function: ast.FunctionDef) -> Iterator[ast.stmt]:
    """Simple statements of the function itself; neither errors, log lines nor messages."""
    for node in ast.walk(function):
        said = any(isinstance(part, ast.JoinedStr) for part in ast.walk(node))
        if isinstance(node, ast.Assign | ast.AugAssign | ast.Return) and not said:
            yield node


def _changes(statement: ast.stmt) -> Iterator[tuple[str, int]]:
    for k, node in enumerate(ast.walk(statement)):
        if (edit := _edit(node)) is not None:
            changed = copy.deepcopy(statement)
            edit(list(ast.walk(changed))[k])
            yield ast.unparse(changed), getattr(node, "lineno", statement.lineno)


def _edit(node: ast.AST):
    """The function that changes such a node, None where there is nothing to change."""
    if isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign) and type(node.op) in SWAPS:
        text = isinstance(node, ast.BinOp) and isinstance(node.left, ast.JoinedStr | ast.Constant)
        if text and isinstance(getattr(node.left, "value", ""), str):
            return None
        return lambda n: setattr(n, "op", SWAPS[type(n.op)]())
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
        return lambda n: n.ops.__setitem__(0, SWAPS[type(n.ops[0])]())
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        return lambda n: setattr(n, "value", not n.value)
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return lambda n: setattr(n, "value", n.value + 1)
    return None


def chosen(count: int, seed: int, rooms: tuple[str, ...] = ROOMS, root: Path = ROOT):
    """*count* mutants, shared evenly among the rooms; the same ones for the same seed and code."""
    draw = random.Random(seed)
    found: list[Mutant] = []
    for k, room in enumerate(rooms):
        single = root / "ser" / f"{room}.py"
        files = [single] if single.is_file() else sorted((root / "ser" / room).rglob("*.py"))
        files = [file for file in files if "triton" not in file.name]  # they need a GPU
        every = [mutant for file in files for mutant in candidates(file, root)]
        share = count // len(rooms) + (k < count % len(rooms))
        found += draw.sample(every, min(share, len(every)))
    return found


def tests_of(mutant: Mutant, root: Path = ROOT) -> list[str]:
    """The module's own examples, and the test files that name it or something written in it."""
    module = mutant.file.removesuffix(".py").replace("/", ".")
    body = ast.parse((root / mutant.file).read_text("utf-8")).body
    written = [d.name for d in body if isinstance(d, ast.FunctionDef | ast.ClassDef)]
    names = [re.escape(n) for n in (module, *written) if len(n) >= SHORTEST]
    named = re.compile(rf"\b(?:{'|'.join(names)})\b")
    files = sorted((root / "tests").glob("test_*.py"))
    near = [f for f in files if f.stem not in SLOW and named.search(f.read_text("utf-8"))]
    return [mutant.file, *(f"tests/{f.name}" for f in near)]


def place(mutant: Mutant, tree: Path) -> tuple[Path, ast.Module]:
    """The file of *tree* that has such a statement in such a function, and its changed code.

    Raises:
        LookupError: there is none.
    """
    own = [p for p in (tree / mutant.file,) if p.is_file()]
    for path in [*own, *sorted((tree / "ser").rglob("*.py"))]:
        text = path.read_text("utf-8")
        program = ast.parse(text) if f"def {mutant.function}(" in text else ast.Module([], [])
        for function in ast.walk(program):
            if isinstance(function, ast.FunctionDef) and function.name == mutant.function:
                for node in ast.walk(function):
                    for body in (v for _, v in ast.iter_fields(node) if isinstance(v, list)):
                        for k, item in enumerate(body):
                            if isinstance(item, ast.stmt) and ast.unparse(item) == mutant.before:
                                body[k] = ast.parse(f"def f():\n {mutant.after}").body[0].body[0]
                                return path, program
    raise LookupError(f"no such statement in {mutant.function}")


def stands(mutant: Mutant, tree: Path) -> bool:
    """Whether *tree* still has the statement that the mutant changes."""
    try:
        return bool(place(mutant, tree))
    except LookupError:
        return False


def killed_by(mutant: Mutant, tree: Path, broken: set[str]) -> str:
    """The test that fails in *tree* once it holds the mutant; empty where none does.

    A test that fails in the tree as it was sees nothing: it joins *broken*, and the next is asked.
    """
    path, program = place(mutant, tree)
    kept = path.read_text("utf-8")
    changed = ast.unparse(ast.fix_missing_locations(program))
    tests = tests_of(replace(mutant, file=path.relative_to(tree).as_posix()), tree)
    while True:
        path.write_text(changed, encoding="utf-8")
        try:
            failed = _first_failure(tests, tree, broken)
        finally:
            path.write_text(kept, encoding="utf-8")
        if "::" not in failed or not _first_failure([failed], tree, set()):
            return failed
        broken.add(failed)


def _first_failure(tests: list[str], tree: Path, broken: set[str]) -> str:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "--tb=no"]
    command += ["-p", "no:cacheprovider", "-m", "not slow", "--timeout", str(LIMIT), *tests]
    command += [f"--deselect={test}" for test in sorted(broken)]
    paths = os.pathsep.join([str(tree), str(tree / "book")])
    # Bytecode is kept by size and second: one of the text before would stand in for a mutant.
    own = {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    environment = os.environ | own
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    if not done.returncode:
        return ""
    named = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    return named[1] if named else "the tests did not end"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__)
    parser.add_argument("--count", type=int, default=60, help="default: 60")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rooms", nargs="+", default=ROOMS, help=f"default: {' '.join(ROOMS)}")
    parser.add_argument("--out", type=Path, default=ROOT / "_build" / "mutants.jsonl")
    parser.add_argument("--like", type=Path, help="the mutants of another tree's --out")
    parser.add_argument("--tree", type=Path, default=ROOT, help="default: this one")
    parser.add_argument("--list", action="store_true", help="show them and run nothing")
    args = parser.parse_args()
    mutants = chosen(args.count, args.seed, tuple(args.rooms), args.tree)
    if args.like:
        rows = map(json.loads, args.like.read_text("utf-8").splitlines())
        mutants = [mutant for row in rows if stands(mutant := Mutant(**row["mutant"]), args.tree)]
    if args.list:
        for m in mutants:
            print(f"{m.file}:{m.line} {m.function}: {m.before!r} -> {m.after!r}")
        return 0
    args.out.parent.mkdir(parents=True, exist_ok=True)
    lines = args.out.read_text("utf-8").splitlines() if args.out.is_file() else []
    done = {Mutant(**row["mutant"]): row["killed_by"] for row in map(json.loads, lines)}
    broken: set[str] = set()
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        ignored = shutil.ignore_patterns(".git", ".venv", "_build", "__pycache__", "results")
        shutil.copytree(args.tree, tree, ignore=ignored)
        shutil.copytree(args.tree / "book" / "results", tree / "book" / "results")
        for k, mutant in enumerate(mutants, 1):
            if mutant not in done:
                done[mutant] = killed_by(mutant, tree, broken)
                with args.out.open("a", encoding="utf-8") as stream:
                    row = {"mutant": asdict(mutant), "killed_by": done[mutant]}
                    stream.write(json.dumps(row) + "\n")
            said = done[mutant] or "SURVIVED"
            print(f"{k}/{len(mutants)} {mutant.file}:{mutant.line} {said}", flush=True)
    alive = [m for m in mutants if not done[m]]
    for m in alive:
        print(f"survived: {m.file}:{m.line} {m.function}\n  {m.before}\n  {m.after}")
    print(f"{len(mutants) - len(alive)} of {len(mutants)} mutants were seen by the tests")
    return 0


if __name__ == "__main__":
    sys.exit(main())
