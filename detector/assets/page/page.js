// Verdicts, events and the model of the detector that this page is of in; charts, tables and a form out. Texts are set as text,
// never as markup.
(() => {
  const MAX_INSTANTS = 180000; // instants that are kept: a day of a reading a second, or of two of each slot
  const REASONS = 3600; // anomalous verdicts whose reasons are kept
  const clock = time => new Date(time).toISOString().replace("T", " ").replace(/(\.000)?Z$/, "");
  const ask = async (path, body) => {
    const answer = await fetch(path, body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    const read = await answer.json();
    if (!answer.ok) throw new Error(read.error);
    return read;
  };

  const times = [], severities = [], values = new Map(); // oldest first; values by sensor
  const explained = new Map(); // anomalous verdicts by their time
  let name = "", sensors = [], newest = null, digest = "", paused = false;

  // Charts.
  const charts = [];
  let spans = [], waiting = 0, seconds = 86400;

  function keep(verdict) {
    const second = Date.parse(verdict.time) / 1000;
    if (times.length && second <= times[times.length - 1]) return;
    times.push(second);
    severities.push(verdict.severity);
    for (const { name } of sensors) values.get(name).push(verdict.values[name] ?? null);
    if (verdict.anomaly) explained.set(verdict.time, verdict.reasons);
    if (explained.size > REASONS) explained.delete(explained.keys().next().value);
    // Lists move rarely: that takes as long as they are.
    if (times.length > MAX_INSTANTS + 1000) for (const list of [times, severities, ...values.values()]) list.splice(0, 1000);
    newest = verdict;
  }

  // What was before this page was opened: rows of time, severity, readings.
  function remember({ columns, rows }) {
    const lists = columns.map(column => column === "time" ? times : column === "severity" ? severities : values.get(column));
    for (const row of rows) lists.forEach((list, i) => list?.push(row[i]));
  }

  // The first instant that is drawn.
  function first() {
    const since = times[times.length - 1] - seconds;
    let low = 0, high = times.length;
    while (low < high) { const middle = (low + high) >> 1; if (times[middle] < since) low = middle + 1; else high = middle; }
    return low;
  }

  // Of a list from one instant on no more points than can be seen: the lowest and the highest of each column of the screen, in
  // their order. Every list has its points at the same times.
  function thinned(list, begin, columns) {
    const count = list.length - begin;
    if (count <= 2 * columns) return list.slice(begin);
    const thin = [];
    for (let column = 0; column < columns; column++) {
      const from = begin + Math.floor(column * count / columns), to = begin + Math.floor((column + 1) * count / columns);
      if (list === times) { thin.push(times[from], times[to - 1]); continue; }
      let low = -1, high = -1;
      for (let i = from; i < to; i++) {
        const value = list[i];
        if (value === null) continue;
        if (low < 0 || value < list[low]) low = i;
        if (high < 0 || value > list[high]) high = i;
      }
      thin.push(low < 0 ? null : list[Math.min(low, high)], high < 0 ? null : list[Math.max(low, high)]);
    }
    return thin;
  }

  // Consecutive instants over the border, in seconds.
  function anomalous(begin) {
    const found = [];
    let last = -2;
    for (let i = begin; i < severities.length; i++) {
      if (!(severities[i] > 1)) continue;
      if (last === i - 1) found[found.length - 1][1] = times[i]; else found.push([times[i], times[i]]);
      last = i;
    }
    return found;
  }

  // The newest state of all charts.
  function refresh() {
    const begin = first(), columns = Math.max(100, at("charts").clientWidth), drawn = thinned(times, begin, columns);
    spans = anomalous(begin);
    document.documentElement.dataset.drawn = drawn.length;
    for (const { chart, line } of charts) chart.setData([drawn, thinned(line.list, begin, columns)]);
  }

  function behind(u) {
    const { left, top, width, height } = u.bbox;
    u.ctx.save();
    u.ctx.fillStyle = colour("anomalous-fill");
    for (const [first, last] of spans) {
      const from = Math.max(u.valToPos(first, "x", true), left), to = Math.min(u.valToPos(last, "x", true), left + width);
      u.ctx.fillRect(from - devicePixelRatio, top, Math.max(to - from, 0) + 2 * devicePixelRatio, height);
    }
    u.ctx.restore();
  }

  const lines = () => [{ name: "severity", list: severities, isSeverity: true }, ...sensors.map(sensor => ({ ...sensor, list: values.get(sensor.name) }))];

  function draw() {
    for (const { chart } of charts) chart.destroy();
    charts.length = 0;
    at("charts").replaceChildren();
    const width = at("charts").clientWidth;
    for (const line of lines()) {
      const { place, reading } = newFigure(line);
      const options = lineOptions(width, reading, second => clock(second * 1000));
      const chart = new uPlot({
        ...options,
        cursor: { drag: { x: false, y: false }, sync: { key: "page" }, points: { show: false } },
        scales: { x: { time: true }, y: line.isSeverity ? { range: severityRange } : {} },
        axes: [{ ...axis(), size: 34, values: (_, ticks, __, ___, step) => ticks.map(second => new Date(second * 1000).toISOString().slice(11, step < 60 ? 19 : 16)) }, { ...axis(), size: 58 }],
        hooks: { ...options.hooks, drawClear: [behind], draw: line.isSeverity ? [u => drawCut(u, 1)] : [] },
      }, [[], []], place);
      charts.push({ chart, line, place });
    }
    if (times.length) refresh();
    label();
  }

  // What a chart says to those who do not see it.
  function label() {
    for (const { line, place } of charts) {
      const last = line.list[line.list.length - 1];
      const said = last == null ? "no reading" : number(last) + (line.unit ? " " + line.unit : "");
      place.setAttribute("aria-label", "Chart of " + line.name + " over time; now " + said);
    }
  }

  function shares() {
    const entries = Object.entries(newest.contributions).sort((a, b) => b[1] - a[1]).slice(0, 20);
    at("shares-of").textContent = entries.length ? "To the verdict of " + clock(newest.time) : "The newest verdict is not explained.";
    const body = element("tbody");
    for (const [sensor, share] of entries) {
      const row = element("tr"), title = element("th", sensor), cell = element("td"), bar = element("progress");
      title.scope = "row";
      bar.max = 1; bar.value = share;
      bar.setAttribute("aria-label", "Share of " + sensor);
      cell.append(bar);
      row.append(title, cell, element("td", Math.round(share * 100) + " %", "number"));
      body.append(row);
    }
    at("shares").tBodies[0]?.remove();
    at("shares").append(body);
  }

  let wasAnomalous = null;
  function state() {
    const is = newest.anomaly === 1;
    at("verdict").textContent = is ? "anomalous" : "normal";
    at("verdict").className = "badge" + (is ? " anomalous" : "");
    at("sentence").textContent = clock(newest.time) + ", severity " + newest.severity.toFixed(2);
    if (is !== wasAnomalous) at("announced").textContent = (is ? "Anomalous" : "Normal") + " since " + clock(newest.time);
    wasAnomalous = is;
  }

  // Once a frame, however many verdicts have come.
  function show() {
    if (paused || waiting || document.hidden) return;
    waiting = requestAnimationFrame(() => {
      waiting = 0;
      if (!newest) return;
      refresh();
      label();
      shares();
      state();
      document.documentElement.dataset.verdicts = times.length;
      if (newest.model !== digest) describe();
    });
  }

  // Events.
  function reason(event) {
    if (event.kind === "sensor") return event.message;
    const top = event.sensors[0]?.name, why = explained.get(event.peak.time)?.[top];
    if (!why) return "";
    const unit = sensors.find(sensor => sensor.name === top)?.unit, [low, high] = why.expected ?? [];
    const of = why.feature === "Value" ? "" : why.feature + " ", back = why.lag ? ", " + why.lag + " back" : "";
    const range = why.expected ? `: expected ${number(low)} to ${number(high)}` : "";
    return `${of}${number(why.value)}${unit ? " " + unit : ""}${back}, ${why.direction.toLowerCase()}${range}`;
  }
  async function events() {
    const { events } = await ask("events?limit=100");
    at("no-events").hidden = events.length > 0;
    document.documentElement.dataset.events = events.length;
    const table = at("events"), body = element("tbody");
    if (!events.length) { table.replaceChildren(); return; }
    const head = element("tr");
    for (const [title, kind] of [["start"], ["lasts", "number"], ["severity", "number"], ["sensor"], ["reading at the peak"], ["outcome"]]) {
      const cell = element("th", title, kind);
      cell.scope = "col";
      head.append(cell);
    }
    for (const event of events) {
      const row = element("tr"), put = (text, kind) => row.append(element("td", text, kind));
      const end = event.end ? Date.parse(event.end) : Date.now();
      put(clock(event.start), "time");
      put(event.end || event.kind === "sensor" ? number(Math.max(0, end - Date.parse(event.start)) / 1000) + " s" : "ongoing", "number");
      put(event.peak ? event.peak.severity.toFixed(2) : "", "number");
      put(event.sensor || (event.sensors[0] && event.sensors[0].name) || "");
      put(reason(event));
      put(event.outcome ? event.outcome.replace("_", " ") : event.fault.replaceAll("_", " "), event.outcome === "alarmed" ? "alarmed" : "");
      body.append(row);
    }
    const top = element("thead");
    top.append(head);
    table.replaceChildren(top, body);
  }

  // The model.
  async function describe() {
    const model = await ask("v2/models/" + encodeURIComponent(name));
    const known = model.parameters, list = at("model");
    digest = known.digest;
    const units = new Map(known.sensors.map(sensor => [sensor.name, sensor.unit]));
    list.replaceChildren();
    const put = (title, text) => { if (text !== null && text !== undefined && text !== "") list.append(element("dt", title), element("dd", String(text))); };
    put("digest", known.digest);
    put("origin", known.origin);
    put("samples", known.samples && known.samples.toLocaleString("en"));
    put("trees", known.trees);
    put("threshold", number(known.threshold));
    put("expected alerts a day", known.expected_alerts_per_day == null ? "" : number(known.expected_alerts_per_day));
    put("trained", known.trained_at && clock(known.trained_at));
    put("data until", known.data_end_time && clock(known.data_end_time));
    put("columns", known.columns ? known.columns.join(", ") : model.inputs[0].shape[1]);
    at("warnings").hidden = known.warnings.length === 0;
    at("warnings").querySelector("ul").replaceChildren(...known.warnings.map(warning => element("li", warning)));
    return [...units].map(([name, unit]) => ({ name, unit }));
  }

  // What if.
  const inputs = new Map();
  let asking = 0;
  function form() {
    for (const { name, unit } of sensors) {
      const recent = values.get(name).slice(-3600).filter(value => value !== null);
      const low = Math.min(...recent), high = Math.max(...recent), room = Math.max(2 * (high - low), Math.abs(high) / 2) || 1;
      const line = element("label"), slider = element("input"), field = element("input");
      slider.type = "range"; field.type = "number"; field.step = slider.step = "any";
      slider.min = low - room; slider.max = high + room;
      slider.setAttribute("aria-label", name + ", slider");
      field.setAttribute("aria-label", name + (unit ? ", " + unit : ""));
      slider.value = field.value = +(recent[recent.length - 1] ?? 0).toPrecision(5);
      slider.addEventListener("input", () => { field.value = +(+slider.value).toPrecision(5); judge(); });
      field.addEventListener("input", () => { slider.value = field.value; judge(); });
      line.append(element("span", name + (unit ? ", " + unit : "")), slider, field);
      at("fields").append(line);
      inputs.set(name, field);
    }
    judge();
  }
  function judge() {
    clearTimeout(asking);
    asking = setTimeout(async () => {
      const asked = {};
      for (const [name, field] of inputs) asked[name] = Number(field.value);
      try {
        const { severity, score, anomaly } = await ask("predict?detail=true", { values: asked });
        at("answer").value = severity;
        at("said").textContent = `${severity.toFixed(2)}, ${anomaly ? "anomalous" : "normal"} (score ${score.toFixed(3)})`;
        at("said").dataset.severity = severity;
      } catch (error) {
        at("said").textContent = error.message;
      }
    }, 100);
  }

  at("ask").addEventListener("submit", event => { event.preventDefault(); judge(); });
  at("pause").addEventListener("click", () => {
    paused = !paused;
    at("pause").setAttribute("aria-pressed", String(paused));
    show();
  });
  at("span").addEventListener("change", () => { seconds = Number(at("span").value); if (times.length) refresh(); });
  document.addEventListener("visibilitychange", show);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  let size = 0;
  new ResizeObserver(() => {
    const width = at("charts").clientWidth;
    if (width !== size) { size = width; charts.forEach(({ chart }) => chart.setSize({ width, height: 150 })); }
  }).observe(at("charts"));

  const later = milliseconds => new Promise(done => setTimeout(done, milliseconds));
  async function begin() {
    for (;;) {
      const index = await ask(".");
      name = at("title").textContent = document.title = index.name;
      if (index.model) break;
      at("sentence").textContent = index.message;
      await later(1000);
    }
    sensors = await describe();
    for (const { name } of sensors) values.set(name, []);
    const past = await ask("history"), { verdicts } = await ask("verdicts?limit=1000");
    remember(past);
    verdicts.reverse();
    for (const verdict of verdicts) if (verdict.anomaly) explained.set(verdict.time, verdict.reasons);
    newest = verdicts[verdicts.length - 1] ?? null;
    verdicts.forEach(keep); // those that were made since the past was read
    draw();
    form();
    show();
    const stream = new EventSource("verdicts/stream" + (newest ? "?since=" + encodeURIComponent(newest.time) : ""));
    stream.addEventListener("verdict", event => { keep(JSON.parse(event.data)); show(); });
    stream.addEventListener("error", () => { at("sentence").textContent = "The detector does not answer; trying again."; });
    document.documentElement.dataset.ready = "yes";
    for (;;) {
      try { await events(); } catch { /* the stream says that nobody answers */ }
      await later(2000);
    }
  }
  begin().catch(error => { at("sentence").textContent = error.message; });
})();
