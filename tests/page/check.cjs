// A built detector in; results of tests of its page in a browser out:
// `node check.cjs DETECTOR FOLDER [PICTURES]`.
const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const net = require("node:net");
const path = require("node:path");
const browsing = require("../browser.cjs");
const { accessible } = browsing;

const [program, folder, pictures] = process.argv.slice(2);
const PATIENCE = 60000;

const HEAD = name => `apiVersion: anomaly.dev/v1alpha1
kind: AnomalyDetector
metadata: {name: ${name}}
spec:
  interval: 100ms
`;
const PUMP = HEAD("pump") + `  sources:
  - name: simulation
    simulated:
      seed: 11
      sensors:
      - name: temperature
        unit: celsius
        baseline: 60
        waves: [{amplitude: 3, period: 20s}]
        noise: {gaussian: {standardDeviation: 0.4}}
        faults: [{type: Spike, meanInterval: 40s, duration: 1s, magnitude: 12}, {type: Step, meanInterval: 60s, duration: 3s, magnitude: -10}]
      - name: vibration
        unit: mm/s
        baseline: 2
        waves: [{amplitude: 0.2, period: 7s}]
        noise: {gaussian: {standardDeviation: 0.1}}
        faults: [{type: Spike, meanInterval: 40s, duration: 1s, magnitude: 3}]
  model: {train: {samples: 4000, features: [Value]}}
  alarm: {minimumDuration: 200ms, coolDown: 10s}
  threshold: {contamination: 0.04}
`;
const PRESS = HEAD("press") + `  sources:
  - name: programs
    http: {sensors: [{name: pressure, unit: bar}, {name: flow, unit: l/s}]}
  model: {train: {samples: 60, features: [Value]}}
  alarm: {minimumDuration: 0s}
  threshold: {contamination: 0.01}
`;

const free = () => new Promise(found => {
  const server = net.createServer().listen(0, "127.0.0.1", () => { const { port } = server.address(); server.close(() => found(port)); });
});

async function until(condition, what) {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const value = await Promise.resolve().then(condition).catch(() => null);
    if (value) return value;
    assert.ok(Date.now() < deadline, "waited too long for " + what);
    await new Promise(done => setTimeout(done, 50));
  }
}

const running = [];
async function detector(name, manifest) {
  const file = path.join(folder, name + ".yaml"), [predict, metrics] = [await free(), await free()];
  fs.writeFileSync(file, manifest);
  const addresses = ["--predict-address", "127.0.0.1:" + predict, "--metrics-address", "127.0.0.1:" + metrics];
  const log = fs.openSync(path.join(folder, name + ".log"), "w");
  const child = spawn(program, ["run", file, ...addresses], { cwd: folder, stdio: ["ignore", log, log] });
  running.push(child);
  const url = "http://127.0.0.1:" + predict + "/";
  await until(() => fetch("http://127.0.0.1:" + metrics + "/livez").then(answer => answer.ok), name + " to answer");
  return { url, child, ready: () => until(() => fetch(url + "v2/health/ready").then(answer => answer.ok), name + " to be ready") };
}

// Opens the page, which may send requests only to its own detector.
const open = (browser, url, options) => browsing.open(browser, url, url, { viewport: { width: 1200, height: 1000 }, ...options });
const isReady = page => page.waitForSelector("html[data-ready=yes]", { timeout: PATIENCE });
const data = (page, name) => page.evaluate(name => Number(document.documentElement.dataset[name] ?? 0), name);

let pump;
const tests = {
  async "a fault that is pushed appears: badge, event, direction and expected range"(browser) {
    const press = await detector("press", PRESS);
    const push = readings => fetch(press.url + "readings", { method: "POST", body: JSON.stringify(readings) });
    let level = 3, seed = 1;
    const random = () => (seed = seed * 16807 % 2147483647) / 2147483647 - 0.5;
    const pushing = setInterval(() => push({ values: { pressure: level + random() / 2, flow: 7 + random() } }).catch(() => 0), 50);
    try {
      const page = await open(browser, press.url);
      await isReady(page);
      await press.ready();
      await until(async () => await data(page, "verdicts") > 10, "verdicts on the page");
      const before = await data(page, "events");
      level = 9;
      await page.waitForSelector("#verdict.anomalous", { timeout: PATIENCE });
      assert.match(await page.textContent("#announced"), /^Anomalous since /);
      await until(async () => await data(page, "events") > before, "the event in the table");
      await until(async () => /bar, high: expected [\d.-]+ to [\d.-]+/.test(await page.textContent("#events")), "its direction and expected range");
      assert.match(await page.textContent("#events tbody tr"), /pressure/);
      level = 3;
      await page.waitForSelector("#verdict:not(.anomalous)", { timeout: PATIENCE });
      press.child.kill("SIGTERM");
      await until(async () => /does not answer/.test(await page.textContent("#sentence")), "the page to say that nobody answers");
      assert.deepEqual(page.errors.filter(text => !/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET/.test(text)), []);
    } finally {
      clearInterval(pushing);
    }
  },

  async "readings and severity are drawn live, and the model has its card"(browser) {
    pump = await detector("pump", PUMP);
    await pump.ready();
    const page = await open(browser, pump.url);
    await isReady(page);
    assert.equal(await page.title(), "pump");
    assert.equal(await page.locator("canvas").count(), 3, "severity and two sensors");
    const seen = await data(page, "verdicts");
    await until(async () => await data(page, "verdicts") > seen + 10, "more verdicts");
    const drawn = await page.$$eval("canvas", all => all.map(canvas => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some(value => value !== 0)));
    assert.deepEqual(drawn, [true, true, true]);
    const model = await page.textContent("#model");
    for (const part of [/digestsha256:[0-9a-f]{64}/, /originTrained/, /samples4,000/, /threshold0\.\d+/, /columnstemperature, vibration/]) assert.match(model, part);
    assert.match(await page.getAttribute("[role=img] >> nth=1", "aria-label"), /^Chart of temperature over time; now [\d.]+ celsius$/);
    assert.match(await page.textContent("#shares"), /temperature\d+ %/);
    assert.deepEqual(page.errors, []);
  },

  async "the form's severity moves with its values, by mouse and by keyboard"(browser) {
    const page = await open(browser, pump.url);
    await isReady(page);
    const severity = () => page.$eval("#said", said => Number(said.dataset.severity));
    await until(async () => await severity() > 0, "a first answer");
    const field = page.locator("#fields input[type=number]").first();
    await field.fill("60");
    await until(async () => await severity() < 1, "a normal answer");
    const before = await severity();
    await field.fill("95");
    await until(async () => await severity() > 1, "an anomalous answer");
    assert.match(await page.textContent("#said"), /anomalous/);
    await field.fill("60");
    await until(async () => await severity() < 1, "a normal answer");
    await page.locator("#fields input[type=range]").first().focus();
    for (let i = 0; i < 30; i++) await page.keyboard.press("PageUp");
    await until(async () => await severity() !== before && await severity() > 1, "the keyboard to move it");
    await page.locator("#pause").focus();
    await page.keyboard.press("Space");
    assert.equal(await page.getAttribute("#pause", "aria-pressed"), "true");
    assert.deepEqual(page.errors, []);
  },

  // The frame rate with a day of readings is compared with that of a minute, on the same machine at the same
  // time.
  async "a day of readings a second is drawn as smoothly as a minute of them"(browser) {
    const now = Math.floor(Date.now() / 1000);
    const rows = count => Array.from({ length: count }, (_, i) => [now - count + i, i % 5000 === 0 ? 1.5 : 0.4, 60 + 5 * Math.sin(i / 700) + (i % 7) / 7, 2 + (i % 11) / 11]);
    const frames = async count => {
      const context = await browser.newContext({ viewport: { width: 1200, height: 1000 } });
      const page = await context.newPage();
      await page.route("**/history", route => route.fulfill({ json: { columns: ["time", "severity", "temperature", "vibration"], rows: rows(count) } }));
      await page.goto(pump.url);
      await isReady(page);
      assert.ok(await data(page, "verdicts") >= count, "all of the past is kept");
      const drawn = await page.evaluate(() => new Promise(done => {
        const began = performance.now();
        let seen = 0;
        const next = () => { seen++; if (performance.now() - began < 4000) requestAnimationFrame(next); else done(seen / 4); };
        requestAnimationFrame(next);
      }));
      const low = Number(await page.evaluate(() => document.documentElement.dataset.drawn));
      await context.close();
      return { drawn, low };
    };
    const minute = await frames(60), day = await frames(86400);
    console.log(`figures: frames_per_s_of_a_day=${day.drawn.toFixed(1)} of_a_minute=${minute.drawn.toFixed(1)} points_drawn=${day.low}`);
    assert.ok(day.drawn > 0.9 * minute.drawn, `${day.drawn} frames a second with a day, ${minute.drawn} with a minute`);
    assert.ok(day.low < 3000, "no more points are drawn than can be seen: " + day.low);
  },

  async "the page has the past of the detector, and shows as much of it as is wanted"(browser) {
    const page = await open(browser, pump.url);
    await isReady(page);
    const { columns, rows } = await fetch(pump.url + "history").then(answer => answer.json());
    assert.deepEqual(columns, ["time", "severity", "temperature", "vibration"]);
    assert.ok(rows.length > 10 && rows.every(row => row.length === 4));
    assert.ok(await data(page, "verdicts") >= rows.length);
    await page.selectOption("#span", "600");
    assert.deepEqual(page.errors, []);
  },

  async "routes are listed with their schemas, and can be tried"(browser) {
    const page = await open(browser, pump.url);
    await isReady(page);
    await page.click("footer a");
    await isReady(page);
    const { paths } = await fetch(pump.url + "openapi.json").then(answer => answer.json());
    assert.equal(await page.locator(".route").count(), Object.values(paths).flatMap(Object.keys).length);
    const predict = page.locator(".route", { hasText: "/predict" }).first();
    await predict.locator("summary").first().click();
    await predict.locator("textarea").fill('{"values":{"temperature":95,"vibration":2}}');
    await predict.getByRole("button", { name: "Send" }).click();
    await until(async () => /^200 in \d+ ms\n\{"anomaly":1\}$/.test(await predict.locator(".said").textContent()), "the answer");
    const model = page.locator(".route", { hasText: "/v2/models/{model}/ready" }).first();
    await model.locator("summary").first().click();
    await model.getByRole("button", { name: "Send" }).click();
    await until(async () => /"ready":true/.test(await model.locator(".said").textContent()), "the model, whose name is filled in");
    await accessible(page);
    assert.deepEqual(page.errors, []);
  },

  async "it is accessible in light and dark, and nothing is wider than a phone"(browser) {
    if (pictures) await until(() => fetch(pump.url + "verdicts?limit=1000").then(answer => answer.json()).then(({ verdicts }) => verdicts.length > 500), "a picture's worth of verdicts");
    for (const [name, options] of Object.entries({ light: { colorScheme: "light" }, dark: { colorScheme: "dark" }, phone: { viewport: { width: 390, height: 844 }, isMobile: true, deviceScaleFactor: 2 } })) {
      const page = await open(browser, pump.url, options);
      await isReady(page);
      await until(async () => await data(page, "verdicts") > 5, "verdicts");
      await until(async () => await page.$eval("#said", said => said.dataset.severity), "an answer");
      await accessible(page);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), name + " is wider than the screen");
      assert.deepEqual(page.errors, []);
      if (pictures) await page.screenshot({ path: path.join(pictures, name + ".png"), fullPage: true });
    }
  },
};

browsing.run(tests, () => running.forEach(child => child.kill()));
