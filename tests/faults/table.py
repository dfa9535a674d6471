"""Writes docs/reliability.md: plays every case and measures it. Run as ``python -m tests.faults.table``."""

from __future__ import annotations

import argparse
import re
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path

from tqdm import tqdm

from tests.faults.cases import CASES, FAULTS, METHODS, MOMENTS, POLICIES, Case
from tests.faults.scenario import Outcome, play, warm_up

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"

INTRODUCTION = """\
# When something goes wrong

What a caller of `vecbt.SharedMemoryVectorEnv` sees when an environment raises or a worker process dies or hangs.
`python -m tests.faults.table` plays every case below and writes this page; the tests play them too, and compare
everything that was not hit, bit by bit, with a run in which nothing happened.

## What to do

* **An environment raises.** The exception is raised by the call, as it is, with the environment and the worker in its
  notes and the worker's traceback as its cause. The environment is closed and the workers go on: the next `reset` makes
  it anew. Until then a step raises `EpisodeError`. After `call` nothing needs to be reset.
* **A worker dies, `on_worker_death="raise"`** (the default). Every call raises `WorkerDiedError`, with the exit code
  and its likely cause: `close` the batch and make a new one. SIGKILL is mostly the system's answer to a lack of memory:
  use fewer workers or environments, or smaller ones.
* **A worker dies, `on_worker_death="restart"`.** The call that notices starts the worker again and does what it was
  asked, so that a training goes on. The worker's environments are made anew; running episodes of theirs end with
  `truncations`, reward 0, the last observation that is known, and `infos["worker_restarted"]`; the next episode begins
  as the autoreset mode says, from the environment's seed and the number of the episode, so that the same deaths at the
  same steps give the same rollout. All other environments go on untouched. An answer to `call` is lost with its worker:
  that raises `WorkerDiedError`, once. A replacement that dies is replaced too; after `max_restarts` deaths the next one
  raises. Every death is a warning in the log `vecbt`.
* **A worker hangs.** With a `timeout` the call raises `WorkerTimeoutError`, which names the worker and its process;
  without one it waits. Nothing is lost: if the worker wakes, the next call goes on from there. If it does not,
  `os.kill(pid, signal.SIGKILL)` makes it a dead worker, which `"restart"` replaces.
  Messages are not covered: who hangs in the middle of one that is larger than a pipe holds (observations with
  `shared_memory=False`, actions that are no numbers) keeps the call waiting.
* **A worker fails as it starts** for the first time: the constructor raises, whatever `on_worker_death` says. A start
  may take a minute longer than the `timeout`.
* **Ctrl-C** reaches the caller alone. The batch goes on: the next call first waits for what was interrupted. Where it
  comes in the middle of a message to or from a worker, that worker is killed, and the next call finds it dead.
* **`close`** ends workers by force that do not end by themselves, after at most two seconds. Without `close` they end
  when the batch is collected, or with the process, however that ends; nothing is left in the process table or in
  /dev/shm. Descriptors of the memory are given back when the batch and all views of its arrays are gone.

## Measured

Two workers of two environments each; the fault is in the third. Seconds, for each start method: until the caller sees
it; until a replacement has done what was asked; what `close` takes after that. A `timeout` of two seconds finds who is
stopped. Who is idle notices nothing until the next call, from which time is taken.
"""

_HEADINGS = {
    "raise": '### `on_worker_death="raise"`',
    "restart": '### `on_worker_death="restart"`',
}


def key(case: Case) -> tuple[str, str]:
    """The first two cells of a case's row."""
    return MOMENTS[case.moment], FAULTS[case.fault]


def page(outcomes: Mapping[Case, Outcome]) -> str:
    """The page."""
    text = [INTRODUCTION]
    for policy in POLICIES:
        titles = ["when", "what", "what the caller sees", *[f"{method}: seen, replaced, closed" for method in METHODS]]
        text += [_HEADINGS[policy], "", _row(titles), _row([":---"] * len(titles))]
        rows: dict[tuple[str, str], list[Case]] = {}
        for moment in MOMENTS:
            for case in outcomes:
                if (case.moment, case.policy) == (moment, policy):
                    rows.setdefault(key(case), []).append(case)
        for cells, cases in rows.items():
            seen = {_begin(outcomes[case].seen) for case in cases}
            assert len(seen) == 1, f"not the same with every start method: {seen}"
            by_method = {case.method: _times(outcomes[case]) for case in cases}
            text.append(_row([*cells, seen.pop(), *[by_method[method] for method in METHODS]]))
        text.append("")
    return "\n".join(text)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _begin(seen: str) -> str:
    """An exception and the first sentence of its message."""
    name, colon, message = seen.partition(": ")
    if not colon:
        return seen
    first = re.split(r"\. [A-Z]|; ", message)[0]
    return f"`{name}`: {first}"


def _times(outcome: Outcome) -> str:
    back = "-" if outcome.back is None else f"{outcome.back:.2f}"
    return f"{outcome.seconds:.2f}, {back}, {outcome.close:.2f}"


def main() -> None:
    """Play all cases and write the page."""
    argparse.ArgumentParser(prog="python -m tests.faults.table", description=__doc__).parse_args()
    warnings.simplefilter("ignore", UserWarning)  # Gymnasium logs every error of an environment
    for method in METHODS:
        warm_up(method)
    outcomes = {}
    for case in tqdm(CASES):
        with tempfile.TemporaryDirectory() as folder:
            outcomes[case] = play(case, Path(folder))
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(outcomes), encoding="utf-8")


if __name__ == "__main__":
    main()
