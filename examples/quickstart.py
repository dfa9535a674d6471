"""Random agents on a made-up market: a thousand environments at once, on the compiled engine."""

import vecbt

bars = vecbt.data.synthetic_market(20_000, seed=0)  # or "EURUSD.csv", a DataFrame ...
envs = vecbt.make_vec(bars, num_envs=1024, episode_steps=200, commission=0.0001, max_exposure=1.0)
observations, infos = envs.reset(seed=0)
print("observations:", observations.dtype, observations.shape)
envs.action_space.seed(0)
for _ in range(200):
    observations, rewards, terminations, truncations, infos = envs.step(envs.action_space.sample())
returns = infos["episode_stats"]["total_return"]  # every episode has come to its 200th step
print(f"mean return of {truncations.sum()} episodes: {returns.mean():+.4%}")
envs.close()
