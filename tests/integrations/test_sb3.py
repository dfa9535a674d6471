"""Stable-Baselines3 on batches of trading environments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from stable_baselines3 import PPO
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.logger import configure
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecFrameStack, VecMonitor, VecNormalize

import vecbt
from tests.envs import MARKET, flat
from vecbt.errors import ConfigError, UnknownNameError
from vecbt.integrations.sb3 import SB3VecEnv

N = 3
ENGINES = ("compiled", "cerebro")
ACCOUNT = {"account_features": ("value", "pos_direction")}
# Whatever ends episodes: their length, and a loss that is soon made.
SETTINGS: dict[str, dict[str, Any]] = {
    "array": {"episode_steps": 4},
    "dictionary": {"episode_steps": 4, **ACCOUNT},
    "both ends": {"episode_steps": 12, "drawdown_call": 0.1},
    "weights": {"episode_steps": 4, "actions": "target_percent", "infos": "episode"},
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Torch starts no threads, which would be forked with the process by tests that follow."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def batch() -> Iterator[Callable[..., Any]]:
    """Makes batches that are closed in the end."""
    made: list[Any] = []

    def make(num_envs: int = N, **settings: Any) -> vecbt.TradingVectorEnv:
        settings = {"data": MARKET, "num_workers": 0, "autoreset_mode": AutoresetMode.SAME_STEP, **settings}
        made.append(vecbt.make_vec(settings.pop("data"), num_envs=num_envs, **settings))
        return made[-1]  # type: ignore[no-any-return]

    yield make
    for envs in made:
        envs.close()


def actions_of(space: Any, random: np.random.Generator, n: int = N) -> Any:
    if hasattr(space, "n"):
        return random.integers(0, space.n, n)
    return random.uniform(-1.0, 1.0, (n, *space.shape)).astype(np.float32)


def row_of(observation: Any, env: int) -> Any:
    return {key: part[env] for key, part in observation.items()} if isinstance(observation, dict) else observation[env]


# -- what a step returns -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", SETTINGS)
def test_steps_are_those_of_the_batch(batch: Any, name: str, engine: str) -> None:
    settings = {"engine": engine, **SETTINGS[name]}
    vec_env, envs = SB3VecEnv(batch(**settings)), batch(**settings)
    assert vec_env.observation_space == envs.single_observation_space
    assert vec_env.action_space == envs.single_action_space
    vec_env.seed(5)
    assert flat(vec_env.reset()) == flat(envs.reset(seed=5)[0])
    random = np.random.default_rng(0)
    ends, calls, before = 0, 0, None
    for _ in range(60):
        actions = actions_of(envs.single_action_space, random)
        observations, rewards, dones, infos = vec_env.step(actions)
        expected, money, terminations, truncations, columns = envs.step(actions)
        assert flat(observations) == flat(expected)
        assert flat(rewards) == flat(money.astype(np.float32))
        assert flat(dones) == flat(terminations | truncations)
        assert isinstance(infos, list)
        going = [info for info, done in zip(infos, dones, strict=True) if not done]
        assert all(info == {} and info is going[0] and info is not before for info in going)
        before = going[0] if going else None
        for env in np.flatnonzero(dones).tolist():
            info = infos[env]
            stats = columns["final_info"]["episode_stats"]
            assert flat(info["terminal_observation"]) == flat(row_of(columns["final_obs"], env))
            assert info["TimeLimit.truncated"] is bool(truncations[env] and not terminations[env])
            assert (info["episode"]["r"], info["episode"]["l"]) == (stats["r"][env], stats["l"][env])
            assert info["episode"]["t"] > 0.0
            assert info["episode_stats"]["trades"] == stats["trades"][env]
            if "infos" not in settings:
                assert info["value"] == columns["final_info"]["value"][env]
                assert vec_env.reset_infos[env]["start"] == columns["start"][env]
                assert "episode_stats" not in vec_env.reset_infos[env]
            ends += 1
            calls += int(terminations[env])
    assert ends >= 2 * N
    assert (calls > 0) == ("drawdown_call" in settings)


@pytest.mark.parametrize("name", SETTINGS)
def test_steps_are_those_of_single_environments(batch: Any, name: str) -> None:
    settings = SETTINGS[name]
    ours = SB3VecEnv(batch(**settings))
    theirs = DummyVecEnv([lambda: Monitor(gymnasium.make("vecbt/Trading-v0", data=MARKET, **settings))] * N)
    for vec_env in (ours, theirs):
        vec_env.seed(7)
    assert flat(ours.reset()) == flat(theirs.reset())
    assert ours.reset_infos == theirs.reset_infos
    random = np.random.default_rng(1)
    ends = 0
    for _ in range(40):
        actions = actions_of(ours.action_space, random)
        got, expected = ours.step(actions), theirs.step(actions)
        assert [flat(part) for part in got[:3]] == [flat(part) for part in expected[:3]]
        for mine, other, done in zip(got[3], expected[3], got[2], strict=True):
            if done:
                assert set(mine) == set(other)
                assert flat(mine["terminal_observation"]) == flat(other["terminal_observation"])
                assert mine["TimeLimit.truncated"] == other["TimeLimit.truncated"]
                assert round(mine["episode"]["r"], 6) == other["episode"]["r"]  # a Monitor rounds
                assert mine["episode"]["l"] == other["episode"]["l"]
                ends += 1
        assert ours.reset_infos == theirs.reset_infos
    assert ends > N
    theirs.close()


def test_the_columns_of_all_environments(batch: Any) -> None:
    vec_env = SB3VecEnv(batch())
    vec_env.reset()
    vec_env.step([1, 0, 2])
    assert vec_env.batch_infos["position"].shape == (N,)
    assert vec_env.batch_infos["position"][0] > 0.0


def test_a_terminal_observation_does_not_change(batch: Any) -> None:
    """Nor does it keep those of all other environments in memory."""
    vec_env = SB3VecEnv(batch(episode_steps=1))
    vec_env.reset()
    last = vec_env.step([0] * N)[3][0]["terminal_observation"]
    assert last.base is None


# -- seeds and options -------------------------------------------------------------------------------------------------


def test_a_seed_is_used_once(batch: Any) -> None:
    vec_env = SB3VecEnv(batch(episode_steps=5))
    assert vec_env.seed(3) == [3, 4, 5]
    first, second = vec_env.reset(), vec_env.reset()
    assert (first != second).any()
    vec_env.seed(3)
    assert (vec_env.reset() == first).all()
    assert (vec_env.reset() == second).all()
    assert vec_env.get_attr("np_random_seed") == [(3, 4, 5)] * N


def test_options_are_used_once_and_reach_the_reset(batch: Any) -> None:
    domain = vecbt.RandomDomain(MARKET, test_period=1_000)
    vec_env = SB3VecEnv(batch(data=domain, episode_steps=20))
    vec_env.set_options({"sample_type": "test"})
    vec_env.reset()
    assert (vec_env.batch_infos["start"] >= 2_000).all()
    vec_env.set_options([{"sample_type": "train"}, {"sample_type": "test"}, {"sample_type": "train"}])
    vec_env.seed(1)
    vec_env.reset()
    assert [info["start"] >= 2_000 for info in vec_env.reset_infos] == [False, True, False]
    assert vec_env.get_attr("np_random_seed", 0) == [(1, 2, 3)]
    vec_env.set_options({"sample_tipe": "test"})
    with pytest.raises(UnknownNameError, match="sample_type"):
        vec_env.reset()


@pytest.mark.parametrize("engine", ENGINES)
def test_the_first_reset_may_be_by_different_options(batch: Any, engine: str) -> None:
    settings = {"data": vecbt.RandomDomain(MARKET, test_period=1_000), "engine": engine}
    vec_env, envs = SB3VecEnv(batch(**settings)), batch(**settings)
    vec_env.set_options([{}, {"sample_type": "test"}, {}])
    vec_env.seed(4)
    observations = vec_env.reset()
    expected, _ = envs.reset(seed=4)
    assert flat(observations[::2]) == flat(expected[::2])
    expected, _ = envs.reset(seed=4, options={"sample_type": "test"})
    assert flat(observations[1]) == flat(expected[1])


def test_resets_with_different_options_are_those_with_the_same(batch: Any) -> None:
    """The environments that wait for their turn are not touched, and are drawn once."""
    one, two = (SB3VecEnv(batch(data=vecbt.RandomDomain(MARKET, test_period=1_000))) for _ in range(2))
    for vec_env in (one, two):
        vec_env.seed(2)
        vec_env.reset()
    one.set_options([{"sample_type": "train"}, {"sample_type": 0}, {"sample_type": "train"}])  # which are the same
    assert flat(one.reset()) == flat(two.reset())
    assert one.reset_infos == two.reset_infos


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED], ids=lambda mode: mode.value)
def test_other_modes_are_refused(batch: Any, mode: AutoresetMode) -> None:
    with pytest.raises(ConfigError, match=rf"TradingVectorEnv in {mode.name}: make it with autoreset_mode='SameStep'"):
        SB3VecEnv(batch(autoreset_mode=mode))


def test_views_are_refused(batch: Any) -> None:
    with pytest.raises(ConfigError, match="make it with copy=True"):
        SB3VecEnv(batch(copy=False))
    envs = SyncVectorEnv([lambda: gymnasium.make("CartPole-v1")], copy=False, autoreset_mode=AutoresetMode.SAME_STEP)
    with pytest.raises(ConfigError, match="a SyncVectorEnv that overwrites them"):
        SB3VecEnv(envs)
    envs.close()


def test_a_start_method_of_a_batch_is_refused(batch: Any) -> None:
    with pytest.raises(ConfigError, match="'spawn' with a TradingVectorEnv"):
        SB3VecEnv(batch(), start_method="spawn")


# -- single environments -----------------------------------------------------------------------------------------------


def test_attributes_are_the_batchs(batch: Any) -> None:
    vec_env = SB3VecEnv(batch(commission=0.01))
    assert [config.commission for config in vec_env.get_attr("config")] == [0.01] * N
    assert len(vec_env.get_attr("config", indices=[0, -1])) == 2
    assert vec_env.get_attr("render_mode", indices=np.int64(1)) == [None]
    with pytest.raises(IndexError):
        vec_env.get_attr("config", indices=N)
    assert vec_env.has_attr("config")
    assert not vec_env.has_attr("money")
    with pytest.raises(AttributeError, match="money"):
        vec_env.get_attr("money")
    with pytest.raises(AttributeError, match=r"a TradingVectorEnv have no attribute 'money' to set: .*SB3VecEnv\(\["):
        vec_env.set_attr("money", 1.0)
    with pytest.raises(AttributeError, match="have no method 'render' to call"):
        vec_env.env_method("render")


def test_it_counts_as_monitored(batch: Any) -> None:
    vec_env = SB3VecEnv(batch())
    assert vec_env.env_is_wrapped(Monitor) == [True] * N
    assert vec_env.env_is_wrapped(Monitor, indices=0) == [True]
    assert vec_env.env_is_wrapped(gymnasium.wrappers.TimeLimit) == [False] * N


def test_nothing_is_rendered(batch: Any) -> None:
    vec_env = SB3VecEnv(batch())
    assert vec_env.render_mode is None
    with pytest.warns(UserWarning, match="no `render_mode`"):
        assert vec_env.render() is None
    with pytest.warns(UserWarning, match="'rgb_array', got None"):
        assert vec_env.get_images() == [None] * N


def test_pictures_of_all_environments_are_tiled(batch: Any) -> None:
    vec_env = SB3VecEnv(batch(render_mode="rgb_array"))
    assert vec_env.render_mode == "rgb_array"
    vec_env.reset()
    pictures = vec_env.get_images()
    assert len(pictures) == N
    tiled = vec_env.render()
    assert tiled.dtype == np.uint8
    assert tiled.size >= N * pictures[0].size


def test_closing_closes_the_batch(batch: Any) -> None:
    envs = batch()
    vec_env = SB3VecEnv(envs)
    vec_env.close()
    vec_env.close()
    assert envs.closed


# -- Stable-Baselines3 -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("settings", [{}, ACCOUNT, {"actions": "target_percent"}], ids=str)
def test_check_env(engine: str, settings: dict[str, Any]) -> None:
    env = gymnasium.make("vecbt/Trading-v0", data=MARKET, engine=engine, flatten=True, **settings)
    check_env(env)
    check_env(env.unwrapped)
    env.close()


def returns_of(batch: Any, wrap: Callable[[VecEnv], VecEnv], steps: int = 30) -> tuple[Any, list[Any]]:
    """Observations and last infos of some steps through a wrapper."""
    vec_env = wrap(SB3VecEnv(batch(flatten=True, episode_steps=6)))
    vec_env.seed(0)
    observations, ends = [vec_env.reset()], []
    for _ in range(steps):
        got, _, dones, infos = vec_env.step(np.array([1, 2, 3]))
        observations.append(got)
        ends += [infos[env] for env in np.flatnonzero(dones)]
    assert ends
    return np.array(observations), ends


def test_normalize(batch: Any) -> None:
    observations, ends = returns_of(batch, VecNormalize)
    assert abs(observations[-10:]).max() <= 10.0
    assert all(abs(info["terminal_observation"]).max() <= 10.0 for info in ends)  # it is normalized too


def test_frame_stack(batch: Any) -> None:
    plain, last = returns_of(batch, lambda vec_env: vec_env)
    stacked, ends = returns_of(batch, lambda vec_env: VecFrameStack(vec_env, n_stack=2))
    assert (stacked[5] == np.concatenate([plain[4], plain[5]], axis=-1)).all()
    half = plain.shape[-1]
    assert all(
        (a["terminal_observation"][half:] == b["terminal_observation"]).all() for a, b in zip(ends, last, strict=True)
    )


def test_monitor_is_superfluous(batch: Any) -> None:
    """It says so, and measures the same."""
    _, own = returns_of(batch, lambda vec_env: vec_env)
    with pytest.warns(UserWarning, match="already wrapped with a `Monitor`"):
        _, ends = returns_of(batch, VecMonitor)
    assert [info["episode"]["l"] for info in ends] == [info["episode"]["l"] for info in own]
    # A VecMonitor adds up in float32.
    for mine, other in zip(own, ends, strict=True):
        assert abs(mine["episode"]["r"] - other["episode"]["r"]) < 1e-5


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("policy", "settings"),
    [("MlpPolicy", {"flatten": True}), ("MultiInputPolicy", ACCOUNT), ("MlpPolicy", {"actions": "target_percent"})],
    ids=["flat", "dictionary", "weights"],
)
def test_learn_and_evaluate(batch: Any, tmp_path: Path, engine: str, policy: str, settings: dict[str, Any]) -> None:
    vec_env = SB3VecEnv(batch(num_envs=8, engine=engine, episode_steps=10, **settings))
    model = PPO(policy, vec_env, n_steps=16, batch_size=64, n_epochs=1, seed=0, device="cpu")
    model.set_logger(configure(str(tmp_path), ["csv"]))
    model.learn(256)
    model.logger.close()
    names, *rows = [line.split(",") for line in (tmp_path / "progress.csv").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 2
    assert [float(row[names.index("rollout/ep_len_mean")]) for row in rows] == [10.0, 10.0]
    logged = float(rows[-1][names.index("rollout/ep_rew_mean")])
    assert logged == np.mean([info["r"] for info in model.ep_info_buffer])  # type: ignore[union-attr]
    assert logged != 0.0
    rewards, lengths = evaluate_policy(model, vec_env, n_eval_episodes=8, return_episode_rewards=True)
    assert lengths == [10] * 8  # type: ignore[comparison-overlap]
    assert np.isfinite(rewards).all()


def test_a_batch_without_infos_still_has_its_last_observations(batch: Any) -> None:
    envs = SB3VecEnv(batch(infos="none", episode_steps=2))
    envs.reset()
    assert envs.step(np.zeros(envs.num_envs, int))[3] == [{}] * envs.num_envs
    before, _, dones, infos = envs.step(np.zeros(envs.num_envs, int))
    assert dones.all()
    for row, info in zip(before, infos, strict=True):
        assert info["TimeLimit.truncated"]
        assert info["terminal_observation"].shape == row.shape
        assert (info["terminal_observation"] != row).any()


def test_rows_that_go_on_share_one_empty_dictionary(batch: Any) -> None:
    envs = SB3VecEnv(batch(num_envs=4, episode_steps=3))
    envs.reset()
    for step in range(3):
        infos = envs.step(np.zeros(envs.num_envs, int))[3]
        assert len({id(info) for info in infos}) == (1 if step < 2 else 4)
    assert all(infos)
    assert envs.step(np.zeros(envs.num_envs, int))[3] == [{}] * 4  # and nothing has been written into it
