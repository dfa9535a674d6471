"""`vecbt.SharedMemoryVectorEnv` beside `gymnasium.vector.SyncVectorEnv`, to the last bit and type."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_match import check_environments_match
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import vector as wrappers
from hypothesis import given, settings
from hypothesis import strategies as st

import vecbt
from tests.envs import MARKET
from tests.scripted import BOX, NESTED, WORDS, Scripted, exact, family, play
from tests.testing.test_vector_checker import EVERYWHERE, OF_MODE
from tests.testing.vector_envs import Stroll, Walk

N, STEPS = 5, 25
MODES = NEXT, SAME, DISABLED = tuple(AutoresetMode)
SPACES = {"box": BOX, "nested": NESTED, "words": WORDS, "sequence": spaces.Sequence(spaces.Discrete(3))}
ACTIONS = spaces.Dict(
    {
        "to": spaces.Tuple([spaces.Box(-1.0, 1.0, (2,), np.float32), spaces.Discrete(3, start=-1)]),
        "with": spaces.Dict({"flags": spaces.MultiBinary([2, 2]), "ways": spaces.MultiDiscrete([3, 300])}),
    }
)
every_mode = pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)


@pytest.fixture
def make() -> Iterator[Any]:
    """Makes batches of the same scripts, in this process if nothing else is said, and closes them."""
    made: list[Any] = []

    def make_batch(count: int = N, of: Any = None, **given: Any) -> vecbt.SharedMemoryVectorEnv:
        given = {"num_workers": 0, **({"context": "fork"} if given.get("num_workers") else {}), **given}
        made.append(vecbt.SharedMemoryVectorEnv(family(count, **(of or {})), **given))
        return made[-1]  # type: ignore[no-any-return]

    yield make_batch
    for envs in made:
        envs.close()


def sync(count: int = N, of: Any = None, **given: Any) -> SyncVectorEnv:
    return SyncVectorEnv(family(count, **(of or {})), **given)


# -- rollouts ----------------------------------------------------------------------------------------------------------


@every_mode
@pytest.mark.parametrize("copies", [True, False])
@pytest.mark.parametrize(
    ("name", "shared_memory"),
    [(name, shared) for name in SPACES for shared in (True, False) if not (shared and name == "sequence")],
)
def test_spaces(mode: AutoresetMode, name: str, shared_memory: bool, copies: bool, make: Any) -> None:
    of = {"observation_space": SPACES[name]}
    ours = make(of=of, autoreset_mode=mode, shared_memory=shared_memory, copy=copies)
    theirs = sync(of=of, autoreset_mode=mode, copy=copies)
    for which in ("observation_space", "action_space", "single_observation_space", "single_action_space"):
        assert getattr(ours, which) == getattr(theirs, which)
    assert ours.metadata == theirs.metadata
    assert ours.render_mode == theirs.render_mode
    got, expected = play(ours, STEPS), play(theirs, STEPS)
    assert objects_without_dimensions(got) == objects_without_dimensions(expected)
    assert exact(ours.np_random_seed) == exact(theirs.np_random_seed)
    states = [[random.bit_generator.state for random in envs.np_random] for envs in (ours, theirs)]
    assert exact(states[0]) == exact(states[1])


def objects_without_dimensions(value: Any) -> Any:
    """The same with numbers for arrays without dimensions, as which Gymnasium's spaces draw elements of shape ()."""
    if isinstance(value, dict):
        return {name: objects_without_dimensions(part) for name, part in value.items()}
    if isinstance(value, list):
        return [objects_without_dimensions(part) for part in value]
    if isinstance(value, tuple):
        if len(value) == 4 and value[:1] == (True,) and value[2] == ():
            return (False, *value[1:])
        return tuple(objects_without_dimensions(part) for part in value)
    return value


PROCESSES: list[dict[str, Any]] = [
    {"num_workers": 1},
    {"num_workers": 2, "shared_memory": False},
    {"num_workers": 3, "parent_share": True},
    {"num_workers": 4},
    {"num_workers": 2, "double_buffer": True},
    {"num_workers": 2, "max_concurrency": 1, "daemon": False},
    {"num_workers": 1, "parent_share": True, "shared_memory": False},
]


@pytest.mark.parametrize(
    ("processes", "mode"),
    [  # every day each once, and each mode with two or three of them
        pytest.param(each, mode, marks=() if number % 3 == turn else pytest.mark.slow, id=f"{each}-{mode.value}")
        for number, each in enumerate(PROCESSES)
        for turn, mode in enumerate(MODES)
    ],
)
def test_processes(mode: AutoresetMode, processes: Any, make: Any) -> None:
    of = {"observation_space": NESTED, "action_space": ACTIONS}
    ours, theirs = make(of=of, autoreset_mode=mode, **processes), sync(of=of, autoreset_mode=mode)
    assert objects_without_dimensions(play(ours, STEPS)) == objects_without_dimensions(play(theirs, STEPS))


@pytest.mark.parametrize("context", ["forkserver", "spawn", "fork", None])
def test_start_methods(context: str | None, make: Any) -> None:
    ours = make(num_workers=2, context=context, autoreset_mode=SAME)
    assert play(ours, STEPS) == play(sync(autoreset_mode=SAME), STEPS)


@settings(max_examples=60)
@given(st.data())
def test_resets_and_steps_in_any_order(data: st.DataObject) -> None:
    mode = data.draw(st.sampled_from(MODES))
    given_to_both = {"autoreset_mode": mode, "copy": data.draw(st.booleans())}
    ours = vecbt.SharedMemoryVectorEnv(
        family(3), num_workers=0, shared_memory=data.draw(st.booleans()), **given_to_both
    )
    theirs = SyncVectorEnv(family(3), **given_to_both)
    seeds = st.one_of(st.integers(0, 99), st.lists(st.integers(0, 99), min_size=3, max_size=3))
    first = data.draw(seeds)
    assert exact(ours.reset(seed=first)) == exact(theirs.reset(seed=first))
    ended = np.zeros(3, bool)
    for _ in range(12):
        if data.draw(st.integers(0, 4)) and not (mode is DISABLED and ended.any()):
            actions = np.array(data.draw(st.lists(st.integers(0, 3), min_size=3, max_size=3)))
            got, expected = ours.step(actions), theirs.step(actions)
            ended = got[2] | got[3]
        else:
            seed = data.draw(st.one_of(st.none(), seeds))
            mask = data.draw(st.one_of(st.none(), st.lists(st.booleans(), min_size=3, max_size=3).filter(any)))
            options: list[Any] = [data.draw(st.sampled_from([None, {"x": 1}]))] * 2
            if mask is not None:
                options = [
                    {**(each or {}), "reset_mask": np.array(mask) | (mode is DISABLED) * ended} for each in options
                ]
            got, expected = (
                envs.reset(seed=copy.copy(seed), options=each)
                for envs, each in zip((ours, theirs), options, strict=True)
            )
            ended = np.zeros(3, bool)
        assert exact(got) == exact(expected)
    ours.close()


@every_mode
def test_halves_in_turns_are_steps(mode: AutoresetMode, make: Any) -> None:
    """Steps of the halves, one under way while the other is received, come to the steps of two smaller batches."""
    ours = make(N, num_workers=2, double_buffer=True, autoreset_mode=mode)
    env_fns = family(N)
    halves = [SyncVectorEnv(env_fns[half], autoreset_mode=mode) for half in ours.halves]
    random = np.random.default_rng(0)
    observations, infos = ours.reset(seed=3)
    assert exact((observations, infos)) == exact(sync(autoreset_mode=mode).reset(seed=3))
    ended = []
    for half, envs in zip(ours.halves, halves, strict=True):
        envs.reset(seed=3 + half.start)
        ended.append(np.zeros(envs.num_envs, bool))
    under_way = []
    for turn in range(40):
        number = turn % 2
        actions = random.integers(0, 4, halves[number].num_envs)
        if mode is DISABLED and any(each.any() for each in ended):
            while under_way:
                receive(ours, halves, under_way, ended)
            mask = np.concatenate(ended)
            if mask.any():
                got = ours.reset(options={"reset_mask": mask})[0]
                for half, envs, each in zip(ours.halves, halves, ended, strict=True):
                    if each.any():
                        expected = envs.reset(options={"reset_mask": each.copy()})[0]
                        assert exact(got[half]) == exact(expected)
                    each[:] = False
                if number:  # a reset begins with the first half
                    ours.send(np.zeros(halves[0].num_envs, int))
                    under_way.append((0, np.zeros(halves[0].num_envs, int)))
        ours.send(actions)
        under_way.append((number, actions))
        if len(under_way) == 2:
            receive(ours, halves, under_way, ended)
    assert len(under_way) == 1


def receive(ours: Any, halves: Any, under_way: Any, ended: Any) -> None:
    number, actions = under_way.pop(0)
    got = ours.recv()
    assert exact(got) == exact(halves[number].step(actions))
    ended[number] = got[2] | got[3]


@every_mode
def test_calls(mode: AutoresetMode, make: Any) -> None:
    for workers in (0, 2):
        ours, theirs = make(num_workers=workers, autoreset_mode=mode), sync(autoreset_mode=mode)
        for envs in (ours, theirs):
            envs.reset(seed=0)
            envs.set_attr("label", ["a", "b", "c", "d", "e"])
            envs.set_attr("more", 7)
        for name in ("label", "more", "steps", "given", "np_random_seed"):
            assert exact(ours.get_attr(name)) == exact(theirs.get_attr(name))
        assert exact(ours.call("describe", 3, second=4)) == exact(theirs.call("describe", 3, second=4))
        assert exact(ours.render()) == exact(theirs.render())


def test_the_reset_that_was_chosen_is_a_reset(make: Any) -> None:
    """With seeds chosen for the next reset an episode is the one that a reset with that seed begins."""
    for mode in (NEXT, SAME):
        ours = make(1, autoreset_mode=mode)
        ours.reset(seed=0)
        ours.set_next_reset(seed=90, options={"x": 1})
        ended = False
        while not ended:
            observations, _, terminations, truncations, infos = ours.step([1])
            ended = bool(terminations[0] or truncations[0])
        if mode is NEXT:
            observations, *_, infos = ours.step([1])
        alone = sync(1)
        expected = alone.reset(seed=90, options={"x": 1})
        assert exact(observations) == exact(expected[0])
        assert exact(infos["noise"]) == exact(expected[1]["noise"])
        got, following = ours.step(np.array([2])), alone.step(np.array([2]))
        assert exact(got[1:4]) == exact(following[1:4])


# -- the strict rules --------------------------------------------------------------------------------------------------


@every_mode
@pytest.mark.parametrize("env", [Walk, Stroll])
@pytest.mark.parametrize(
    "given",
    [
        {"num_workers": 0},
        {"num_workers": 0, "shared_memory": False},
        {"num_workers": 2, "double_buffer": True},
        {"num_workers": 1, "parent_share": True, "on_worker_death": "restart"},
    ],
    ids=str,
)
def test_the_strict_rules(mode: AutoresetMode, env: Any, given: Any) -> None:
    envs = vecbt.SharedMemoryVectorEnv([env] * 3, context="fork", autoreset_mode=mode, **given)
    check = vecbt.check_vector_env(envs, strict=True, steps=60)
    assert set(check.tried) == EVERYWHERE | OF_MODE[mode]
    assert envs.closed


# -- Gymnasium's wrappers ----------------------------------------------------------------------------------------------


WRAPPERS: dict[str, tuple[Any, tuple[AutoresetMode, ...]]] = {
    "statistics": (wrappers.RecordEpisodeStatistics, MODES),
    "rewards": (wrappers.NormalizeReward, MODES),
    "observations": (wrappers.NormalizeObservation, (NEXT,)),
    "clipped": (partial(wrappers.ClipReward, max_reward=5.0), MODES),
    "flat": (wrappers.FlattenObservation, (NEXT, DISABLED)),
    "list of infos": (wrappers.DictInfoToList, (NEXT, SAME)),
    "several": (lambda envs: wrappers.NormalizeReward(wrappers.RecordEpisodeStatistics(envs)), MODES),
}


class Leaving(SyncVectorEnv):
    """Leaves the mask in the caller's options, as ours does: a wrapper around Gymnasium's finds it gone."""

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        return super().reset(seed=seed, options=options and dict(options))


@pytest.mark.parametrize(
    ("name", "mode"),
    [(name, mode) for name, (_, modes) in WRAPPERS.items() for mode in modes],
    ids=lambda value: getattr(value, "value", value),
)
def test_wrappers(name: str, mode: AutoresetMode, make: Any) -> None:
    wrap, _ = WRAPPERS[name]
    ours, theirs = wrap(make(autoreset_mode=mode)), wrap(Leaving(family(N), autoreset_mode=mode))
    got, expected = ([without_times(event) for event in play(envs, STEPS)] for envs in (ours, theirs))
    assert got == expected


def without_times(event: Any) -> Any:
    """Without the seconds that an episode has taken."""
    if isinstance(event, dict):
        return {name: without_times(part) for name, part in event.items() if name not in ("t", "episode_time")}
    if isinstance(event, tuple | list):
        return type(event)(without_times(part) for part in event)
    return event


@pytest.mark.parametrize("engine", ["compiled", "cerebro"])
def test_wrappers_of_numbers_on_our_engines(engine: str) -> None:
    """They see of a batch of ours what they see of single environments of ours that Gymnasium puts together."""
    given = {"data": MARKET, "engine": engine, "episode_steps": 4, "infos": "none"}
    pairs = [
        gymnasium.make_vec("vecbt/Trading-v0", num_envs=3, vectorization_mode=mode, **given)
        for mode in ("vector_entry_point", "sync")
    ]
    got, expected = (
        [without_times(event) for event in play(wrappers.NormalizeReward(wrappers.NormalizeObservation(envs)), 12)]
        for envs in pairs
    )
    assert [event[1][:4] for event in got] == [event[1][:4] for event in expected]
    for envs in pairs:
        envs.close()


# -- the single environments of our engines ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"actions": "target_percent", "account_features": ("value", "exposure"), "commission": 0.001},
        {"data": vecbt.RandomDomain(MARKET, test_period=500), "features": ("log_return",), "skip_frame": 2},
    ],
    ids=["plain", "account", "domain"],
)
def test_single_environments_of_both_engines_match(given: Any) -> None:
    pair = [
        gymnasium.make("vecbt/Trading-v0", **{"data": MARKET, "episode_steps": 25, **given}, engine=engine)
        for engine in ("compiled", "cerebro")
    ]
    check_environments_match(*pair, num_steps=80)
    check_environments_match(*reversed(pair), num_steps=10, seed=4)
    for env in pair:
        env.close()


def test_single_environments_through_the_generic_batch() -> None:
    """Ours run in the workers of the generic batch too, and are there what they are alone."""
    given = {"data": MARKET, "engine": "compiled", "episode_steps": 4, "infos": "none"}
    env_fns = [partial(gymnasium.make, "vecbt:vecbt/Trading-v0", **given)] * 3
    ours, theirs = vecbt.SharedMemoryVectorEnv(env_fns, num_workers=2), SyncVectorEnv(env_fns)
    assert play(ours, 12) == play(theirs, 12)
    for envs in (ours, theirs):
        envs.close()


def test_scripts_are_what_a_test_needs() -> None:
    """The comparisons above are of something: episodes end in both ways, infos change, actions matter."""
    envs = sync(autoreset_mode=SAME)
    results = [envs.reset(seed=0)] + [envs.step([1] * N) for _ in range(STEPS)]
    assert all(sum(int(result[number].sum()) for result in results[1:]) > 5 for number in (2, 3))
    assert {"word", "more", "small", "final_info", "final_obs"} <= {name for result in results for name in result[-1]}
    assert play(sync(), 5) == play(sync(), 5)
    rewards = []
    for actions in ([1] * N, np.ones(N, np.int32), [2] * N):
        envs.reset(seed=0)
        rewards.append(envs.step(actions)[1].tolist())
    assert all(one != other for one, other in zip(rewards[0], rewards[1], strict=True))
    assert all(one != other for one, other in zip(rewards[0], rewards[2], strict=True))
    assert isinstance(Scripted().reset(seed=0)[0], np.ndarray)
