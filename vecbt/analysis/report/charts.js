"use strict";
// Draws the page from its content. Charts show as many points as there is room for: candles and lines are
// drawn anew for the range that is looked at, from all bars, so that no extreme is lost at any zoom.
(() => {
  const content = JSON.parse(document.getElementById("content").textContent);
  const byId = (id) => document.getElementById(id);
  const CANDLES = 500, POINTS = 1000, MARKERS = 1200;
  const state = { fold: 0, agent: null, asset: 0, range: null };

  // -- numbers and text ------------------------------------------------------------------------------------------
  const decode = (text, Kind = Float64Array) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return new Kind(bytes.buffer);
  };
  const number = (value, digits = 2) => value === null || value === undefined ? "–"
    : value === "inf" ? "∞" : value === "-inf" ? "−∞"
    : value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const percent = (value) => typeof value === "number" ? `${number(100 * value)} %` : number(value);
  const price = (value) => value.toLocaleString("en-US", { maximumSignificantDigits: 8 });
  const time = (stamp) => new Date(stamp).toISOString().slice(0, 16).replace("T", " ");
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const element = (kind, text, name) => {
    const made = document.createElement(kind);
    if (text !== undefined) made.textContent = text;
    if (name) made.className = name;
    return made;
  };
  const sign = (value) => typeof value !== "number" || value === 0 ? "" : value > 0 ? "gain" : "loss";
  const fill = (table, header, rows) => {
    table.replaceChildren();
    const top = table.createTHead().insertRow();
    header.forEach((text) => top.append(element("th", text)));
    const body = table.createTBody();
    rows.forEach(({ cells, chosen, click }) => {
      const row = body.insertRow();
      cells.forEach((cell) => row.append(element("td", cell.text ?? cell, cell.name)));
      if (chosen) row.className = "chosen";
      if (click) {
        row.tabIndex = 0;
        row.addEventListener("click", click);
        row.addEventListener("keydown", (event) => { if (event.key === "Enter") click(); });
      }
    });
  };

  // -- what has been recorded --------------------------------------------------------------------------------------
  const opened = new Map();
  const testOf = (fold) => {
    const test = content.folds[fold]?.test;
    if (!test) return null;
    if (!opened.has(fold)) {
      const agents = {};
      for (const [name, own] of Object.entries(test.agents)) {
        const values = decode(own.values), rewards = decode(own.rewards);
        const returns = values.map((value) => 100 * (value / values[0] - 1));
        let peak = -Infinity, sum = 0;
        const drawdowns = values.map((value) => { peak = Math.max(peak, value); return 100 * (value / peak - 1); });
        const earned = new Float64Array(values.length);
        rewards.forEach((reward, step) => { sum += reward; earned[step + 1] = sum; });
        const actions = own.actions.map((text) => decode(text));
        agents[name] = {
          ...own, bars: decode(own.bars, Int32Array), values, returns, drawdowns, earned,
          positions: own.positions.map((text) => decode(text)), actionColumns: actions,
          fillColumns: Object.fromEntries(Object.entries(own.fills).map(([key, text]) => [key, decode(text)])),
        };
      }
      opened.set(fold, {
        assets: test.assets, stamps: decode(test.stamps),
        ohlc: test.ohlc.map((columns) => columns.map((text) => decode(text))), agents,
      });
    }
    return opened.get(fold);
  };

  // -- as much as there is room for ----------------------------------------------------------------------------------
  const firstAt = (bars, bar) => {
    let low = 0, high = bars.length;
    while (low < high) { const middle = (low + high) >> 1; if (bars[middle] < bar) low = middle + 1; else high = middle; }
    return low;
  };
  const candles = ([open, high, low, close], begin, end) => {
    const width = Math.max(1, Math.ceil((end - begin) / CANDLES));
    const found = { x: [], open: [], high: [], low: [], close: [], first: [], width };
    for (let first = begin - begin % width; first < end; first += width) {
      const last = Math.min(first + width, open.length) - 1;
      let top = -Infinity, bottom = Infinity;
      for (let bar = first; bar <= last; bar++) { top = Math.max(top, high[bar]); bottom = Math.min(bottom, low[bar]); }
      found.x.push((first + last) / 2);
      found.first.push(first);
      found.open.push(open[first]); found.high.push(top); found.low.push(bottom); found.close.push(close[last]);
    }
    return found;
  };
  const line = (bars, values, begin, end) => {
    // The lowest and the highest of each part, in their order.
    const first = Math.max(0, firstAt(bars, begin) - 1), last = Math.min(values.length, firstAt(bars, end) + 1);
    const width = Math.max(1, Math.ceil(2 * (last - first) / POINTS));
    const x = [], y = [];
    const add = (place) => { x.push(bars[place]); y.push(values[place]); };
    for (let from = first; from < last; from += width) {
      const to = Math.min(from + width, last);
      let low = from, high = from;
      for (let place = from; place < to; place++) {
        if (values[place] < values[low]) low = place;
        if (values[place] > values[high]) high = place;
      }
      add(Math.min(low, high));
      if (low !== high) add(Math.max(low, high));
      if (to === last && last - 1 > Math.max(low, high)) add(last - 1);
    }
    return { x, y };
  };

  // -- the market ------------------------------------------------------------------------------------------------------
  const COLORS = { policy: "policy", "buy and hold": "hold", random: "random", flat: "flat" };
  const TITLES = ["price", "position", "return, %", "drawdown, %", "reward, sum", "action"];
  const DOMAINS = [[0.57, 1], [0.475, 0.55], [0.29, 0.43], [0.19, 0.27], [0.09, 0.17], [0, 0.07]];

  const baseLayout = (more) => ({
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: color("ink"), size: 12 },
    margin: { l: 64, r: 16, t: 10, b: 36 }, hovermode: "closest", showlegend: false, ...more,
  });
  const axis = (more) => ({ gridcolor: color("line"), zerolinecolor: color("line"), linecolor: color("line"), ...more });
  const CONFIG = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d"], scrollZoom: true };

  const marketTraces = (test, begin, end) => {
    const agent = test.agents[state.agent], asset = state.asset;
    const found = candles(test.ohlc[asset], begin, end);
    const label = (bar) => time(test.stamps[Math.min(Math.max(0, Math.round(bar)), test.stamps.length - 1)]);
    const traces = [{
      type: "candlestick", showlegend: false, name: test.assets[asset], x: found.x, open: found.open, high: found.high, low: found.low,
      close: found.close, text: found.first.map((first) => found.width > 1 ? `${label(first)}, ${found.width} bars` : label(first)),
      increasing: { line: { color: color("rise"), width: 1 } }, decreasing: { line: { color: color("fall"), width: 1 } },
    }];
    const fills = agent.fillColumns, shown = [];
    for (let place = 0; place < fills.bar.length; place++) {
      if (fills.asset[place] === asset && fills.bar[place] >= begin && fills.bar[place] < end) shown.push(place);
    }
    const every = Math.max(1, Math.ceil(shown.length / MARKERS));
    const kept = shown.filter((_, place) => place % every === 0);
    for (const [name, side, symbol] of [["buy", 1, "triangle-up"], ["sell", -1, "triangle-down"]]) {
      const own = kept.filter((place) => side * fills.size[place] > 0);
      traces.push({
        type: "scatter", mode: "markers", showlegend: false, name, x: own.map((place) => fills.bar[place]), y: own.map((place) => fills.price[place]),
        text: own.map((place) => `${name} ${price(Math.abs(fills.size[place]))} at ${price(fills.price[place])}<br>${label(fills.bar[place])}`),
        hoverinfo: "text", marker: { symbol, size: 10, color: color(name), line: { color: color("panel"), width: 1 } },
      });
    }
    const add = (bars, values, place, name, more) => traces.push({
      type: "scatter", mode: "lines", showlegend: false, name, ...line(bars, values, begin, end), yaxis: `y${place}`,
      line: { color: color(COLORS[state.agent] ?? "policy"), width: 1.5, ...more?.line }, ...more?.trace,
      hovertemplate: `%{y:.4~g}<extra>${name}</extra>`,
    });
    const step = { line: { shape: "hv" } };
    add(agent.bars, agent.positions[asset], 2, "position", step);
    for (const [name, other] of Object.entries(test.agents)) {
      add(other.bars, other.returns, 3, name, { trace: { showlegend: true }, line: { color: color(COLORS[name] ?? "policy"), width: name === state.agent ? 2 : 1 } });
    }
    add(agent.bars, agent.drawdowns, 4, "drawdown", { trace: { fill: "tozeroy" } });
    add(agent.bars, agent.earned, 5, "reward", {});
    const column = agent.actionColumns[Math.min(asset, agent.actionColumns.length - 1)];
    add(agent.bars, column, 6, "action", step);
    return { traces, count: shown.length, kept: kept.length, width: found.width };
  };

  const ticks = (test, begin, end) => {
    const places = Array.from({ length: 7 }, (_, place) => Math.round(begin + (end - begin) * (place + 0.5) / 7));
    const valid = [...new Set(places.filter((bar) => bar >= 0 && bar < test.stamps.length))];
    return { tickvals: valid, ticktext: valid.map((bar) => time(test.stamps[bar])) };
  };

  const drawMarket = () => {
    const test = testOf(state.fold), last = test.stamps.length;
    const [left, right] = state.range ?? [-0.5, last - 0.5];
    const begin = Math.max(0, Math.floor(left)), end = Math.max(begin + 1, Math.min(last, Math.ceil(right) + 1));
    const { traces, count, kept, width } = marketTraces(test, begin, end);
    const layout = baseLayout({
      height: 1000, dragmode: "pan", showlegend: true, legend: { orientation: "h", x: 0, y: 0.432, yanchor: "bottom" },
      xaxis: axis({ range: [left, right], rangeslider: { visible: false }, anchor: "y6", ...ticks(test, left, right) }),
    });
    TITLES.forEach((title, place) => {
      layout[place ? `yaxis${place + 1}` : "yaxis"] = axis({ domain: DOMAINS[place], title: { text: title, font: { size: 11 } }, fixedrange: true });
    });
    byId("zoom-note").textContent = `${width > 1 ? `candles of ${width} bars` : "every bar"}, ` +
      (kept < count ? `${kept.toLocaleString("en-US")} of ${count.toLocaleString("en-US")} fills; zoom in to see all` : `${count.toLocaleString("en-US")} fills`);
    return Plotly.react("market", traces, layout, CONFIG);
  };
  const onZoom = (event) => {
    if (event["xaxis.range[0]"] !== undefined) state.range = [event["xaxis.range[0]"], event["xaxis.range[1]"]];
    else if (event["xaxis.range"]) state.range = event["xaxis.range"].slice();
    else if (event["xaxis.autorange"]) state.range = null;
    else return;
    requestAnimationFrame(drawMarket);
  };
  const zoomTo = (first, last) => {
    const margin = Math.max(20, 2 * (last - first));
    state.range = [first - margin, last + margin];
    drawMarket();
    byId("market").scrollIntoView({ behavior: "smooth", block: "start" });
  };

  // -- tables --------------------------------------------------------------------------------------------------------------
  const STATISTICS = [
    ["total_return", "Return", percent], ["cagr", "CAGR", percent], ["volatility", "Volatility, per year", percent],
    ["sharpe", "Sharpe", number], ["sortino", "Sortino", number], ["calmar", "Calmar", number],
    ["max_drawdown", "Max drawdown", percent], ["max_drawdown_days", "Max drawdown duration, days", number],
    ["exposure", "Exposure", percent], ["trades", "Trades closed", (value) => number(value, 0)], ["win_rate", "Win rate", percent],
    ["profit_factor", "Profit factor", number], ["expectancy", "Expectancy, currency per trade", number], ["costs", "Costs, currency", number],
  ];
  const drawStatistics = () => {
    const agents = Object.entries(testOf(state.fold).agents);
    const names = agents.map(([name, own]) => own.episodes > 1 ? `${name}, mean of ${own.episodes}` : name);
    fill(byId("statistics"), ["", ...names], STATISTICS.map(([key, title, text]) => ({
      cells: [title, ...agents.map(([, own]) => ({ text: text(own.statistics[key]), name: key === "total_return" ? sign(own.statistics[key]) : "" }))],
    })));
  };
  const drawTrades = () => {
    const test = testOf(state.fold), { count, rows } = test.agents[state.agent].trades;
    byId("trades-note").textContent = count > rows.length ? `the first ${rows.length.toLocaleString("en-US")} of ${count.toLocaleString("en-US")}; choose one to see it above`
      : count ? `${count.toLocaleString("en-US")}; choose one to see it above` : "none";
    fill(byId("trades"), ["", "asset", "side", "entry", "exit", "bars", "size", "entry price", "exit price", "profit", "costs"],
      rows.map(([asset, side, entry, exit, size, paid, got, profit, costs, open], place) => ({
        cells: [String(place + 1), asset, side, time(test.stamps[entry]), open ? "open" : time(test.stamps[exit]), number(exit - entry, 0),
          price(size), price(paid), price(got), { text: number(profit), name: sign(profit) }, number(costs)],
        click: () => zoomTo(entry, exit),
      })));
    const profits = rows.map((row) => row[7]);
    Plotly.react("profits", [{ type: "histogram", x: profits, nbinsx: 60, marker: { color: color("policy") } }],
      baseLayout({ height: 300, xaxis: axis({ title: { text: "profit after costs, currency" } }), yaxis: axis({ title: { text: "trades" } }) }), CONFIG);
  };
  const drawActions = () => {
    const agent = testOf(state.fold).agents[state.agent];
    const place = Math.min(state.asset, agent.actionColumns.length - 1);
    const counts = agent.counts?.[place];
    const trace = counts ? { type: "bar", x: Object.keys(counts), y: Object.values(counts) }
      : { type: "histogram", x: line(agent.bars, agent.actionColumns[place], 0, Infinity).y, nbinsx: 50 };
    Plotly.react("actions", [{ ...trace, marker: { color: color("policy") } }],
      baseLayout({ height: 300, xaxis: axis({ title: { text: "action" }, type: counts ? "category" : "linear" }), yaxis: axis({ title: { text: "steps" } }) }), CONFIG);
  };
  const drawFolds = () => {
    if (content.folds.length < 2) return;
    byId("folds-section").hidden = false;
    const agents = ["policy", "buy and hold", "random", "flat"], together = agents.map(() => 1);
    const rows = content.folds.map((fold, place) => {
      const test = testOf(place);
      if (!test) return { cells: [String(place), "not tested yet", ...Array(7).fill("")] };
      const returns = agents.map((name) => test.agents[name]?.statistics.total_return);
      returns.forEach((value, agent) => { together[agent] *= 1 + (value ?? 0); });
      const own = test.agents.policy?.statistics ?? {};
      return {
        cells: [String(place), `${time(test.stamps[0])} to ${time(test.stamps[test.stamps.length - 1])}`, number(fold.facts.steps, 0),
          ...returns.map((value) => ({ text: percent(value), name: sign(value) })), number(own.sharpe), percent(own.max_drawdown)],
        chosen: place === state.fold, click: () => { choose({ fold: place }); },
      };
    });
    rows.push({ cells: ["all", "one after the other", number(content.folds.reduce((sum, fold) => sum + (fold.facts.steps ?? 0), 0), 0),
      ...together.map((value) => ({ text: percent(value - 1), name: sign(value - 1) })), "", ""] });
    fill(byId("folds"), ["fold", "test bars", "steps trained", ...agents.map((name) => `${name}, return`), "Sharpe", "max drawdown"], rows);
  };

  // -- learning and configuration ---------------------------------------------------------------------------------------------
  const CURVES = [["rollout/step_reward", "reward of a step, mean"], ["validation/mean_return", "validation, mean return"],
    ["train/entropy_loss", "entropy of the policy"], ["train/value_loss", "loss of the value function"]];
  const drawLearning = () => {
    const curves = content.folds[state.fold]?.curves ?? {}, steps = curves["time/total_timesteps"] ?? [];
    const traces = [], layout = baseLayout({ height: 520, grid: { rows: 2, columns: 2, pattern: "independent", xgap: 0.12, ygap: 0.3 } });
    CURVES.forEach(([name, title], place) => {
      const key = place ? String(place + 1) : "";
      const known = steps.map((step, row) => [step, curves[name]?.[row]]).filter(([, value]) => typeof value === "number");
      traces.push({ type: "scatter", mode: known.length < 30 ? "lines+markers" : "lines", name: title, x: known.map(([step]) => step),
        y: known.map(([, value]) => name === "train/entropy_loss" ? -value : value), xaxis: `x${key}`, yaxis: `y${key}`, line: { color: color("policy"), width: 1.5 } });
      layout[`xaxis${key}`] = axis({ title: { text: "steps", font: { size: 11 } } });
      layout[`yaxis${key}`] = axis({ title: { text: title, font: { size: 11 } } });
    });
    Plotly.react("learning", traces, layout, CONFIG);
  };
  const drawConfiguration = () => {
    const groups = Object.entries(content.facts).filter(([, value]) => value && typeof value === "object");
    const single = Object.entries(content.facts).filter(([, value]) => !value || typeof value !== "object");
    const table = (title, entries) => {
      const box = element("div"), made = element("table");
      box.append(element("h3", title), made);
      fill(made, ["", ""], entries.map(([name, value]) => ({ cells: [name, { text: typeof value === "string" ? value : JSON.stringify(value), name: "text" }] })));
      return box;
    };
    const shown = groups.map(([title, group]) => table(title, Object.entries(group)));
    const identity = testOf(state.fold)?.agents[state.agent]?.identity;
    if (identity) shown.push(table(`identity of the episode shown`, Object.entries(identity)));
    if (single.length) shown.push(table("run", single));
    byId("configuration").replaceChildren(...shown);
  };
  const drawHead = () => {
    const { facts } = content;
    byId("name").textContent = content.name;
    const parts = [facts.data?.name, facts.data && `${number(facts.data.bars, 0)} bars, ${facts.data.first_time} to ${facts.data.last_time} UTC`,
      facts.settings?.seed !== undefined && `seed ${facts.settings.seed}`, facts.state !== "finished" && facts.state];
    byId("about").textContent = parts.filter(Boolean).join(" · ");
    const test = testOf(state.fold);
    if (!test) return;
    const own = (test.agents.policy ?? Object.values(test.agents)[0]).statistics, hold = test.agents["buy and hold"]?.statistics;
    const cards = [["policy, return on test bars", percent(own.total_return), sign(own.total_return)],
      ["buy and hold", percent(hold?.total_return), sign(hold?.total_return)], ["Sharpe", number(own.sharpe), ""],
      ["max drawdown", percent(own.max_drawdown), ""], ["trades closed", number(own.trades, 0), ""], ["costs, currency", number(own.costs), ""]];
    byId("cards").replaceChildren(...cards.map(([title, text, name]) => {
      const card = element("div", undefined, "card");
      card.append(element("b", text, name), element("span", title));
      return card;
    }));
  };

  // -- choosing ------------------------------------------------------------------------------------------------------------------
  const options = (select, names, chosen) => select.replaceChildren(...names.map((name, place) => {
    const made = element("option", name);
    made.value = String(place);
    made.selected = place === chosen;
    return made;
  }));
  const choose = (change) => {
    if (change.fold !== undefined && change.fold !== state.fold) state.range = null;
    Object.assign(state, change);
    const test = testOf(state.fold);
    drawFolds();
    drawHead();
    drawLearning();
    byId("test-section").hidden = !test;
    if (test) {
      const agents = Object.keys(test.agents);
      if (!agents.includes(state.agent)) [state.agent] = agents;
      state.asset = Math.min(state.asset, test.assets.length - 1);
      options(byId("agent"), agents, agents.indexOf(state.agent));
      options(byId("asset"), test.assets, state.asset);
      byId("asset-label").hidden = test.assets.length < 2;
      byId("test-title").textContent = content.folds.length > 1 ? `Test of fold ${state.fold}` : "Test";
      drawMarket();
      drawStatistics();
      drawTrades();
      drawActions();
    }
    drawConfiguration();
  };
  byId("agent").addEventListener("change", (event) => choose({ agent: event.target.selectedOptions[0].textContent }));
  byId("asset").addEventListener("change", (event) => choose({ asset: Number(event.target.value) }));
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => choose({}));
  choose({});
  if (testOf(state.fold)) byId("market").on("plotly_relayout", onZoom);
  document.body.dataset.drawn = "true";
})();
