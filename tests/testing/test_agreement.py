from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.envs import make
from vecbt.testing.agreement import Agreement


def results(change: tuple[int, int] | None = None) -> tuple[Any, Any]:
    """A reset and a step; one action of the step may be another."""
    envs = make(4, engine="compiled")
    reset = envs.reset(seed=1)
    actions = np.array([0, 1, 2, 3])
    if change is not None:
        actions[change[0]] = change[1]
    step = envs.step(actions)
    envs.close()
    return reset, step


def test_equal() -> None:
    agreement = Agreement()
    (reset, step), (other_reset, other_step) = results(), results()
    agreement.compare_reset(reset, other_reset)
    agreement.compare_step(step, other_step)
    assert agreement.different.total() == 0
    assert agreement.compared["value"] == 8  # at the reset and after the step
    assert agreement.compared["observation"] == 2 * 4 * 30 * 4
    assert agreement.compared["reward"] == 4
    assert {"position", "order_status", "end of the episode"} <= agreement.compared.keys()


def test_different() -> None:
    agreement = Agreement()
    agreement.compare_step(results()[1], results((0, 1))[1])  # a buy instead of a hold
    different = {name for name, count in agreement.different.items() if count}
    assert {"position", "position_price", "value", "reward", "order_status"} <= different
    assert agreement.different["position"] == 1
    assert not {"observation", "bar", "end of the episode"} & different


def test_statistics_are_compared() -> None:
    agreement = Agreement()
    infos = [{"episode_stats": {"sharpe": np.array([np.nan, number])}, "_episode_stats": ...} for number in (1.0, 2.0)]
    agreement.compare_reset(({"account": np.zeros(2)}, infos[0]), ({"account": np.zeros(2)}, infos[1]))
    assert agreement.compared == {"observation": 2, "episode_stats": 2}
    assert agreement.different["episode_stats"] == 1


@pytest.mark.parametrize("other", [np.zeros(2, np.float32), np.zeros(3)])
def test_unlike_arrays(other: Any) -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        Agreement().compare("value", np.zeros(2), other)


def test_unlike_infos() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        Agreement().compare_reset((np.zeros(1), {"value": np.zeros(1)}), (np.zeros(1), {"cash": np.zeros(1)}))
