"""Run notebooks in fresh kernels, and run none twice without need.

A notebook's key covers what its outputs depend on: its own cells, every file of ``ser/`` and of the
chapters' own code, the pinned environment, the records under ``book/results`` and the Python in
use. An executed notebook is kept under its key, so a change there runs the chapters again and a
second build runs none.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).resolve().parent.parent
CELL_TIMEOUT = 1200
TIMED = ("fast", "training")
"""Notebooks that show how long something took: a book takes them from a run with nothing beside."""
IGNORED = {"__pycache__", ".ipynb_checkpoints", "work", "models"}


def notebooks(root: Path = ROOT) -> list[Path]:
    """The chapters that are notebooks, in order of path."""
    found = (root / "book").rglob("*.ipynb")
    return sorted(p for p in found if ".ipynb_checkpoints" not in p.parts)


def tree_digest(*paths: Path) -> str:
    """SHA-256 over names and bytes of files and folders; a missing path counts as empty."""
    digest = hashlib.sha256()
    for path in paths:
        files = [path] if path.is_file() else sorted(path.rglob("*"), key=lambda p: p.as_posix())
        for file in files:
            inner = file.relative_to(path.parent)
            if file.is_file() and not IGNORED & set(inner.parts):
                content = hashlib.sha256(file.read_bytes()).hexdigest()
                digest.update(f"{inner.as_posix()}\0{content}\n".encode())
    return digest.hexdigest()


def notebook_key(notebook: Path, root: Path = ROOT) -> str:
    """The key *notebook*'s outputs are kept under: 24 hexadecimal digits."""
    cells = [
        (cell.cell_type, cell.source, cell.metadata.get("tags", []))
        for cell in nbformat.read(notebook, as_version=4).cells
    ]
    book = root / "book"
    surroundings = tree_digest(
        root / "ser", book / "chapters", root / "requirements.txt", book / "results"
    )
    parts = [notebook.name, cells, surroundings, platform.python_version(), platform.system()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]


def prepare(build: Path, root: Path = ROOT) -> None:
    """Make kernels use this environment, keep corpora and features below *build*, stay quiet.

    NumPy's products are small here: on two threads they cost more of the processor than on one
    (`ser check` of the built-in corpus 7.5 s, on one 3.1 s), so it has one.
    The synthetic corpus is made here, once, so that no page shows the progress bar of its making.
    Corpora and features made by other code are removed. ``SER_DATA`` and ``SER_CACHE`` win where
    they are set. Figures take matplotlib's own fonts and settings, whatever the machine has.
    """
    corpora, features = root / "ser" / "corpora", root / "ser" / "features"
    made_by = {
        "SER_DATA": ("data", sorted(corpora.glob("synth*.py"))),
        "SER_CACHE": ("cache", [features, root / "ser" / "audio.py"]),
    }
    for variable, (name, sources) in made_by.items():
        if not os.environ.get(variable):
            folder = build / name / tree_digest(*sources)[:12]
            for old in folder.parent.glob("*"):
                if old != folder:
                    shutil.rmtree(old, ignore_errors=True)
            os.environ[variable] = str(folder)
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    os.environ["PYTHONHASHSEED"] = "0"
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # NumPy's idle threads spin, torch's do not
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    os.environ["MPL_IGNORE_SYSTEM_FONTS"] = "1"
    os.environ["MPLCONFIGDIR"] = str(build / "matplotlib")
    import matplotlib.font_manager  # noqa: F401  its first import writes a cache, and says so

    from ser import load_corpus

    load_corpus("synthetic")


def tidy(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Drop what changes from run to run without meaning: times, widget states, kernel details."""
    python = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": python, "language_info": {"name": "python"}}
    )
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        cell.metadata.pop("papermill", None)
    return notebook


def take_stderr(notebook: nbformat.NotebookNode) -> list[str]:
    """Take what cells wrote on standard error out of *notebook*; told with the cell's number."""
    told = []
    for number, cell in enumerate(notebook.cells, 1):
        outputs = cell.get("outputs", [])
        written = "".join(o.text for o in outputs if o.get("name") == "stderr").strip()
        if written:
            cell.outputs = [o for o in outputs if o.get("name") != "stderr"]
            told.append(f"cell {number} wrote on standard error: {written}")
    return told


def execute(notebook: Path, folder: Path) -> nbformat.NotebookNode:
    """Run *notebook* from the top in a fresh kernel that works in *folder*.

    Raises:
        CellExecutionError: a cell failed; the message shows the cell and its traceback.
    """
    content = nbformat.read(notebook, as_version=4)
    client = NotebookClient(
        content,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(folder)}},
    )
    return tidy(client.execute())


def execute_cached(notebook: Path, folder: Path, cache: Path, root: Path = ROOT) -> dict:
    """Run *notebook* unless its key is known.

    Returns:
        ``{"path": executed notebook, "seconds": of the run that made it, "ran": bool}``, and
        ``"error"`` instead of a path where a cell failed.
    """
    kept = kept_at(notebook, cache, root)
    times = kept.with_suffix(".json")
    if kept.is_file() and times.is_file():
        return {"path": kept, "ran": False, **json.loads(times.read_text(encoding="utf-8"))}
    started = time.perf_counter()
    try:
        executed = execute(notebook, folder)
    except CellExecutionError as error:
        return {"error": str(error), "ran": True, "seconds": time.perf_counter() - started}
    return {"path": kept, "ran": True, **keep(executed, kept, time.perf_counter() - started)}


def kept_at(notebook: Path, cache: Path, root: Path = ROOT) -> Path:
    """Where *notebook* lies in *cache* once it has been run as it is."""
    name = notebook.relative_to(root).with_suffix("").as_posix().replace("/", "-")
    return cache / f"{name}-{notebook_key(notebook, root)}.ipynb"


def keep(executed: nbformat.NotebookNode, kept: Path, seconds: float) -> dict:
    """Write *executed* to *kept* and its time beside it; older runs of the notebook go."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    for old in kept.parent.glob(f"{kept.stem.rpartition('-')[0]}-*"):
        if len(old.stem) == len(kept.stem):
            old.unlink()
    record = {"seconds": round(seconds, 1)}
    partial = kept.with_suffix(".part")
    nbformat.write(executed, partial)
    kept.with_suffix(".json").write_text(json.dumps(record), encoding="utf-8")
    partial.replace(kept)
    return record
