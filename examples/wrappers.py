"""Gymnasium's own wrappers around a batch: statistics of episodes, and observations and rewards brought to scale."""

import numpy as np
from gymnasium.wrappers.vector import NormalizeObservation, NormalizeReward, RecordEpisodeStatistics

import vecbt

bars = vecbt.data.synthetic_market(20_000, seed=0)  # or "EURUSD.csv", a DataFrame ...
envs = vecbt.make_vec(bars, num_envs=64, features=("close", "volume"), flatten=True, episode_steps=100)
envs = RecordEpisodeStatistics(envs)
envs = NormalizeObservation(envs)  # by what has been seen so far, so by the past alone
envs = NormalizeReward(envs, gamma=0.99)
observations, infos = envs.reset(seed=0)
envs.action_space.seed(0)
for _ in range(300):
    observations, rewards, terminations, truncations, infos = envs.step(envs.action_space.sample())
    if "episode" in infos and (ended := infos["_episode"]).any():
        returns, own = infos["episode"]["r"][ended], infos["episode_stats"]["total_return"][ended]
        print(f"{ended.sum()} episodes: mean sum of rewards {returns.mean():+.5f}, mean return {own.mean():+.3%}")
print(f"observations: mean {observations.mean():+.2f}, deviation {np.std(observations):.2f}")
print(f"rewards: deviation {rewards.std():.2f}")
envs.close()
