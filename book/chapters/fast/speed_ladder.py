"""Before and after, by turns in one run (book: chapter "Making it fast").

A machine is never idle, and seldom the same a minute later. So two ways to the same numbers are
timed in turn, round after round, and what is told is their ratio and how far the rounds' own
ratios lie apart; seconds are told by the way.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import torch
from torch import Tensor, nn

COLUMNS = ["ms", "times as fast", "low", "high"]
KEPT, AS_IT_COMES = "keeps its pages", "as it comes"


def by_turns(
    work: Mapping[str, Callable[[], object]], rounds: int = 7, warm_up: int = 1
) -> pd.DataFrame:
    """Seconds of the processor for each piece of work in each round; the pieces take turns.

    They are those that this process was given: what else the machine does is not in them.

    Args:
        work: name -> a function without arguments.
        rounds: how many turns each gets.
        warm_up: turns before, which are not counted.

    Returns:
        (rounds, pieces) seconds, a column for each name.

    Raises:
        ValueError: nothing to do, or no rounds.

    Example:
        >>> by_turns({"one": lambda: sum(range(9)), "two": lambda: sum(range(99))}).shape
        (7, 2)
    """
    if not work or rounds < 1:
        raise ValueError(f"{len(work)} pieces of work in {rounds} rounds: nothing to measure")
    for _ in range(warm_up):
        for do in work.values():
            do()
    rows = []
    for _ in range(rounds):
        row = {}
        for name, do in work.items():
            begun = time.process_time()
            do()
            row[name] = time.process_time() - begun
        rows.append(row)
    return pd.DataFrame(rows)


def faster(times: pd.DataFrame, than: str | None = None) -> pd.DataFrame:
    """How many times as fast each piece of work is as one of them.

    Args:
        times: from :func:`by_turns`.
        than: the one that the others are compared with; the first, if not said.

    Returns:
        A row for each: ``ms`` (median), and of the rounds' own ratios the median, ``times as
        fast``, and the quartiles, ``low`` and ``high``. Above 1 is faster.

    Raises:
        ValueError: there is no piece of that name.

    Example:
        >>> times = pd.DataFrame({"before": [0.4, 0.5, 0.4], "after": [0.2, 0.2, 0.1]})
        >>> faster(times).loc["after", "times as fast"]
        np.float64(2.5)
    """
    than = times.columns[0] if than is None else than
    if than not in times:
        raise ValueError(f"nothing is called {than!r} here; known: {', '.join(times)}")
    own = times.rdiv(times[than], axis=0)
    quartiles = own.quantile([0.5, 0.25, 0.75]).T.set_axis(COLUMNS[1:], axis=1)
    return pd.concat([1000 * times.median().rename("ms"), quartiles], axis=1)


def forward_backward(run: Callable[[], Tensor]) -> Callable[[], None]:
    """A function that makes an output and the gradients of half its sum of squares.

    The gradient with respect to the output is then the output itself: no two alike, so that a
    wrong backward pass cannot hide.

    Example:
        >>> w = torch.tensor([3.0], requires_grad=True)
        >>> forward_backward(lambda: 2 * w)()
        >>> w.grad
        tensor([12.])
    """

    def step() -> None:
        out = run()
        out.backward(out.detach())

    return step


def race(ways: Mapping[str, Callable[[], Tensor]], rounds: int = 7) -> pd.DataFrame:
    """Forward and backward of each, by turns: :func:`faster` than the first."""
    return faster(by_turns({name: forward_backward(run) for name, run in ways.items()}, rounds))


def gradients(run: Callable[[], Tensor], *wanted: Tensor) -> list[Tensor]:
    """The output of *run* and the gradients of *wanted*, as :func:`forward_backward` makes them.

    Example:
        >>> w = torch.tensor([3.0], requires_grad=True)
        >>> gradients(lambda: 2 * w, w)
        [tensor([6.]), tensor([12.])]
    """
    out = run()
    return [out.detach(), *torch.autograd.grad(out, wanted, out.detach())]


def apart(ours: Sequence[Tensor], plain: Sequence[Tensor]) -> float:
    """The largest difference between two lists of tensors, each in units of its largest value.

    A tensor that is zero but for rounding (below a millionth of the largest value of all) is
    measured by that millionth.

    Raises:
        ValueError: lists of different length, or tensors of different shape.

    Example:
        >>> apart([torch.tensor([1.0, 2.0])], [torch.tensor([1.0, 4.0])])
        0.5
    """
    if [t.shape for t in ours] != [t.shape for t in plain]:
        raise ValueError("the two lists differ in length or in shapes")
    largest = [float(b.abs().max()) for b in plain]
    least = 1e-6 * max(largest)
    differences = [float((a - b).abs().max()) for a, b in zip(ours, plain, strict=True)]
    return max(d / max(top, least) for d, top in zip(differences, largest, strict=True))


def written_plainly(threads: int = 1) -> nn.Sequential:
    """First block of the front end as released: convolution, batch norm, ReLU, pool, seeded."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 64, (4, 2), padding=(1, 0)), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2)
    )


def one_pass_like(block: nn.Sequential) -> nn.Module:
    """The package's first block with the weights of :func:`written_plainly`'s."""
    from ser.nn.frontend import ConvBlock  # here: the processes that measure do without

    ours = ConvBlock(1, 64, (4, 2))
    stored = zip(ours.state_dict(), block.state_dict().values(), strict=True)
    ours.load_state_dict(dict(stored))
    return ours


def all_but_bias(block: nn.Module) -> list[Tensor]:
    """Weights of a block without the convolution's bias, whose gradient is zero."""
    return [p for k, p in enumerate(block.parameters()) if k != 1]


def with_allocators(
    batch: int = 8, frames: int = 230, rounds: int = 5, threads: int = 1
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The block's forward and backward pass in two processes, which take turns.

    One keeps the pages that it frees (:func:`ser.allocator.tune_allocator`), the other runs with
    its allocator as it comes: a process can be told only once.

    Args:
        batch, frames: spectrograms and their frames, of 128 bands.
        rounds: turns.
        threads: of torch, in each process.

    Returns:
        Seconds (rounds, 2), as from :func:`by_turns`; and a row for each process: ``took`` (did
        the allocator take the setting), ``pages`` asked of the system in a round (median; 0 where
        the system does not count), ``result`` (digest of output and gradients).

    Raises:
        RuntimeError: a process ended early.
    """
    plan = {"batch": batch, "frames": frames, "threads": threads}
    sides = {AS_IT_COMES: _start(plan | {"keep": False}), KEPT: _start(plan | {"keep": True})}
    try:
        took = {name: _ask(process)["took"] for name, process in sides.items()}
        rows = [{n: _ask(p, "step") for n, p in sides.items()} for _ in range(rounds + 1)][1:]
    finally:
        for process in sides.values():
            process.communicate()
    times = pd.DataFrame([{n: told["seconds"] for n, told in row.items()} for row in rows])
    facts = {
        name: {
            "took": took[name],
            "pages": int(pd.Series([row[name]["pages"] for row in rows]).median()),
            "result": rows[-1][name]["result"],
        }
        for name in sides
    }
    return times, pd.DataFrame(facts).T


def _start(plan: dict) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "chapters.fast.speed_ladder", json.dumps(plan)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _ask(process: subprocess.Popen, word: str = "") -> dict:
    assert process.stdin is not None and process.stdout is not None
    if word:
        process.stdin.write(word + "\n")
        process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"the process ended with {process.wait()}")
    return json.loads(line)


def _pages() -> int:
    try:
        import resource
    except ImportError:  # Windows does not count them this way
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def _digest(tensors: list[Tensor]) -> str:
    whole = hashlib.sha256()
    for tensor in tensors:
        whole.update(tensor.detach().contiguous().numpy().tobytes())
    return whole.hexdigest()[:12]


def _serve() -> None:
    """Answers every line of standard input with one forward and backward pass."""
    from ser.allocator import tune_allocator

    plan = json.loads(sys.argv[1])
    took = tune_allocator() if plan["keep"] else False
    block = written_plainly(plan["threads"])
    spectrogram = 50 + 20 * torch.randn(plan["batch"], 1, 128, plan["frames"])
    print(json.dumps({"took": took}), flush=True)
    for _ in sys.stdin:
        block.zero_grad()
        before, begun = _pages(), time.perf_counter()
        out = block(spectrogram)
        out.backward(out.detach())
        told = {"seconds": time.perf_counter() - begun, "pages": _pages() - before}
        told["result"] = _digest([out, *(p.grad for p in block.parameters() if p.grad is not None)])
        del out
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    _serve()
