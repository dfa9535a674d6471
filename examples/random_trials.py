"""Trials at random: weeks that begin on a Monday to train on, and held-out weeks to test on, on the compiled engine."""

import vecbt

market = vecbt.data.synthetic_market(60_000, seed=0)  # 41 days of minutes
domain = vecbt.RandomDomain(
    market,
    trial=vecbt.SampleRules(duration={"days": 5}, test_period={"days": 1}, start_weekdays=[0], time_gap="1h"),
    episode=vecbt.SampleRules(b_alpha=2.0, b_beta=1.0),  # rather late in the trial than early
    test_period={"days": 14},
)
envs = vecbt.make_vec(domain, num_envs=256, episode_steps=200, commission=0.0001, max_exposure=1.0)
print("trials to choose from:", envs.num_trials)
envs.action_space.seed(0)
for trial_type in ("source", "target"):
    for sample_type in ("train", "test"):
        _, infos = envs.reset(seed=0, options={"trial_type": trial_type, "sample_type": sample_type})
        first, last = infos["start"].min(), infos["start"].max()
        for _ in range(200):
            _, _, _, truncations, infos = envs.step(envs.action_space.sample())
        mean = infos["episode_stats"]["total_return"].mean()
        print(f"{trial_type} trials, {sample_type} rows: first rows {first} to {last}, mean return {mean:+.3%}")
envs.close()
