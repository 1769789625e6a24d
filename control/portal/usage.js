// What was used, and what that costs.

import { busy, button, field, h, load, note, panel, select, table, toast } from "./dom.js";
import { amount, bytes, count, fixed, moment, plural, shortRevision, time } from "./format.js";
import { functions, refresh } from "./feed.js";
import { change, get, of } from "./api.js";
import { bars } from "./charts.js";

const RANGES = [["1", "last hour", "minute"], ["24", "last day", "hour"], ["168", "last week", "hour"], ["720", "last 30 days", "day"]];
let chosen = "24";

/** All functions. */
export function view(root, { signal }) {
  const place = h("div", { class: "content" });
  root.replaceChildren(h("div", { class: "function" }, h("div", { class: "title" }, h("h1", null, "Usage and cost")), place));
  load(place, () => report(null, signal));
  return { title: "Usage", keys: {} };
}

/** One function. */
export async function usageOf(name, { signal }) {
  const budget = h("div");
  load(budget, () => limits(name, signal));
  return [...await report(name, signal), panel("Budget", budget)];
}

async function report(name, signal) {
  const result = h("div");
  const range = select(RANGES.map(([key, text]) => [key, text]), chosen, { "aria-label": "Time", onchange: () => {
    chosen = range.value;
    show();
  } });
  const show = () => load(result, async () => {
    const [hours, , by] = RANGES.find(([key]) => key === chosen);
    const to = Date.now();
    const from = to - Number(hours) * 3600e3;
    const answer = await get("/v1/usage", { signal, query: { from: new Date(from).toISOString().replace(/\.\d+/, ""), to: new Date(to).toISOString().replace(/\.\d+/, ""), by, function: name } });
    return shown(answer, name, { by, from, to });
  });
  show();
  return [panel([name ? "Usage" : "All functions", h("span", { class: "grow" }), range], result)];
}

const STEPS_MS = { minute: 60e3, hour: 3600e3, day: 86400e3 };
const FORMER = "former and trials";

/** Head, how it is written, where it is, and what it means. */
const MEASURES = [
  ["Invocations", count, (it) => it.invocations ?? null, "Requests that reached an instance"],
  ["Failures", count, (it) => it.failures ?? null, "Of these, those that failed"],
  ["Wall time", time, (it) => it.wall_ms ?? null, "Of all requests together"],
  ["CPU time", time, (it) => it.cpu_ms ?? null, "Of all instances together"],
  ["GB-s reserved", (it) => fixed(it, 1), (it) => it.gb_seconds_reserved ?? null, "Gigabytes of memory that instances reserve, times seconds"],
  ["GB-s used", (it) => fixed(it, 1), (it) => it.gb_seconds_used ?? null, "Gigabytes of memory that instances have, times seconds"],
  ["Starting", time, (it) => it.cold_ms ?? null, "Time that instances took to start"],
  ["Idle", time, (it) => it.idle_ms ?? null, "Time that instances were ready without a request"],
  ["Bytes in", bytes, (it) => it.bytes_in ?? null, "Bodies of requests"],
  ["Bytes out", bytes, (it) => it.bytes_out ?? null, "Bodies of answers"],
  ["Cost", (it) => fixed(it, 4), (it) => it.cost ?? null, "By [prices] of the gateway’s file"],
];

function shown(answer, name, { by, from, to }) {
  const { rows } = answer;
  if (!rows.length) return note("Nothing was used in that time.");
  const grouped = new Map();
  const times = new Map();
  // What has no number any more is a hash, which tells nobody anything.
  const numbered = rows.some((row) => /^\d+$/.test(row.revision));
  for (const row of rows) {
    const key = !name ? row.function : numbered && !/^\d+$/.test(row.revision) ? FORMER : row.revision;
    const at = row.start_ms;
    for (const [into, index] of [[grouped, key], [times, at]]) {
      const sums = into.get(index) ?? MEASURES.map(() => null);
      MEASURES.forEach(([, , read], place) => {
        const value = read(row);
        if (value !== null) sums[place] = (sums[place] ?? 0) + value;
      });
      into.set(index, sums);
    }
  }
  const present = MEASURES.map((_, place) => place).filter((place) => [...grouped.values()].some((sums) => sums[place] !== null));
  const currency = answer.currency;
  const title = (place) => (MEASURES[place][0] === "Cost" && currency ? `Cost, ${currency}` : MEASURES[place][0]);
  const line = (key, sums) => h("tr", null, h("th", { scope: "row" }, name ? (key === FORMER ? key : shortRevision(key)) : h("a", { href: `#/f/${encodeURIComponent(key)}/usage` }, key)),
    present.map((place) => h("td", { class: "r" }, sums[place] === null ? "–" : MEASURES[place][1](sums[place]))), name ? null : h("td", { class: "r" }, budgetOf(key)));
  const last = present.at(-1);
  // Trials of revisions that never served use nothing.
  const used = [...grouped].filter(([, sums]) => !name || sums.some((it) => it > 0));
  const unused = grouped.size - used.length;
  const ordered = used.sort(([, a], [, b]) => (b[last] ?? 0) - (a[last] ?? 0));
  const total = MEASURES.map((_, place) => ordered.reduce((all, [, sums]) => (sums[place] === null ? all : (all ?? 0) + sums[place]), null));
  const step = STEPS_MS[by];
  const series = [];
  for (let at = Math.floor(from / step) * step; at <= to; at += step) {
    const value = times.get(at)?.[0] ?? 0;
    series.push({ value, title: `${new Date(at).toLocaleString()}: ${plural(value, "invocation")}` });
  }
  const highest = Math.max(...series.map((it) => it.value));
  const words = `Invocations by ${by}, at most ${count(highest)}`;
  return [
    highest > 0 ? h("figure", null, bars(series, words), h("figcaption", { class: "quiet" }, words)) : "",
    table("Usage", [name ? "Revision" : "Function", ...present.map((place) => [title(place), "r", MEASURES[place][3]]), ...(name ? [] : [["Budget", "r", "The part of it that is used"]])], [...ordered.map(([key, sums]) => line(key, sums)),
      ordered.length > 1 ? h("tr", { class: "total" }, h("th", { scope: "row" }, "Total"), present.map((place) => h("td", { class: "r" }, total[place] === null ? "–" : MEASURES[place][1](total[place]))), name ? null : h("td")) : ""]),
    unused > 0 ? h("p", { class: "quiet" }, `${plural(unused, "revision")} used nothing and ${unused === 1 ? "is" : "are"} left out.`) : "",
  ];
}

function budgetOf(name) {
  const it = functions.get(name)?.budget;
  if (!it) return "–";
  const text = `${amount(100 * it.used_ratio, 0)} %`;
  return h("span", { class: `badge ${it.stopped ? "bad" : it.warned ? "warn" : "ok"}`, title: it.stopped ?? "" }, it.stopped ? `${text}, stopped` : text);
}

async function limits(name, signal) {
  const place = h("div");
  const show = (info) => place.replaceChildren(budgetForm(name, info, signal, show));
  show(await get(of(name, "/budget"), { signal }));
  return place;
}

function budgetForm(name, info, signal, show) {
  const now = info.budget;
  const number = (key, label) => h("input", { type: "number", min: "0", step: "any", value: now?.[key] ?? "", name: label });
  const period = select([["month", "each month (UTC)"], ["day", "each day (UTC)"]], now?.period ?? "month");
  const limits = { money: number("money", "money"), invocations: number("invocations", "invocations"), gb_seconds: number("gb_seconds", "gb-seconds"), warn_percentage: h("input", { type: "number", min: "1", max: "100", value: now?.warn_percentage ?? 80, name: "warn" }) };
  const stop = h("input", { type: "checkbox", checked: now?.stop ?? true });
  const put = async (budget) => {
    show(await change("PUT", of(name, "/budget"), { budget }, { signal }));
    toast("The budget is saved");
    refresh();
  };
  const save = busy(() => {
    const wanted = { period: period.value, stop: stop.checked };
    for (const [key, input] of Object.entries(limits)) if (input.value !== "") wanted[key] = Number(input.value);
    return put(wanted);
  });
  const used = info.used_ratio;
  return h("form", { onsubmit: save },
    info.stopped ? note(info.stopped, "bad") : null,
    used === null || used === undefined ? h("p", { class: "quiet" }, now ? "Nothing is used of it so far." : "Nothing is limited. Fill in one limit or several: the first that is reached counts.")
      : h("p", null, h("meter", { min: "0", max: "1.001", optimum: "0", low: String((now?.warn_percentage ?? 80) / 100), high: "1", value: String(Math.min(1.001, used)), "aria-label": "Used of the budget" }), ` ${amount(100 * used, 1)} % used${info.ends ? `, until ${moment(Date.parse(info.ends))}` : ""}${info.source ? ` · set by ${info.source === "api" ? "hand" : "the manifest"}` : ""}`),
    h("div", { class: "line" }, field("Period", period), field("Money, as in the prices", limits.money), field("Invocations", limits.invocations), field("GB-seconds", limits.gb_seconds), field("Warn at percent", limits.warn_percentage), h("label", { class: "check" }, stop, " Refuse requests when it is used up")),
    h("div", { class: "line end" }, button("As the manifest says", busy(() => put(null)), { disabled: info.source !== "api" }), h("button", { type: "submit", class: "primary" }, "Save")));
}
