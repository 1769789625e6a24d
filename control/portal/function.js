// One function: what it does now above, and a tab for each thing one does with it.

import { h, load, note, say } from "./dom.js";
import { plural, rate, shortRevision, time } from "./format.js";
import { spark } from "./charts.js";
import { reach, SHOWN } from "./past.js";
import { feed, functions, history, state, watch } from "./feed.js";
import { standing } from "./functions.js";
import { overview } from "./overview.js";
import { revisions } from "./revisions.js";
import { testConsole } from "./console.js";
import { logs } from "./logs.js";
import { scaling } from "./scaling.js";
import { settings } from "./settings.js";
import { usageOf } from "./usage.js";

const TABS = [
  ["overview", "Overview", overview],
  ["revisions", "Revisions", revisions],
  ["test", "Test", testConsole],
  ["log", "Log", logs],
  ["scaling", "Scaling", scaling],
  ["settings", "Settings", settings],
  ["usage", "Usage", usageOf],
];

const TILES = [
  ["rate", "Requests/s", (it) => rate(it.done.rate)],
  ["errors", "Errors/s", (it) => rate(it.done.errors)],
  ["p99", "Warm p99", (it) => time(it.done.p99), (it) => `p50 ${time(it.done.p50)}`],
  ["cold", "Cold/s", (it) => rate(it.done.cold), (it) => (it.done.cold50 ? `p50 ${time(it.done.cold50)}` : "")],
  ["instances", "Instances", (it) => `${it.states.ready}`, parts],
  ["queue", "Queue", (it) => `${it.waiting}`, (it) => `${it.in_flight} in flight`],
];

function parts(it) {
  const { starting, draining, frozen } = it.states;
  const words = [[starting, "starting"], [draining, "draining"], [frozen, "frozen"]].filter(([number]) => number);
  return words.length ? words.map((it) => it.join(" ")).join(", ") : `wanted ${it.desired}`;
}

export function view(root, context) {
  const { name, signal, go } = context;
  const tab = TABS.some(([key]) => key === context.tab) ? context.tab : "overview";
  const badge = h("span", { class: "badge", hidden: true });
  const about = h("p", { class: "quiet about" });
  const tiles = TILES.map(([key, text, value, more]) => {
    const number = h("b");
    const sub = h("small");
    const line = spark(SHOWN + 1, text, key);
    const node = h("div", { class: `tile ${key}` }, h("span", null, text), h("div", null, number, sub), line.node);
    return { node, show: (it) => {
      say(number, value(it));
      say(sub, more?.(it) ?? "");
      line.draw(history(name).map((point) => point[key]), reach());
    } };
  });
  const panelId = "tab-panel";
  const tabs = TABS.map(([key, text]) => h("button", {
    type: "button", role: "tab", id: `tab-${key}`, "aria-selected": key === tab, "aria-controls": panelId, tabindex: key === tab ? "0" : "-1",
    onclick: () => go(name, key),
  }, text));
  const list = h("div", { role: "tablist", "aria-label": "Parts of the function", class: "tabs" }, tabs);
  const content = h("div", { role: "tabpanel", id: panelId, "aria-labelledby": `tab-${tab}`, class: "content", tabindex: "-1" });
  const missing = h("div");
  const tiled = h("div", { class: "tiles" }, tiles.map((tile) => tile.node));
  root.replaceChildren(h("div", { class: "function" },
    h("div", { class: "title" }, h("a", { href: "#/", class: "back", "aria-label": "Back to all functions" }, "←"), h("h1", null, name), badge), about, missing,
    tiled, list, content));
  tabs.find((it) => it.getAttribute("aria-selected") === "true")?.scrollIntoView({ block: "nearest", inline: "center" });

  const update = () => {
    const it = functions.get(name);
    const gone = state.at > 0 && !it;
    for (const node of [about, tiled, list, content]) node.hidden = gone;
    missing.replaceChildren(...(gone ? [note(`There is no function “${name}”: it was deleted, or not published yet.`), h("p", null, h("a", { href: "#/" }, "All functions"))] : []));
    if (!it) return;
    const [word, kind] = standing(it);
    say(badge, word);
    badge.hidden = !word;
    badge.className = `badge ${kind}`;
    say(about, `${it.url} · ${it.policy}, ${it.min_scale} to ${it.max_scale} instances of ${plural(it.concurrency, "request")} at once · ${shortRevision(it.revision)} · lines show the ${reach()}`);
    for (const tile of tiles) tile.show(it);
  };
  feed.addEventListener("change", update, { signal });
  watch([name]);
  update();

  const step = (by) => {
    const at = TABS.findIndex(([key]) => key === tab);
    go(name, TABS[(at + by + TABS.length) % TABS.length][0]);
  };
  list.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by) {
      event.preventDefault();
      step(by);
    }
  });
  if (context.focusTab) tabs.find((it) => it.id === `tab-${tab}`).focus();
  const make = TABS.find(([key]) => key === tab)[2];
  load(content, () => make(name, { ...context, again: () => go(name, tab) }));
  const numbers = Object.fromEntries(TABS.map(([key], index) => [String(index + 1), () => go(name, key)]));
  return {
    title: name,
    keys: { ...numbers, "[": () => step(-1), "]": () => step(1), Escape: () => { location.hash = "#/"; }, "/": () => { location.hash = "#/"; } },
  };
}
