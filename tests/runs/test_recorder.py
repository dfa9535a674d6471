from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import vecbt
from vecbt.errors import ConfigError, EpisodeError
from vecbt.runs import EpisodeRecorder, Recording
from vecbt.spaces import ActionDictSpace

MARKET = vecbt.data.synthetic_market(400, seed=5)
PAIR = vecbt.data.align_bars({"A": MARKET, "B": vecbt.data.synthetic_market(400, seed=6)})


def record(bars: Any, engine: str, seed: int, **settings: Any) -> tuple[list[Recording], list[dict[str, Any]]]:
    """The first episodes of three environments that act at random, and what each step has returned."""
    envs = vecbt.make_vec(bars, num_envs=3, engine=engine, num_workers=0, **{"window": 5, **settings})
    try:
        envs.action_space.seed(seed)
        _, infos = envs.reset(seed=seed)
        seen = [infos]
        recorder = EpisodeRecorder(envs, bars, infos, engine)
        while not recorder.finished.all():
            actions = envs.action_space.sample()
            results = envs.step(actions)
            recorder.step(actions, results)
            actions[:] = 0  # the recorder must have kept a copy
            seen.append({**results[4], "reward": results[1]})
        return recorder.recordings(["policy", "flat", "random"], 2), seen
    finally:
        envs.close()


@pytest.mark.parametrize("engine", ["compiled", "cerebro"])
@pytest.mark.parametrize(
    ("bars", "settings"),
    [
        (MARKET, {"episode_steps": 20}),
        (MARKET, {"episode_steps": 9, "skip_frame": 3, "actions": "target_percent"}),
        (PAIR, {"episode_steps": 15, "commission": 0.001, "order_size": "40%"}),
        (MARKET, {"episode_steps": 40, "drawdown_call": 0.05, "commission": 0.001}),
    ],
    ids=["plain", "skip", "pair", "calls"],
)
def test_a_recording_is_what_the_steps_have_returned(engine: str, bars: Any, settings: dict[str, Any]) -> None:
    recordings, seen = record(bars, engine, 3, **settings)
    assets = len(recordings[0].assets)
    for env, own in enumerate(recordings):
        length = len(own.rewards)
        shape = (length + 1, assets)
        assert own.rewards.tolist() == [step["reward"][env] for step in seen[1 : length + 1]]
        for name, column in (("cash", own.cash), ("value", own.values), ("costs", own.costs), ("bar", own.rows)):
            assert column.tolist() == [step[name][env] for step in seen[: length + 1]], name
        for name, column in (("position", own.positions), ("order_status", own.statuses)):
            assert column.shape == shape
            assert (column == np.reshape([step[name][env] for step in seen[: length + 1]], shape)).all()
        assert seen[length]["_episode_stats"][env]
        assert own.stats["l"] == length
        assert own.identity.start == own.rows[0]
        assert (own.identity.seed, own.identity.env, own.identity.num_envs, own.identity.episode) == (
            3 + env,
            env,
            3,
            0,
        )
        skip = settings.get("skip_frame", 1)
        assert len(own.ohlc) == own.rows[-1] - own.rows[0] + 1 == length * skip + 1
        assert (own.bar_timestamps[::skip] == own.timestamps).all()
        assert (own.timestamps == bars.timestamps[own.rows]).all()
        first = next(iter(bars.by_asset.values())) if assets > 1 else bars
        assert (own.ohlc[:, 0, 3] == first.close[own.rows[0] : own.rows[-1] + 1]).all()
    assert [own.agent for own in recordings] == ["policy", "flat", "random"]
    assert {own.fold for own in recordings} == {2}


def test_both_engines_give_one_recording() -> None:
    (compiled, _), (cerebro, _) = (record(MARKET, engine, 1, episode_steps=20) for engine in ("compiled", "cerebro"))
    for mine, theirs in zip(compiled, cerebro, strict=True):
        assert mine.identity == theirs.identity
        assert mine.values.tobytes() == theirs.values.tobytes()


@pytest.mark.parametrize(
    "settings",
    [
        {"infos": "episode"},
        {"autoreset_mode": "SameStep"},
        {"actions": ActionDictSpace(assets=["SYNTH"], base_actions=["hold", "buy"])},
    ],
    ids=["infos", "autoreset", "named actions"],
)
def test_what_cannot_be_recorded_is_refused(settings: dict[str, Any]) -> None:
    envs = vecbt.make_vec(MARKET, **settings)
    _, infos = envs.reset(seed=0)
    with pytest.raises(ConfigError, match="recorded"):
        EpisodeRecorder(envs, MARKET, infos, "compiled")
    envs.close()


def test_an_episode_that_goes_on_is_no_recording() -> None:
    envs = vecbt.make_vec(MARKET, num_envs=2, episode_steps=5)
    recorder = EpisodeRecorder(envs, MARKET, envs.reset(seed=0)[1], "compiled")
    recorder.step([0, 0], envs.step([0, 0]))
    with pytest.raises(EpisodeError, match="environment 0 has not ended"):
        recorder.recordings(["flat", "flat"], 0)
    envs.close()
