"""A long run of random cases: ``python -m tests.differential --minutes 10``."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from tqdm import tqdm

from tests.differential.cases import numbered
from tests.differential.compare import ENGINES, Difference, compare_case

CASES_OF_A_SEED = 10_000_000


def main() -> int:
    """Run cases until the time is over or two runs differ.

    Returns:
        Exit code, 1 where they do.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.differential", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long to go on")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other cases")
    parser.add_argument("--case", type=int, help="run this case alone")
    options = parser.parse_args()
    numbers = [options.case] if options.case is not None else None
    first = options.seed * CASES_OF_A_SEED
    return run(numbers or range(first, first + CASES_OF_A_SEED), options.minutes * 60.0)


def run(numbers: list[int] | range, seconds: float) -> int:
    """Run cases by their numbers; returns the exit code."""
    outcomes: Counter[str] = Counter()
    traits: Counter[str] = Counter()
    cases = episodes = 0
    difference: Difference | None = None
    begin = time.monotonic()
    with tqdm(total=round(seconds), unit="s", bar_format="{l_bar}{bar}| {n:.0f}/{total} s{postfix}") as progress:
        for number in numbers:
            case = numbered(number)
            try:
                result = compare_case(case)
            except BaseException as error:
                error.add_note(f"in {case!r}")
                raise
            cases, episodes = cases + 1, episodes + result.episodes
            outcomes += result.outcomes
            traits.update(case.traits)
            elapsed = time.monotonic() - begin
            progress.set_postfix_str(f"{cases:,} cases, {outcomes['bars']:,} bars", refresh=False)
            progress.update(min(elapsed, seconds) - progress.n)
            difference = result.difference
            if difference or elapsed > seconds:
                break
    bars = outcomes.pop("bars")
    lines = [
        f"{' and '.join(ENGINES)} against stock Backtrader: {int(difference is not None)} differences",
        f"{cases:,} cases, {episodes:,} episodes, {bars:,} bars compared in {time.monotonic() - begin:,.0f} s",
        "cases with:",
        *(f"  {name:<32}{count:>12,}" for name, count in sorted(traits.items())),
        "outcomes:",
        *(f"  {name:<32}{count:>12,}" for name, count in sorted(outcomes.items())),
    ]
    if difference:
        lines.append(str(difference))
    sys.stdout.write("\n".join(lines) + "\n")
    return int(difference is not None)


if __name__ == "__main__":
    sys.exit(main())
