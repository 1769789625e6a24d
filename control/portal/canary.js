// A canary: a new revision that gets more and more of the traffic, or goes back by itself.

import { button, busy, field, h, note, select, table, toast } from "./dom.js";
import { amount, moment, plural, span } from "./format.js";
import { change, get, of } from "./api.js";
import { refresh } from "./feed.js";

export async function canary(name, list, signal, warned) {
  let now = null;
  try {
    now = await get(of(name, "/canary"), { signal });
  } catch (error) {
    // Where there is none, the gateway may say so with 404 too.
    if (error.status !== 404 || error.absent) throw error;
  }
  const place = h("div");
  const show = async () => place.replaceChildren(...await canary(name, list, signal, warned));
  const running = now?.state === "running";
  warned.replaceChildren(...(running ? [note("A canary divides the traffic at the moment: whoever divides it here ends it.")] : []));
  if (running) {
    const stop = busy(async () => {
      await change("DELETE", of(name, "/canary"), undefined, { signal });
      toast("The canary is stopped");
      refresh();
      await show();
    });
    place.append(facts(now), h("div", { class: "line end" }, button("Stop it", stop, { class: "danger" })));
    return [place];
  }
  const revision = select(list.filter((it) => !it.collected).map((it) => [it.number, `r${it.number}`]), list[0]?.number);
  const steps = h("input", { value: "5, 25, 50, 100", name: "steps", autocomplete: "off" });
  const interval = h("input", { value: "5m", name: "interval", autocomplete: "off" });
  const begin = busy(async () => {
    const percents = steps.value.split(/[\s,]+/).filter(Boolean).map(Number);
    await change("POST", of(name, "/canary"), { revision: Number(revision.value), steps: percents, interval: interval.value.trim() }, { signal });
    toast("The canary has begun");
    refresh();
    await show();
  });
  place.append(now ? facts(now) : "", list.length < 2 ? note("It needs a second revision.")
    : h("form", { onsubmit: begin }, h("p", { class: "quiet" }, "The revision gets more step by step, unless it fails more or is slower than the one before: then all goes back."),
      h("div", { class: "line" }, field("Revision", revision), field("Steps in percent", steps), field("Each for", interval), h("button", { type: "submit" }, "Begin"))));
  return [place];
}

function due({ since_ms: since, interval_ms: interval }) {
  const left = (since + interval - Date.now()) / 1e3;
  return left > 1 ? `in ${span(left)}` : "now";
}

function facts(now) {
  const kind = { running: "cold", succeeded: "ok", "rolled-back": "bad" }[now.state] ?? "";
  const moves = now.moves.slice().reverse().map((it) => h("tr", null, h("td", null, moment(it.at_ms)), h("td", { class: "r" }, `${amount(it.percent, 1)} %`), h("td", { class: "message" }, it.why)));
  return h("div", null,
    h("p", null, h("b", null, `r${now.revision}`), " ", h("span", { class: `badge ${kind}` }, now.state.replace("-", " ")), ` ${now.state === "running" ? `at ${amount(now.percent, 1)} %, step ${Math.min(now.step + 1, now.steps.length)} of ${now.steps.length}` : now.why}`),
    now.state === "running" && h("p", { class: "quiet" }, `The next step is due ${due(now)}, after at least ${plural(now.bounds.requests, "request")}. It goes back if more than ${amount(now.bounds.error_percentage, 1)} % more fail than before, or its p99 is more than ${amount(now.bounds.latency_ratio, 1)} × as long.`),
    h("ol", { class: "steps", "aria-label": "Steps" }, now.steps.map((percent, index) => h("li", { class: now.state === "succeeded" || index < now.step ? "done" : index === now.step && now.state === "running" ? "now" : "" }, `${percent} %`))),
    table("What the canary did", ["When", ["Share", "r"], "Why"], moves));
}
