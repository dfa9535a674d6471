"""Environments on generated trials: every episode has the trial of its seed and its number, whatever runs it."""

from __future__ import annotations

import os
import signal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vecbt
from tests.envs import flat, make, rollout
from vecbt.data import BlockBootstrap, GeneratedDomain, OrnsteinUhlenbeck, RandomDomain, synthetic_market
from vecbt.data.generated.content import TrialMaker
from vecbt.data.store import DataStore
from vecbt.errors import ConfigError
from vecbt.feed.sampler import WHOLE

PROCESS = OrnsteinUhlenbeck(volatility=0.005)
MARKET = synthetic_market(600, seed=1)
WINDOW, STEPS, BARS = 4, 6, 10  # an episode takes the whole of its trial
PURE, MIXED = GeneratedDomain(PROCESS, bars=BARS), GeneratedDomain(PROCESS, bars=BARS, test=MARKET)
LONG = GeneratedDomain(PROCESS, bars=60, test=RandomDomain(MARKET, test_period=200))
SETTINGS: dict[str, Any] = {
    "data": LONG,
    "window": 5,
    "episode_steps": 15,
    "features": ("close", "sma(3)", "log_return"),
    "account_features": ("value", "drawdown"),
    "commission": 0.0005,
}
MAKER = TrialMaker(PROCESS, BARS)


def small(num_envs: int, mode: str = "NextStep", **changes: Any) -> vecbt.TradingVectorEnv:
    changes = {"data": PURE, "window": WINDOW, "episode_steps": STEPS, "features": ("close",), **changes}
    return make(num_envs, **{"engine": "compiled", "autoreset_mode": mode, **changes})


def closes(seed: int, number: int, step: int) -> np.ndarray:
    """The window after so many steps of an episode."""
    return MAKER.make(seed, number)[step : step + WINDOW, 3].astype(np.float32)


# -- whatever runs them ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["NextStep", "SameStep"])
def expected(request: pytest.FixtureRequest) -> tuple[str, list[Any]]:
    envs = make(5, autoreset_mode=request.param, **SETTINGS)
    events = rollout(envs, 60)
    envs.close()
    return request.param, events


@pytest.mark.parametrize(
    "run",
    [
        {"engine": "compiled"},
        {"engine": "compiled", "num_workers": 1},
        {"engine": "compiled", "num_workers": None},
        {"num_workers": 1},
        {"num_workers": 2, "context": "spawn"},
        {"num_workers": 2, "context": "fork"},
        {"num_workers": 2, "parent_share": True},
    ],
    ids=str,
)
def test_the_same_to_the_last_bit(expected: tuple[str, list[Any]], run: dict[str, Any]) -> None:
    mode, events = expected
    envs = make(5, autoreset_mode=mode, **SETTINGS, **run)
    assert rollout(envs, 60) == events
    assert rollout(envs, 60) == events  # a seed begins anew
    envs.close()


@pytest.mark.parametrize("normalize", ["train", "window"])
def test_normalized_windows(normalize: str) -> None:
    runs = []
    for run in ({}, {"engine": "compiled"}, {"engine": "compiled", "num_workers": 1}):
        envs = make(4, normalize=normalize, **SETTINGS, **run)
        runs.append(rollout(envs, 40))
        envs.close()
    assert runs[0] == runs[1] == runs[2]


def test_neighbours_do_not_matter() -> None:
    many, few = small(7), small(3)
    many.reset(seed=2)
    few.reset(seed=2)
    random = np.random.default_rng(0)
    for _ in range(30):
        actions = random.integers(0, 4, 7)
        all_of_them, some = many.step(actions), few.step(actions[:3])
        assert [flat(part[:3]) for part in all_of_them[:4]] == [flat(part) for part in some[:4]]
    many.close()
    few.close()


def test_a_single_environment_is_the_first_of_a_batch() -> None:
    env = vecbt.TradingEnv(PURE, window=WINDOW, episode_steps=STEPS, features=("close",))
    for number in range(4):
        observation, info = env.reset(seed=11 if number == 0 else None)
        assert (info["bar"], info["start"]) == (-1, -1)
        for step in range(1, STEPS + 1):
            assert (observation[:, 0] == closes(11, number, step - 1)).all()
            observation, _, _, truncated, info = env.step(1)
        assert truncated
        stats = info["episode_stats"]
        assert (stats["start"], stats["end"], stats["trial"], stats["episode"]) == (-1, -1, number, number)
    env.close()


# -- which trial it is -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
@pytest.mark.parametrize("num_workers", [0, 1])
def test_episodes_have_the_trials_of_their_numbers(mode: str, num_workers: int) -> None:
    envs = small(3, mode, num_workers=num_workers)
    observations, infos = envs.reset(seed=[5, 1 << 100, 7])
    numbers, steps = np.zeros(3, int), np.zeros(3, int)
    random = np.random.default_rng(4)
    for _ in range(50):
        for env, seed in enumerate((5, 1 << 100, 7)):
            assert (observations[env, :, 0] == closes(seed, int(numbers[env]), int(steps[env]))).all()
        assert (infos["bar"] == -1).all()
        before = steps == STEPS
        observations, _, _, truncations, infos = envs.step(random.integers(0, 4, 3))
        steps += 1
        begun = truncations if mode == "SameStep" else before
        numbers[begun] += 1
        steps[begun] = 0
    assert numbers.min() >= 6
    envs.close()


def calls() -> st.SearchStrategy[list[tuple[Any, ...]]]:
    env, seed = st.integers(0, 2), st.integers(0, 5)
    mask = st.lists(st.booleans(), min_size=3, max_size=3)
    step = st.just(("step",))
    others = st.one_of(
        st.tuples(st.just("reset"), mask, seed | st.none()),
        st.tuples(st.just("stop"), env),
        st.tuples(st.just("choose_seed"), env, seed),
        st.tuples(st.just("choose_type"), env, st.sampled_from(["train", "test"])),
    )
    return st.lists(st.one_of(*[step] * 9, others), max_size=60)


class Model:
    """Three environments, and what their seeds and the numbers of their episodes should be."""

    def __init__(self, mode: str) -> None:
        self.mode, self.envs = mode, small(3, mode, data=MIXED)
        self.seeds, self.numbers, self.steps = [100, 101, 102], [0, 0, 0], [0, 0, 0]
        self.types, self.coming, self.stopped = ["train"] * 3, ["train"] * 3, [False] * 3
        self.waiting: list[int | None] = [None] * 3
        self.show(*self.envs.reset(seed=100))

    def begin(self, env: int) -> None:
        seed, self.waiting[env] = self.waiting[env], None
        self.numbers[env] = 0 if seed is not None else self.numbers[env] + 1
        self.seeds[env] = self.seeds[env] if seed is None else seed
        self.types[env], self.steps[env], self.stopped[env] = self.coming[env], 0, False

    def show(self, observations: np.ndarray, infos: dict[str, Any]) -> None:
        for env, bar in enumerate(infos["bar"].tolist()):
            shown = observations[env, :, 0]
            if self.types[env] == "train":
                assert bar == -1
                assert (shown == closes(self.seeds[env], self.numbers[env], self.steps[env])).all()
            else:
                assert (shown == MARKET.close[bar - WINDOW + 1 : bar + 1].astype(np.float32)).all()

    def step(self) -> None:
        ended = [steps == STEPS or stopped for steps, stopped in zip(self.steps, self.stopped, strict=True)]
        if self.mode == "Disabled" and any(ended):
            return
        observations, _, _, truncations, infos = self.envs.step(np.zeros(3, int))
        for env in range(3):
            self.steps[env] += 1
            assert truncations[env] == (self.steps[env] == STEPS and not ended[env])
            if ended[env] or (self.mode == "SameStep" and truncations[env]):
                self.begin(env)
        self.show(observations, infos)

    def reset(self, mask: list[bool], seed: int | None) -> None:
        if not any(mask):
            return
        shown = self.envs.reset(seed=seed, options={"reset_mask": np.array(mask)})
        for env in np.flatnonzero(mask).tolist():
            if seed is not None:
                self.waiting[env] = seed + env
            self.begin(env)
        self.show(*shown)

    def stop(self, env: int) -> None:
        if self.mode == "NextStep":  # in the others it is to be reset
            self.envs._batch.stop(np.array([env]))
            self.stopped[env] = True

    def choose_seed(self, env: int, seed: int) -> None:
        self.envs.set_next_reset(seed=[seed], envs=[env])
        self.waiting[env] = seed

    def choose_type(self, env: int, kind: str) -> None:
        self.envs.set_next_reset(options={"sample_type": kind}, envs=[env])
        self.coming[env] = kind


@settings(max_examples=40, deadline=None)
@given(calls(), st.sampled_from(["NextStep", "SameStep", "Disabled"]))
def test_whatever_is_asked_for_in_between(asked: list[tuple[Any, ...]], mode: str) -> None:
    model = Model(mode)
    for name, *arguments in asked:
        getattr(model, name)(*arguments)
    model.envs.close()


def test_trials_and_starts_are_not_chosen() -> None:
    envs = small(2, data=MIXED)
    assert envs.num_trials == {"train": 0, "test": 1}
    for options in ({"trial": 0}, {"start": 3}, {"trial": 0, "start": 3}):
        with pytest.raises(ConfigError, match="environment 0 cannot be given a trial or a start: its trials are gen"):
            envs.reset(options=options)
    _, infos = envs.reset(seed=0, options={"sample_type": "test", "start": [100, 200]})
    assert infos["bar"].tolist() == [100, 200]
    _, infos = envs.reset(options={"sample_type": "train"})
    assert infos["bar"].tolist() == [-1, -1]
    envs.close()


def test_a_trial_that_is_longer_than_an_episode_has_many_starts() -> None:
    envs = small(64, data=GeneratedDomain(PROCESS, bars=BARS + 30))
    envs.reset(seed=0)
    maker, seen = TrialMaker(PROCESS, BARS + 30), set()
    observations, _ = envs.reset()
    for env in range(64):
        trial = maker.make(env, 1)[:, 3].astype(np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(trial, WINDOW)
        (start,) = np.flatnonzero((windows == observations[env, :, 0]).all(axis=1))
        assert start <= 30
        seen.add(int(start))
    assert len(seen) > 15
    envs.close()


def test_samples_are_what_environments_get() -> None:
    """By seed and number, the trials here, in a data server, and for a client of it that only speaks messages."""
    with vecbt.DataFeedServer(GeneratedDomain(PROCESS, bars=60, test=MARKET)) as server:
        server.wait_ready()
        seed = 1 << 90
        sample = server.get_data({"seed": seed, "number": 3, "episode_bars": STEPS})
        assert sample is not None
        maker = TrialMaker(PROCESS, 60)
        assert (sample.ohlc[:, 0] == maker.make(seed, 3)[:, :4]).all()
        assert (sample.number, sample.type, len(sample)) == (3, 0, 60)
        episode = sample.sample()
        assert (len(episode), episode.number) == (STEPS + 1, 3)
        envs = vecbt.make_vec(server, num_envs=1, num_workers=0, window=1, episode_steps=STEPS, features=("close",))
        envs.reset(seed=[seed])
        for _ in range(3):
            observations, _ = envs.reset()
        assert observations[0, 0, 0] == np.float32(episode.ohlc[0, 0, 3])
        numbers = [server.get_data() for _ in range(2)]
        assert [(each.number, each.seed) for each in numbers if each] == [(1, 0), (2, 0)]
        test = server.get_data({"sample_type": 1})
        assert test is not None
        assert (test.first_row, test.last_row) == (0, len(MARKET) - 1)
        for settings_, message in (
            ({"seed": -1}, "seed must be"),
            ({"number": 1.5}, "number must be"),
            ({"interval": (50, 61)}, "from 0 to 60"),
            ({"sample_type": 1, "interval": (550, 601)}, "from 0 to 600"),
            ({"sample_type": 2}, "sample_type must be"),
        ):
            with pytest.raises(ConfigError, match=message):
                server.get_data(settings_)
        with pytest.raises(vecbt.errors.UnknownNameError):
            server.get_data({"seeed": 1})
        envs.close()


def test_stored_trials_are_not_generated() -> None:
    with pytest.raises(ConfigError, match="the trials of this domain are stored"):
        DataStore(MARKET).generate(WHOLE, 0, 0)


# -- mixed domains -----------------------------------------------------------------------------------------------------


def test_training_never_sees_a_row_of_the_test_data() -> None:
    """Other prices in every test row change no bit of any training episode, and every test episode."""
    rng = np.random.default_rng(0)
    factor = np.exp(rng.normal(0.0, 0.2, len(MARKET)))
    other = vecbt.data.Bars.from_arrays(
        MARKET.timestamps, *(MARKET.column(name) * factor for name in ("open", "high", "low", "close")), name="SYNTH"
    )
    for engine in ("cerebro", "compiled"):
        for normalize in (None, "train"):
            runs = []
            for data in (MARKET, other):
                domain = GeneratedDomain(PROCESS, bars=60, test=data)
                envs = make(3, engine=engine, normalize=normalize, **{**SETTINGS, "data": domain})
                train = rollout(envs, 40)
                envs.set_next_reset(options={"sample_type": "test"})
                runs.append((train, rollout(envs, 20)))
                envs.close()
            assert runs[0][0] == runs[1][0]
            assert runs[0][1] != runs[1][1]


def test_resampled_training_rows_against_real_test_rows() -> None:
    real = RandomDomain(MARKET, test_period=200)
    domain = GeneratedDomain(BlockBootstrap(real, block=20), bars=60, test=real)
    envs = make(3, **{**SETTINGS, "data": domain})
    envs.reset(seed=0, options={"sample_type": "test"})
    for _ in range(40):
        _, _, _, _, infos = envs.step(np.zeros(3, int))
        assert (infos["bar"] >= 400).all()
    envs.close()


# -- workers that die --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_after_a_restart_episodes_go_on_with_the_next_number(mode: str) -> None:
    envs = small(4, mode, engine="cerebro", num_workers=2, on_worker_death="restart")
    observations, _ = envs.reset(seed=20)
    numbers, steps, truncations = np.zeros(4, int), np.zeros(4, int), np.zeros(4, bool)
    for count in range(40):
        for env in range(4):
            assert (observations[env, :, 0] == closes(20 + env, int(numbers[env]), int(steps[env]))).all()
        if count in (3, 17, 18):
            os.kill(envs.worker_pids[1], signal.SIGKILL)
        before = truncations
        observations, _, _, truncations, infos = envs.step(np.zeros(4, int))
        restarted = infos.get("worker_restarted", np.zeros(4, bool))
        steps += 1
        steps[restarted] -= 1  # cut short where they stand
        begun = truncations if mode == "SameStep" else before
        numbers[begun] += 1
        steps[begun] = 0
    assert numbers.min() >= 4
    envs.close()


class Telling(vecbt.Strategy):
    """Says where it is."""

    info_keys = ("row", "trial")

    def get_info(self) -> dict[str, float]:
        return {"row": self.episode.bar, "trial": self.episode.trial}


def test_strategies_know_what_infos_say() -> None:
    envs = small(2, engine="cerebro", strategy=Telling, data=MIXED)
    envs.reset(seed=0)
    for number in range(2):
        _, _, _, _, infos = envs.step(np.zeros(2, int))
        assert infos["row"].tolist() == [-1, -1]
        assert infos["trial"].tolist() == [number, number]
        envs.reset()
    envs.reset(options={"sample_type": "test"})
    _, _, _, _, infos = envs.step(np.zeros(2, int))
    assert infos["row"].tolist() == infos["bar"].tolist()
    assert infos["trial"].tolist() == [0, 0]
    envs.close()


def test_generated_trials_cannot_be_followed() -> None:
    with vecbt.DataFeedServer(MIXED) as server:
        master, beside = small(2, data=server), small(2, data=server)
        beside.follow(master)
        master.reset(seed=0)
        with pytest.raises(ConfigError, match=r"environment 0 cannot be given a trial .* are generated"):
            beside.reset(seed=0)
        beside.follow(None)
        beside.reset(seed=0)  # nothing is the matter with them
        master.close()
        beside.close()
