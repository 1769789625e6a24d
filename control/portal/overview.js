// Why a function has the instances that it has, which these are, and what it is made of.

import { ask, busy, button, h, load, panel, table, toast } from "./dom.js";
import { ago, plural, shortRevision, span, time } from "./format.js";
import { change, get, of } from "./api.js";
import { lanes } from "./charts.js";
import { refresh } from "./feed.js";

const AGAIN_MS = 5000;

export async function overview(name, { signal }) {
  const why = h("div");
  const instances = h("div");
  const starts = h("div");
  const package_ = h("div");
  const look = () => Promise.all([
    load(why, async () => words(await get(of(name, "/explain"), { signal }), why.querySelector("details")?.open)),
    load(instances, async () => {
      const detail = await get(of(name), { signal });
      load(package_, async () => made(detail));
      evicting.disabled = detail.instances.length === 0;
      return living(detail.instances);
    }),
    load(starts, async () => begun(await get("/v1/starts", { signal, query: { function: name } }))),
  ]);
  const evicting = button("Evict all", (event) => evict(event), { class: "danger" });
  await look();
  const timer = setInterval(() => document.hidden || look(), AGAIN_MS);
  signal.addEventListener("abort", () => clearInterval(timer));

  const evict = busy(async () => {
    if (!await ask("Evict all instances", `Every instance of ${name} finishes what it has and ends; the next request is a cold start.`, "Evict")) return;
    const gone = await change("POST", of(name, "/evict"));
    toast(`${gone.evicted} evicted, ${gone.left.length} still finishing`);
    refresh();
    look();
  });
  return [
    panel("Why so many instances", why),
    panel(["Instances", h("span", { class: "grow" }), evicting], instances),
    panel("Starts of late", starts),
    panel("Program", package_),
  ];
}

function words(explanation, open) {
  const shadow = explanation.shadow;
  return [
    h("ul", { class: "sentences" }, explanation.sentences.map((it) => h("li", null, it))),
    shadow && h("p", null, `Beside it ${shadow.policy} is tried since ${span(shadow.seconds)}: ${shadow.shadow.delayed} of ${shadow.shadow.requests} requests would have waited, against ${shadow.live.delayed}.`),
    explanation.instances.length > 0 && h("details", { open }, h("summary", null, "Each instance in a sentence"),
      h("ul", { class: "sentences" }, explanation.instances.map((it) => h("li", null, h("code", null, it.id), ` ${it.state}: ${it.sentence}`)))),
  ].filter(Boolean);
}

function living(list) {
  if (!list.length) return h("p", { class: "quiet" }, "None at the moment: the next request starts one.");
  const rows = list.map((it) => h("tr", null,
    h("td", null, h("code", null, it.id)), h("td", null, h("span", { class: `state ${it.state}` }, it.state)),
    h("td", { class: "r" }, it.in_use), h("td", { class: "r" }, it.served), h("td", { class: "r" }, span(it.age_seconds)),
    h("td", { class: "r" }, it.idle_seconds === null ? "busy" : span(it.idle_seconds)),
    h("td", { class: "r" }, it.start ? time(it.start.total_ms) : "–"), h("td", null, it.start_kind ?? "–"),
    h("td", null, it.pid ?? "–"), h("td", null, h("code", null, shortRevision(it.revision)))));
  return table("Instances", ["Instance", "State", ["In use", "r"], ["Served", "r"], ["Age", "r"], ["Idle", "r"], ["Start", "r"], "By", "Process", "Revision"], rows);
}

function begun(list) {
  if (!list.length) return h("p", { class: "quiet" }, "None since the gateway started.");
  // Those that failed alike are one.
  const groups = [];
  for (const it of list) {
    const last = groups.at(-1);
    if (last && it.result !== "ready" && last[0].result === it.result && last[0].detail === it.detail) last.push(it);
    else groups.push([it]);
  }
  const recent = groups.slice(0, 8).map(([it, ...more]) => ({ ...it, more: more.length }));
  const longest = Math.max(...recent.map((it) => it.total_ms + (it.first_byte_ms ?? 0)));
  return h("ol", { class: "starts" }, recent.map((it) => {
    const phases = Object.entries(it.phases ?? {}).map(([key, ms]) => ({ name: key === "total_ms" ? "start" : key.replace("_ms", ""), ms }));
    if (it.first_byte_ms !== null) phases.push({ name: "first-byte", ms: it.first_byte_ms }, { name: "connect", ms: it.connect_ms });
    const well = it.result === "ready";
    return h("li", null, h("p", null, h("code", null, it.instance), ` ${time(it.total_ms)} · ${it.cause} · ${ago(it.at_ms)} `,
      h("span", { class: `badge ${well ? "" : "bad"}` }, it.result), it.more ? ` and ${plural(it.more, "earlier one")} alike` : ""), it.detail && h("p", { class: "note bad" }, it.detail),
    it.phases && lanes(phases, longest));
  }));
}

function made(detail) {
  const rows = [
    ["Manifest", detail.manifest], ["Command", (detail.command ?? []).join(" ")], ["Revision", detail.revision],
    ["Routes", [detail.url, ...(detail.routes ?? []).map((it) => `${it.host ?? ""}${it.path}${it.methods.length ? ` (${it.methods.join(", ")})` : ""}`)].join("\n")],
    detail.backoff_ms ? ["Starts held off for", time(detail.backoff_ms)] : null,
    detail.last_failure ? ["Last failure", detail.last_failure.detail] : null,
  ].filter(Boolean);
  return h("dl", { class: "facts" }, rows.map(([key, value]) => [h("dt", null, key), h("dd", null, value)]));
}
