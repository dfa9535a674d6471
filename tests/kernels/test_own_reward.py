"""A user's own reward function, from the compiler to the environment."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

import vecbt
from tests.envs import MARKET, make, rollout
from vecbt.errors import ConfigError, StrategyError
from vecbt.kernels.own_reward import compile_reward
from vecbt.vector import TradingVectorEnv

everywhere = pytest.mark.parametrize("num_workers", [0, 2])
CASH = 10_000.0


def log_return(previous: Any, row: Any, state: Any) -> float:
    """The default reward, written by a user."""
    return math.log(max(row[vecbt.Row.VALUE], 1e-8 * CASH) / previous[vecbt.Row.VALUE])


def count(previous: Any, row: Any, state: Any) -> float:
    """Steps of the episode, by the state alone."""
    state[7] += 1.0
    return state[7]  # type: ignore[no-any-return]


def scaled(factor: float) -> Any:
    from vecbt import Asset, Row

    def reward(previous: Any, row: Any, state: Any) -> float:
        size = row[Row.ASSETS + Asset.SIZE]
        return factor * (row[Row.VALUE] - previous[Row.VALUE]) + size * previous[Row.ASSETS + Asset.CLOSE]  # type: ignore[no-any-return]

    return reward


@everywhere
@pytest.mark.parametrize("autoreset_mode", ["NextStep", "SameStep"])
@pytest.mark.parametrize("function", [log_return, numba.njit(log_return)], ids=["plain", "compiled"])
def test_equal_to_the_built_in_one(function: Any, autoreset_mode: str, num_workers: int) -> None:
    settings: dict[str, Any] = {"autoreset_mode": autoreset_mode, "order_size": 4, "skip_frame": 2, "episode_steps": 7}
    own, built_in = make(5, reward=function, num_workers=num_workers, **settings), make(5, **settings)
    assert rollout(own, 20) == rollout(built_in, 20)
    own.close()
    built_in.close()


@everywhere
def test_a_closure(num_workers: int) -> None:
    envs = make(3, reward=scaled(2.5), num_workers=num_workers, order_size=4)
    _, before = envs.reset(seed=0)
    for action in (1, 0, 2, 2, 0, 3):
        _, rewards, _, _, infos = envs.step([action] * 3)
        gain = infos["value"] - before["value"]
        expected = 2.5 * gain + infos["position"] * MARKET.close[before["bar"]]
        assert rewards.tolist() == expected.tolist()
        assert rewards.all() == (infos["position"] != 0.0).all()
        before = infos
    envs.close()


SCRIPT = """
import numba, vecbt
from vecbt import Row

SCALE = 3.0

def gain(previous, row, state):
    state[0] = row[Row.VALUE]
    return SCALE * (state[0] - previous[Row.VALUE])

def main():
    market = vecbt.data.synthetic_market(500, seed=1)
    rewards = []
    for reward in (gain, numba.njit(gain), lambda previous, row, state: SCALE * (row[Row.VALUE] - previous[Row.VALUE])):
        for num_workers in (0, 2):
            settings = dict(engine="cerebro", num_workers=num_workers, order_size=3)
            envs = vecbt.make_vec(market, num_envs=3, reward=reward, **settings)
            _, before = envs.reset(seed=2)
            envs.step([1, 2, 1])
            _, rewards, _, _, infos = envs.step([0, 0, 0])
            envs.close()
            assert rewards.all()
            print(*rewards)

if __name__ == "__main__":
    main()
"""


def test_a_function_of_a_script_travels_to_the_workers(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(SCRIPT, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", script], capture_output=True, text=True, timeout=200, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 6
    assert len(set(lines)) == 1


@everywhere
def test_the_state_is_an_environments_own_and_begins_with_its_episode(num_workers: int) -> None:
    envs = make(3, reward=count, num_workers=num_workers, episode_steps=4)
    envs.reset(seed=0)
    for expected in (1, 2, 3, 4, 0, 1, 2):  # 0: the step that resets
        assert envs.step([0] * 3)[1].tolist() == [expected] * 3
    envs.reset(seed=0)
    assert envs.step([0] * 3)[1].tolist() == [1.0] * 3
    envs.close()


def test_the_state_in_the_other_autoreset_modes() -> None:
    envs = make(2, reward=count, episode_steps=3, autoreset_mode="SameStep")
    envs.reset(seed=0)
    for expected in (1, 2, 3, 1, 2):
        _, rewards, _, truncations, infos = envs.step([0, 0])
        assert rewards.tolist() == [expected] * 2
        if truncations.all():
            assert infos["final_info"]["episode_stats"]["r"].tolist() == [6.0, 6.0]
    envs.close()
    envs = make(2, reward=count, episode_steps=3, autoreset_mode="Disabled")
    envs.reset(seed=0)
    envs.step([0, 0])
    envs.reset(options={"reset_mask": np.array([False, True])})
    assert envs.step([0, 0])[1].tolist() == [2.0, 1.0]
    assert envs.step([0, 0])[1].tolist() == [3.0, 2.0]
    envs.close()


def test_the_scale_is_for_rewards_with_a_name() -> None:
    envs = make(1, reward=count, reward_scale=100.0)
    envs.reset(seed=0)
    assert envs.step([0])[1].tolist() == [1.0]
    envs.close()


@everywhere
def test_a_strategys_reward_goes_before_it(num_workers: int) -> None:
    envs = make(2, reward=broken, strategy=Fixed, num_workers=num_workers)
    envs.reset(seed=0)
    assert envs.step([0, 0])[1].tolist() == [7.0, 7.0]
    envs.close()


class Fixed(vecbt.Strategy):
    def get_reward(self) -> float:
        return 7.0


def broken(previous: Any, row: Any, state: Any) -> float:
    return row.no_such_thing  # type: ignore[no-any-return]


# -- what is refused ---------------------------------------------------------------------------------------------------


def two_arguments(previous: Any, row: Any) -> float:
    return 0.0


def returns_nothing(previous: Any, row: Any, state: Any) -> None:
    state[0] = 1.0


def returns_at_times(previous: Any, row: Any, state: Any) -> Any:
    if row[0] > 1.0:
        return 1.0
    return None


def returns_a_row(previous: Any, row: Any, state: Any) -> Any:
    return row


def returns_a_truth(previous: Any, row: Any, state: Any) -> Any:
    return row[0] > previous[0]


def writes_to_the_account(previous: Any, row: Any, state: Any) -> float:
    row[vecbt.Row.CASH] = 1e9
    return 0.0


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (broken, r"(?s)reward=broken cannot be compiled by numba.*Unknown attribute 'no_such_thing'"),
        (numba.njit(broken), r"(?s)reward=broken cannot be compiled by numba.*Unknown attribute 'no_such_thing'"),
        (two_arguments, r"(?s)takes \(previous_row, row, state\).*3 argument types given, but function takes 2"),
        (writes_to_the_account, r"(?s)write to its state alone; numba says.*Cannot modify readonly array"),
        (returns_nothing, "reward=returns_nothing must return a float .* its result is none"),
        (
            returns_at_times,
            r"must return a float whichever way it ends; to numba its result is OptionalType\(float64\)",
        ),
        (returns_a_row, "must return a float"),
        (returns_a_truth, "must return a float .* its result is bool"),
    ],
)
def test_what_cannot_be_a_reward(function: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        compile_reward(function)


@everywhere
def test_it_is_refused_when_the_environments_are_made(num_workers: int) -> None:
    with pytest.raises(ConfigError, match="reward=broken cannot be compiled") as caught:
        make(2, reward=broken, num_workers=num_workers)
    assert not hasattr(caught.value, "__notes__")  # it did not have to come from a worker


def whole(previous: Any, row: Any, state: Any) -> int:
    return 3


def test_a_whole_number_is_a_reward() -> None:
    envs = make(1, reward=whole)
    envs.reset(seed=0)
    _, rewards, _, _, _ = envs.step([0])
    assert rewards.tolist() == [3.0]
    assert rewards.dtype == np.float64
    envs.close()


def logarithm_of_the_position(previous: Any, row: Any, state: Any) -> float:
    return math.log(row[vecbt.Row.ASSETS + vecbt.Asset.SIZE] + 4.0)


def column_of_the_position(previous: Any, row: Any, state: Any) -> float:
    return state[8 if row[vecbt.Row.ASSETS + vecbt.Asset.SIZE] < 0.0 else 0]  # type: ignore[no-any-return]


def refuses_a_position(previous: Any, row: Any, state: Any) -> float:
    if row[vecbt.Row.ASSETS + vecbt.Asset.SIZE] < 0.0:
        raise ValueError("short")
    return 0.0


@everywhere
@pytest.mark.parametrize(
    ("function", "message"),
    [
        (logarithm_of_the_position, "logarithm_of_the_position returned -inf in environment 4; a reward is a finite"),
        (column_of_the_position, "column_of_the_position failed in environment 4: IndexError: index is out of bounds"),
        (refuses_a_position, "refuses_a_position failed in environment 4: ValueError: short"),
    ],
)
def test_a_reward_that_fails_names_its_environment(function: Any, message: str, num_workers: int) -> None:
    envs: TradingVectorEnv = make(5, reward=function, num_workers=num_workers, order_size=4)
    envs.reset(seed=0)
    with pytest.raises(StrategyError, match=message):
        envs.step([0, 1, 0, 1, 2])
    with pytest.raises(vecbt.errors.EpisodeError, match="reset"):
        envs.step([0] * 5)
    envs.reset(seed=0)
    envs.step([0] * 5)
    envs.close()
