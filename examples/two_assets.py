"""Two assets in one account: an action for each, sizes of each, and one reward for both."""

import numpy as np

import vecbt

# Anything that read_bars reads, by name. What one asset has and the other lacks at a time is left out.
streams = {"EURUSD": vecbt.data.synthetic_market(5_000, seed=1), "USDJPY": vecbt.data.synthetic_market(5_000, seed=2)}

envs = vecbt.make_vec(
    streams,
    num_envs=32,
    features=("log_return", "EURUSD.close / USDJPY.close - 1"),  # the first for each asset, the second once
    order_size={"EURUSD": "40%", "USDJPY": "20%"},
    commission=0.0001,
    episode_steps=100,
)
print("actions:", envs.single_action_space)
observations, infos = envs.reset(seed=0)
print("observations:", observations.dtype, observations.shape)
random = np.random.default_rng(0)
for _ in range(100):
    # hold, buy, sell or close: EURUSD at random, USDJPY whenever EURUSD is left alone
    actions = random.integers(0, 4, (32, 2))
    actions[actions[:, 0] != 0, 1] = 0
    observations, rewards, terminations, truncations, infos = envs.step(actions)
    held = infos["position"]
print("positions of the first environment:", dict(zip(streams, held[0].tolist(), strict=True)))
print(f"mean return of {truncations.sum()} episodes: {infos['episode_stats']['total_return'].mean():+.4%}")
envs.close()
