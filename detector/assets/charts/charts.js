"use strict";
// What a detector's page and a report share, before the program of either: elements, numbers, and how a line is drawn. Texts are
// set as text, never as markup.
const at = id => document.getElementById(id);
const element = (name, text, className) => {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
};
const colour = name => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
const number = value => Math.abs(value) >= 1e6 || (value !== 0 && Math.abs(value) < 1e-3) ? value.toExponential(2) : String(+value.toPrecision(5));

// A figure at the end of the charts: where its line is drawn, and where the reading under the pointer is written.
function newFigure({ name, unit }) {
  const figure = element("figure"), caption = element("figcaption", name), place = element("div", undefined, "chart"), reading = element("small", "");
  reading.setAttribute("aria-hidden", "true");
  if (unit) caption.append(" ", element("small", unit));
  caption.append(" ", reading);
  place.setAttribute("role", "img");
  figure.append(caption, place);
  at("charts").append(figure);
  return { place, reading };
}

// The options of uPlot that every line has; `clock` writes the time of the reading under the pointer.
const axis = () => ({ stroke: colour("quiet"), grid: { stroke: colour("grid"), width: 1 }, ticks: { stroke: colour("grid"), width: 1 }, font: "12px system-ui, sans-serif" });
const lineOptions = (width, reading, clock) => ({
  width, height: 150, legend: { show: false }, tzDate: second => uPlot.tzDate(new Date(second * 1e3), "Etc/UTC"),
  series: [{}, { stroke: colour("series"), width: 1, points: { show: false } }],
  hooks: { setCursor: [u => { const i = u.cursor.idx; reading.textContent = i == null || u.data[1][i] == null ? "" : clock(u.data[0][i]) + ": " + number(u.data[1][i]); }] },
});
const severityRange = (_, low, high) => [0, Math.max(1.6, high || 0)];

// A dashed line at a severity.
function drawCut(u, severity) {
  const y = u.valToPos(severity, "y", true), { ctx, bbox: { left, width } } = u;
  ctx.save();
  ctx.strokeStyle = colour("cut"); ctx.lineWidth = 1.5 * devicePixelRatio; ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath(); ctx.moveTo(left, y); ctx.lineTo(left + width, y); ctx.stroke();
  ctx.restore();
}
