// Small pictures: lines of what was lately, and where the time of a call went.

import { h, s, say } from "./dom.js";
import { time } from "./format.js";

/** A line that is drawn anew by `draw(values)`; the newest value stands at the right, after at most `points`. */
export function spark(points, label, kind = "") {
  const title = s("title");
  const line = s("path", { class: "line" });
  const area = s("path", { class: "area" });
  const node = s("svg", { class: `spark ${kind}`, viewBox: `0 0 ${points - 1} 20`, preserveAspectRatio: "none", role: "img", "aria-label": label }, title, area, line);
  const draw = (all, words) => {
    const values = all.slice(-points);
    const highest = Math.max(1e-9, ...values.map((it) => it ?? 0));
    if (words) say(title, `${label}, ${words}`);
    const first = points - values.length;
    let path = "";
    let filled = "";
    // Where nothing is known there is nothing: each stretch is drawn by itself.
    for (let begin = 0; begin < values.length; begin += 1) {
      let end = begin;
      while (end < values.length && values[end] !== null && values[end] !== undefined) end += 1;
      if (end === begin) continue;
      const at = values.slice(begin, end).map((value, index) => `${first + begin + index} ${(19 - (value / highest) * 17).toFixed(1)}`);
      path += at.length > 1 ? `M${at.join("L")}` : `M${at[0]}h.8`;
      if (highest > 1e-9 && at.length > 1) filled += `M${first + begin} 20L${at.join("L")}L${first + end - 1} 20Z`;
      begin = end;
    }
    node.classList.toggle("flat", highest <= 1e-9);
    line.setAttribute("d", path);
    area.setAttribute("d", filled);
  };
  return { node, draw };
}

const START = ["decide", "gate", "prepare", "spawn", "clone", "exec", "listen"];

/**
 * Where the time of a call went: one lane for the call, and one for the start that it waited for,
 * over the same time. `phases` are those of Server-Timing, `[{name, ms}]`.
 */
export function lanes(phases, longest) {
  const ms = new Map(phases.map((it) => [it.name, it.ms]));
  const total = ms.get("total") ?? [...ms.values()].reduce((all, it) => Math.max(all, it), 0);
  const call = ["queue", "connect", "first-byte"].map((name) => [name, ms.get(name) ?? 0]);
  const known = call.reduce((all, [, value]) => all + value, 0);
  if (total > known) call.push(["body", total - known]);
  const start = START.map((name) => [name, ms.get(name) ?? 0]);
  const scale = Math.max(longest ?? 0, total, ms.get("start") ?? 0, 1e-6);
  // A start for nobody's sake has no call.
  const rows = known > 0 || !ms.has("start") ? [lane("call", call, scale)] : [];
  if (ms.has("start")) rows.push(lane("start", start, scale));
  return h("div", { class: "lanes" }, rows);
}

function lane(name, parts, scale) {
  const shown = parts.filter(([, value]) => value > 0);
  const words = shown.map(([part, value]) => `${part} ${time(value)}`).join(", ");
  const bars = shown.map(([part, value]) => {
    const bar = h("i", { class: `phase p-${part}`, title: `${part} ${time(value)}` });
    bar.style.width = `${Math.max(0.3, (100 * value) / scale)}%`;
    return bar;
  });
  return h("div", { class: "lane" }, h("span", { class: "quiet" }, name),
    h("div", { class: "track", role: "img", "aria-label": `${name}: ${words}` }, bars),
    h("ul", { class: "legend" }, shown.map(([part, value]) => h("li", null, h("i", { class: `dot p-${part}` }), `${part} `, h("b", null, time(value))))));
}

/** Bars beside each other, with what each is for as its title. */
export function bars(values, label) {
  const highest = Math.max(1e-9, ...values.map((it) => it.value));
  const width = 10;
  const made = values.map((it, index) => {
    const height = (it.value / highest) * 58;
    return s("rect", { x: index * width + 1, y: 60 - height, width: width - 2, height, class: it.kind ?? "" }, s("title", null, it.title));
  });
  return s("svg", { class: "bars", viewBox: `0 0 ${Math.max(1, values.length) * width} 60`, preserveAspectRatio: "none", role: "img", "aria-label": label }, made);
}
