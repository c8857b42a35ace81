// Small conveniences; every page works without them.
"use strict";

// "/" puts the cursor into the search box.
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select");
  const box = document.querySelector("[data-search]");
  if (event.key === "/" && !typing && box) {
    event.preventDefault();
    box.focus();
    box.select();
  }
});

// What was typed before the scripts had arrived is searched for, too.
document.addEventListener("DOMContentLoaded", () => {
  const box = document.querySelector("[data-search]");
  if (box && box.value !== box.defaultValue) box.dispatchEvent(new Event("search"));
});

// A row of a table opens its link, wherever it is clicked.
document.addEventListener("click", (event) => {
  const row = event.target.closest("tr[data-href]");
  if (row && !event.target.closest("a, button") && !getSelection().toString()) {
    location.assign(row.dataset.href);
  }
});

// Switches that the chosen kind of profile does not use are dimmed, not hidden: an error may stand
// at one of them.
function showKind(form) {
  const chosen = form.querySelector("input[name=kind]:checked");
  for (const part of form.querySelectorAll("[data-kind]")) {
    part.classList.toggle("panel-dim", chosen !== null && part.dataset.kind !== chosen.value);
  }
}
for (const form of document.querySelectorAll("form[data-profile]")) {
  form.addEventListener("change", () => showKind(form));
  showKind(form);
}

// A form that moves money is sent once; the server sees to it, too.
for (const form of document.querySelectorAll("form[data-once]")) {
  let sent = false;
  form.addEventListener("submit", (event) => {
    if (sent) event.preventDefault();
    sent = true;
  });
  window.addEventListener("pageshow", () => { sent = false; });
}

// One box for all boxes of a name in its form.
document.addEventListener("change", (event) => {
  const name = event.target.dataset.all;
  if (!name) return;
  for (const box of event.target.form.querySelectorAll(`input[type=checkbox][name=${name}]`)) {
    box.checked = event.target.checked;
  }
});

// A form with a preview shows it again a moment after each change, but not once the form itself was
// sent: a form sent twice at a time goes where it was sent last.
for (const form of document.querySelectorAll("form[data-preview]")) {
  const button = form.querySelector("[data-preview-button]");
  let waiting = 0;
  let leaving = false;
  const show = () => { if (!leaving) form.requestSubmit(button); };
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(show, 500);
  });
  form.addEventListener("submit", (event) => { leaving = event.submitter.formTarget === ""; });
  window.addEventListener("load", show);
  window.addEventListener("pageshow", () => { leaving = false; });
}

// Usage by day, drawn from the numbers that the page carries.
function octetsText(count) {
  for (const [size, unit] of [[1e12, "TB"], [1e9, "GB"], [1e6, "MB"], [1e3, "kB"]]) {
    if (count >= size) return (count / size).toFixed(1).replace(/\.0$/, "") + " " + unit;
  }
  return count + " B";
}

function drawUsage(place) {
  const { days, received, sent } = JSON.parse(place.dataset.usage);
  const style = getComputedStyle(document.documentElement);
  const bars = uPlot.paths.bars({ size: [0.7, 40], gap: 2 });
  const day = (seconds) =>
    new Date(seconds * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
  const series = (label, colour) => ({
    label,
    fill: style.getPropertyValue(colour),
    stroke: style.getPropertyValue(colour),
    paths: bars,
    points: { show: false },
    value: (_plot, count) => (count == null ? "–" : octetsText(count)),
  });
  const stacked = received.map((count, index) => count + sent[index]);
  const options = {
    width: place.clientWidth,
    height: 220,
    cursor: { y: false, drag: { x: false, y: false } },
    scales: {
      x: { time: false, range: (_plot, low, high) => [low - 64800, high + 64800] },
      y: { range: (_plot, _low, high) => [0, Math.max(high * 1.1, 1000)] },
    },
    axes: [
      { values: (_plot, ticks) => ticks.map(day), incrs: [86400, 172800, 604800], space: 70, grid: { show: false } },
      { values: (_plot, ticks) => ticks.map(octetsText), size: 70, grid: { stroke: "#8881" } },
    ],
    series: [
      { label: "Day", value: (_plot, seconds) => (seconds == null ? "–" : day(seconds)) },
      { ...series("Sent", "--panel-sent"), value: (_plot, _count, _series, index) => (index == null ? "–" : octetsText(sent[index])) },
      series("Received", "--panel-received"),
    ],
  };
  const plot = new uPlot(options, [days, stacked, received], place);
  addEventListener("resize", () => plot.setSize({ width: place.clientWidth, height: 220 }));
}
for (const place of document.querySelectorAll("[data-usage]")) drawUsage(place);
