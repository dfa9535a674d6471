"""Every fault at every moment: what the caller sees, soon; and that all else is as if nothing had happened."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.cases import CASES, FAULTS, MOMENTS, POLICIES, Case
from tests.faults.processes import needs_proc
from tests.faults.scenario import play, warm_up


def in_turn(case: Case) -> bool:
    """Whether it has the policy that is the turn of its fault and moment."""
    return POLICIES[(list(FAULTS).index(case.fault) + list(MOMENTS).index(case.moment)) % 2] == case.policy


# A few seconds each: every day one fault at all moments and all faults at one, and both policies in turns but where the
# two meet. The start method changes how a process begins and not how it ends: of the others, one fault at two moments.
EVERY_DAY = [
    case
    for case in CASES
    if (case.fault == "kill" and case.moment == "step")
    or (case.fault == "kill" and case.moment == "start" and case.policy == "raise")
    or (case.method == "forkserver" and (case.fault == "kill" or case.moment == "step") and in_turn(case))
]

pytestmark = [needs_proc, pytest.mark.filterwarnings("ignore:.*:UserWarning")]  # what Gymnasium logs of an error


@pytest.mark.parametrize("case", EVERY_DAY, ids=str)
def test_case(case: Case, tmp_path: Path) -> None:
    warm_up(case.method)
    play(case, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in CASES if case not in EVERY_DAY], ids=str)
def test_every_case(case: Case, tmp_path: Path) -> None:
    warm_up(case.method)
    play(case, tmp_path)
