// Shared by the tests in a browser: starting Chromium, a page that records its errors, a check of its
// accessibility, and a runner that prints one line a test.
const assert = require("node:assert/strict");
const fs = require("node:fs");
const { chromium } = require("playwright-core");

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const launch = () => chromium.launch({ executablePath: "/usr/bin/chromium", args: FLAGS });

// Opens a page that may only request URLs that start with `own` or `data:`. Its errors, warnings and other
// requests are in `page.errors`.
async function open(browser, url, own, options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.errors = [];
  page.on("console", message => ["error", "warning"].includes(message.type()) && page.errors.push(message.text()));
  page.on("pageerror", error => page.errors.push(String(error)));
  page.on("request", request => [own, "data:"].some(start => request.url().startsWith(start)) || page.errors.push("asks for " + request.url()));
  await page.goto(url);
  return page;
}

async function accessible(page) {
  await page.evaluate(fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8"));
  const { violations } = await page.evaluate(() => axe.run());
  const bad = violations.filter(violation => ["serious", "critical"].includes(violation.impact));
  assert.deepEqual(bad.map(violation => violation.id + ": " + violation.nodes.map(node => node.html).join(" ")), []);
}

// Runs the tests and prints their names; exits with 1 if one failed.
async function run(tests, after = () => {}) {
  const browser = await launch();
  let failed = 0;
  for (const [name, test] of Object.entries(tests)) {
    try {
      await test(browser);
      console.log("ok: " + name);
    } catch (error) {
      failed++;
      console.error("FAILED: " + name + "\n" + error.message);
    }
  }
  await browser.close();
  after();
  process.exit(failed ? 1 : 0);
}

module.exports = { launch, open, accessible, run };
