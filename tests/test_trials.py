"""Trials in batches: which rows episodes get, the end of sequential domains, and global time."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest

import vecbt
from vecbt.data.domain import CausalDomain, Domain, RandomDomain, SampleRules, SequentialDomain, WalkForward
from vecbt.data.synthetic import synthetic_market
from vecbt.errors import ConfigError, ExhaustedError

MARKET = synthetic_market(2_000, seed=3)
RULES = SampleRules(duration=400, test_period=100)
ENGINES: dict[str, dict[str, Any]] = {
    "compiled": {"engine": "compiled"},
    "Cerebro": {"engine": "cerebro", "num_workers": 0},
    "workers": {"engine": "cerebro", "num_workers": 2},
}
Make: TypeAlias = Callable[..., vecbt.TradingVectorEnv]


@pytest.fixture(params=["compiled", "Cerebro"])
def make(request: pytest.FixtureRequest) -> Any:
    """Makes batches with one of the engines, with a short window and episodes of 20 steps."""
    made = []

    def make(domain: Domain, num_envs: int = 3, **settings: Any) -> vecbt.TradingVectorEnv:
        settings = {"window": 5, "episode_steps": 20, **ENGINES[request.param], **settings}
        made.append(vecbt.make_vec(domain, num_envs=num_envs, **settings))
        return made[-1]

    yield make
    for envs in made:
        envs.close()


def hold(envs: vecbt.TradingVectorEnv) -> tuple[Any, dict[str, Any]]:
    """A step in which nothing is traded: which episodes end with it, and the infos."""
    _, _, terminations, truncations, infos = envs.step(np.zeros(envs.num_envs, np.int64))
    return terminations | truncations, infos


def ended_in(infos: dict[str, Any]) -> dict[str, Any]:
    stats: dict[str, Any] = infos["final_info" if "final_info" in infos else "episode_stats"]
    return stats.get("episode_stats", stats)


# -- which rows --------------------------------------------------------------------------------------------------------

DOMAIN = RandomDomain(MARKET, trial=RULES, test_period=500)  # source trials in rows 0 to 1499


def test_options_say_which_part_of_which_trials(make: Make) -> None:
    envs = make(DOMAIN)
    assert envs.num_trials == {"source": 1_101, "target": 101}
    envs.reset(seed=0)
    for trial_type, first in ((0, 0), (1, 1_500)):
        for sample_type, shift in ((0, 0), (1, 300)):
            options = {
                "trial_type": ("source", "target")[trial_type],
                "sample_type": sample_type,
                "trial": [0, 50, 100],
            }
            _, infos = envs.reset(options=options)
            begin = first + shift + np.array([0, 50, 100])
            room = (300, 100)[sample_type] - 20
            low = np.maximum(begin, 4)
            assert ((low <= infos["start"]) & (infos["start"] < begin + room)).all()
            while True:
                ended, infos = hold(envs)
                if ended.any():
                    break
            stats = ended_in(infos)
            assert stats["trial"].tolist() == [0, 50, 100]
            assert stats["trial_type"].tolist() == [trial_type] * 3
            assert stats["sample_type"].tolist() == [sample_type] * 3


@pytest.mark.parametrize(
    ("before", "options", "after"),
    [
        ((0, 0), {}, (0, 0)),
        ((0, 0), {"sample_type": "test"}, (0, 1)),
        ((0, 1), {"trial_type": "target"}, (1, 1)),
        ((1, 1), {"sample_type": 0}, (1, 0)),
        ((1, 1), {"trial_type": 0, "sample_type": "train"}, (0, 0)),
        ((1, 0), {"trial_type": None, "sample_type": None}, (1, 0)),
    ],
)
def test_each_option_stays_until_it_is_said_again(before: Any, options: Any, after: Any) -> None:
    envs = vecbt.make_vec(DOMAIN, num_envs=1, window=5, episode_steps=20)
    envs.reset(seed=0, options={"trial_type": before[0], "sample_type": before[1]})
    envs.reset(options=options)
    envs.reset()
    while not hold(envs)[0].any():
        pass
    stats = envs._batch.arrays["stats"][0]
    assert (stats[vecbt.kernels.layout.Stat.TRIAL_TYPE], stats[vecbt.kernels.layout.Stat.SAMPLE_TYPE]) == after


def test_with_trials_of_one_part_either_option_will_do() -> None:
    envs = vecbt.make_vec(
        RandomDomain(MARKET, trial=SampleRules(duration=300), test_period=500), num_envs=1, window=5, episode_steps=20
    )
    assert envs.num_trials == {"train": 1_201, "test": 201}
    for options, test in (
        ({"sample_type": "test"}, True),
        ({"sample_type": "train"}, False),
        ({"trial_type": "target"}, True),
        ({}, True),
        ({"trial_type": "source"}, False),
        ({"trial_type": 1, "sample_type": 1}, True),
    ):
        _, infos = envs.reset(options=options)
        assert (infos["start"][0] >= 1_500) == test
    for options in ({"trial_type": "source", "sample_type": "test"}, {"trial_type": "target", "sample_type": "train"}):
        with pytest.raises(ConfigError, match=r"no rows for trial_type '\w+' and sample_type '\w+': make the domain"):
            envs.reset(options=options)


@pytest.mark.parametrize("value", ["test", 2, 1.0, True + 1, "Source"])
def test_trial_types(value: Any) -> None:
    envs = vecbt.make_vec(DOMAIN, num_envs=2, window=5, episode_steps=20)
    with pytest.raises(ConfigError, match=f"trial_type must be 0 or 'source', 1 or 'target', got {value!r}"):
        envs.reset(options={"trial_type": value})


def test_a_change_of_the_trial_type_drops_what_has_been_chosen() -> None:
    envs = vecbt.make_vec(DOMAIN, num_envs=1, window=5, episode_steps=20)
    envs.reset(seed=0)
    envs.set_next_reset(options={"trial": 50, "start": 60})
    envs.set_next_reset(options={"trial_type": "target"})
    _, infos = envs.reset()
    assert infos["start"][0] >= 1_500


# -- one after the other -----------------------------------------------------------------------------------------------

TURNS = SequentialDomain(MARKET, trial=RULES)  # 17 trials: the first tests rows 300 to 399


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_trials_have_their_turn(make: Make, mode: str) -> None:
    envs = make(TURNS, autoreset_mode=mode)
    _, infos = envs.reset(seed=0, options={"sample_type": "test"})
    for turn in range(5):
        trials = 3 * turn + np.arange(3)
        begin = 300 + 100 * trials
        assert ((begin <= infos["start"]) & (infos["start"] < begin + 80)).all()
        for _ in range(20):
            ended, infos = hold(envs)
        assert ended.all()
        assert ended_in(infos)["trial"].tolist() == trials.tolist()
        if mode == "NextStep" and turn < 4:
            _, infos = hold(envs)
    # Of the 17 trials two are left, for three environments.
    turn = re.escape(", and there are 17: every trial has had its turn. reset(seed=...) begins again with the first")
    for _ in range(2):  # it does not become worse
        with pytest.raises(ExhaustedError, match="environment 2 needs trial 17" + turn):
            hold(envs)
        # In the mode SAME_STEP the trials that are left have begun, and a reset does not begin them again.
        with pytest.raises(ExhaustedError, match=r"environment [02] needs trial 1[78]" + turn):
            envs.reset()
    _, infos = envs.reset(seed=0)
    assert (infos["start"] // 100).tolist() == [3, 4, 5]
    hold(envs)


def test_the_last_step_of_the_last_trials_is_told_in_full(make: Make) -> None:
    kept = make(TURNS, num_envs=17, autoreset_mode="SameStep")
    other = make(TURNS, num_envs=17, autoreset_mode="NextStep")
    kept.reset(seed=1)
    other.reset(seed=1)
    for _ in range(20):
        (ended, infos), (again, expected) = hold(kept), hold(other)
        assert (ended == again).all()
    assert ended.all()
    for name, values in ended_in(expected).items():
        assert np.array_equal(ended_in(infos)[name], values, equal_nan=True)
    with pytest.raises(ExhaustedError):
        hold(kept)


def test_a_chosen_trial_is_one_out_of_turn(make: Make) -> None:
    envs = make(TURNS, num_envs=10)
    envs.reset(seed=0)
    with pytest.raises(ExhaustedError, match="environment 7 needs trial 17"):
        envs.reset()
    envs.reset(options={"trial": list(range(10))})
    for _ in range(20):
        _, infos = hold(envs)
    assert ended_in(infos)["trial"].tolist() == list(range(10))
    with pytest.raises(ExhaustedError, match="environment 0 needs trial 20"):
        hold(envs)
    envs.set_next_reset(seed=0)
    _, infos = hold(envs)
    assert (infos["start"] // 100 < 17).all()


def test_some_environments_may_have_trials_left(make: Make) -> None:
    envs = make(TURNS, num_envs=10, autoreset_mode="Disabled")
    envs.reset(seed=0)
    for _ in range(20):
        hold(envs)
    left = np.arange(10) < 7
    envs.reset(options={"reset_mask": left})
    with pytest.raises(ExhaustedError, match="environment 7 needs trial 17"):
        envs.reset(options={"reset_mask": ~left})


def test_turns_do_not_depend_on_seeds_and_first_rows_do(make: Make) -> None:
    envs = make(TURNS)
    starts = []
    for seed in (0, 0, 5):
        _, infos = envs.reset(seed=seed)
        starts.append(infos["start"].tolist())
    assert starts[0] == starts[1] != starts[2]


def test_all_engines_take_the_same_turns() -> None:
    found = []
    for engine in ENGINES.values():
        envs = vecbt.make_vec(TURNS, num_envs=4, window=5, episode_steps=20, **engine)
        _, infos = envs.reset(seed=9)
        starts = [infos["start"].copy()]
        for _ in range(70):
            _, infos = hold(envs)
            starts.append(infos["start"].copy())
        envs.close()
        found.append(np.array(starts))
    assert (found[0] == found[1]).all()
    assert (found[0] == found[2]).all()


def test_a_fold_has_as_many_episodes_as_one_likes() -> None:
    folds = WalkForward(MARKET, train=500, test=200)
    envs = vecbt.make_vec(folds.fold(3), num_envs=4, window=5, episode_steps=20, normalize="train")
    for kind, low, high in (("train", 600, 1_100), ("test", 1_100, 1_300)):
        envs.reset(seed=0, options={"sample_type": kind})
        starts = set()
        for _ in range(300):
            _, infos = hold(envs)
            starts |= set(infos["start"].tolist())
        assert len(starts) > 40
        assert low <= min(starts) <= max(starts) + 20 < high


# -- global time -------------------------------------------------------------------------------------------------------

TEST = {"trial_type": "target", "sample_type": "test"}


def test_target_test_episodes_take_global_time_along(make: Make) -> None:
    envs = make(CausalDomain(MARKET, trial=RULES))
    envs.reset(seed=0)
    clock = envs._batch.plan.table.clock
    first = clock.now
    assert first == MARKET.timestamps[399]
    for _ in range(25):
        hold(envs)
    assert clock.now == first  # nobody tests
    _, infos = envs.reset(options=TEST)
    assert infos["start"].tolist() == [400] * 3  # the first row that is not known
    now = 400
    for _ in range(100):
        ended, infos = hold(envs)
        now = max(now, int(infos["bar"].max()))
        assert clock.now == MARKET.timestamps[now]
        if not ended.any() and infos["start"][0] != 400:
            assert (infos["start"] <= infos["bar"]).all()
    assert now > 480


def test_source_trials_follow_global_time(make: Make) -> None:
    for expanding in (False, True):
        envs = make(CausalDomain(MARKET, trial=RULES, expanding=expanding))
        envs.reset(seed=0)
        envs.set_next_reset(options=TEST, envs=[0])
        earliest = []
        for _ in range(400):
            now = int(np.searchsorted(MARKET.timestamps, envs._batch.plan.table.clock.now))
            before = envs._batch.arrays["clock"][:, 5].copy()
            hold(envs)
            begun = envs._batch.arrays["clock"][1:, 5] > before[1:]
            starts = envs._batch.arrays["clock"][1:, 2][begun]
            if begun.any():
                low = 4 if expanding else max(4, now - 399)
                assert (starts >= low).all()
                assert (starts + 20 <= now - 100).all()  # within the training part
                earliest += starts.tolist()
        assert max(earliest) > 400
        assert min(earliest) < 300


def test_episodes_of_target_trials_that_train_move_nothing(make: Make) -> None:
    envs = make(CausalDomain(MARKET, trial=RULES))
    clock = envs._batch.plan.table.clock
    first = clock.now
    _, infos = envs.reset(seed=0, options={"trial_type": "target", "sample_type": "train"})
    assert ((infos["start"] >= 100) & (infos["start"] < 380)).all()
    for _ in range(30):
        hold(envs)
    assert clock.now == first


def test_a_frozen_time_split_stays(make: Make) -> None:
    split = str(np.datetime64(int(MARKET.timestamps[1_000]), "ns"))
    envs = make(CausalDomain(MARKET, trial=RULES, frozen_time_split=split))
    for _ in range(3):
        _, infos = envs.reset(seed=0, options=TEST)
        assert infos["start"].tolist() == [1_001] * 3
        for _ in range(30):
            hold(envs)
    _, infos = envs.reset(options={"trial_type": 0, "sample_type": 0})
    assert ((infos["start"] >= 601) & (infos["start"] + 20 < 901)).all()


def test_test_episodes_need_not_be_aligned(make: Make) -> None:
    envs = make(CausalDomain(MARKET, trial=RULES, align_left=False), num_envs=8)
    _, infos = envs.reset(seed=0, options=TEST)
    assert len(set(infos["start"].tolist())) > 4
    assert ((infos["start"] >= 400) & (infos["start"] < 480)).all()


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
def test_the_time_comes_to_an_end(make: Make, mode: str) -> None:
    envs = make(CausalDomain(MARKET, trial=RULES), autoreset_mode=mode, episode_steps=90)
    envs.reset(seed=0, options=TEST)
    steps = 0

    def go_on() -> None:
        nonlocal steps
        while steps < 3_000:
            ended, _ = hold(envs)
            steps += 1
            if ended.any() and mode == "Disabled":
                envs.reset()

    with pytest.raises(ExhaustedError, match="environment 0 needs a target trial after the present global time, and"):
        go_on()
    assert 1_400 < steps < 1_700
    assert envs._batch.plan.table.clock.now > MARKET.timestamps[1_900]
    # There is always a source trial, and a trial may be chosen.
    envs.reset(options={"trial_type": "source"})
    hold(envs)
    envs.reset(options={**TEST, "trial": 7})
    hold(envs)


def test_batches_of_one_server_have_one_time() -> None:
    with vecbt.DataFeedServer(CausalDomain(MARKET, trial=RULES)) as server:
        test = vecbt.make_vec(server, num_envs=1, window=5, episode_steps=20, engine="cerebro", num_workers=1)
        train = vecbt.make_vec(server, num_envs=50, window=5, episode_steps=20)
        test.reset(seed=0, options=TEST)
        train.reset(seed=0)
        for _ in range(20):
            hold(test)
        assert server.get_global_time() == MARKET.timestamps[420] // 1_000_000_000
        _, infos = train.reset(seed=0)
        assert ((infos["start"] >= 21) & (infos["start"] + 20 < 321)).all()
        server.set_broadcast_message(int(MARKET.timestamps[1_000]) // 1_000_000_000)
        _, infos = test.reset()
        assert infos["start"].tolist() == [1_001]
        server.reset_data()
        assert test.reset()[1]["start"].tolist() == [400]
        test.close()
        train.close()


def test_all_engines_tell_the_same_time() -> None:
    found = []
    for engine in ENGINES.values():
        envs = vecbt.make_vec(
            CausalDomain(MARKET, trial=RULES, expanding=True), num_envs=4, window=5, episode_steps=20, **engine
        )
        envs.reset(seed=2)
        envs.set_next_reset(options=TEST, envs=[1, 3])
        starts = []
        for _ in range(200):
            _, infos = hold(envs)
            starts.append(infos["start"].copy())
        envs.close()
        found.append(np.array(starts))
    assert (found[0] == found[1]).all()
    assert (found[0] == found[2]).all()
