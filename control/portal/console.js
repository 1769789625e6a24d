// The test console: a request through the gateway, and where its time went, cold and warm.

import { busy, button, field, h, load, note, panel, select } from "./dom.js";
import { bytes, time } from "./format.js";
import { change, of } from "./api.js";
import { lanes } from "./charts.js";
import { refresh } from "./feed.js";

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
/** Calls that are shown beside each other. */
const SHOWN = 6;
const BODY_SHOWN = 100_000;

/** What was typed, for each function, until the page is closed. */
const drafts = new Map();

export async function testConsole(name, { signal }) {
  const draft = drafts.get(name) ?? { method: "GET", path: "/", headers: "", body: "" };
  drafts.set(name, draft);
  const keep = (key) => (event) => { draft[key] = event.target.value; };
  const method = select(METHODS, draft.method, { onchange: keep("method"), name: "method" });
  const path = h("input", { value: draft.path, oninput: keep("path"), name: "path", spellcheck: "false", autocomplete: "off" });
  const headers = h("textarea", { rows: "4", value: draft.headers, oninput: keep("headers"), name: "headers", spellcheck: "false", placeholder: "content-type: application/json" });
  const body = h("textarea", { rows: "4", value: draft.body, oninput: keep("body"), name: "body", spellcheck: "false" });
  const cold = h("input", { type: "checkbox", name: "cold" });
  const answers = h("ol", { class: "answers", "aria-live": "polite" });
  const calls = [];

  const call = async (isCold) => {
    const pending = h("p", { class: "quiet" }, isCold ? "Evicting, then calling…" : "Calling…");
    answers.prepend(h("li", null, pending));
    try {
      if (isCold) await change("POST", of(name, "/evict"), undefined, { signal });
      const sent = performance.now();
      const answer = await change("POST", of(name, "/invoke"), {
        method: draft.method, path: draft.path || "/", headers: parse(draft.headers),
        ...(draft.body && !["GET", "HEAD"].includes(draft.method) ? { body: draft.body } : {}),
      }, { signal });
      calls.unshift({ answer, cold: isCold, seen: performance.now() - sent });
      calls.length = Math.min(calls.length, SHOWN);
      show();
    } catch (error) {
      if (error.name === "AbortError") return;
      load(answers.firstElementChild, () => { throw error; });
    }
    refresh();
  };
  const show = () => {
    const longest = Math.max(...calls.map((it) => total(it.answer)));
    answers.replaceChildren(...calls.map((it, index) => shown(it, longest, index === 0)));
  };
  const form = h("form", { class: "console", onsubmit: busy(() => call(cold.checked)) },
    h("div", { class: "line" }, field("Method", method), field("Path below the function", path)),
    h("div", { class: "columns" }, field("Headers, one per line", headers), field("Body (not with GET or HEAD)", body)),
    h("div", { class: "line end" },
      h("label", { class: "check" }, cold, " Evict first, for a cold start"),
      button("Cold, then warm", busy(async () => { await call(true); await call(false); }), { title: "Evicts, calls, and calls again: the two are shown over the same time" }),
      h("button", { type: "submit", class: "primary" }, "Send")));
  return [panel("Call it", form), panel("Answers", answers)];
}

function parse(text) {
  const pairs = text.split("\n").map((line) => line.trim()).filter(Boolean).map((line) => {
    const at = line.indexOf(":");
    if (at < 1) throw new Error(`a header is “name: value”, not “${line}”`);
    return [line.slice(0, at).trim(), line.slice(at + 1).trim()];
  });
  return pairs;
}

function total(answer) {
  return answer.phases?.find((it) => it.name === "total")?.ms ?? answer.elapsed_ms ?? 0;
}

function shown({ answer, cold, seen }, longest, open) {
  const wasCold = answer.phases?.some((it) => it.name === "start");
  const good = answer.status < 400;
  const text = answer.body ?? (answer.body_base64 ? `(binary, base64)\n${answer.body_base64}` : "");
  const size = answer.body_base64 ? Math.floor(answer.body_base64.length * 0.75) : new TextEncoder().encode(text).length;
  return h("li", null,
    h("p", null, h("b", { class: `status ${good ? "ok" : "bad"}` }, String(answer.status)), " ",
      h("span", { class: `badge ${wasCold ? "cold" : ""}` }, wasCold ? "cold" : "warm"),
      ` ${time(total(answer))} in the gateway · ${time(seen)} seen here · ${bytes(size)}${answer.truncated ? " (cut)" : ""}`),
    answer.phases?.length ? lanes(answer.phases, longest) : note("This answer has no phases."),
    cold && !wasCold ? h("p", { class: "quiet" }, "It was warm although the instances were evicted: by then another request, or the policy, had started one.") : null,
    h("details", { open }, h("summary", null, "Body"), h("pre", { class: "body" }, pretty(text).slice(0, BODY_SHOWN) || "(empty)")),
    h("details", null, h("summary", null, `Headers (${(answer.headers ?? []).length})`),
      h("pre", null, (answer.headers ?? []).map(([key, value]) => `${key}: ${value}`).join("\n"))));
}

function pretty(text) {
  if (!/^\s*[[{]/.test(text) || text.length > BODY_SHOWN) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
