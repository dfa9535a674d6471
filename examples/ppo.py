"""Proximal policy optimization in one file, on PyTorch alone: `pip install torch`, then `python examples/ppo.py`.

It is the algorithm of Schulman et al. (2017) with generalized advantage estimation, for discrete actions, and learns
from any vector environment of Gymnasium's in the autoreset mode NEXT_STEP. In that mode the step after an episode's end
carries the reset: its action is ignored and its reward is 0. Such rows are kept, since the observation that they begin
with is the episode's last one, whose value a truncated episode is continued with; the losses leave them out.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from torch import Tensor, nn

import vecbt


@dataclasses.dataclass(frozen=True)
class Settings:
    """What learning depends on, beside the environments."""

    steps: int = 1_000_000  # of all environments together
    rollout: int = 16_384  # steps from one update to the next
    minibatch: int = 4_096
    epochs: int = 4
    learning_rate: float = 1e-3
    gamma: float = 0.99
    gae_lambda: float = 0.95
    clip: float = 0.2
    entropy: float = 0.001
    value: float = 0.5  # weight of the value function's loss
    max_norm: float = 0.5  # of a gradient
    width: int = 64
    seed: int = 0


class ActorCritic(nn.Module):
    """A policy and a value function, with networks of their own."""

    def __init__(self, inputs: int, actions: int, width: int) -> None:
        super().__init__()
        self.actor = network(inputs, width, actions, 0.01)
        self.critic = network(inputs, width, 1, 1.0)

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Logarithms of the actions' probabilities (n, A), and values (n,)."""
        return self.actor(observations).log_softmax(1), self.critic(observations).squeeze(1)


def network(inputs: int, width: int, outputs: int, scale: float) -> nn.Sequential:
    """Two hidden layers, orthogonal weights, no biases at first."""
    sizes, layers = [inputs, width, width, outputs], []
    for place, (before, after) in enumerate(itertools.pairwise(sizes)):
        layer = nn.Linear(before, after)
        nn.init.orthogonal_(layer.weight, scale if place == 2 else 2.0**0.5)
        nn.init.zeros_(layer.bias)
        layers += [layer] if place == 2 else [layer, nn.Tanh()]
    return nn.Sequential(*layers)


@dataclasses.dataclass
class Rollout:
    """T steps of N environments. Row T of observations and values is what comes after the last step."""

    observations: Tensor  # (T + 1, N, D)
    values: Tensor  # (T + 1, N)
    actions: Tensor  # (T, N)
    log_probs: Tensor  # (T, N)
    rewards: Tensor  # (T, N)
    terminated: Tensor  # (T, N), bool
    ended: Tensor  # (T, N), bool: terminated or truncated
    resets: Tensor  # (T, N), bool: steps that began no action of ours, but an episode

    @classmethod
    def empty(cls, steps: int, envs: int, inputs: int) -> Rollout:
        """Room for a rollout, used again and again."""
        floats = [torch.zeros(steps + 1, envs, inputs), torch.zeros(steps + 1, envs)]
        flags = [torch.zeros(steps, envs, dtype=torch.bool) for _ in range(3)]
        actions = torch.zeros(steps, envs, dtype=torch.int64)
        return cls(*floats, actions, torch.zeros(steps, envs), torch.zeros(steps, envs), *flags)


def advantages_of(rollout: Rollout, gamma: float, gae_lambda: float) -> Tensor:
    """Generalized advantage estimates (T, N); those of rows that carry a reset mean nothing.

    A terminated episode has no value beyond its end. A truncated one is continued with the value of its last
    observation, which the following row begins with. No estimate reaches beyond the end of its episode.
    """
    going_on = (~rollout.ended).float()
    following = rollout.values[1:] * (~rollout.terminated).float()
    deltas = rollout.rewards + gamma * following - rollout.values[:-1]
    advantages, last = torch.empty_like(deltas), torch.zeros(deltas.shape[1])
    for step in reversed(range(len(deltas))):
        last = deltas[step] + gamma * gae_lambda * going_on[step] * last
        advantages[step] = last
    return advantages


def learn(envs: VectorEnv, settings: Settings, told: Callable[[int, float, float], None] | None = None) -> ActorCritic:
    """Learn for so many steps.

    Args:
        envs: N environments with flat observations and discrete actions, in the autoreset mode NEXT_STEP.
        settings: What to do.
        told: Called after every update with the steps so far, the mean reward of a step, and the policy's entropy.
    """
    if envs.metadata.get("autoreset_mode") is not AutoresetMode.NEXT_STEP:
        raise ValueError("the environments must be in the autoreset mode NEXT_STEP")
    torch.manual_seed(settings.seed)
    count, inputs = envs.num_envs, envs.single_observation_space.shape[0]
    model = ActorCritic(inputs, int(envs.single_action_space.n), settings.width)
    optimizer = torch.optim.Adam(model.parameters(), settings.learning_rate, eps=1e-5)
    length = max(1, settings.rollout // count)
    rollout = Rollout.empty(length, count, inputs)
    observations, _ = envs.reset(seed=settings.seed)
    rollout.observations[-1] = torch.from_numpy(observations)
    resets = torch.zeros(count, dtype=torch.bool)
    for update in range(max(1, settings.steps // (length * count))):
        resets = collect(envs, model, rollout, resets)
        entropy = improve(model, optimizer, rollout, settings)
        if told is not None:
            told((update + 1) * length * count, float(rollout.rewards[~rollout.resets].mean()), entropy)
    return model


@torch.no_grad()
def collect(envs: VectorEnv, model: ActorCritic, rollout: Rollout, resets: Tensor) -> Tensor:
    """Step through a rollout, from where the last one has ended; returns whose next step carries a reset."""
    rollout.observations[0] = rollout.observations[-1]
    for step in range(len(rollout.actions)):
        log_probs, values = model(rollout.observations[step])
        actions = log_probs.exp().multinomial(1)
        rollout.values[step], rollout.resets[step] = values, resets
        rollout.actions[step] = actions.squeeze(1)
        rollout.log_probs[step] = log_probs.gather(1, actions).squeeze(1)
        observations, rewards, terminations, truncations, _ = envs.step(rollout.actions[step].numpy())
        rollout.observations[step + 1] = torch.from_numpy(observations)
        rollout.rewards[step] = torch.from_numpy(rewards)
        rollout.terminated[step] = torch.from_numpy(terminations)
        resets = torch.from_numpy(terminations | truncations)
        rollout.ended[step] = resets
    rollout.values[-1] = model(rollout.observations[-1])[1]
    return resets


def improve(model: ActorCritic, optimizer: torch.optim.Optimizer, rollout: Rollout, settings: Settings) -> float:
    """Some passes over the rows in which somebody acted; returns the policy's entropy in the last one."""
    advantages = advantages_of(rollout, settings.gamma, settings.gae_lambda)
    acted = (~rollout.resets).flatten().nonzero().squeeze(1)
    returns = (advantages + rollout.values[:-1]).flatten()
    flat = advantages.flatten()
    observations, actions = rollout.observations[:-1].flatten(0, 1), rollout.actions.flatten()
    before, entropy = rollout.log_probs.flatten(), torch.zeros(())
    for _ in range(settings.epochs):
        for rows in acted[torch.randperm(len(acted))].split(settings.minibatch):
            log_probs, values = model(observations[rows])
            entropy = -(log_probs.exp() * log_probs).sum(1).mean()
            ratio = (log_probs.gather(1, actions[rows, None]).squeeze(1) - before[rows]).exp()
            advantage = (flat[rows] - flat[rows].mean()) / (flat[rows].std() + 1e-8)
            clipped = ratio.clamp(1.0 - settings.clip, 1.0 + settings.clip)
            gain = torch.minimum(ratio * advantage, clipped * advantage).mean()
            loss = -gain + settings.value * (values - returns[rows]).square().mean() - settings.entropy * entropy
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), settings.max_norm)
            optimizer.step()
    return float(entropy.detach())


@torch.no_grad()
def play(envs: VectorEnv, choose: Callable[[np.ndarray], np.ndarray]) -> float:
    """The mean return of one episode of each environment, on test rows."""
    observations, infos = envs.reset(seed=1, options={"sample_type": "test"})
    while True:
        observations, _, _, truncations, infos = envs.step(choose(observations))
        if truncations.all():
            return float(infos["episode_stats"]["total_return"].mean())


def main(arguments: list[str]) -> None:
    """Train on a market and test on its last bars."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="a file of bars; without one a market is made up")
    parser.add_argument("--num-envs", type=int, default=256)
    for field in dataclasses.fields(Settings):
        name = "--" + field.name.replace("_", "-")
        parser.add_argument(name, type=type(field.default), default=field.default)
    given = vars(parser.parse_args(arguments))
    data, num_envs = given.pop("data"), given.pop("num_envs")
    settings = Settings(**given)

    bars = vecbt.read_bars(data) if data else vecbt.data.synthetic_market(50_000, seed=settings.seed)
    domain = vecbt.RandomDomain(bars, test_period=len(bars) // 5)
    env = {
        "features": ("log_return", "close / sma(20) - 1", "close / sma(120) - 1", "rsi(14)"),
        "normalize": "train",
        "account_features": ("pos_direction", "unrealized_pnl"),
        "flatten": True,
        "actions": "target_position",
        "start_cash": max(10_000.0, 100.0 * float(bars.close[0])),
        "commission": 0.0001,
        "max_exposure": 1.0,
        "reward_scale": 100.0,
        "episode_steps": min(500, len(bars) // 10),
    }
    envs = vecbt.make_vec(domain, num_envs=num_envs, infos="none", **env)
    begun = time.perf_counter()

    def tell(steps: int, reward: float, entropy: float) -> None:
        rate = steps / (time.perf_counter() - begun)
        print(f"{steps:>10,} steps  {rate:>8,.0f} per second  reward {reward:+.5f}  entropy {entropy:.3f}")

    model = learn(envs, settings, tell)
    envs.close()
    tests = vecbt.make_vec(domain, num_envs=64, **env)
    policy = play(tests, lambda observations: model.actor(torch.from_numpy(observations)).argmax(1).numpy())
    held = play(tests, lambda observations: np.full(len(observations), 2))
    tests.close()
    print(f"test rows, mean of 64 episodes: policy {policy:+.3%}, buy and hold {held:+.3%}, flat {0:+.3%}")


if __name__ == "__main__":
    main(sys.argv[1:])
