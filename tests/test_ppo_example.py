"""The learner of examples/ppo.py: what becomes of the rows that carry a reset."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

torch = pytest.importorskip("torch", reason="the example is PyTorch's")
PATH = Path(__file__).parents[1] / "examples" / "ppo.py"


@pytest.fixture(scope="module")
def ppo() -> Any:
    spec = importlib.util.spec_from_file_location("ppo", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["ppo"] = module
    spec.loader.exec_module(module)
    return module


def test_it_is_one_readable_file() -> None:
    assert len(PATH.read_text(encoding="utf-8").splitlines()) <= 300


class Counting(VectorEnv[Any, Any, Any]):
    """Episodes of known length: the observation is the step, the reward the action, resets come a step later."""

    metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012

    def __init__(self, lengths: list[int], *, terminates: bool) -> None:
        self.num_envs, self._lengths, self._terminates = len(lengths), np.array(lengths), terminates
        self.single_observation_space = spaces.Box(-1.0, 100.0, (1,), np.float32)
        self.single_action_space = spaces.Discrete(2)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self._steps, self._over = np.zeros(self.num_envs, np.int64), np.zeros(self.num_envs, bool)
        return self._observe(), {}

    def _observe(self) -> Any:
        return self._steps[:, np.newaxis].astype(np.float32)

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        rewards = np.where(self._over, 0.0, actions.astype(np.float64))
        self._steps = np.where(self._over, 0, self._steps + 1)
        self._over = ~self._over & (self._steps == self._lengths)
        never = np.zeros(self.num_envs, bool)
        ends = (self._over, never) if self._terminates else (never, self._over)
        return self._observe(), rewards, *ends, {}


def slow_advantages(rollout: Any, gamma: float, gae_lambda: float) -> dict[tuple[int, int], float]:
    """By the definition, episode by episode: the sum of discounted temporal differences up to its end."""
    found = {}
    steps, count = rollout.rewards.shape
    for env in range(count):
        for first in range(steps):
            if rollout.resets[first, env]:
                continue
            total, weight = 0.0, 1.0
            for step in range(first, steps):
                following = 0.0 if rollout.terminated[step, env] else float(rollout.values[step + 1, env])
                total += weight * (
                    float(rollout.rewards[step, env]) + gamma * following - float(rollout.values[step, env])
                )
                weight *= gamma * gae_lambda
                if rollout.ended[step, env]:
                    break
            found[first, env] = total
    return found


@pytest.mark.parametrize("terminates", [False, True])
def test_advantages_are_those_of_single_episodes(ppo: Any, terminates: bool) -> None:
    envs = Counting([3, 5, 100], terminates=terminates)
    torch.manual_seed(0)
    model = ppo.ActorCritic(1, 2, 8)
    rollout = ppo.Rollout.empty(17, 3, 1)
    rollout.observations[-1] = torch.from_numpy(envs.reset()[0])
    resets = ppo.collect(envs, model, rollout, torch.zeros(3, dtype=torch.bool))
    # Episodes of 3 steps, and a step for each reset.
    assert rollout.resets[:, 0].nonzero().flatten().tolist() == [3, 7, 11, 15]
    assert rollout.ended[:, 0].nonzero().flatten().tolist() == [2, 6, 10, 14]
    assert not resets[0]
    advantages = ppo.advantages_of(rollout, 0.9, 0.8)
    expected = slow_advantages(rollout, 0.9, 0.8)
    assert len(expected) == int((~rollout.resets).sum())
    for (step, env), value in expected.items():
        # In float32, of which every step rounds.
        assert float(advantages[step, env]) == pytest.approx(value, rel=1e-4, abs=1e-5)


def test_rows_that_carry_a_reset_teach_nothing(ppo: Any) -> None:
    settings = ppo.Settings(minibatch=1_000, epochs=1)
    results = []
    for changed in (False, True):
        envs = Counting([3, 5, 100], terminates=True)
        torch.manual_seed(0)
        model = ppo.ActorCritic(1, 2, 8)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        rollout = ppo.Rollout.empty(17, 3, 1)
        rollout.observations[-1] = torch.from_numpy(envs.reset()[0])
        ppo.collect(envs, model, rollout, torch.zeros(3, dtype=torch.bool))
        if changed:
            rollout.rewards[rollout.resets] = 1e6
            rollout.actions[rollout.resets] = 0
            rollout.log_probs[rollout.resets] = -50.0
        ppo.improve(model, optimizer, rollout, settings)
        results.append([parameter.detach().clone() for parameter in model.parameters()])
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(*results, strict=True))


def test_it_learns_what_there_is_to_learn(ppo: Any) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    envs = Counting([20] * 32, terminates=False)
    rewards: list[float] = []
    settings = ppo.Settings(steps=12_000, rollout=1_000, minibatch=500, learning_rate=3e-3, entropy=0.0)
    ppo.learn(envs, settings, lambda steps, reward, entropy: rewards.append(reward))
    torch.set_num_threads(before)
    assert rewards[0] < 0.65 < 0.9 < rewards[-1]


def test_another_mode_is_refused(ppo: Any) -> None:
    envs = Counting([3], terminates=True)
    envs.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
    with pytest.raises(ValueError, match="NEXT_STEP"):
        ppo.learn(envs, ppo.Settings())
