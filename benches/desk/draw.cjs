// A report in; the milliseconds that a browser takes to draw it, and to redraw it for another threshold, out:
// `node draw.cjs PAGE`.
const { launch } = require("../../tests/browser.cjs");

(async () => {
  const browser = await launch();
  const page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
  const start = performance.now();
  await page.goto("file://" + process.argv[2]);
  await page.waitForSelector("html[data-ready=yes]");
  // Wait for the frame in which the page is on the screen.
  await page.evaluate(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))));
  const opened = performance.now() - start;
  const slid = await page.evaluate(() => new Promise(done => {
    const slider = document.getElementById("threshold"), start = performance.now();
    slider.value = "0.9";
    slider.dispatchEvent(new Event("input"));
    requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)));
  }));
  await browser.close();
  console.log(JSON.stringify({ opened, slid }));
})();
