"""A pytest plugin: what nbval has run is kept for the book, so that no notebook runs twice.

``python -m tools.check`` loads it. A notebook of which every cell ran and was found right goes
where ``make book`` looks first (:func:`tools.execute.execute_cached`).
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from nbval.plugin import IPyNbCell, IPyNbFile

from tools.execute import ROOT, TIMED, keep, kept_at, tidy

CACHE = ROOT / "_build" / "executed"
"""Where ``make book`` keeps what it has run."""


class Keeper:
    """Watches nbval's cells; ``cache`` is where whole notebooks go, ``root`` the project."""

    def __init__(self, cache: Path = CACHE, root: Path = ROOT):
        self.cache, self.root = cache, root
        self.right: dict[IPyNbFile, list[float]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note a cell that passed, and with the last one keep the notebook."""
        report = yield
        if isinstance(item, IPyNbCell) and call.when == "call" and report.passed:
            file = item.parent
            done = self.right.setdefault(file, [])
            done.append(report.duration)
            item.cell.outputs = item.test_outputs
            item.cell.execution_count = len(done)
            for output in item.cell.outputs:
                if output.output_type == "execute_result":
                    output.execution_count = len(done)  # nbval's kernel keeps no count
            if len(done) == sum(cell.cell_type == "code" for cell in file.nb.cells):
                path = Path(file.path)
                if path.stem not in TIMED:
                    keep(tidy(file.nb), kept_at(path, self.cache, self.root), sum(done))
                del self.right[file]
        return report


def pytest_configure(config: pytest.Config) -> None:
    """Watch, where nbval runs the notebooks."""
    if config.option.nbval or config.option.nbval_lax:
        config.pluginmanager.register(Keeper())
