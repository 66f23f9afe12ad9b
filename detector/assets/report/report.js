// The data of the page in; charts, tables and a slider out. Texts are set as text, never as markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const bytes = text => {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text).buffer;
    const letters = atob(text), all = new Uint8Array(letters.length);
    for (let i = 0; i < letters.length; i++) all[i] = letters.charCodeAt(i);
    return all.buffer;
  };
  const count = data.count;
  const severity = new Float32Array(bytes(data.severity));
  const seconds = times(data.times);
  const truth = data.truth || []; // [first, last] of labelled instants
  const muted = data.muted || [];

  // When each instant was, in seconds.
  function times({ start, step, steps }) {
    const all = new Float64Array(count);
    if (!steps) return all.map((_, i) => start + i * step);
    const each = new Uint32Array(bytes(steps));
    let now = start;
    for (let i = 0; i < count; i++) all[i] = now += each[i] / 1000;
    return all;
  }

  const clock = second => data.hasTimes ? new Date(second * 1000).toISOString().replace("T", " ").replace(/(\.000)?Z$/, "") : "row " + Math.round(second);
  const many = (n, what) => n.toLocaleString("en") + " " + what + (n === 1 ? "" : "s");

  // The rule of `alarm`: the same as the detector's, on its severities.
  function judge(cut) {
    const { minimumDuration, coolDown, lookback, habituation } = data.rule;
    const spans = [], alarms = [];
    let heights = [], oldest = 0, run = null, normal = null, until = null, bar = 0, raised = 0, anomalous = 0, label = 0, mute = 0;
    for (let i = 0; i < count; i++) {
      const s = severity[i], now = seconds[i];
      if (s !== s) continue;
      let peak = true;
      if (lookback > 0) {
        while (oldest < heights.length && now - heights[oldest][0] > lookback) oldest++;
        while (heights.length > oldest && heights[heights.length - 1][1] < s) heights.pop();
        peak = heights.length === oldest;
        heights.push([now, s]);
      }
      if (!(s > cut)) { run = null; normal = now; continue; }
      anomalous++;
      if (!run) spans.push(run = { first: i, last: i, began: normal === null ? now : normal, peaked: false, highest: 0, alarm: -1, right: false });
      run.last = i;
      run.highest = Math.max(run.highest, s);
      run.peaked = run.peaked || peak;
      while (label < truth.length && truth[label][1] < i) label++;
      if (label < truth.length && truth[label][0] <= i) run.right = true;
      while (mute < muted.length && muted[mute][1] < i) mute++;
      const isMuted = mute < muted.length && muted[mute][0] <= i;
      if (run.alarm < 0) {
        if (now - run.began < minimumDuration - 1e-9 || !run.peaked || isMuted) continue;
        if (until !== null && now - until < coolDown - 1e-9) continue;
        if (habituation) {
          const height = bar * 2 ** ((raised - now) / habituation.halfLife);
          if (run.highest <= cut + height) continue;
          [bar, raised] = [height + habituation.step, now];
        }
        run.alarm = i;
        alarms.push(run);
      }
      until = now;
    }
    return { spans, alarms, anomalous };
  }

  // How many labelled spans an alarm was raised in, or went on in.
  function found(alarms) {
    let next = 0, sum = 0;
    for (const [first, last] of truth) {
      while (next < alarms.length && alarms[next].last < first) next++;
      if (next < alarms.length && alarms[next].alarm <= last) sum++;
    }
    return sum;
  }

  let cut = 1, judged = judge(1);
  let view = [0, Math.max(count - 1, 0)];
  const charts = [];

  // Indices of the instants within two times.
  function within(low, high) {
    const place = second => {
      let from = 0, to = count;
      while (from < to) { const middle = (from + to) >> 1; if (seconds[middle] < second) from = middle + 1; else to = middle; }
      return from;
    };
    return [Math.max(place(low) - 1, 0), Math.min(place(high) + 1, count - 1)];
  }

  // What is drawn of a line between two instants: the least and the greatest of each of some 1500 buckets.
  function drawn(line) {
    const xs = [], ys = [];
    if (count === 0) return [xs, ys];
    const { low, high, stride } = line;
    const from = Math.floor(view[0] / stride), to = Math.min(Math.ceil((view[1] + 1) / stride), low.length);
    const bucket = Math.max(1, Math.ceil((to - from) / 1500));
    const push = (i, value) => { xs.push(seconds[Math.min(i * stride, count - 1)]); ys.push(value); };
    for (let i = from; i < to; i += bucket) {
      let least = Infinity, most = -Infinity, atLeast = -1, atMost = -1, hole = -1;
      for (let j = i; j < Math.min(i + bucket, to); j++) {
        if (low[j] !== low[j]) { hole = j; continue; }
        if (low[j] < least) { least = low[j]; atLeast = j; }
        if (high[j] > most) { most = high[j]; atMost = j; }
      }
      if (atLeast < 0) { push(i, null); continue; }
      if (bucket === 1 && stride === 1) { push(i, least); continue; }
      if (atLeast <= atMost) { push(atLeast, least); push(Math.max(atMost, atLeast), most); } else { push(atMost, most); push(atLeast, least); }
      if (hole > Math.max(atLeast, atMost)) push(hole, null);
    }
    return [xs, ys];
  }

  const lines = [{ name: "severity", low: severity, high: severity, stride: 1, isSeverity: true }];
  for (const sensor of data.sensors) {
    const low = new Float32Array(bytes(sensor.low)), high = sensor.high ? new Float32Array(bytes(sensor.high)) : low;
    lines.push({ name: sensor.name, unit: sensor.unit, low, high, stride: sensor.stride });
  }

  function fillSpans(u, spans, fill, edge) {
    const { left, top, width, height } = u.bbox, end = left + width;
    let past = -1;
    for (const [first, last] of spans) {
      if (last < view[0]) continue;
      if (first > view[1]) break;
      const from = Math.max(u.valToPos(seconds[first], "x", true), left), to = Math.min(u.valToPos(seconds[last], "x", true), end);
      const right = Math.max(to, from + devicePixelRatio);
      if (right <= past) continue;
      u.ctx.fillStyle = fill;
      u.ctx.fillRect(Math.max(from, past), top, right - Math.max(from, past), height);
      if (edge) { u.ctx.fillStyle = edge; u.ctx.fillRect(Math.max(from, past), top + height - 3 * devicePixelRatio, right - Math.max(from, past), 3 * devicePixelRatio); }
      past = right;
    }
  }

  function behind(u) {
    u.ctx.save();
    fillSpans(u, truth, colour("truth-fill"), colour("truth"));
    fillSpans(u, judged.spans.map(span => [span.first, span.last]), colour("anomalous-fill"));
    u.ctx.restore();
  }

  function before(u, isSeverity) {
    const { ctx, bbox: { top } } = u, size = 5 * devicePixelRatio;
    ctx.save();
    ctx.fillStyle = colour("alarm");
    let past = -1;
    for (const { alarm } of judged.alarms) {
      if (alarm < view[0] || alarm > view[1]) continue;
      const x = u.valToPos(seconds[alarm], "x", true);
      if (x < past + 1) continue;
      past = x;
      ctx.beginPath(); ctx.moveTo(x - size, top); ctx.lineTo(x + size, top); ctx.lineTo(x, top + 1.6 * size); ctx.fill();
    }
    ctx.restore();
    if (isSeverity) drawCut(u, cut);
  }

  // A time on the axis: the day where one begins, else hours and minutes, and seconds where they differ.
  function tick(second, step) {
    const text = new Date(second * 1000).toISOString();
    return second % 86400 === 0 ? text.slice(0, 10) : text.slice(11, step < 60 ? 19 : 16);
  }

  let zooming = false;
  function zoom(low, high) {
    if (zooming || count === 0) return;
    zooming = true;
    view = low === null ? [0, Math.max(count - 1, 0)] : within(low, high);
    const range = { min: low === null ? seconds[0] : low, max: low === null ? seconds[count - 1] : high };
    for (const { chart, line } of charts) { chart.setData(drawn(line), false); chart.setScale("x", range); chart.redraw(true); }
    zooming = false;
  }

  function draw() {
    for (const { chart } of charts) chart.destroy();
    charts.length = 0;
    const width = at("charts").clientWidth;
    for (const line of lines) {
      const shared = lineOptions(width, line.reading, clock);
      const options = {
        ...shared,
        cursor: { drag: { x: true, y: false, setScale: false }, sync: { key: "report" }, points: { show: false } },
        scales: { x: { time: data.hasTimes }, y: line.isSeverity ? { range: severityRange } : {} },
        axes: [{ ...axis(), size: 34, values: data.hasTimes ? (_, ticks, __, ___, step) => ticks.map(second => tick(second, step)) : undefined }, { ...axis(), size: 58 }],
        hooks: { ...shared.hooks, drawClear: [behind], draw: [u => before(u, line.isSeverity)],
          setSelect: [u => { if (u.select.width > 4) zoom(u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x")); u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false); }] },
      };
      const chart = new uPlot(options, drawn(line), line.place);
      chart.over.addEventListener("dblclick", () => zoom(null));
      charts.push({ chart, line });
    }
  }

  function show() {
    const { alarms, anomalous } = judged, right = alarms.filter(span => span.right).length;
    let text = many(alarms.length, "alarm") + ", " + many(anomalous, "anomalous reading") + " in " + many(judged.spans.length, "event");
    if (data.truth) text += "; " + right + " of " + alarms.length + " alarms are right, " + found(alarms) + " of " + truth.length + " labelled spans have one";
    const score = data.threshold === null ? "" : " (score " + number(cut <= 1 ? cut * data.threshold : data.threshold + (cut - 1) * (1 - data.threshold)) + ")";
    at("cut").textContent = cut.toFixed(3) + score;
    at("consequence").textContent = text + ".";
    at("consequence").dataset.alarms = alarms.length;
    at("threshold").setAttribute("aria-valuetext", cut.toFixed(3) + score);
    let next = 0;
    for (const { event, cell } of rows) {
      while (next < alarms.length && alarms[next].last < event.first) next++;
      const is = next < alarms.length && alarms[next].first <= event.last;
      cell.textContent = is ? "yes" : "no";
      cell.className = is ? "alarmed" : "";
    }
  }

  // Tables.
  const rows = [];
  function head(table, names) {
    const row = table.createTHead().insertRow();
    for (const [name, className] of names) { const cell = element("th", name, className); cell.scope = "col"; row.append(cell); }
    return table.createTBody();
  }
  function eventsTable() {
    const most = 500, table = at("events"), shown = data.events.slice(0, most);
    at("events-note").textContent = data.events.length === 0 ? "No reading was anomalous." :
      "As it ran: " + many(data.eventCount, "event") + (data.eventCount > shown.length ? ", of which the " + shown.length + " of the highest severity are shown" : "") + ".";
    if (!shown.length) { table.closest(".scrolls").hidden = true; return; }
    const names = [["start"], ["lasts", "number"], ["severity", "number"], ["sensor"], ["reading"], ["expected"], ["outcome"], ["alarm at the slider"]];
    if (data.truth) names.splice(7, 0, ["labelled"]);
    const body = head(table, names);
    for (const event of shown.sort((a, b) => a.first - b.first)) {
      const row = body.insertRow(), put = (text, className) => row.append(element("td", text, className));
      put(clock(seconds[event.first]), "time");
      put(data.hasTimes ? number(seconds[event.last] - seconds[event.first]) + " s" : many(event.last - event.first + 1, "row"), "number");
      put(event.severity.toFixed(2), "number");
      put(event.sensor || "");
      put(event.reading || "");
      put(event.expected || "");
      put(event.outcome);
      if (data.truth) put(event.right ? "yes" : "no");
      const cell = element("td", "");
      row.append(cell);
      rows.push({ event, cell });
    }
  }
  function figuresTable() {
    if (!data.figures) return;
    at("figures").hidden = false;
    const body = head(at("figures").querySelector("table"), [["figure"], ["value", "number"], ["95 % interval", "number"]]);
    for (const [name, value, interval] of data.figures) {
      const row = body.insertRow();
      const title = element("th", name); title.scope = "row";
      row.append(title, element("td", value, "number"), element("td", interval, "number"));
    }
    at("method").textContent = data.method;
  }

  at("title").textContent = data.title;
  at("subtitle").textContent = many(count, data.hasTimes ? "reading" : "row") + (count && data.hasTimes ? ", " + clock(seconds[0]) + " to " + clock(seconds[count - 1]) + " UTC" : "");
  at("made").textContent = data.made;
  if (data.warnings.length) {
    at("warnings").hidden = false;
    for (const warning of data.warnings) at("warnings").querySelector("ul").append(element("li", warning));
  }
  for (const [name, value] of data.model) at("model").append(element("dt", name), element("dd", value));
  document.querySelector(".truth-key").hidden = !data.truth;
  figuresTable();
  eventsTable();
  for (const line of lines) {
    Object.assign(line, newFigure(line));
    line.place.setAttribute("aria-label", "Chart of " + line.name + " over time; the table of events has what stands out");
  }
  let waiting = 0;
  at("threshold").addEventListener("input", () => {
    cut = Number(at("threshold").value);
    judged = judge(cut);
    show();
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => charts.forEach(({ chart }) => chart.redraw(false)));
  });
  at("reset").addEventListener("click", () => { at("threshold").value = "1"; at("threshold").dispatchEvent(new Event("input")); });
  at("whole").addEventListener("click", () => zoom(null));
  const again = () => { draw(); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  matchMedia("print").addEventListener("change", again);
  let size = 0;
  new ResizeObserver(() => {
    const width = at("charts").clientWidth;
    if (width !== size) { size = width; charts.forEach(({ chart }) => chart.setSize({ width, height: 150 })); }
  }).observe(at("charts"));
  draw();
  show();
  document.documentElement.dataset.ready = "yes";
})();
