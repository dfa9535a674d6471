"""Walk-forward validation: on each window the better of two rules is chosen, and tested on the rows that follow."""

import numpy as np

import vecbt

market = vecbt.data.synthetic_market(20_000, seed=1)
folds = vecbt.WalkForward(market, train=4_000, test=2_000)


def follow(observations, sign):
    """Hold a position with the last 20 bars' trend (1), or against it (-1)."""
    trend = np.sign(observations[:, -1, 0] - observations[:, -20, 0])
    return (1 + sign * trend).astype(np.int64)


def evaluate(fold, sample_type, sign):
    """Mean return of episodes in the training or the test rows of a fold."""
    envs = vecbt.make_vec(
        folds.fold(fold), num_envs=64, features=["close"], actions="target_position", episode_steps=500
    )
    observations, _ = envs.reset(seed=fold, options={"sample_type": sample_type})
    for _ in range(500):
        observations, _, _, _, infos = envs.step(follow(observations, sign))
    envs.close()
    return infos["episode_stats"]["total_return"].mean()


for number, fold in enumerate(folds.folds):
    best = max((1, -1), key=lambda sign: evaluate(number, "train", sign))
    name = {1: "with", -1: "against"}[best]
    result = evaluate(number, "test", best)
    print(f"fold {number}: {name} the trend on rows {fold.train}, then {result:+.3%} on {fold.test}")
