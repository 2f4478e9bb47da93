// The page: a graph of an activation and its derivative, with a slider for each parameter.
import { activations } from "./activations.js";

const IS_NARROW = window.matchMedia("(max-width: 760px)").matches;
const WIDTH = IS_NARROW ? 400 : 800, HEIGHT = IS_NARROW ? 320 : 470;
const LEFT = 46, RIGHT = 12, TOP = 10, BOTTOM = 28;
const SAMPLES = 1200;
const LIMIT = 4; // the graph shows no more than that of what grows

const part = (id) => document.getElementById(id);
const address = new URLSearchParams(location.search);
const parameters = {};
let pointer = 0.5;
let animation = 0;

for (const name of Object.keys(activations)) {
  part("function").add(new Option(name, name));
  part("beside").add(new Option(name, name));
}
part("function").value = address.get("f") in activations ? address.get("f") : "s4";

const chosen = () => activations[part("function").value];
const range = () => Number(part("range").value);
const value = (x) => chosen().value(x, ...Object.values(parameters));
const slope = (x) => chosen().derivatives.x(x, ...Object.values(parameters));

function beside(x) {
  const other = activations[part("beside").value];
  return other.value(x, ...Object.values(other.parameters));
}

// A slider reaches as far as a parameter is interesting: to both sides of its default.
function choose() {
  stop();
  for (const name of Object.keys(parameters)) delete parameters[name];
  Object.assign(parameters, chosen().parameters);
  part("parameters").replaceChildren();
  part("play").hidden = !("k" in parameters);
  for (const [name, usual] of Object.entries(parameters)) {
    if (address.has(name)) parameters[name] = Number(address.get(name));
    const label = document.createElement("label");
    const shown = document.createElement("output");
    const slider = document.createElement("input");
    label.htmlFor = slider.id = `parameter-${name}`;
    label.append(name, shown);
    const reach = Math.max(2, 2 * Math.abs(usual));
    Object.assign(slider, {
      type: "range", step: 0.05,
      min: name === "k" ? -2 : Math.min(0, -reach / 2 + usual),
      max: name === "k" ? 50 : reach,
    });
    slider.value = shown.value = parameters[name];
    slider.addEventListener("input", () => {
      parameters[name] = Number(slider.value);
      shown.value = slider.value;
      draw();
    });
    part("parameters").append(label, slider);
  }
  draw();
}

function stop() {
  cancelAnimationFrame(animation);
  animation = 0;
  part("play").textContent = "Let k run from 1 to 50";
}

// Twelve seconds, as many for each doubling.
function play() {
  if (animation) return stop();
  const slider = part("parameter-k");
  let start = null;
  part("play").textContent = "Stop";
  const step = (now) => {
    start ??= now;
    const share = Math.min(1, (now - start) / 12000);
    slider.value = 50 ** share;
    slider.dispatchEvent(new Event("input"));
    if (share < 1) animation = requestAnimationFrame(step);
    else stop();
  };
  animation = requestAnimationFrame(step);
}

// Where a function falls within (-8, 8); null where it never does.
function falling() {
  const step = 1 / 256;
  let from = null, to = null, least = 0;
  for (let x = -8; x <= 8; x += step) {
    const y = slope(x);
    if (y < -1e-9) {
      from ??= x > -8 ? turn(x - step, x) : x;
      to = x;
      least = Math.min(least, y);
    }
  }
  return from === null ? null : { from, to: to < 8 ? turn(to + step, to) : to, least };
}

// Between a point where a function does not fall and one where it does: where that begins.
function turn(not, does) {
  for (let i = 0; i < 40; i++) {
    const middle = (not + does) / 2;
    [not, does] = slope(middle) < 0 ? [not, middle] : [middle, does];
  }
  return does;
}

function ticks(from, to, most) {
  const power = 10 ** Math.floor(Math.log10((to - from) / most));
  const step = [1, 2, 5, 10].map((n) => n * power).find((s) => (to - from) / s <= most);
  const found = [];
  for (let n = Math.ceil(from / step); n * step <= to; n++) found.push(Number((n * step).toFixed(9)));
  return found;
}

let place = { x: () => 0, y: () => 0 };

// A curve is broken where it jumps: by more than four times its slope there explains.
function curve(f, style) {
  let text = "", before = null;
  const width = (2 * range()) / SAMPLES;
  for (let i = 0; i <= SAMPLES; i++) {
    const x = -range() + i * width, y = f(x);
    const near = before !== null && Math.abs(y - before) < 0.05 + 20 * width;
    if (Number.isFinite(y)) {
      text += `${near ? "L" : "M"}${place.x(x).toFixed(2)},${place.y(y).toFixed(2)}`;
    }
    before = Number.isFinite(y) ? y : null;
  }
  return `<path d="${text}" fill="none" clip-path="url(#inside)" ${style}/>`;
}

function draw() {
  const end = range(), both = [value, slope];
  if (part("beside").value) both.push(beside);
  let low = 0, high = 1;
  for (const f of both) {
    for (let i = 0; i <= 400; i++) {
      const y = f(-end + (i * end) / 200);
      if (Number.isFinite(y)) [low, high] = [Math.min(low, y), Math.max(high, y)];
    }
  }
  low = Math.max(low, -LIMIT) - 0.08;
  high = Math.min(high, LIMIT) + 0.08;
  const width = WIDTH - LEFT - RIGHT, height = HEIGHT - TOP - BOTTOM;
  place = {
    x: (x) => LEFT + ((x + end) / (2 * end)) * width,
    y: (y) => TOP + ((high - y) / (high - low)) * height,
    back: (at) => -end + ((at - LEFT) / width) * 2 * end,
  };
  const { x: px, y: py } = place;
  let text = `<clipPath id="inside"><rect x="${LEFT}" y="${TOP}" width="${width}"
    height="${height}"/></clipPath>`;
  for (const t of ticks(-end, end, IS_NARROW ? 6 : 10)) {
    text += `<line class="${t ? "grid" : "axis"}" x1="${px(t)}" x2="${px(t)}" y1="${TOP}"
      y2="${TOP + height}"/><text x="${px(t)}" y="${HEIGHT - 8}" text-anchor="middle">${t}</text>`;
  }
  for (const t of ticks(low, high, 8)) {
    text += `<line class="${t ? "grid" : "axis"}" y1="${py(t)}" y2="${py(t)}" x1="${LEFT}"
      x2="${LEFT + width}"/><text x="${LEFT - 6}" y="${py(t) + 4}" text-anchor="end">${t}</text>`;
  }
  const falls = falling(), facts = [];
  if (falls && falls.from < end && falls.to > -end) {
    const from = px(Math.max(falls.from, -end)), to = px(Math.min(falls.to, end));
    text += `<rect x="${from}" width="${to - from}" y="${TOP}" height="${height}"
      fill="var(--slope)" opacity="0.12"/>`;
  }
  if (part("beside").value) text += curve(beside, 'stroke="var(--other)" stroke-width="2" stroke-dasharray="2 4"');
  text += curve(slope, 'stroke="var(--slope)" stroke-width="2" stroke-dasharray="7 4"');
  text += curve(value, 'stroke="var(--value)" stroke-width="2.6"');
  part("graph").innerHTML = `${text}<g id="cursor"></g>`;

  const name = part("function").value;
  const rounded = (y) => (Math.round(y * 1000) / 1000 + 0).toFixed(3);
  facts.push(
    falls
      ? `falls between x = ${rounded(falls.from)} and ${rounded(falls.to)},`
        + ` by ${rounded(falls.least)} at most`
      : "falls nowhere in −8 < x < 8",
  );
  if (name === "s4") facts.push(`S4′(0) = (5 − k)/8 = ${((5 - parameters.k) / 8).toFixed(4)}`);
  part("facts").textContent = facts.join("\n");
  part("description").textContent = chosen().doc;
  part("range-value").value = `−${end} to ${end}`;
  part("beside-key").hidden = !part("beside").value;
  part("beside-key").querySelector("b").textContent = part("beside").value;
  read();
}

function read() {
  pointer = Math.max(-range(), Math.min(range(), pointer));
  const given = Object.values(parameters), lines = [`x = ${pointer.toFixed(3)}`];
  lines.push(`value ${value(pointer).toPrecision(9)}`);
  for (const [by, f] of Object.entries(chosen().derivatives)) {
    lines.push(`by ${by} ${f(pointer, ...given).toPrecision(9)}`);
  }
  if (part("beside").value) lines.push(`${part("beside").value} ${beside(pointer).toPrecision(9)}`);
  part("point").textContent = lines.join("\n");
  const x = place.x(pointer);
  part("cursor").innerHTML = `<line class="axis" x1="${x}" x2="${x}" y1="${TOP}"
    y2="${HEIGHT - BOTTOM}" stroke-dasharray="3 3"/><circle cx="${x}" cy="${place.y(value(pointer))}"
    r="4.5" fill="var(--value)"/>`;
}

part("graph").setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
part("graph").addEventListener("pointermove", (event) => {
  const box = part("graph").getBoundingClientRect();
  pointer = place.back(((event.clientX - box.left) / box.width) * WIDTH);
  read();
});
part("graph").addEventListener("keydown", (event) => {
  const steps = { ArrowLeft: -0.05, ArrowRight: 0.05 };
  if (!(event.key in steps)) return;
  event.preventDefault();
  pointer += steps[event.key];
  read();
});
part("play").addEventListener("click", play);
part("function").addEventListener("change", choose);
part("beside").addEventListener("change", draw);
part("range").addEventListener("input", draw);
choose();
