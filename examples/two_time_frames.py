"""Hours beside minutes: what an agent may know of a slower stream, and when."""

import vecbt

minutes = vecbt.data.synthetic_market(20_000, seed=0)
aggregation = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
hours = minutes.to_frame().resample("1h", closed="right", label="right").agg(aggregation).dropna()

# An hour is known at its end: the stamps of this frame are ends, as those of the minutes are.
streams = {"SYNTH": minutes, "HOUR": vecbt.read_bars(hours, stamp="end")}
bars = vecbt.data.align_bars(streams, asof=["HOUR"])
print(bars)
print(*bars.notes, sep="\n")

envs = vecbt.make_vec(
    bars,
    num_envs=64,
    features=("log_return", "close / HOUR.sma(8) - 1", "HOUR.rsi(14)"),  # indicators of HOUR count hours
    normalize="train",
    episode_steps=100,
)
observations, infos = envs.reset(seed=0)
print("observations:", observations.dtype, observations.shape)
envs.action_space.seed(0)
for _ in range(100):
    observations, rewards, terminations, truncations, infos = envs.step(envs.action_space.sample())
print(f"mean return of {truncations.sum()} episodes: {infos['episode_stats']['total_return'].mean():+.4%}")
envs.close()
