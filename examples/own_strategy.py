"""A Backtrader strategy steered by an agent: entries with a stop and a target, analyzers that look on."""

import backtrader as bt
import numpy as np
from gymnasium import spaces

import vecbt


class Breakout(vecbt.Strategy):
    """A buy enters with a bracket; the agent sees where the close stands between the highest high and lowest low."""

    params = (("period", 20),)
    state_shape = {"channel": spaces.Box(0.0, 1.0, (1,), np.float32)}  # noqa: RUF012

    def set_datalines(self):
        """Indicators, warmed up before the agent sees the first bar."""
        self.top = bt.indicators.Highest(self.data.high, period=self.p.period)
        self.bottom = bt.indicators.Lowest(self.data.low, period=self.p.period)

    def get_channel_state(self):
        """The observation ``channel``."""
        low, high = self.bottom[0], self.top[0]
        return [(self.data.close[0] - low) / (high - low) if high > low else 0.5]

    def act(self, data, instruction, amount):
        """Orders for the agent's decision: 1 is a buy, 3 a close."""
        if instruction == 1 and not self.position:
            close = data.close[0]
            self.buy_bracket(data, amount, exectype=bt.Order.Market, stopprice=0.9995 * close, limitprice=1.001 * close)
        elif instruction == 3:
            super().act(data, instruction, amount)


if __name__ == "__main__":
    cerebro = bt.Cerebro()
    cerebro.addanalyzer(bt.analyzers.TradeAnalyzer, _name="trades")
    cerebro.addanalyzer(bt.analyzers.DrawDown, _name="drawdown")
    cerebro.broker.setcommission(commission=0.0001)

    market = vecbt.data.synthetic_market(10_000, seed=4)
    settings = {"strategy": (Breakout, {"period": 30}), "cerebro": cerebro, "episode_steps": 500, "close_out": True}
    envs = vecbt.make_vec(market, num_envs=4, order_size="50%", **settings)
    observations, infos = envs.reset(seed=0)
    for _ in range(500):
        buys = observations["channel"][:, 0] > 0.95  # an agent would decide here
        observations, rewards, terminations, truncations, infos = envs.step(buys.astype(np.int64))
    for env, stat in enumerate(envs.get_stat()):
        trades, drawdown = stat["analyzers"]["trades"], stat["analyzers"]["drawdown"]["max"]["len"]
        won, total, earned = trades["won"]["total"], trades["total"]["closed"], stat["stats"]["total_return"]
        print(f"environment {env}: {won} of {total} trades won, {earned:+.2%}, longest drawdown {drawdown} bars")
    envs.close()
