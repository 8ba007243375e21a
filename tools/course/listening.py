"""The eight clips of the listening sheet as one page: two rounds, and a folded key.

Two clips of each emotion, by as many speakers as can be, at one gain; round 2 has them in another
order. The column "model" is filled in by the network that comes with the package.
"""

from __future__ import annotations

import random
from pathlib import Path

import pandas as pd
from chapters.lab.ear import chosen_clips
from chapters.shared.player import page_gain, player, players
from chapters.shared.utterances import wave_of

from ser import load_corpus, predict
from ser.loading import load_model

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The clips of the listening sheet</title>
<style>
  body {{ font: 18px/1.5 Arial, sans-serif; max-width: 1000px; margin: 2em auto; padding: 0 1em; }}
  td, th {{ border-bottom: 1px solid #b8c0c8; padding: .2em .8em; text-align: left; }}
</style>
</head>
<body>
<h1>The clips of the listening sheet</h1>
<p>Synthetic voices, all at one gain: set the level with the first clip, then leave it. Round 1 in
the morning, round 2 in the afternoon, each clip once. The voices say nothing about people.</p>
<h2>Round 1</h2>
{first}
<h2>Round 2</h2>
{second}
<details><summary>Key: not before both rounds are written down</summary>
{key}
<p>The model is the small network that comes with the package. {trained} Nobody taught it these
voices.</p>
</details>
</body>
</html>
"""


def listening_page(table: pd.DataFrame, seed: int = 2026) -> str:
    """The page for clips of a corpus's *table*; other clips and orders for another *seed*.

    Raises:
        ValueError: an emotion has fewer than two clips.
    """
    from chapters.lab.speak import trained_on

    chosen = chosen_clips(table, 2, seed)
    model, waves = load_model(device="cpu"), [wave_of(row) for row in chosen.itertuples()]
    gain, again = page_gain(waves), list(range(len(chosen)))
    while any(i == place for i, place in enumerate(again)):
        random.Random(f"{seed}/{again}").shuffle(again)
    key = pd.DataFrame(
        {
            "round 1": range(1, len(chosen) + 1),
            "round 2": [again.index(i) + 1 for i in range(len(chosen))],
            "label": chosen.emotion.to_list(),
            "model": [predict(wave, model).emotion for wave in waves],
            "speaker": chosen.speaker.to_list(),
            "words": chosen.text.to_list(),
        }
    )
    clips = [
        [player(waves[i], caption=f"clip {n}", gain=gain) for n, i in enumerate(order, 1)]
        for order in (range(len(waves)), again)
    ]
    first, second = (players(part).html for part in clips)
    rows = key.to_html(index=False, border=0)
    return PAGE.format(first=first, second=second, key=rows, trained=trained_on(model))


def build_listening(target: Path, seed: int) -> None:
    """``listening.html`` below *target*, from the built-in corpus."""
    page = listening_page(load_corpus("synthetic").table, seed)
    (target / "listening.html").write_text(page, encoding="utf-8")
