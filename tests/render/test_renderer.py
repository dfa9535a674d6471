from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import vecbt
from tests.envs import MARKET, flat, make, rollout
from tests.names import name_of
from vecbt.errors import ClosedError, ConfigError, EpisodeError, MissingExtraError, UnknownNameError
from vecbt.spaces import ActionDictSpace

ROOT = Path(vecbt.__file__).parents[1]
BOTH = ["cerebro", "compiled"]
DRAWN: dict[str, Any] = {"render_mode": "rgb_array", "episode_steps": 12}
MODES = ("human", "episode", "observation", "account", "market")


def played(engine: str, num_envs: int = 2, **settings: Any) -> Any:
    """A batch that has come to its second episodes."""
    envs = make(num_envs, engine=engine, **(DRAWN | {"account_features": ("cash", "value")} | settings))
    envs.reset(seed=4)
    for step in range(18):
        envs.step(np.full(num_envs, (1, 0, 3, 2, 0, 0)[step % 6]))
    return envs


def test_both_engines_draw_the_same() -> None:
    one, other = (played(engine) for engine in BOTH)
    for mode in MODES:
        pictures = one.render(mode)
        assert type(pictures) is tuple
        assert len(pictures) == 2
        for picture in pictures:
            assert picture.dtype == np.uint8
            assert picture.ndim == 3
            assert picture.shape[2] == 3
            assert picture.std() > 1.0
            assert picture.flags.owndata
        assert flat(dict(zip("ab", pictures, strict=True))) == flat(dict(zip("ab", other.render(mode), strict=True)))
    one.close()
    other.close()


def test_pictures_follow_the_episode() -> None:
    envs = played("compiled")
    before = {mode: envs.render(mode, envs=[0])[0] for mode in MODES}
    envs.step([1, 0])
    after = {mode: envs.render(mode, envs=[0])[0] for mode in MODES}
    changed = {mode for mode in MODES if not np.array_equal(before[mode], after[mode])}
    assert changed == set(MODES) - {"episode"}
    envs.close()


def test_some_environments() -> None:
    envs = played("compiled", 3)
    every = envs.render()
    for chosen, numbers in (([2, 0], [2, 0]), (np.array([False, True, False]), [1]), (1, [1]), ([], [])):
        pictures = envs.render("human", envs=chosen)
        assert [picture.tobytes() for picture in pictures] == [every[number].tobytes() for number in numbers]
    with pytest.raises(ConfigError, match="envs must be indices from 0 to 2"):
        envs.render("human", envs=[3])
    envs.close()


def test_environments_in_workers() -> None:
    envs = played("cerebro", num_workers=2)
    assert [picture.shape for picture in envs.render()] == [picture.shape for picture in played("compiled").render()]
    assert len(envs.render("episode")) == 2
    envs.close()


@pytest.mark.parametrize(
    "settings",
    [
        {"account_features": (), "flatten": False},
        {"flatten": True},
        {"window": 0},
        {"actions": "target_percent"},
        {"actions": "target_position", "skip_frame": 3},
        {"actions": ActionDictSpace(["default_asset", "default_cash"])},
        {"infos": "none"},
        {"features": [f"sma({number})" for number in range(2, 10)]},
        {"data": vecbt.RandomDomain(MARKET, test_period=500)},
    ],
    ids=name_of,
)
def test_other_environments(settings: Any) -> None:
    data = settings.get("data", MARKET)
    given = {"account_features": ("cash", "value"), **DRAWN, **{k: v for k, v in settings.items() if k != "data"}}
    env: Any = vecbt.TradingEnv(data, **given)
    env.reset(seed=1)
    env.action_space.seed(1)
    for _ in range(12):
        env.step(env.action_space.sample())
    for mode in ("human", "episode", "observation"):
        assert env.render(mode).shape[2] == 3
    env.reset(options={"sample_type": "test"} if "data" in settings else None)
    assert env.render().dtype == np.uint8
    env.close()


@pytest.mark.parametrize("engine", BOTH)
def test_several_assets(engine: str) -> None:
    data = {name: vecbt.data.synthetic_market(300, seed=number) for number, name in enumerate(("EUR", "USD"))}
    envs: Any = make(2, data=data, engine=engine, order_size=20, **DRAWN)
    one: Any = make(2, engine=engine, **DRAWN)
    for batch, actions in ((envs, [[1, 2], [0, 0]]), (one, [1, 0])):
        batch.reset(seed=0)
        batch.step(actions)
    assert envs.render()[0].shape[0] > one.render()[0].shape[0]
    assert envs._batch.recorder.running(0).fills[1].tolist() == [20.0, -20.0]
    for _ in range(12):
        envs.step([[0, 0], [3, 3]])
    assert len(envs.render("episode")) == 2
    envs.close()
    one.close()


def test_observations_within_observations() -> None:
    envs = played("cerebro", strategy=Nested)
    whole, group, leaf = (envs.render(mode, envs=[0])[0] for mode in ("observation", "own", "own/deep/steps"))
    assert whole.shape[0] > group.shape[0] > leaf.shape[0]
    with pytest.raises(UnknownNameError, match="did you mean 'own/deep'"):
        envs.render("own/deeq")
    envs.close()


class Nested(vecbt.Strategy):
    """Has observations within observations."""

    state_shape = {  # noqa: RUF012
        "own": {
            "trend": gymnasium.spaces.Box(-9.0, 9.0, (3,), np.float32),
            "deep": {"steps": gymnasium.spaces.Box(0.0, 1e6, (), np.float32)},
        }
    }

    def get_own_state(self) -> Any:
        return {"trend": np.zeros(3, np.float32), "deep": {"steps": np.float32(len(self))}}


# -- Gymnasium ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", BOTH)
def test_check_env(engine: str) -> None:
    env = gymnasium.make("vecbt/Trading-v0", data=MARKET, engine=engine, **DRAWN)
    assert env.render_mode == "rgb_array"
    check_env(env.unwrapped)
    env.close()


def test_wrappers() -> None:
    keywords = {"data": MARKET, "episode_steps": 12}
    env: Any = gymnasium.make("vecbt/Trading-v0", render_mode="rgb_array_list", **keywords)
    env.reset(seed=0)
    for _ in range(3):
        env.step(1)
    frames = env.render()
    assert len(frames) == 4
    assert len({frame.tobytes() for frame in frames}) == 4
    envs: Any = gymnasium.make_vec("vecbt/Trading-v0", num_envs=2, render_mode="rgb_array", **keywords)
    assert envs.render_mode == "rgb_array"
    assert envs.metadata["render_modes"] == ["rgb_array"]
    envs.reset(seed=0)
    assert len(envs.render()) == 2
    env.close()
    envs.close()


def test_a_picture_changes_nothing() -> None:
    def played(mode: str | None) -> Any:
        envs: Any = make(3, engine="compiled", episode_steps=9, render_mode=mode)
        if mode:
            step = envs.step
            envs.step = lambda actions: (step(actions), envs.render(envs=[0]))[0]
        return rollout(envs, 12)

    assert played("rgb_array") == played(None)


# -- what it costs when nobody asks ------------------------------------------------------------------------------------


def test_without_a_render_mode_nothing_is_kept() -> None:
    envs: Any = make(2, engine="compiled")
    env: Any = vecbt.TradingEnv(MARKET)
    assert envs._batch.recorder is None
    assert env._batch.recorder is None
    assert envs.render_mode is None
    for one in (env, envs):
        one.reset(seed=0)
        with pytest.raises(ConfigError, match="made with render_mode='rgb_array'"):
            one.render()
        one.close()


def test_what_is_imported() -> None:
    code = """
import sys, vecbt
market = vecbt.data.synthetic_market(200, seed=0)
envs = vecbt.make_vec(market, num_envs=2, engine="compiled", episode_steps=5)
envs.reset(seed=0)
assert not any(name.startswith("matplotlib") for name in sys.modules)
drawn = vecbt.make_vec(market, num_envs=2, engine="compiled", episode_steps=5, render_mode="rgb_array")
drawn.reset(seed=0)
print(drawn.render()[0].shape)
assert "matplotlib.pyplot" not in sys.modules  # whose list of figures grows
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("DISPLAY", None)
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=environment, capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == "(368, 800, 3)\n"


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_nothing_to_draw() -> None:
    envs: Any = make(2, engine="compiled", **DRAWN)
    env: Any = vecbt.TradingEnv(MARKET, **DRAWN)
    for one in (envs, env):
        with pytest.raises(EpisodeError, match=r"render\(\) before reset\(\): call reset\(\) first"):
            one.render()
        one.reset(seed=0)
        with pytest.raises(EpisodeError, match="environment 0 has ended no episode yet"):
            one.render("episode")
        with pytest.raises(UnknownNameError, match=r"unknown mode of render.* 'humann': did you mean 'human'"):
            one.render("humann")
        one.close()
        with pytest.raises(ClosedError):
            one.render()


@pytest.mark.parametrize("mode", ["human", "ansi", "depth_array", 3])
def test_other_render_modes(mode: Any) -> None:
    for make_one in (vecbt.TradingEnv, vecbt.make_vec):
        with pytest.raises(UnknownNameError, match=r"unknown render_mode .* Known: rgb_array"):
            make_one(MARKET, render_mode=mode)


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecbt.render.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'needs matplotlib, .* pip install "vecbt\[render\]"'):
        vecbt.make_vec(MARKET, render_mode="rgb_array")
