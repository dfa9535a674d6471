"""One trial after the other: every hour of a market is tested once, by environments that take turns."""

import numpy as np

import vecbt
from vecbt.errors import ExhaustedError

market = vecbt.data.synthetic_market(1_920, seed=2)
hours = vecbt.SampleRules(duration={"hours": 5}, test_period={"hours": 1})
domain = vecbt.SequentialDomain(market, trial=hours)
envs = vecbt.make_vec(domain, num_envs=4, episode_steps=None)  # an episode is a whole hour
envs.reset(options={"sample_type": "test"})
tested = []
try:
    while True:
        _, _, _, truncations, infos = envs.step(np.ones(4, np.int64))  # buy
        tested += infos["episode_stats"]["trial"][truncations].tolist() if truncations.any() else []
except ExhaustedError as end:
    print(end)
print(f"{len(tested)} of {len(domain)} trials have been tested, in their order: {tested == sorted(tested)}")
envs.close()
