// A built detector in; results of tests of its reports in a browser out:
// `node check.cjs DETECTOR ROOT FOLDER [PICTURE]`.
const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const browsing = require("../browser.cjs");
const { accessible } = browsing;

const [detector, root, folder, picture] = process.argv.slice(2);
const pump = path.join(root, "manifests/pump.yaml");
const few = ["--set", "spec.model.train.samples=8000", "--fast"];

// Runs the detector with --report: its output, and the file of the report.
function report(name, ...words) {
  const file = path.join(folder, name + ".html");
  const printed = execFileSync(detector, [...words, "--report", file], { encoding: "utf8", cwd: folder, stdio: ["ignore", "pipe", "ignore"] });
  return { file, printed };
}

// Opens a report, which may load nothing but files.
async function open(browser, file, options) {
  const page = await browsing.open(browser, "file://" + file, "file:", { viewport: { width: 1200, height: 900 }, ...options });
  await page.waitForSelector("html[data-ready=yes]");
  return page;
}

const alarms = page => page.$eval("#consequence", element => Number(element.dataset.alarms));
const slide = (page, value) => page.$eval("#threshold", (slider, value) => { slider.value = value; slider.dispatchEvent(new Event("input")); }, String(value));

const tests = {
  async "the slider at 1 says what the detector said, and moves the alarms"(browser) {
    const { file, printed } = report("run", "run", pump, ...few, "--duration", "6h");
    const said = Number(printed.match(/of which (\d+) raised an alarm/)[1]);
    const page = await open(browser, file);
    assert.equal(await alarms(page), said);
    assert.ok(said > 10, "the pump has faults");
    const marks = () => page.$$eval("#events td:last-child", cells => cells.filter(cell => cell.textContent === "yes").length);
    assert.ok(await marks() >= said);
    await slide(page, 1.3);
    const fewer = await alarms(page);
    assert.ok(fewer < said, `${fewer} alarms at 1.3, ${said} at 1`);
    assert.ok(await marks() <= fewer * 2 && await page.textContent("#cut") !== "1.000");
    await page.keyboard.press("Tab");
    await page.focus("#threshold");
    await page.keyboard.press("ArrowRight");
    assert.match(await page.textContent("#cut"), /^1\.305/, "the keyboard moves it too");
    await page.click("#reset");
    assert.equal(await alarms(page), said);
    const drawn = await page.$$eval("canvas", all => all.map(canvas => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return data.some(value => value !== 0);
    }));
    assert.deepEqual(drawn, [true, true, true], "severity and two sensors are drawn");
    if (picture) await page.screenshot({ path: picture });
    assert.deepEqual(page.errors, []);
  },

  async "dragging across a chart enlarges all of them, and a button shows the whole"(browser) {
    const page = await open(browser, path.join(folder, "run.html"));
    const box = await page.locator(".u-over").first().boundingBox();
    const image = () => page.$eval("canvas", canvas => canvas.toDataURL());
    const whole = await image();
    await page.mouse.move(box.x + box.width * 0.4, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.6, box.y + 60, { steps: 4 });
    await page.mouse.up();
    await page.waitForFunction(before => document.querySelector("canvas").toDataURL() !== before, whole);
    await page.click("#whole");
    await page.mouse.move(0, 0);
    await page.waitForFunction(before => document.querySelector("canvas").toDataURL() === before, whole);
    assert.deepEqual(page.errors, []);
  },

  async "it is accessible in light and dark, and on a narrow screen"(browser) {
    const file = path.join(folder, "run.html");
    for (const options of [{ colorScheme: "light" }, { colorScheme: "dark" }, { viewport: { width: 400, height: 800 } }]) {
      const page = await open(browser, file, options);
      await accessible(page);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing is wider than the screen");
      assert.deepEqual(page.errors, []);
      if (picture) await page.screenshot({ path: picture.replace(".png", `-${JSON.stringify(options).replace(/\W+/g, "")}.png`), fullPage: true });
    }
  },

  async "an evaluation has its figures and labelled spans"(browser) {
    const { file } = report("evaluate", "evaluate", pump, ...few.slice(0, 2), "--duration", "6h");
    const page = await open(browser, file);
    assert.match(await page.textContent("#figures"), /AUC \(ROC\)0\.\d+/);
    assert.match(await page.textContent("#consequence"), /labelled spans have one/);
    await accessible(page);
    assert.deepEqual(page.errors, []);
  },

  async "a report of no readings is a page that says so"(browser) {
    const { file } = report("none", "run", pump, ...few, "--duration", "0s");
    const page = await open(browser, file);
    assert.match(await page.textContent("#subtitle"), /^0 readings/);
    assert.match(await page.textContent("#events-note"), /No reading was anomalous/);
    await slide(page, 0.7);
    assert.equal(await alarms(page), 0);
    await page.click("#whole");
    await accessible(page);
    assert.deepEqual(page.errors, []);
  },

  async "a report of rows calls them by number, and names from a file are text"(browser) {
    const name = "</script><img src=x onerror=alert(1)>";
    const rows = Array.from({ length: 300 }, (_, row) => `${row % 100 === 50 ? 90 : row % 7},${row % 5},${Number(row % 100 === 50)}`);
    fs.writeFileSync(path.join(folder, "rows.csv"), [`"${name}",flow,label`, ...rows].join("\n") + "\n");
    const train = ["train", "--input", "rows.csv", "--label", "label", "--output", "model"];
    execFileSync(detector, train, { cwd: folder, stdio: "ignore" });
    const { file } = report("score", "score", "--model", "model", "--input", "rows.csv");
    const page = await open(browser, file);
    page.on("dialog", dialog => { page.errors.push("a dialog"); dialog.dismiss(); });
    assert.match(await page.textContent("#subtitle"), /^300 rows$/);
    assert.match(await page.textContent("#events"), /row 51/);
    assert.ok((await page.textContent("#charts")).includes(name));
    assert.equal(await page.locator("img").count(), 0);
    await accessible(page);
    assert.deepEqual(page.errors, []);
  },

  async "it prints on white, with every event"(browser) {
    const page = await open(browser, path.join(folder, "run.html"), { colorScheme: "dark" });
    await page.emulateMedia({ media: "print" });
    assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(255, 255, 255)");
    const pdf = await page.pdf({ path: picture ? picture.replace(".png", ".pdf") : undefined });
    assert.ok(pdf.length > 20000);
    assert.deepEqual(page.errors, []);
  },
};

browsing.run(tests);
