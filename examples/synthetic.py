"""Generated trials: every episode on bars of its own, of an Ornstein-Uhlenbeck process that each trial draws anew."""

import vecbt
from vecbt.data import GeneratedDomain, LogUniform, OrnsteinUhlenbeck

process = OrnsteinUhlenbeck(reversion=LogUniform(0.005, 0.1), volatility=LogUniform(0.001, 0.01))
domain = GeneratedDomain(process, bars=131)  # a look-back of 30 and an episode of 100
envs = vecbt.make_vec(domain, num_envs=64, episode_steps=100, features=("close/sma(10)-1",), window=20)
observations, infos = envs.reset(seed=0)
returns = []
while len(returns) < 512:
    gap = observations[:, -1, 0]  # of the price from its average
    actions = (gap < -0.001) * 1 + (gap > 0.001) * 3  # buy below it, close above
    observations, rewards, terminations, truncations, infos = envs.step(actions)
    ended = terminations | truncations
    if ended.any():
        returns += infos["episode_stats"]["total_return"][ended].tolist()
print(f"mean return of {len(returns)} episodes, no two on the same bars: {sum(returns) / len(returns):+.4%}")
envs.close()
