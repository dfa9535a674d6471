"""Proximal policy optimization by Stable-Baselines3, set up for large batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from vecbt.errors import ConfigError, MissingExtraError

try:
    import tensorboard  # noqa: F401 -- what logs are written with
    from gymnasium import spaces
    from stable_baselines3 import PPO
    from stable_baselines3.common.vec_env import VecEnv
    from torch import nn
except ModuleNotFoundError as error:
    raise MissingExtraError.of("vecbt.training", str(error.name), "train") from error

__all__ = ["make_ppo"]


def make_ppo(
    vec_env: VecEnv,
    *,
    seed: int = 0,
    update_steps: int = 16_384,
    batch_size: int = 4_096,
    epochs: int = 4,
    learning_rate: float | Callable[[float], float] = 1e-3,
    gamma: float = 0.99,
    gae_lambda: float = 0.95,
    entropy: float = 0.001,
    network: Sequence[int] = (64, 64),
) -> PPO:
    """Make a learner whose updates are few and large, as suits environments that are quick.

    With a thousand environments the defaults of Stable-Baselines3, minibatches of 64 steps, leave nearly all time to
    the optimizer. Policy and value function have networks of their own, with tanh between the layers.

    Args:
        vec_env: The environments, N of them.
        seed: Seed of the network's weights and of what is drawn in training.
        update_steps: Steps from update to update, of all environments together; rounded up to equal minibatches.
        batch_size: The most steps of a minibatch.
        epochs: Passes over the steps of an update.
        learning_rate: Of Adam; or a function that gives it for the share of training that is left, from 1 to 0.
        gamma: Discount.
        gae_lambda: Lambda of generalized advantage estimation (Schulman et al., 2016).
        entropy: Weight of the entropy.
        network: Widths of the layers.

    Raises:
        ConfigError: If an action space is none that PPO can have.

    Example:
        >>> import vecbt
        >>> from vecbt.integrations.sb3 import SB3VecEnv
        >>> market = vecbt.data.synthetic_market(2_000, seed=0)
        >>> envs = vecbt.make_vec(market, num_envs=8, flatten=True, episode_steps=50, autoreset_mode="SameStep")
        >>> model = make_ppo(SB3VecEnv(envs), update_steps=256, batch_size=128, epochs=1)
        >>> model.learn(512).num_timesteps
        512
        >>> envs.close()
    """
    if not isinstance(vec_env.action_space, (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)):
        raise ConfigError(f"PPO has no policy for actions of {vec_env.action_space}: choose other actions")
    steps, size = divide(update_steps, vec_env.num_envs, batch_size)
    policy = "MultiInputPolicy" if isinstance(vec_env.observation_space, spaces.Dict) else "MlpPolicy"
    layers: dict[str, Any] = {"net_arch": {"pi": list(network), "vf": list(network)}, "activation_fn": nn.Tanh}
    return PPO(
        policy,
        vec_env,
        n_steps=steps,
        batch_size=size,
        n_epochs=epochs,
        learning_rate=learning_rate,
        gamma=gamma,
        gae_lambda=gae_lambda,
        ent_coef=entropy,
        policy_kwargs=layers,
        seed=seed,
        device="cpu",
    )


def divide(update_steps: int, num_envs: int, batch_size: int) -> tuple[int, int]:
    """Steps of each environment from update to update, and steps of a minibatch, all of which are equal.

    Example:
        >>> divide(16_384, 256, 4_096)
        (64, 4096)
        >>> divide(1_000, 300, 256)
        (4, 240)
    """
    steps = max(2, math.ceil(update_steps / num_envs))
    batches = math.ceil(steps * num_envs / batch_size)
    # As many steps more as it takes to divide them evenly.
    steps += -steps % (batches // math.gcd(batches, num_envs))
    return steps, steps * num_envs // batches
