"""Living through a market: test on what comes next, then train on all that is known by then, and so on."""

import numpy as np

import vecbt

market = vecbt.data.synthetic_market(10_000, seed=3)
days = vecbt.SampleRules(duration={"days": 2}, test_period={"hours": 12})
domain = vecbt.CausalDomain(market, trial=days, expanding=True)
with vecbt.DataFeedServer(domain) as server:
    # Two batches on one server have one global time.
    train = vecbt.make_vec(server, num_envs=64, episode_steps=60)
    test = vecbt.make_vec(server, num_envs=1, episode_steps=600)
    train.action_space.seed(0)
    train.reset(seed=0)
    test.reset(seed=0, options={"trial_type": "target", "sample_type": "test"})
    for period in range(5):
        for _ in range(300):  # an agent would learn here
            _, _, _, _, infos = train.step(train.action_space.sample())
        latest = infos["bar"].max()
        first = test.reset()[1]["start"][0]
        for _ in range(600):
            _, _, _, _, infos = test.step(np.ones(1, np.int64))
        print(f"period {period}: trained on rows up to {latest}, tested on rows {first} to {infos['bar'][0]}")
    print("global time:", np.datetime64(server.get_global_time(), "s"))
    train.close()
    test.close()
