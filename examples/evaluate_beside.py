"""Evaluation beside training: every trial that is trained on is tested at once, on the rows that follow it.

The agent is a moving average crossing whose length is looked for by trying lengths at random; what matters here is who
sees which rows. `evaluation.follow(training)` gives each evaluation episode the trial that its training environment is
in, and of that the test rows, which no training episode sees.
"""

import numpy as np

import vecbt

bars = vecbt.data.synthetic_market(20_000, seed=4)
domain = vecbt.RandomDomain(bars, trial=vecbt.SampleRules(duration={"days": 3}, test_period={"hours": 12}))
settings = {"num_envs": 64, "window": 60, "features": ("close",), "actions": "target_position", "commission": 0.00002}


def run(envs: vecbt.TradingVectorEnv, lengths: np.ndarray) -> np.ndarray:
    """The return of one episode in each environment, long above the average of so many bars and short below."""
    observations, _ = envs.reset()
    while True:
        close = observations[:, :, 0]
        averages = np.array([own[-length:].mean() for own, length in zip(close, lengths, strict=True)])
        observations, _, _, truncations, infos = envs.step(np.where(close[:, -1] > averages, 2, 0))
        if truncations.all():
            return np.asarray(infos["episode_stats"]["total_return"])


with vecbt.DataFeedServer(domain) as server:
    training = vecbt.make_vec(server, episode_steps=500, **settings)
    evaluation = vecbt.make_vec(server, episode_steps=500, **settings)
evaluation.follow(training)
training.reset(seed=0)  # from here on all is decided
evaluation.reset(seed=0)
random = np.random.default_rng(0)
lengths = random.integers(5, 60, 64)
for round_ in range(4):
    trained = run(training, lengths)
    tested = run(evaluation, lengths)
    same = (training.current_trials()["trial"] == evaluation.current_trials()["trial"]).all()
    print(f"round {round_}: training {trained.mean():+.3%}, test rows of the same trials ({same}) {tested.mean():+.3%}")
    best = lengths[np.argsort(trained)[-16:]]
    lengths = np.clip(np.tile(best, 4) + random.integers(-5, 6, 64), 2, 60)
training.close()
evaluation.close()
