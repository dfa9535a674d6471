"""What the next reset of an environment is given: seeds, trials, first rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from hypothesis import given
from hypothesis import strategies as st

import vecbt
from tests.envs import MARKET, flat
from vecbt.errors import ClosedError, ConfigError, EpisodeError, UnknownNameError, VecbtError

# Trials of 200 rows that begin at every row which leaves room: number and first row are the same in the training rows.
DOMAIN = vecbt.RandomDomain(MARKET, trial=vecbt.SampleRules(duration=200), test_period=204)
TEST = 3_000 - 204
STEPS, LOOKBACK = 4, 29
MODES = list(AutoresetMode)
ENGINES: list[dict[str, Any]] = [
    {"engine": "compiled"},
    {"engine": "cerebro", "num_workers": 0},
    {"engine": "cerebro", "num_workers": 2},
]

Make = Callable[..., vecbt.TradingVectorEnv]
Hooks = Mapping[int, Callable[[vecbt.TradingVectorEnv], None]]


@pytest.fixture(params=ENGINES[:2], ids=["compiled", "cerebro"])
def batch(request: pytest.FixtureRequest) -> Iterator[Make]:
    made: list[vecbt.TradingVectorEnv] = []

    def make(num_envs: int = 3, **settings: Any) -> vecbt.TradingVectorEnv:
        made.append(make_batch(num_envs, **{**request.param, **settings}))
        return made[-1]

    yield make
    for envs in made:
        envs.close()


def make_batch(num_envs: int = 3, **settings: Any) -> vecbt.TradingVectorEnv:
    defaults: dict[str, Any] = {"episode_steps": STEPS, "commission": 0.001, "order_size": 2}
    return vecbt.make_vec(settings.pop("data", DOMAIN), num_envs=num_envs, **(defaults | settings))


def play(envs: vecbt.TradingVectorEnv, steps: int = 24, hooks: Hooks | None = None) -> list[list[Any]]:
    """For each environment everything that it returns; a hook is called before the step of its number."""
    disabled = envs.metadata["autoreset_mode"] is AutoresetMode.DISABLED
    random = np.random.default_rng(0)
    seen: list[list[Any]] = [[] for _ in range(envs.num_envs)]
    actions = random.integers(0, 4, (steps, envs.num_envs))
    for step in range(steps):
        if hooks and step in hooks:
            hooks[step](envs)
        observation, rewards, terminations, truncations, infos = envs.step(actions[step])
        ended = terminations | truncations
        for env, own in enumerate(seen):
            own.append([row_of(part, env) for part in (observation, rewards, terminations, truncations, infos)])
        if disabled and ended.any():
            observation, infos = envs.reset(options={"reset_mask": ended})
            for env in np.flatnonzero(ended).tolist():
                seen[env].append([row_of(observation, env), row_of(infos, env)])
    return seen


def row_of(value: Any, env: int) -> Any:
    """One environment's part; of what only ended episodes have, nothing where this one has not ended."""
    if not isinstance(value, dict):
        return flat(value[env])
    return {
        name: row_of(part, env)
        for name, part in value.items()
        if not name.startswith("_") and ("_" + name not in value or value["_" + name][env])
    }


def episodes(envs: vecbt.TradingVectorEnv, count: int, hooks: Hooks | None = None) -> list[list[tuple[int, int]]]:
    """Trial and start of the first so many episodes of each environment, by their statistics."""
    found: list[list[tuple[int, int]]] = [[] for _ in range(envs.num_envs)]
    for step in range((STEPS + 1) * count):
        if hooks and step in hooks:
            hooks[step](envs)
        _, _, terminations, truncations, infos = envs.step(np.zeros(envs.num_envs, np.int64))
        ended = terminations | truncations
        if ended.any():
            stats = infos.get("final_info", infos)["episode_stats"]
            for env in np.flatnonzero(ended):
                found[env].append((int(stats["trial"][env]), int(stats["start"][env])))
            if envs.metadata["autoreset_mode"] is AutoresetMode.DISABLED:
                envs.reset(options={"reset_mask": ended})
    return [own[:count] for own in found]


def say(**keywords: Any) -> Callable[[vecbt.TradingVectorEnv], None]:
    return lambda envs: envs.set_next_reset(**keywords)


# -- trials and first rows ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_a_chosen_trial_is_that_of_one_episode(batch: Make, mode: AutoresetMode) -> None:
    chosen, drawn = batch(autoreset_mode=mode), batch(autoreset_mode=mode)
    for envs in (chosen, drawn):
        envs.reset(seed=5)
    got = episodes(chosen, 4, {2: say(options={"trial": 77}, envs=[1])})
    expected = episodes(drawn, 4)
    assert got[1][1][0] == 77
    assert 77 <= got[1][1][1] < 77 + 200 - STEPS
    got[1][1] = expected[1][1]
    assert got == expected  # the count of episodes has not been shifted


@pytest.mark.parametrize("mode", MODES)
def test_the_future_of_other_environments_is_the_same(batch: Make, mode: AutoresetMode) -> None:
    envs, other = batch(autoreset_mode=mode), batch(autoreset_mode=mode)
    envs.reset(seed=5)
    other.reset(seed=5)
    hooks = {1: say(seed=2**90, options={"trial": 40, "start": 120}, envs=[1]), 9: say(options={"trial": 3}, envs=[1])}
    got, expected = play(envs, hooks=hooks), play(other)
    assert got[0] == expected[0]
    assert got[2] == expected[2]
    assert got[1] != expected[1]


@pytest.mark.parametrize("mode", MODES)
def test_engines_and_workers_agree(mode: AutoresetMode) -> None:
    hooks = {
        2: say(options=[{"trial": 5}, None, {"sample_type": "test", "trial": 2}]),
        3: say(seed=[None, 2**100, 9]),
        8: say(
            seed=1_000, options={"start": 2_850, "sample_type": "test", "trial": 4}, envs=np.array([True, False, True])
        ),
        13: say(options={"sample_type": 0}),
    }
    results = []
    for engine in ENGINES:
        envs = make_batch(**engine, autoreset_mode=mode)
        envs.reset(seed=3, options={"trial": [0, None, 7]})
        results.append((play(envs, 40, hooks), envs.np_random_seed))
        envs.close()
    assert results[0] == results[1] == results[2]
    assert results[0][1] == (1_000, 2**100, 1_002)


def test_a_chosen_start_is_the_first_row(batch: Make) -> None:
    envs = batch()
    _, infos = envs.reset(seed=0, options={"trial": [500, 501, 502], "start": np.array([520, 530, 540])})
    assert infos["start"].tolist() == infos["bar"].tolist() == [520, 530, 540]
    got = episodes(envs, 2, {0: say(options={"trial": 10, "start": LOOKBACK + STEPS}, envs=2)})
    assert [own[0] for own in got] == [(500, 520), (501, 530), (502, 540)]
    assert got[2][1] == (10, LOOKBACK + STEPS)
    assert len({start for own in got[:2] for _, start in own}) == 4  # the others' second is drawn


@pytest.mark.parametrize("start", [LOOKBACK, 2_900, 2_999 - STEPS])
def test_the_only_trial_needs_no_name(batch: Make, start: int) -> None:
    envs = batch(data=MARKET)
    envs.reset(seed=0)
    envs.set_next_reset(options={"start": start}, envs=[0])
    assert envs.reset()[1]["start"][0] == start
    assert envs.num_trials == {"train": 1, "test": 0}


def test_an_episode_of_its_trials_rest_ends_with_the_trial(batch: Make) -> None:
    envs = batch(episode_steps=None)
    envs.reset(seed=0, options={"trial": 300, "start": [490, 497, 498]})
    lengths = [0, 0, 0]
    for step in range(1, 10):
        _, _, _, truncations, infos = envs.step([0, 0, 0])
        for env in np.flatnonzero(truncations):
            lengths[env] = lengths[env] or step
            assert infos["episode_stats"]["end"][env] == 499 or step > lengths[env]
    assert lengths == [9, 2, 1]
    with pytest.raises(ConfigError, match="start 499 of environment 0 is not in 300 to 498"):
        envs.set_next_reset(options={"trial": 300, "start": 499})


RULED = vecbt.RandomDomain(
    MARKET,
    trial=vecbt.SampleRules(duration=300, b_alpha=2.0, b_beta=3.0),
    episode=vecbt.SampleRules(start_weekdays=range(7), b_alpha=3.0),
    test_period=400,
)


@pytest.fixture(scope="module", params=[DOMAIN, RULED], ids=["plain", "ruled"])
def pair(request: pytest.FixtureRequest) -> Iterator[list[vecbt.TradingVectorEnv]]:
    settings: dict[str, Any] = {"data": request.param, "engine": "compiled", "autoreset_mode": "Disabled"}
    envs = [make_batch(1, **settings) for _ in range(2)]
    yield envs
    for one in envs:
        one.close()


def finish(envs: vecbt.TradingVectorEnv, begun: Any) -> tuple[Any, dict[str, Any]]:
    """All that an episode of the only environment returns from its reset on, and its statistics."""
    results = [begun] + [envs.step([step % 4]) for step in range(STEPS)]
    return [[flat(part) for part in result] for result in results], results[-1][4]["episode_stats"]


@given(
    seed=st.integers(0, 2**128 - 1),
    number=st.integers(0, 5),
    kind=st.sampled_from(["train", "test"]),
    before=st.integers(0, 4),
)
def test_a_chosen_trial_gives_the_episode_that_drawing_it_gives(
    pair: list[vecbt.TradingVectorEnv], seed: int, number: int, kind: str, before: int
) -> None:
    drawn, chosen = pair
    begun = drawn.reset(seed=seed, options={"sample_type": kind})
    for _ in range(number):
        begun = drawn.reset()
    expected, stats = finish(drawn, begun)
    trial, start = int(stats["trial"][0]), int(stats["start"][0])
    options = [{"sample_type": kind, "trial": trial if count == number else before} for count in range(number + 1)]
    begun = chosen.reset(seed=seed, options=options[0])
    for own in options[1:]:
        begun = chosen.reset(options=own)
    assert finish(chosen, begun)[0] == expected
    # With its first row it is the same market whatever the seed.
    begun = chosen.reset(seed=seed // 2, options={"trial": trial, "start": start})
    assert finish(chosen, begun)[0][:-1] == expected[:-1]


# -- seeds -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_a_seed_is_taken_up_at_the_reset(batch: Make, mode: AutoresetMode) -> None:
    envs, fresh = batch(autoreset_mode=mode), batch(autoreset_mode=mode)
    envs.reset(seed=5)
    fresh.reset(seed=2**100 - 1)
    envs.set_next_reset(seed=2**100 - 1, envs=[1])
    for _ in range(STEPS - 1):
        envs.step([0, 0, 0])
        assert envs.np_random_seed == (5, 6, 7)  # still the seeds of the episodes that run
    got = episodes(envs, 4)
    assert envs.np_random_seed == (5, 2**100, 7)
    # After the episode that has been under way come the first, the second ... of the new seed.
    assert got[1][1:] == episodes(fresh, 3)[1]


def test_seeds_of_single_environments(batch: Make) -> None:
    envs = batch(4)
    envs.reset(seed=0)
    envs.set_next_reset(seed=10)
    envs.set_next_reset(seed=[None, 20], envs=[0, 3])
    envs.reset(options={"reset_mask": np.array([True, False, False, True])})
    assert envs.np_random_seed == (10, 1, 2, 20)
    envs.set_next_reset(seed=30, envs=np.array([False, True, False, True]))
    envs.reset()
    assert envs.np_random_seed == (10, 31, 12, 33)


def test_a_seed_of_reset_goes_before(batch: Make) -> None:
    envs = batch()
    envs.reset(seed=0)
    envs.set_next_reset(seed=50, options={"trial": 9})
    envs.reset(seed=[70, None, 71])
    assert envs.np_random_seed == (70, 51, 71)
    assert [own[0][0] for own in episodes(envs, 1)] == [9, 9, 9]
    envs.reset()
    assert envs.np_random_seed == (70, 51, 71)


def test_what_is_said_before_the_first_reset_holds_for_it(batch: Make) -> None:
    envs = batch()
    envs.set_next_reset(seed=4, options={"trial": [1, 2, 3]})
    assert set(envs.np_random_seed) == {None}
    envs.reset()
    assert envs.np_random_seed == (4, 5, 6)
    assert [own[0][0] for own in episodes(envs, 1)] == [1, 2, 3]


class Lottery(vecbt.Strategy):
    fail = False

    def get_reward(self) -> float:
        if Lottery.fail:
            raise ZeroDivisionError("no luck")
        return float(self.episode.np_random.random())


def test_random_numbers_of_a_strategy_follow_the_seed() -> None:
    envs, fresh = (make_batch(1, strategy=Lottery, num_workers=0) for _ in range(2))
    envs.reset(seed=0)
    fresh.reset(seed=8)
    envs.set_next_reset(seed=8)
    for _ in range(STEPS + 1):
        envs.step([0])
    for _ in range(STEPS):
        assert envs.step([0])[1] == fresh.step([0])[1] > 0.0
    envs.close()
    fresh.close()


def test_after_an_error_everything_is_reset_first(monkeypatch: pytest.MonkeyPatch) -> None:
    envs = make_batch(2, strategy=Lottery, num_workers=0)
    envs.reset(seed=3)
    monkeypatch.setattr(Lottery, "fail", True)
    with pytest.raises(ZeroDivisionError):
        envs.step([0, 0])
    with pytest.raises(EpisodeError, match="reset"):
        envs.set_next_reset(seed=1)
    monkeypatch.setattr(Lottery, "fail", False)
    envs.reset()
    assert envs.np_random_seed == (3, 4)
    envs.close()


class LateStart(vecbt.Strategy):
    fail = True

    def start(self) -> None:
        super().start()
        if LateStart.fail and self.episode.index == 1:
            raise ZeroDivisionError("not yet")


def test_seeds_of_a_first_reset_that_fails_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LateStart, "fail", False)
    envs = make_batch(3, strategy=LateStart, num_workers=0)
    monkeypatch.setattr(LateStart, "fail", True)
    with pytest.raises(ZeroDivisionError):
        envs.reset(seed=3)
    monkeypatch.setattr(LateStart, "fail", False)
    envs.reset()
    assert envs.np_random_seed == (3, 4, 5)
    envs.close()


# -- what replaces what ------------------------------------------------------------------------------------------------


def first_episodes(envs: vecbt.TradingVectorEnv, **options: Any) -> list[tuple[int, int]]:
    envs.reset(seed=6, options=options)
    return [own[0] for own in episodes(envs, 1)]


def test_a_later_choice_replaces_an_earlier_one(batch: Make) -> None:
    envs = batch()
    drawn = first_episodes(envs)
    cases: list[tuple[list[dict[str, Any]], Any]] = [
        ([{"trial": 4}, {"trial": 7}], 7),
        ([{"trial": 4}, {"start": 44}], (4, 44)),
        ([{"trial": 4, "start": 44}, {"start": 45}], (4, 45)),
        ([{"trial": 4}, {}], 4),
        ([{"trial": 4}, {"sample_type": "train"}], 4),
        ([{"trial": 4, "start": 44}, {"start": None}], 4),
        ([{"trial": 4, "start": 44}, {"trial": 4}], 4),
        ([{"trial": 4, "start": 44}, {"trial": None}], None),
        ([{"sample_type": "test", "trial": 4}, {"sample_type": "train"}], None),
    ]
    for said, expected in cases:
        for options in said:
            envs.set_next_reset(options=options)
        got = first_episodes(envs)
        if expected is None:
            assert got == drawn
        elif isinstance(expected, tuple):
            assert got == [expected] * 3
        else:
            assert [trial for trial, _ in got] == [expected] * 3
            assert [start for _, start in got] != [44] * 3


def test_options_of_reset_go_before(batch: Make) -> None:
    envs = batch()
    envs.set_next_reset(options={"trial": 4, "start": 50})
    assert {trial for trial, _ in first_episodes(envs, trial=8)} == {8}
    envs.set_next_reset(options={"trial": 4, "start": 50})
    assert first_episodes(envs, start=60) == [(4, 60)] * 3


def test_a_reset_of_some_leaves_the_choices_of_others(batch: Make) -> None:
    envs = batch()
    envs.reset(seed=0)
    envs.set_next_reset(options={"trial": [1, 2, 3]})
    options = {"reset_mask": np.array([True, False, False]), "trial": [9, 10_000, -1]}
    envs.reset(options=options)  # what is said of the others is not looked at
    assert list(options) == ["reset_mask", "trial"]
    got = episodes(envs, 2)
    assert [own[0][0] for own in got][:1] == [9]
    assert [own[1][0] for own in got][1:] == [2, 3]


def test_the_sample_type_stays(batch: Make) -> None:
    envs = batch()
    envs.reset(seed=0)
    envs.set_next_reset(options={"sample_type": "test"}, envs=[1, 2])
    got = episodes(envs, 4)
    assert [[start >= TEST for _, start in own] for own in got] == [[False] * 4] + [[False] + [True] * 3] * 2


def test_no_environment_is_chosen(batch: Make) -> None:
    envs, other = batch(), batch()
    for one in (envs, other):
        one.reset(seed=0)
    nobodies: list[Any] = [[], np.zeros(3, bool), np.zeros(0, np.int64)]
    for nobody in nobodies:
        envs.set_next_reset(seed=1, options={"trial": 1}, envs=nobody)
    envs.set_next_reset()
    assert play(envs) == play(other)


# -- what it is for ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES[:2])
def test_every_test_trial_is_evaluated_once(batch: Make, mode: AutoresetMode) -> None:
    envs = batch(2, autoreset_mode=mode)
    envs.reset(seed=0)
    count = envs.num_trials["test"]
    assert envs.num_trials == {"train": TEST - 200 + 1, "test": 5}
    envs.reset(options={"sample_type": "test", "trial": [0, 1]})
    following = 2
    returns: dict[int, float] = {}
    if mode == AutoresetMode.SAME_STEP:  # an episode that ends begins the next one in the same step
        envs.set_next_reset(options={"trial": [2, 3]})
        following = 4
    while len(returns) < count:
        _, _, terminations, truncations, infos = envs.step([1, 2])
        ended = terminations | truncations
        stats = infos.get("final_info", infos).get("episode_stats")
        for env in np.flatnonzero(ended):
            trial = int(stats["trial"][env])
            if trial not in returns:
                returns[trial] = stats["total_return"][env]
            if following < count:
                envs.set_next_reset(options={"trial": following}, envs=[env])
                following += 1
    assert sorted(returns) == list(range(count))


def test_the_single_environment() -> None:
    for engine in ("compiled", "cerebro"):
        env = gymnasium.make("vecbt/Trading-v0", data=DOMAIN, engine=engine, episode_steps=STEPS)
        assert env.get_wrapper_attr("num_trials") == {"train": TEST - 199, "test": 5}
        _, info = env.reset(seed=1, options={"sample_type": "test", "trial": 4, "start": TEST + 100})
        assert info["start"] == TEST + 100
        for _ in range(STEPS):
            *_, info = env.step(0)
        assert (info["episode_stats"]["trial"], info["episode_stats"]["start"]) == (4, TEST + 100)
        with pytest.raises(ConfigError, match="trial 5 of environment 0 is not in 0 to 4: there are 5 test trials"):
            env.reset(options={"trial": 5})
        with pytest.raises(UnknownNameError, match="unknown reset option 'trail': did you mean 'trial'"):
            env.reset(options={"trail": 5})
        starts = {env.reset()[1]["start"] for _ in range(12)}
        assert len(starts) > 1
        env.close()


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        (
            {"seed": [0, -1, 2]},
            ConfigError,
            r"environment 1's seed must be a whole number from 0 to 2\*\*128 - 1, got -1",
        ),
        ({"seed": -7, "envs": [2]}, ConfigError, "environment 2's seed .* got -5"),
        ({"seed": [1, 2]}, ConfigError, "one for each of 3 environments"),
        ({"seed": [1, 2, 3], "envs": [0, 1]}, ConfigError, "one for each of 2 environments"),
        ({"seed": True}, ConfigError, "seed must be a whole number"),
        ({"options": {"trail": 1}}, UnknownNameError, "did you mean 'trial'"),
        ({"options": {"reset_mask": np.ones(3)}}, UnknownNameError, "unknown reset option 'reset_mask'"),
        ({"options": 3}, ConfigError, "options must be a dict, or one for each of 3 environments, got 3"),
        ({"options": "abc"}, ConfigError, "options must be a dict"),
        ({"options": [{"trial": 1}]}, ConfigError, "one for each of 3"),
        ({"options": [{}, {}, 3]}, ConfigError, "one for each of 3"),
        ({"options": [{}, {"sample_typ": 0}, None]}, UnknownNameError, "did you mean 'sample_type'"),
        ({"options": {"sample_type": 2}}, ConfigError, "sample_type must be 0 or 'train', 1 or 'test', got 2"),
        ({"options": {"sample_type": [0, 1, 0]}}, ConfigError, "sample_type must be"),
        (
            {"options": {"trial": 2_597}},
            ConfigError,
            "trial 2597 of environment 0 is not in 0 to 2596: there are 2597 tr",
        ),
        ({"options": {"trial": [0, 1, -1]}}, ConfigError, "trial -1 of environment 2 is not in 0 to 2596"),
        (
            {"options": [{}, {"trial": 5, "sample_type": 1}, {}]},
            ConfigError,
            "trial 5 of environment 1 is not in 0 to 4",
        ),
        ({"options": {"trial": 5, "sample_type": "test"}, "envs": 2}, ConfigError, "of environment 2 is not in 0 to 4"),
        ({"options": {"trial": 1.0}}, ConfigError, "trial must be a whole number or one for each of 3 environments"),
        ({"options": {"trial": "1"}}, ConfigError, "trial must be a whole number"),
        ({"options": {"trial": True}}, ConfigError, "trial must be a whole number"),
        ({"options": {"trial": 2**70}}, ConfigError, "trial must be a whole number"),
        ({"options": {"trial": [1, 2]}}, ConfigError, r"one for each of 3 .* got \[1, 2\]"),
        ({"options": {"start": 100}}, ConfigError, "start 100 of environment 1 needs a trial, as there are several"),
        ({"options": {"trial": 0, "start": 28}}, ConfigError, "start 28 of environment 0 is not in 29 to 195"),
        (
            {"options": {"trial": 0, "start": [29, 195, 196]}},
            ConfigError,
            "start 196 of environment 2 is not in 29 to 195",
        ),
        ({"options": {"trial": 700, "start": 699}}, ConfigError, "start 699 of environment 0 is not in 700 to 895"),
        (
            {"envs": [0, 3]},
            ConfigError,
            r"indices from 0 to 2, each once, or a bool array of shape \(3,\), got \[0, 3\]",
        ),
        ({"envs": [-1]}, ConfigError, "indices from 0 to 2"),
        ({"envs": [1, 1]}, ConfigError, "each once"),
        ({"envs": [True, False]}, ConfigError, r"shape \(3,\)"),
        ({"envs": [[0, 1]]}, ConfigError, "indices"),
        ({"envs": [0.0]}, ConfigError, "indices"),
        ({"envs": "all"}, ConfigError, "got 'all'"),
    ],
    ids=str,
)
def test_what_is_refused_changes_nothing(batch: Make, keywords: Any, error: type[VecbtError], message: str) -> None:
    envs, other = batch(), batch()
    for one in (envs, other):
        one.reset(seed=0)
        one.set_next_reset(options={"trial": 8}, envs=[0])
    with pytest.raises(error, match=message):
        envs.set_next_reset(**({"seed": 99, "options": {"trial": 1}} | keywords))
    if "envs" not in keywords and isinstance(keywords.get("options"), dict | None):
        with pytest.raises(VecbtError):
            envs.reset(**keywords)
    assert play(envs, 12) == play(other, 12)


def test_test_rows_that_are_not_there(batch: Make) -> None:
    envs = batch(data=MARKET)
    with pytest.raises(ConfigError, match="test_period"):
        envs.set_next_reset(options={"sample_type": "test"})


def test_closed_environments(batch: Make) -> None:
    envs = batch()
    envs.close()
    with pytest.raises(ClosedError):
        envs.set_next_reset(seed=0)
