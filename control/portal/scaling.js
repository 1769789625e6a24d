// The policy: what is in force, what other settings would have given in the last hour, and putting
// them in force after that.

import { busy, button, field, h, load, note, panel, select, table, toast } from "./dom.js";
import { amount, count, moment, span, time } from "./format.js";
import { change, get, of } from "./api.js";
import { functions, refresh } from "./feed.js";

const POLICIES = ["on-arrival", "kpa", "histogram", "goal"];
/** The keys of `[scaling]`, with what they are. */
const KEYS = new Map([
  ["policy", "what decides how many there are"],
  ["min-scale", "never fewer instances"],
  ["max-scale", "never more instances"],
  ["concurrency", "requests at once in an instance"],
  ["idle-timeout", "an idle instance stays so long, as 60s"],
  ["freeze-after", "an idle instance gets no CPU after that, as 20s"],
  ["keep-hot", "idle instances that are not frozen"],
  ["target", "load per instance that kpa aims at"],
  ["target-utilization-percentage", "of the concurrency, for kpa"],
  ["stable-window", "what kpa averages over, as 60s"],
  ["panic-window-percentage", "of the stable window"],
  ["panic-threshold-percentage", "of what is ready, above which kpa panics"],
  ["scale-down-delay", "as 0s"],
  ["scale-to-zero-grace-period", "as 30s"],
  ["scale-to-zero-retention", "as 0s"],
  ["max-scale-up-rate", "times as many at most, each look"],
  ["max-scale-down-rate", "times fewer at most, each look"],
  ["initial-scale", "at first"],
  ["activation-scale", "from zero at once"],
  ["histogram-range", "longest gap that is learned, as 4h"],
  ["wait-p99", "what goal promises, as 50ms"],
  ["max-idle-percentage", "what goal may cost"],
  ["max-starting", "starts at once"],
  ["slow-start", "as 5s"],
]);
const FIRST = ["policy", "min-scale", "max-scale", "concurrency", "idle-timeout"];

export async function scaling(name, { signal, again }) {
  const history = h("div");
  const result = h("div", { "aria-live": "polite" });
  const rows = h("div", { class: "keys" });
  const inputs = new Map();
  const first = await get(of(name, "/policy"), { signal });
  const present = { ...now(name), ...inForce(first) };
  /** What the last simulation was of; only that is put in force. */
  let tried = null;

  const changes = () => Object.fromEntries([...inputs].filter(([key, input]) => input.value.trim() !== "" && input.value.trim() !== (present[key] ?? ""))
    .map(([key, input]) => [key, typed(input.value.trim())]));
  const apply = button("Apply", busy(async () => {
    if (tried === null || tried !== JSON.stringify(changes())) return;
    await change("PUT", of(name, "/scaling"), JSON.parse(tried), { signal });
    toast("The settings are in force");
    tried = null;
    apply.disabled = true;
    Object.assign(present, Object.fromEntries([...inputs].map(([key, input]) => [key, input.value.trim()])));
    refresh();
    load(history, versions);
  }), { class: "primary", disabled: true });
  const edited = () => { apply.disabled = tried === null || tried !== JSON.stringify(changes()); };
  const add = (key) => {
    if (inputs.has(key)) return inputs.get(key).focus();
    const value = present[key] ?? "";
    const input = key === "policy"
      ? select([...new Set([value, ...POLICIES])].filter(Boolean), value, { name: key, onchange: edited })
      : h("input", { name: key, value, oninput: edited, autocomplete: "off", spellcheck: "false", placeholder: "as in the manifest" });
    inputs.set(key, input);
    rows.append(field(key, input, KEYS.get(key)));
    return input;
  };
  new Set([...FIRST, ...Object.keys(present)]).forEach(add);
  const more = select([["", "Another setting…"], ...[...KEYS.keys()].filter((key) => !FIRST.includes(key))], "", {
    "aria-label": "Another setting", onchange: () => {
      if (more.value) add(more.value).focus();
      more.value = "";
    },
  });
  const simulate = busy(async () => {
    const wanted = changes();
    if (!Object.keys(wanted).length) {
      result.replaceChildren(note("Nothing differs from what is in force."));
      return;
    }
    result.replaceChildren(h("p", { class: "quiet" }, "Replaying the last hour…"));
    await load(result, async () => {
      const found = await replay(name, wanted, signal);
      tried = JSON.stringify(wanted);
      edited();
      return compared(found);
    });
  });
  const form = h("form", { onsubmit: simulate }, rows, h("div", { class: "line end" }, more, h("span", { class: "grow" }),
    h("button", { type: "submit" }, "Try on the last hour"), apply));

  const versions = async () => {
    const { versions: list } = await get(of(name, "/policy"), { signal });
    const back = button("Back to the one before", busy(async () => {
      await change("POST", of(name, "/policy/rollback"), undefined, { signal });
      toast("The policy before is in force again");
      await refresh();
      again();
    }), { disabled: list.length < 2 });
    const made = list.slice().reverse().map((it, index) => h("tr", null, h("td", null, it.number),
      h("td", null, index === 0 ? h("b", null, "in force") : ""), h("td", null, it.of ? `${it.source} to ${it.of}` : it.source), h("td", null, moment(it.at_ms)),
      h("td", null, it.changes.length ? it.changes.map(([key, value]) => h("div", null, h("code", null, `${key} = ${value}`))) : "as the manifest says")));
    return [table("Policies", ["Version", "", "From", "Since", "Settings"], made), h("div", { class: "line end" }, back)];
  };
  await load(history, versions);
  return [panel("Settings", h("p", { class: "quiet" }, "They are tried on what was recorded in the last hour before they can be applied. No instance restarts."), form, result),
    panel("Policies until now", history)];
}

function now(name) {
  const it = functions.get(name);
  return it ? { policy: it.policy, "min-scale": String(it.min_scale), "max-scale": String(it.max_scale), concurrency: String(it.concurrency) } : {};
}

/** What was set in place of the manifest's settings. */
function inForce({ versions }) {
  const changes = versions.at(-1)?.changes ?? [];
  const scaling = changes.filter(([key]) => key.startsWith("scaling.") && KEYS.has(key.slice(8)));
  return Object.fromEntries(scaling.map(([key, value]) => [key.slice(8), value.replace(/^"|"$/g, "")]));
}

/** A number where it is one: settings are typed. */
function typed(text) {
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text === "true" ? true : text === "false" ? false : text;
}

async function replay(name, wanted, signal) {
  try {
    const found = await change("POST", of(name, "/simulate"), wanted, { signal });
    return found.counterfactual ?? found;
  } catch (error) {
    if (!error.absent) throw error;
    const text = Object.entries(wanted).map(([key, value]) => `${key}=${value}`).join(",");
    return (await get(of(name, "/explain"), { signal, query: { counterfactual: text } })).counterfactual;
  }
}

function compared({ changes, seconds, recorded, actual, changed }) {
  const measures = [
    ["Requests", "requests", count], ["that waited", "delayed", count], ["got no slot", "refused", count],
    ["Wait p50", "wait_p50_ms", time], ["Wait p99", "wait_p99_ms", time], ["Longest wait", "wait_max_ms", time],
    ["Starts", "starts", count], ["Instance time", "instance_seconds", span],
  ];
  const rows = measures.map(([text, key, show]) => {
    const [before, after] = [actual[key], changed[key]];
    const differs = before !== null && after !== null && Math.abs(after - before) > 1e-9;
    const better = differs && key !== "requests" ? (after < before ? "good" : "worse") : "";
    const percent = differs && before > 0 ? ` ${after > before ? "+" : "−"}${amount(Math.abs((100 * (after - before)) / before), 0)} %` : "";
    const sign = !differs ? "same" : `${after > before ? "▲" : "▼"} ${show(Math.abs(after - before))}${percent}`;
    return h("tr", null, h("th", { scope: "row" }, text), h("td", { class: "r" }, show(recorded[key])), h("td", { class: "r" }, show(before)), h("td", { class: "r" }, show(after)), h("td", { class: `r delta ${better}` }, sign));
  });
  return h("div", { class: "compared" }, h("h3", null, `The last ${span(seconds)} with ${changes}`),
    recorded.requests === 0 ? note("No request was recorded in that time, so the replay says little.") : null,
    table("The last hour under both settings", ["", ["Recorded", "r"], ["In force, replayed", "r"], ["With the change", "r"], ["Difference", "r"]], rows));
}
