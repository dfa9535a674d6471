from __future__ import annotations

import copy
from typing import Any

import gymnasium
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import RecordEpisodeStatistics

import vecbt
from tests.envs import MARKET
from tests.testing import broken_episodes, broken_forms
from tests.testing.vector_envs import DISABLED, MODES, NEXT, Good, Stroll, Walk
from vecbt.errors import ConfigError, ConformanceError
from vecbt.testing.vector_checks.rules import RULES, STRICT

BROKEN = [*broken_forms.CASES, *broken_episodes.CASES]
OF_MODE = {
    AutoresetMode.NEXT_STEP: {"next_step"},
    AutoresetMode.SAME_STEP: {"same_step"},
    AutoresetMode.DISABLED: {"disabled", "ended_step"},
}
EVERYWHERE = set(RULES) - set().union(*OF_MODE.values())
every_mode = pytest.mark.parametrize("mode", MODES, ids=[mode.name for mode in MODES])


@every_mode
@pytest.mark.parametrize("env", [Walk, Stroll])
@pytest.mark.parametrize("num_envs", [1, 3])
def test_every_rule_that_the_mode_has_is_tried(mode: AutoresetMode, env: Any, num_envs: int) -> None:
    check = vecbt.check_vector_env(Good(mode, env, num_envs), strict=True)
    assert set(check.tried) == EVERYWHERE | OF_MODE[mode]
    assert set(check.untried.values()) == {f"the autoreset mode is {mode.name}"}


# -- environments of others --------------------------------------------------------------------------------------------


@every_mode
@pytest.mark.parametrize("vectorize", [SyncVectorEnv, AsyncVectorEnv])
def test_environments_of_gymnasium(vectorize: Any, mode: AutoresetMode) -> None:
    envs = vectorize([lambda: gymnasium.make("CartPole-v1")] * 3, autoreset_mode=mode)
    check = vecbt.check_vector_env(envs)
    expected = (EVERYWHERE | OF_MODE[mode]) - set(STRICT)
    if mode is not AutoresetMode.SAME_STEP:
        expected -= {"infos"}
        assert check.untried["infos"] == "infos were empty"
    if mode is not AutoresetMode.DISABLED:
        expected -= {"partial_reset"}
        assert "strict=True" in check.untried["partial_reset"]
    assert set(check.tried) == expected
    assert envs.closed


def test_an_environment_with_one_generator_for_all() -> None:
    check = vecbt.check_vector_env(
        gymnasium.make_vec("CartPole-v1", num_envs=3, vectorization_mode="vector_entry_point")
    )
    assert {"seed", "next_step", "reset_after_end", "close"} <= set(check.tried)
    assert all("is not a tuple" in check.untried[rule] for rule in ("np_random_seed", "seeds", "new_episode"))


@every_mode
def test_a_wrapper_that_masks_only_the_outermost_key(mode: AutoresetMode) -> None:
    envs = SyncVectorEnv([Walk] * 3, autoreset_mode=mode)
    check = vecbt.check_vector_env(RecordEpisodeStatistics(envs))
    assert "infos" in check.tried
    assert check.untried["nested_masks"] == "Gymnasium does not ask for it: strict=True tries it"


@every_mode
@pytest.mark.parametrize("account_features", [(), ("value", "exposure")], ids=["box", "dict"])
@pytest.mark.parametrize(("engine", "num_workers"), [("compiled", 0), ("cerebro", 0), ("cerebro", 2)])
def test_our_environments_keep_to_the_strict_rules(
    mode: AutoresetMode, account_features: tuple[str, ...], engine: str, num_workers: int
) -> None:
    envs = vecbt.make_vec(
        MARKET,
        num_envs=3,
        engine=engine,
        num_workers=num_workers,
        autoreset_mode=mode,
        account_features=account_features,
        episode_steps=30,
        drawdown_call=0.3,  # episodes do not all end together
    )
    check = vecbt.check_vector_env(envs, steps=100, strict=True)
    # The infos of Gymnasium's that are dicts come with the end of an episode.
    assert set(check.tried) == EVERYWHERE | OF_MODE[mode]


@pytest.mark.parametrize("engine", ["compiled", "cerebro"])
def test_our_views(engine: str) -> None:
    settings: dict[str, Any] = {"num_envs": 2, "engine": engine, "num_workers": 0, "episode_steps": 20, "copy": False}
    check = vecbt.check_vector_env(vecbt.make_vec(MARKET, **settings), steps=50, copies=False, strict=True)
    assert "memory" in check.tried
    with pytest.raises(ConformanceError, match=r"^memory: expected observations in memory of its own"):
        vecbt.check_vector_env(vecbt.make_vec(MARKET, **settings), steps=50)


# -- environments that break a rule ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "message", "cls", "mode", "arguments"),
    BROKEN,
    ids=[f"{r}-{c.__name__}-{m.name}" for r, _, c, m, _ in BROKEN],
)
def test_a_broken_rule_is_named(
    rule: str, message: str, cls: Any, mode: AutoresetMode, arguments: dict[str, Any]
) -> None:
    with pytest.raises(ConformanceError, match=rf"^{rule}: expected .*{message.removeprefix('expected ')}") as caught:
        vecbt.check_vector_env(cls(mode), steps=40, **arguments)
    assert str(caught.value).endswith(f" The rule: {RULES[rule]}.")


@pytest.mark.parametrize("case", [case for case in BROKEN if case[0] in STRICT], ids=lambda case: case[2].__name__)
def test_what_only_the_strict_rules_forbid(case: Any) -> None:
    _, _, cls, mode, _ = case
    assert vecbt.check_vector_env(cls(mode), steps=40).tried


def test_every_rule_has_an_environment_that_breaks_it() -> None:
    assert {case[0] for case in BROKEN} == set(RULES)


# -- what is reported --------------------------------------------------------------------------------------------------


class Endless(Walk):
    def reset(self, **arguments: Any) -> Any:
        result = super().reset(**arguments)
        self.left = 1_000
        return result


@every_mode
def test_rules_about_ends_are_not_tried_where_nothing_ends(mode: AutoresetMode) -> None:
    check = vecbt.check_vector_env(Good(mode, Endless), steps=30, strict=True)
    reason = "no episode has ended before the last of 30 steps of random actions: raise steps"
    untried = {rule for rule, why in check.untried.items() if why == reason}
    assert untried == OF_MODE[mode] | {"new_episode", "reset_after_end"}
    assert not untried & set(check.tried)
    assert f"new_episode: not tried, {reason}" in str(check).splitlines()


def test_every_rule_is_tried_or_not() -> None:
    for arguments in ({}, {"strict": True}, {"close": False}, {"close": False, "strict": True, "steps": 1}):
        check = vecbt.check_vector_env(Good(NEXT), **arguments)
        assert set(check.tried).isdisjoint(check.untried)
        assert {*check.tried, *check.untried} == set(RULES)


def test_an_environment_that_is_not_deterministic_need_not_repeat() -> None:
    class Random(Good):
        spec = gymnasium.spec("CartPole-v1")

        def reset(self, *, seed: Any = None, options: Any = None) -> Any:
            return super().reset(options=options)

    Random.spec = copy.copy(Random.spec)
    Random.spec.nondeterministic = True
    Random.np_random_seed = property(lambda self: 0)  # type: ignore[assignment]
    check = vecbt.check_vector_env(Random(DISABLED))
    for rule in ("seed", "seeds", "actions", "reset_after_end", "new_episode"):
        assert "nondeterministic" in check.untried[rule] or "not a tuple" in check.untried[rule]
    assert {"disabled", "partial_reset"} <= set(check.tried)


def test_environments_stay_open_on_request_and_draws_are_left_alone() -> None:
    envs = Good(NEXT)
    envs.action_space.seed(5)
    expected = copy.deepcopy(envs.action_space).sample()
    check = vecbt.check_vector_env(envs, close=False)
    assert not envs.closed
    assert check.untried["close"] == "close is False"
    assert (envs.action_space.sample() == expected).all()


def test_steps() -> None:
    with pytest.raises(ConfigError, match="steps must be 1 or more, got 0"):
        vecbt.check_vector_env(Good(NEXT), steps=0)


def test_the_error_of_the_environment_is_the_cause() -> None:
    class Fails(Good):
        def reset(self, **arguments: Any) -> Any:
            raise KeyError("market")

    with pytest.raises(ConformanceError, match=r"^calls: .* got KeyError: 'market'") as caught:
        vecbt.check_vector_env(Fails(NEXT))
    assert isinstance(caught.value.__cause__, KeyError)
    assert isinstance(caught.value, AssertionError)
