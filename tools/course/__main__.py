"""The course kit in one folder: ``python -m tools.course build`` (what ``make course`` calls).

``build`` writes ``_build/course`` and the same as ``_build/course.zip``. ``grade`` runs the
autograder over a folder of notebooks that students handed in, and prints a table of points:
``python -m tools.course grade --task lstm --variant B handed_in``.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import sys
from pathlib import Path

from tools.course import listening, notebooks, slides
from tools.course.grading import SECONDS, rows
from tools.course.guide import build_guide
from tools.course.tasks import ROOT, VARIANTS, read_sheet, sheets
from tools.execute import prepare

README = ROOT / "course" / "kit.md"


def build(folder: Path, seed: int) -> Path:
    """Everything of the kit below *folder*, made anew; returns the zip file."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copyfile(README, folder / "README.md")
    notebooks.write_chapters(folder / "students" / "chapters")
    print(f"students/chapters: {len(notebooks.chapters())} notebooks, records", flush=True)
    for variant in VARIANTS:
        for name in sheets():
            sheet = read_sheet(name, variant, seed)
            where = Path("tasks") / variant
            notebooks.assign(sheet, folder / "students" / where, folder / "teacher" / where)
        print(f"tasks/{variant}: {len(sheets())} notebooks", flush=True)
    decks = slides.tagged()
    slides.build_slides(decks, folder / "teacher" / "slides")
    print(f"teacher/slides: {len(decks)} chapters", flush=True)
    build_guide(folder / "teacher")
    print("teacher/guide: plans, chapters, exam, handouts", flush=True)
    listening.build_listening(folder / "teacher", seed)
    print("teacher/listening.html: eight clips, two rounds", flush=True)
    return Path(shutil.make_archive(str(folder), "zip", folder.parent, folder.name))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.course", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("build", help="write the kit")
    make.add_argument("--seed", type=int, default=2026, help="deals the numbers of the variants")
    mark = commands.add_parser("grade", help="grade a folder of notebooks")
    mark.add_argument("--task", choices=sheets(), required=True)
    mark.add_argument("--variant", choices=list(VARIANTS), required=True)
    mark.add_argument("handed_in", type=Path, help="folder of notebooks")
    mark.add_argument("--seconds", type=int, default=SECONDS, help="for a cell (%(default)s)")
    for command in (make, mark):
        command.add_argument("--kit", type=Path, default=ROOT / "_build" / "course")
    args = parser.parse_args(argv)
    if args.command == "build":
        prepare(ROOT / "_build")
        print(f"the kit: {build(args.kit.resolve(), args.seed)}")
        return 0
    table = None
    try:
        for row in rows(args.task, args.variant, args.handed_in, args.kit, args.seconds):
            if table is None:
                table = csv.DictWriter(sys.stdout, list(row), lineterminator="\n")
                table.writeheader()
            table.writerow(row)
            sys.stdout.flush()
    except FileNotFoundError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
