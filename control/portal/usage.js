// What was used, and what that costs.

import { busy, button, field, h, load, note, panel, select, table, toast } from "./dom.js";
import { amount, bytes, count, moment, shortRevision, span } from "./format.js";
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
    return shown(answer, name, by);
  });
  show();
  return [panel([name ? "Usage" : "All functions", h("span", { class: "grow" }), range], result)];
}

const MEASURES = [
  ["Invocations", count, (it) => it.invocations ?? null],
  ["Failures", count, (it) => it.failures ?? null],
  ["Wall", (it) => span(it / 1e3), (it) => it.wall_ms ?? null],
  ["CPU", (it) => span(it / 1e3), (it) => it.cpu_ms ?? null],
  ["GB-s reserved", (it) => amount(it, 1), (it) => it.gb_seconds_reserved ?? null],
  ["GB-s used", (it) => amount(it, 1), (it) => it.gb_seconds_used ?? null],
  ["Starting", (it) => span(it / 1e3), (it) => it.cold_ms ?? null],
  ["Idle", (it) => span(it / 1e3), (it) => it.idle_ms ?? null],
  ["In", bytes, (it) => it.bytes_in ?? null],
  ["Out", bytes, (it) => it.bytes_out ?? null],
  ["Cost", (it) => amount(it, 4), (it) => it.cost ?? null],
];

function shown(answer, name, by) {
  const { rows } = answer;
  if (!rows.length) return note("Nothing was used in that time.");
  const grouped = new Map();
  const times = new Map();
  for (const row of rows) {
    const key = name ? (row.revision) : row.function;
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
  const line = (key, sums) => h("tr", null, h("th", { scope: "row" }, name ? shortRevision(key) : h("a", { href: `#/f/${encodeURIComponent(key)}/usage` }, key)),
    present.map((place) => h("td", { class: "r" }, sums[place] === null ? "–" : MEASURES[place][1](sums[place]))));
  const last = present.at(-1);
  const ordered = [...grouped].sort(([, a], [, b]) => (b[last] ?? 0) - (a[last] ?? 0));
  const total = MEASURES.map((_, place) => ordered.reduce((all, [, sums]) => (sums[place] === null ? all : (all ?? 0) + sums[place]), null));
  const series = [...times].filter(([at]) => at !== null).sort(([a], [b]) => a - b)
    .map(([at, sums]) => ({ value: sums[0] ?? 0, title: `${new Date(at).toLocaleString()}: ${count(sums[0])} invocations` }));
  return [
    series.length > 1 ? h("figure", null, bars(series, `Invocations by ${by}`), h("figcaption", { class: "quiet" }, `Invocations by ${by}`)) : "",
    table("Usage", [name ? "Revision" : "Function", ...present.map((place) => [title(place), "r"])], [...ordered.map(([key, sums]) => line(key, sums)),
      ordered.length > 1 ? h("tr", { class: "total" }, h("th", { scope: "row" }, "Total"), present.map((place) => h("td", { class: "r" }, total[place] === null ? "–" : MEASURES[place][1](total[place])))) : ""]),
  ];
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
  const period = select([["month", "a month"], ["day", "a day"]], now?.period ?? "month");
  const limits = { money: number("money", "money"), invocations: number("invocations", "invocations"), gb_seconds: number("gb_seconds", "gb-seconds"), warn_percentage: h("input", { type: "number", min: "1", max: "100", value: now?.warn_percentage ?? 80, name: "warn" }) };
  const stop = h("input", { type: "checkbox", checked: now?.stop ?? true });
  const put = async (budget) => {
    show(await change("PUT", of(name, "/budget"), { budget }, { signal }));
    toast("The budget is saved");
  };
  const save = busy(() => {
    const wanted = { period: period.value, stop: stop.checked };
    for (const [key, input] of Object.entries(limits)) if (input.value !== "") wanted[key] = Number(input.value);
    return put(wanted);
  });
  const used = info.used_ratio;
  return h("form", { onsubmit: save },
    info.stopped ? note(info.stopped, "bad") : null,
    used === null || used === undefined ? h("p", { class: "quiet" }, now ? "Nothing is used of it so far." : "Nothing is limited.")
      : h("p", null, h("meter", { min: "0", max: "1", high: String((now?.warn_percentage ?? 80) / 100), value: String(Math.min(1, used)), "aria-label": "Used of the budget" }), ` ${amount(100 * used, 1)} % used${info.ends ? `, until ${moment(Date.parse(info.ends))}` : ""}${info.source ? ` · set by ${info.source === "api" ? "the API" : "the manifest"}` : ""}`),
    h("div", { class: "line" }, field("In", period), field("Money", limits.money), field("Invocations", limits.invocations), field("GB-seconds", limits.gb_seconds), field("Warn at %", limits.warn_percentage), h("label", { class: "check" }, stop, " Refuse requests then")),
    h("div", { class: "line end" }, button("As the manifest says", busy(() => put(null)), { disabled: info.source !== "api" }), h("button", { type: "submit", class: "primary" }, "Save")));
}
