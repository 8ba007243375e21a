"""Write the README's table anew from the records: ``python -m tools.readme``.

The table stands between the two ``table:emodb`` comments; nothing in it is typed by hand.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tools.execute import ROOT

BLOCK = re.compile(r"(<!-- table:emodb -->\n).*?(<!-- /table:emodb -->)", re.DOTALL)
TITLES = {"loso": "unseen speakers (leave one out)", "random": "random folds (speakers shared)"}


def table(folders: list[Path]) -> str:
    """WA and UA of the rows that were run under every protocol, last and test-chosen epoch."""
    from ser.report import make_report, row_order

    report = make_report([str(folder) for folder in folders])
    protocols = [p for p in TITLES if p in set(report.table.protocol)]
    asked = report.table.groupby("model").protocol.transform("nunique")
    frame = report.table[asked == len(protocols)]
    head, rule = ["row", "seeds"], [":--", "--:"]
    for protocol in protocols:
        title = TITLES[protocol]
        head += [f"{title}: WA / UA", "95 % interval of UA", "WA / UA, test-chosen *"]
        rule += ["--:"] * 3
    lines = [head, rule]
    for model in sorted(frame.model.unique(), key=row_order):
        seeds = [frame[(frame.model == model) & (frame.protocol == p)].seeds for p in protocols]
        line = [f"`{model}`", ", ".join(_range(part) for part in seeds)]
        for protocol in protocols:
            here = frame[(frame.model == model) & (frame.protocol == protocol)]
            rows = {row.selection: row for row in here.itertuples()}
            last, chosen = rows.get("last"), rows.get("test")
            line.append(_pair(last))
            line.append(f"{100 * last.ua_low:.1f} to {100 * last.ua_high:.1f}" if last else "")
            line.append(_pair(chosen))
        lines.append(line)
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{text}\n\n{_caption(frame)}\n"


def _pair(row) -> str:
    return f"{100 * row.wa:.1f} / {100 * row.ua:.1f}" if row is not None else ""


def _caption(frame) -> str:
    seeds = _range(frame.seeds)
    epochs = _range(frame.epochs.dropna().astype(int))
    n, speakers = _range(frame.n), _range(frame.speakers)
    return (
        f"EmoDB, four classes, {n} utterances, {speakers} speakers; {seeds} training seed(s), "
        f"{epochs} epochs; in percent. The networks had some training speakers (with random "
        "folds: utterances) held out as a dev set. Every utterance is tested once, folds pooled. "
        "Intervals resample speakers. The first pair of each protocol is the last epoch's, fixed "
        "before training.\n\\* The epoch was chosen on the test fold, as the paper did: it shows "
        "what that does, and is no estimate of what you would get."
    )


def _range(values) -> str:
    low, high = min(values, default=0), max(values, default=0)
    return str(low) if low == high else f"{low} to {high}"


def fill(readme: str, markdown: str) -> str:
    """*readme* with *markdown* between the comments.

    >>> fill("a\\n<!-- table:emodb -->\\nold\\n<!-- /table:emodb -->\\n", "new\\n")
    'a\\n<!-- table:emodb -->\\nnew\\n<!-- /table:emodb -->\\n'
    """
    return BLOCK.sub(lambda match: match[1] + markdown + match[2], readme)


def folders() -> list[Path]:
    """The study with a dev set, one folder a protocol."""
    return [ROOT / "book" / "results" / f"emodb-{protocol}-dev" for protocol in TITLES]


def main() -> int:
    found = [folder for folder in folders() if folder.is_dir()]
    if not found:
        sys.exit(f"no records: {', '.join(map(str, folders()))}")
    readme = ROOT / "README.md"
    readme.write_text(fill(readme.read_text("utf-8"), table(found)), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
