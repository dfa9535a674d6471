"""Training on resampled bars, testing on real ones: blocks of the training rows against the test rows."""

import numpy as np

import vecbt
from vecbt.data import BlockBootstrap, GeneratedDomain, RandomDomain

bars = vecbt.data.synthetic_market(20_000, seed=0)  # or "EURUSD.csv", a DataFrame ...
real = RandomDomain(bars, test_period=5_000)
domain = GeneratedDomain(BlockBootstrap(real, block=60), bars=600, test=real)  # no test row in any block
envs = vecbt.make_vec(domain, num_envs=32, episode_steps=500, features=("log_return",), normalize="train")
envs.action_space.seed(0)
for sample_type in ("train", "test"):
    observations, infos = envs.reset(seed=1, options={"sample_type": sample_type})
    rows = infos["start"]
    where = "generated" if (rows < 0).all() else f"from row {rows.min()} on"
    ended = np.zeros(32, bool)
    while not ended.any():
        observations, rewards, terminations, truncations, infos = envs.step(envs.action_space.sample())
        ended = terminations | truncations
    print(f"{sample_type}: {ended.sum()} episodes, {where}: {infos['episode_stats']['total_return'].mean():+.4%}")
envs.close()
