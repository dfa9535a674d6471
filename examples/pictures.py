"""Pictures without a window: the last bars as the agent trades, and the episode once it has ended."""

from pathlib import Path

from matplotlib.image import imsave

import vecbt

bars = vecbt.data.synthetic_market(5_000, seed=0)
envs = vecbt.make_vec(bars, num_envs=2, render_mode="rgb_array", episode_steps=200, commission=0.0001, max_exposure=1.0)
envs.reset(seed=0)
for step in range(200):
    if step == 150:
        imsave("bars.png", envs.render()[0])
    envs.step([(1, 0, 0, 3, 0)[step % 5], (2, 0, 0, 0, 1)[step % 5]])
imsave("episode.png", envs.render("episode", envs=[0])[0])
imsave("observation.png", envs.render("observation", envs=[0])[0])
for path in sorted(Path().glob("*.png")):
    print(path, path.stat().st_size, "bytes")
envs.close()
