"""One data set for several processes: a batch trains here, another evaluates in a process that knows an address."""

import subprocess
import sys

import vecbt

settings = {"num_envs": 64, "episode_steps": 200, "commission": 0.0001, "max_exposure": 1.0}


def evaluate(address: str) -> None:
    """What the other process does: episodes of the test rows, and a message for those who train."""
    with vecbt.DataFeedServer.attach(address) as client:
        envs = vecbt.make_vec(client, **settings)
        envs.reset(seed=1, options={"sample_type": "test"})
        envs.action_space.seed(1)
        for _ in range(200):
            _, _, _, _, infos = envs.step(envs.action_space.sample())
        mean = float(infos["episode_stats"]["total_return"].mean())
        client.set_broadcast_message(int(infos["timestamp"].max()), {"mean return": mean})
        envs.close()


def main() -> None:
    """Train on the other rows at the same time, of the same memory."""
    domain = vecbt.RandomDomain(vecbt.data.synthetic_market(20_000, seed=0), test_period=4_000)
    with vecbt.DataFeedServer(domain) as server:
        other = subprocess.Popen([sys.executable, __file__, server.address])
        envs = vecbt.make_vec(server, **settings)
        envs.reset(seed=0)
        envs.action_space.seed(0)
        for _ in range(2_000):
            envs.step(envs.action_space.sample())
        other.wait()
        timestamp, message = server.get_broadcast_message()
        print(f"bars: {server.get_info()['bars']:,}, global time: {timestamp}, evaluated meanwhile: {message}")
        envs.close()


if __name__ == "__main__":
    evaluate(sys.argv[1]) if len(sys.argv) > 1 else main()
