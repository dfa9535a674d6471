"""What goes through Gymnasium's registry and wrappers: data, settings, seeds, infos."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pandas as pd
import pytest
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import vector as wrappers

import vecbt
from tests.envs import MARKET, flat, make, rollout
from vecbt.errors import ConfigError, UnknownNameError

ID = "vecbt:vecbt/Trading-v0"
KEYWORDS: dict[str, Any] = {"engine": "cerebro", "episode_steps": 5, "window": 4}
PARTS = {"account_features": ("value",)}


@pytest.fixture
def batch() -> Iterator[Any]:
    made = []

    def make_batch(**settings: Any) -> Any:
        made.append(make(3, **({"episode_steps": 4} | settings)))
        return made[-1]

    yield make_batch
    for envs in made:
        envs.close()


def frame() -> pd.DataFrame:
    columns = {name: MARKET.column(name)[:300] for name in ("open", "high", "low", "close", "volume")}
    return pd.DataFrame(columns, index=pd.DatetimeIndex(MARKET.timestamps[:300].astype("datetime64[ns]")))


def events(steps: int = 12, **settings: Any) -> list[Any]:
    envs = gymnasium.make_vec(ID, **{"num_envs": 3, "num_workers": 0, **KEYWORDS, **settings})
    found = rollout(envs, steps)
    envs.close()
    return found


def arrays_of(value: Any) -> Iterator[np.ndarray]:
    if isinstance(value, dict | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from arrays_of(part)
    elif isinstance(value, np.ndarray):
        yield value


# -- the registry ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_workers", [1, 2, 5])
def test_workers(num_workers: int) -> None:
    envs = gymnasium.make_vec(ID, num_envs=3, data=MARKET, num_workers=num_workers, **KEYWORDS)
    assert isinstance(envs.unwrapped, vecbt.TradingVectorEnv)
    assert len(envs.worker_pids) == min(num_workers, 3)
    assert envs.spec is not None
    assert envs.spec.id == "vecbt/Trading-v0"
    assert rollout(envs, 12) == events(data=MARKET)
    envs.close()


def test_a_spec_makes_the_same_again() -> None:
    envs = gymnasium.make_vec(ID, num_envs=3, data=MARKET, num_workers=0, autoreset_mode="SameStep", **KEYWORDS)
    spec, expected = envs.spec, rollout(envs, 12)
    envs.close()
    for twin in (spec, copy.deepcopy(spec), pickle.loads(pickle.dumps(spec))):
        again = gymnasium.make_vec(twin, num_envs=3)
        assert again.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
        assert rollout(again, 12) == expected
        again.close()


def test_single_environments_in_a_batch_of_gymnasiums() -> None:
    expected = events(data=MARKET, infos="none")
    assert events(data=MARKET, infos="none", num_workers=None) == expected
    envs = gymnasium.make_vec(ID, num_envs=3, vectorization_mode="sync", data=MARKET, infos="none", **KEYWORDS)
    assert rollout(envs, 12) == expected
    envs.close()


@pytest.mark.parametrize(
    "data",
    [MARKET.rows(0, 300), frame(), vecbt.RandomDomain(MARKET.rows(0, 300), test_period=50)],
    ids=lambda data: type(data).__name__,
)
def test_data_survive_copies_and_pickles(data: Any) -> None:
    expected = events(data=data)
    for twin in (copy.deepcopy(data), pickle.loads(pickle.dumps(data))):
        assert type(twin) is type(data)
        assert events(data=twin) == expected
    assert events(data=data, num_workers=1) == expected


def test_a_frame_is_not_changed() -> None:
    data = frame()
    before = data.copy(deep=True)
    events(data=data, features=("close", "sma(3)"))
    pd.testing.assert_frame_equal(data, before)


def test_a_shared_server_is_shared() -> None:
    with vecbt.DataFeedServer(MARKET) as server:
        assert events(data=server) == events(data=server, num_workers=2) == events(data=MARKET)
        assert server.get_info()["bars"] == 3_000  # no batch has stopped it


@pytest.mark.parametrize(
    "config",
    [
        vecbt.EnvConfig(),
        vecbt.EnvConfig(features=["close", "log_return"], order_size=[2], positions=[-1, 1], actions="target_position"),
        vecbt.EnvConfig(commission=vecbt.Commission(rate=1.0, per_unit=True, margin=2.0), slippage=vecbt.Slippage()),
        vecbt.EnvConfig(strategy=(vecbt.Strategy, {}), drawdown_call=3.0),
    ],
    ids=range(4),
)
def test_configurations_survive_copies_and_pickles(config: vecbt.EnvConfig) -> None:
    for twin in (copy.copy(config), copy.deepcopy(config), pickle.loads(pickle.dumps(config))):
        assert twin == config
        for name in vecbt.EnvConfig.__dataclass_fields__:
            assert type(getattr(twin, name)) is type(getattr(config, name))


# -- wrappers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", list(AutoresetMode), ids=lambda mode: mode.value)
def test_record_episode_statistics(batch: Any, mode: AutoresetMode) -> None:
    envs = wrappers.RecordEpisodeStatistics(batch(autoreset_mode=mode))
    envs.reset(seed=0)
    ends = 0
    for _ in range(15):
        _, _, terminations, truncations, infos = envs.step(np.array([1, 2, 0]))
        ended = terminations | truncations
        assert ("episode" in infos) == ended.any()
        if ended.any():
            ends += 1
            own = infos["final_info"] if mode is AutoresetMode.SAME_STEP else infos
            assert infos["_episode"].tolist() == own["_episode_stats"].tolist() == ended.tolist()
            assert infos["episode"]["r"] == pytest.approx(own["episode_stats"]["r"])
            assert infos["episode"]["l"].tolist() == own["episode_stats"]["l"].tolist() == [4, 4, 4]
            if mode is AutoresetMode.DISABLED:
                envs.reset(options={"reset_mask": ended})
    assert ends == 3


@pytest.mark.parametrize("mode", list(AutoresetMode), ids=lambda mode: mode.value)
def test_normalize_reward(batch: Any, mode: AutoresetMode) -> None:
    plain, envs = batch(autoreset_mode=mode), wrappers.NormalizeReward(batch(autoreset_mode=mode))
    plain.reset(seed=0)
    envs.reset(seed=0)
    for _ in range(4):
        raw, got = plain.step([1, 2, 0])[1], envs.step(np.array([1, 2, 0]))[1]
        assert got.shape == (3,)
        assert (np.sign(got) == np.sign(raw)).all()
        assert np.isfinite(got).all()
        assert np.abs(got[:2]).min() > np.abs(raw[:2]).min()  # log returns are small


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP], ids=lambda mode: mode.value)
def test_dict_info_to_list(batch: Any, mode: AutoresetMode) -> None:
    plain = batch(autoreset_mode=mode, drawdown_call=0.02, episode_steps=30)
    envs = wrappers.DictInfoToList(batch(autoreset_mode=mode, drawdown_call=0.02, episode_steps=30))
    infos, listed = plain.reset(seed=0)[1], envs.reset(seed=0)[1]
    assert [info["bar"] for info in listed] == infos["bar"].tolist()
    ends = 0
    for _ in range(40):
        _, _, terminations, truncations, infos = plain.step([1, 2, 0])
        *_, listed = envs.step(np.array([1, 2, 0]))
        ended = terminations | truncations
        for env, info in enumerate(listed):
            assert info["value"] == infos["value"][env]
            place = info.get("final_info", {}) if mode is AutoresetMode.SAME_STEP else info
            assert ("episode_stats" in place) == ended[env]
            if ended[env]:
                ends += 1
                own = infos["final_info"] if mode is AutoresetMode.SAME_STEP else infos
                assert place["episode_stats"]["l"] == own["episode_stats"]["l"][env] > 0
                assert not any(name.startswith("_") for name in place["episode_stats"])
    assert ends > 3


def test_observation_wrappers(batch: Any) -> None:
    plain = batch(**PARTS)
    market = wrappers.FilterObservation(batch(**PARTS), ["market"])
    whole = wrappers.FlattenObservation(batch(**PARTS))
    normal = wrappers.NormalizeObservation(batch())
    expected = plain.reset(seed=0)[0]
    for envs in (market, whole, normal):
        observation, _ = envs.reset(seed=0)
        for _ in range(8):
            assert envs.observation_space.contains(observation)
            observation = envs.step(np.array([1, 2, 0]))[0]
    assert (market.reset(seed=0)[0]["market"] == expected["market"]).all()
    flattened = np.concatenate([expected["account"], expected["market"].reshape(3, -1)], axis=1)
    assert (whole.reset(seed=0)[0] == flattened).all()


# -- whose memory it is ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_copies_share_nothing_with_any_other_call(batch: Any, mode: str) -> None:
    envs = batch(autoreset_mode=mode, episode_steps=2, **PARTS)
    results = [envs.reset(seed=0), *(envs.step([1, 2, 0]) for _ in range(5))]
    buffers = list(envs._batch.arrays.values())
    for number, result in enumerate(results):
        for array in arrays_of(result):
            if not array.flags.writeable:
                continue  # a mask that nobody can change
            others = [*buffers, *arrays_of(tuple(results[:number]))]
            assert not any(np.shares_memory(array, other) for other in others)


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_views_are_of_the_buffers_and_flags_are_not(batch: Any, mode: str) -> None:
    envs = batch(autoreset_mode=mode, episode_steps=2, copy=False, **PARTS)
    first, first_infos = envs.reset(seed=0)
    kept: list[Any] = []
    for _ in range(4):
        observation, *flags, infos = envs.step([1, 2, 0])
        for key in ("market", "account"):
            assert np.shares_memory(observation[key], first[key])
        assert np.shares_memory(infos["value"], first_infos["value"])
        if "final_obs" in infos:
            assert not np.shares_memory(infos["final_obs"]["market"], observation["market"])
            assert not np.shares_memory(infos["final_obs"]["market"], envs._batch.arrays["final_market"])
        assert not any(np.shares_memory(flag, before) for flag in flags for before in kept)
        kept += flags


def test_views_show_what_copies_show(batch: Any) -> None:
    settings = {"autoreset_mode": "SameStep", **PARTS}
    assert rollout(batch(copy=False, **settings), 12) == rollout(batch(**settings), 12)


def test_masks_cannot_lie(batch: Any) -> None:
    """Every entry of the infos has a mask, of the dtype and shape that Gymnasium's have."""
    envs = batch(autoreset_mode="SameStep", drawdown_call=0.02, episode_steps=30)

    def check(infos: dict[str, Any]) -> None:
        names = [name for name in infos if not name.startswith("_")]
        assert set(infos) == set(names) | {"_" + name for name in names}
        for name in names:
            mask = infos["_" + name]
            assert (mask.dtype, mask.shape) == (np.dtype(bool), (3,))
            if isinstance(infos[name], dict) and name != "final_obs":
                check(infos[name])
            else:
                assert all(len(array) == 3 for array in arrays_of(infos[name]))

    check(envs.reset(seed=0)[1])
    partial = 0
    for _ in range(40):
        _, _, terminations, truncations, infos = envs.step([1, 2, 0])
        check(infos)
        ended = terminations | truncations
        partial += bool(ended.any() and not ended.all())
        if ended.any():
            assert infos["_final_obs"].tolist() == infos["_final_info"].tolist() == ended.tolist()
            assert infos["final_info"]["_value"].tolist() == ended.tolist()
    assert partial


# -- seeds -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [[3, 4, 5], (3, 4, 5), np.array([3, 4, 5]), np.int64(3), np.uint8(3)], ids=repr)
def test_kinds_of_seeds(batch: Any, seed: Any) -> None:
    envs, other = batch(), batch()
    assert flat(envs.reset(seed=seed)[0]) == flat(other.reset(seed=3)[0])
    assert envs.np_random_seed == (3, 4, 5)
    assert all(type(one) is int for one in envs.np_random_seed)


@pytest.mark.parametrize("seed", [1.5, "abc", True, {1, 2, 3}, [1, 2, -1], [1, True, 2], [0, 1, 2**128]], ids=repr)
def test_a_refused_seed_changes_nothing(batch: Any, seed: Any) -> None:
    envs, other = batch(), batch()
    for one in (envs, other):
        one.reset(seed=0)
        one.step([1, 2, 0])
    with pytest.raises(ConfigError, match="seed must be a whole number"):
        envs.reset(seed=seed)
    assert envs.np_random_seed == (0, 1, 2)
    for _ in range(8):
        assert [flat(part) for part in envs.step([1, 2, 0])] == [flat(part) for part in other.step([1, 2, 0])]


@pytest.mark.parametrize("options", [{"sample_type": "tset"}, {"sample_type": "test"}, {"sample_typ": 0}], ids=str)
def test_a_refused_option_changes_nothing(batch: Any, options: Any) -> None:
    envs, other = batch(), batch()
    for one in (envs, other):
        one.reset(seed=0)
    with pytest.raises((ConfigError, UnknownNameError)):
        envs.reset(seed=7, options=options)
    assert envs.np_random_seed == (0, 1, 2)
    assert flat(envs.reset()[0]) == flat(other.reset()[0])


def test_a_refused_option_leaves_a_single_environment_its_seed() -> None:
    env = vecbt.TradingEnv(MARKET, **KEYWORDS)
    env.reset(seed=3)
    with pytest.raises(UnknownNameError):
        env.reset(seed=4, options={"reset_mask": None})
    assert env.np_random_seed == 3
    env.close()


def test_a_partial_reset_with_seeds_seeds_those_alone(batch: Any) -> None:
    envs = batch(autoreset_mode="Disabled")
    envs.reset(seed=0)
    mask = np.array([False, True, False])
    _, infos = envs.reset(seed=[50, 60, 70], options={"reset_mask": mask})
    assert envs.np_random_seed == (0, 60, 2)
    other = batch()
    assert infos["start"][1] == other.reset(seed=[0, 60, 0])[1]["start"][1]
    assert infos["_start"].tolist() == mask.tolist()
