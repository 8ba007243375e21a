"""Build the book: ``python -m tools.book build`` (what ``make book`` calls).

The sources are copied to a folder of its own below ``_build``, the notebooks are executed there
(see :mod:`tools.execute`), and Jupyter Book renders the copy, strictly: a warning fails the build.
Nothing outside ``_build`` is written, so a build leaves the working tree as it was.
``store`` copies the executed notebooks back to ``book/`` instead, for a commit; with ``--only``
those that are named, the others are left as they are. It ends with 1 where a cell wrote on standard
error, which readers would see who run the notebook.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat

from tools import cite, launch, reference
from tools.execute import ROOT, execute_cached, notebooks, prepare, take_stderr

JUPYTER_BOOK = "from jupyter_book.cli.main import main; main()"
SOURCES = ("book", "ser", "tools", "_config.yml", "_toc.yml", "CITATION.cff", "requirements.txt")
"""What rendered pages depend on."""
RUN_TIMES = "<!-- run times: filled in by the build -->"


def stage(folder: Path, root: Path = ROOT) -> Path:
    """Copy the book's sources to *folder*, anew."""
    shutil.rmtree(folder, ignore_errors=True)
    ignore = shutil.ignore_patterns("_build", "__pycache__", ".ipynb_checkpoints", "work", "models")
    shutil.copytree(root / "book", folder / "book", ignore=ignore)
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy2(root / name, folder / name)
    launch.fill(folder / "_config.yml")
    reference.fill(folder / "book")
    cite.fill(folder / "book" / "cite.md", root / "CITATION.cff")
    return folder


def run_times(results: dict[str, dict]) -> str:
    """The table of the page of run times, as Markdown."""
    rows = [f"| `{name}` | {result['seconds']:.0f} |" for name, result in results.items()]
    total = sum(result["seconds"] for result in results.values())
    rows.append(f"| **all** | **{total:.0f}** |")
    machine = (
        f"Measured by the build on {os.cpu_count()} cores ({platform.machine()}), "
        f"{platform.system()}, Python {platform.python_version()}, torch {version('torch')}, "
        "each notebook from the top in a fresh kernel, one after the other; those that ran in "
        "the tests had one thread, and other tests beside them."
    )
    return "\n".join([machine, "", "| notebook | seconds |", "| :-- | --: |", *rows])


def chosen(names: list[str], root: Path = ROOT) -> list[Path]:
    """The notebooks of those names (``recipe``), all if none is named; exit at an unknown one."""
    every = {path.stem: path for path in notebooks(root)}
    if unknown := [name for name in names if name not in every]:
        sys.exit(f"no notebook {unknown[0]!r}; there are: {', '.join(every)}")
    return [path for name, path in every.items() if not names or name in names]


def execute_all(
    build: Path, staged: Path, root: Path = ROOT, only: list[str] | None = None
) -> dict[str, dict]:
    """Execute the notebooks and put them into the staged copy; exit where one fails.

    What a library says on standard error of this machine belongs on the screen, not on a page: it
    is told here, and is under ``"stderr"`` of the notebook's result.
    """
    results, failed = {}, []
    for notebook in chosen(only or [], root):
        name = notebook.relative_to(root).as_posix()
        target = staged / name
        result = execute_cached(notebook, target.parent, build / "executed", root)
        state = "ran" if result["ran"] else "unchanged, kept from"
        print(f"{name}: {state} {result['seconds']:.1f} s", flush=True)
        if "error" in result:
            failed.append(name)
            print(result["error"], file=sys.stderr, flush=True)
            continue
        executed = nbformat.read(result["path"], as_version=4)
        told = take_stderr(executed)
        for line in told:
            print(f"{name}, {line}", file=sys.stderr, flush=True)
        nbformat.write(executed, target)
        results[name] = result | {"stderr": told}
    if failed:
        sys.exit(f"a cell failed in: {', '.join(failed)}")
    page = staged / "book" / "run_times.md"
    page.write_text(page.read_text("utf-8").replace(RUN_TIMES, run_times(results)), "utf-8")
    return results


def render(staged: Path, output: Path) -> Path:
    """HTML from the staged sources; every warning is an error, links included."""
    shutil.rmtree(output / "_build", ignore_errors=True)
    command = [sys.executable, "-c", JUPYTER_BOOK, "build", str(staged)]
    command += ["--path-output", str(output), "-W", "-n", "--keep-going", "--all"]
    output.mkdir(parents=True, exist_ok=True)
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path}  # for the extension tools.links
    log = output / "log.txt"
    with log.open("w", encoding="utf-8") as stream:  # warnings and errors still reach the screen
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=stream, env=environment, check=False
        )
    if done.returncode:
        sys.exit(f"Jupyter Book ended with exit code {done.returncode}; its log: {log}")
    return output / "_build" / "html"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.book", description=__doc__)
    parser.add_argument("command", choices=["build", "store", "render"])
    parser.add_argument("--output", type=Path, default=ROOT / "_build", help="default: _build")
    parser.add_argument("--only", nargs="+", default=[], help="store: names of notebooks")
    args = parser.parse_args(argv)
    if args.only and args.command != "store":
        parser.error("--only goes with store: a book has all its pages")
    chosen(args.only)
    output = args.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="stage-", dir=output, ignore_cleanup_errors=True) as own:
        return make(args, output, stage(Path(own)))


def make(args: argparse.Namespace, output: Path, staged: Path) -> int:
    """What was asked for, from the *staged* sources; the HTML ends in *output*."""
    if args.command != "render":
        prepare(output)
        results = execute_all(output, staged, only=args.only)
        if args.command == "store":
            for name in results:
                shutil.copyfile(staged / name, ROOT / name)
            return int(any(result["stderr"] for result in results.values()))
    scratch = output / "sphinx"
    html = render(staged, scratch)
    final = output / "html"
    shutil.rmtree(final, ignore_errors=True)
    html.replace(final)
    print(f"the book: {final / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
