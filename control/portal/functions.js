// All functions. Only rows that can be seen are in the page, so that ten thousand are as quick as ten.

import { h, say } from "./dom.js";
import { amount, count, plural, rate, time } from "./format.js";
import { feed, functions, history, live, state, watch } from "./feed.js";
import { spark } from "./charts.js";
import { reach, SHOWN } from "./past.js";

const COLUMNS = [
  ["name", "Function", (it) => it.name],
  ["rate", "Requests/s", (it) => it.done.rate ?? 0],
  ["errors", "Errors/s", (it) => it.done.errors ?? 0],
  ["p50", "p50", (it) => it.done.p50 ?? 0],
  ["p99", "p99", (it) => it.done.p99 ?? 0],
  ["instances", "Instances", (it) => live(it.states)],
  ["queue", "Queue · in flight", (it) => it.waiting * 1e6 + it.in_flight],
];

/** What outlives a visit to another page. */
const kept = { sort: "name", down: false, filter: "", selected: null, scroll: 0 };

export function view(root, { signal, open }) {
  const search = h("input", { type: "search", placeholder: "Search functions", "aria-label": "Search functions", "aria-keyshortcuts": "/", value: kept.filter, autocomplete: "off", spellcheck: "false" });
  const total = h("span", { class: "quiet", role: "status" });
  const heads = h("div", { class: "row head", role: "row" });
  const body = h("div", { class: "rows", role: "rowgroup" });
  const empty = h("div", { class: "empty" });
  const grid = h("div", { class: "grid", role: "grid", tabindex: "0", "aria-label": "Functions", "aria-keyshortcuts": "j k Enter" }, heads, body, empty);
  root.replaceChildren(h("div", { class: "listing" }, h("div", { class: "tools" }, h("h1", { class: "unseen" }, "Functions"), search, total), grid));

  let shown = [];
  const rows = new Map();
  for (const [key, text] of COLUMNS) {
    const sort = h("button", { type: "button", onclick: () => order(key) }, text);
    heads.append(h("div", { role: "columnheader", class: key, "data-key": key }, sort));
  }

  function order(key) {
    kept.down = kept.sort === key ? !kept.down : key !== "name";
    kept.sort = key;
    update();
  }

  function update() {
    const words = kept.filter.toLowerCase().split(/\s+/).filter(Boolean);
    const value = COLUMNS.find(([key]) => key === kept.sort)[2];
    const matches = (it) => words.every((word) => it.name.toLowerCase().includes(word) || it.policy.includes(word));
    shown = [...functions.values()].filter(matches);
    const compare = (a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0) * (kept.down ? -1 : 1) || (a.name < b.name ? -1 : 1);
    shown.sort(compare);
    for (const head of heads.children) {
      head.setAttribute("aria-sort", head.dataset.key !== kept.sort ? "none" : kept.down ? "descending" : "ascending");
    }
    if (state.at === 0) say(total, "Loading…");
    else say(total, `${words.length ? `${count(shown.length)} of ` : ""}${plural(functions.size, "function")} · lines show the ${reach()}`);
    grid.setAttribute("aria-rowcount", shown.length + 1);
    empty.replaceChildren(...nothing(words));
    draw();
  }

  function nothing(words) {
    if (shown.length || !state.at) return [];
    if (words.length) return [h("p", null, "No function has that in its name.")];
    return [h("p", null, h("b", null, "No functions yet.")), h("p", { class: "quiet" }, "Drop a folder or a zip with a function.toml anywhere on this page, or run “stoker publish DIR”.")];
  }

  function draw() {
    const height = rowHeight(grid);
    const top = Math.max(0, Math.floor(grid.scrollTop / height) - 6);
    const end = Math.min(shown.length, Math.ceil((grid.scrollTop + grid.clientHeight) / height) + 6);
    body.style.height = `${shown.length * height}px`;
    const visible = shown.slice(top, end);
    const names = new Set(visible.map((it) => it.name));
    for (const [name, row] of rows) {
      if (!names.has(name)) {
        row.node.remove();
        rows.delete(name);
      }
    }
    visible.forEach((it, index) => {
      let row = rows.get(it.name);
      if (!row) {
        row = makeRow(it.name, () => choose(it.name));
        rows.set(it.name, row);
        body.append(row.node);
      }
      row.node.style.transform = `translateY(${(top + index) * height}px)`;
      row.node.setAttribute("aria-rowindex", top + index + 2);
      row.node.setAttribute("aria-selected", it.name === kept.selected);
      row.show(it);
    });
    const selected = rows.get(kept.selected)?.node.id;
    if (selected) grid.setAttribute("aria-activedescendant", selected);
    else grid.removeAttribute("aria-activedescendant");
    watch(visible.map((it) => it.name));
  }

  function choose(name) {
    kept.selected = name;
    const index = shown.findIndex((it) => it.name === name);
    const height = rowHeight(grid);
    const head = heads.offsetHeight;
    if (index * height < grid.scrollTop) grid.scrollTop = index * height;
    else if ((index + 1) * height + head > grid.scrollTop + grid.clientHeight) grid.scrollTop = (index + 1) * height + head - grid.clientHeight;
    draw();
  }

  function move(step) {
    if (!shown.length) return;
    const at = shown.findIndex((it) => it.name === kept.selected);
    choose(shown[Math.min(shown.length - 1, Math.max(0, at < 0 ? 0 : at + step))].name);
  }

  search.addEventListener("input", () => {
    kept.filter = search.value;
    grid.scrollTop = 0;
    update();
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "Enter") {
      event.preventDefault();
      grid.focus();
      if (event.key === "Enter" && shown.length) open(shown[0].name);
      else move(0);
    }
  });
  grid.addEventListener("scroll", () => {
    kept.scroll = grid.scrollTop;
    requestAnimationFrame(draw);
  }, { passive: true });
  new ResizeObserver(() => signal.aborted || draw()).observe(grid);
  feed.addEventListener("change", update, { signal });
  update();
  grid.scrollTop = kept.scroll;
  grid.focus({ preventScroll: true });

  const page = () => Math.max(1, Math.floor(grid.clientHeight / rowHeight(grid)) - 2);
  return {
    title: "Functions",
    keys: {
      "/": () => { search.focus(); search.select(); },
      j: () => move(1), ArrowDown: () => move(1), k: () => move(-1), ArrowUp: () => move(-1),
      PageDown: () => move(page()), PageUp: () => move(-page()), Home: () => move(-Infinity), End: () => move(Infinity),
      Enter: () => kept.selected && open(kept.selected),
      Escape: () => { search.value = kept.filter = ""; grid.focus(); update(); },
    },
  };
}

function rowHeight(grid) {
  return parseFloat(getComputedStyle(grid).getPropertyValue("--row")) || 44;
}

let ids = 0;

function makeRow(name, chosen) {
  ids += 1;
  const badge = h("span", { class: "badge", hidden: true });
  const sub = h("small");
  const cells = {};
  const sparks = {};
  const link = h("a", { href: `#/f/${encodeURIComponent(name)}`, tabindex: "-1" }, name);
  const node = h("div", { class: "row", role: "row", id: `row-${ids}`, onmousedown: chosen },
    h("div", { role: "rowheader", class: "name" }, h("span", { class: "clip" }, link, badge), sub));
  for (const [key, text] of COLUMNS.slice(1)) {
    cells[key] = h("span", { class: "number" });
    const cell = h("div", { role: "gridcell", class: key, "data-label": text.split(" · ")[0] }, cells[key]);
    if (["rate", "p99", "instances", "queue"].includes(key)) {
      sparks[key] = spark(SHOWN + 1, text.split(" · ")[0], key);
      cell.prepend(sparks[key].node);
    }
    node.append(cell);
  }
  let last = null;
  const show = (it) => {
    const points = history(name);
    const mark = `${state.at}`;
    say(sub, `${it.policy} · ${it.min_scale}–${it.max_scale}`);
    const [word, kind] = standing(it);
    say(badge, word);
    badge.hidden = !word;
    badge.className = `badge ${kind}`;
    say(cells.rate, rate(it.done.rate));
    say(cells.errors, rate(it.done.errors));
    cells.errors.classList.toggle("bad", it.done.errors > 0);
    say(cells.p50, time(it.done.p50));
    say(cells.p99, time(it.done.p99));
    say(cells.instances, instances(it));
    cells.instances.title = `${it.states.ready} ready (${it.states.frozen} of them frozen), ${it.states.starting} starting, ${it.desired} wanted`;
    say(cells.queue, `${it.waiting} · ${it.in_flight}`);
    cells.queue.classList.toggle("warn", it.waiting > 0);
    cells.queue.title = `${it.waiting} waiting, ${it.in_flight} in flight`;
    if (mark === last) return;
    last = mark;
    const words = reach();
    for (const key of Object.keys(sparks)) sparks[key].draw(points.map((point) => point[key]), words);
  };
  return { node, show };
}

function instances(it) {
  const { ready, starting } = it.states;
  return `${ready}${starting ? ` +${starting}` : ""}`;
}

/** What deserves a look, in a word. */
export function standing(it) {
  if (it.last_failure) return ["starts fail", "bad"];
  if (it.budget?.stopped) return ["over budget", "bad"];
  if (it.held_starts) return ["held", "warn"];
  if (it.states.aside) return ["set aside", "warn"];
  if (it.scale_override !== null && it.scale_override !== undefined) return [`held at ${it.scale_override}`, "warn"];
  if (it.budget?.warned) return [`budget ${amount(100 * it.budget.used_ratio, 0)} %`, "warn"];
  return ["", ""];
}
