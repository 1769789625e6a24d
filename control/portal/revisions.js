// The revisions of a function, who gets which, their names, and what differs between two.

import { ask, button, busy, dialog, field, h, load, note, panel, select, table, toast } from "./dom.js";
import { ago, amount, bytes, moment } from "./format.js";
import { change, get, listOf, of, send } from "./api.js";
import { refresh } from "./feed.js";
import { canary } from "./canary.js";

export async function revisions(name, { signal, again }) {
  const [answer, traffic] = await Promise.all([
    get(of(name, "/revisions"), { signal }), get(of(name, "/traffic"), { signal }),
  ]);
  const list = listOf(answer, "revisions");
  const aliases = h("div");
  const moving = h("div");
  const warned = h("div");
  load(aliases, () => named(name, list, signal));
  load(moving, () => canary(name, list, signal, warned));
  const rollback = busy(async (event) => {
    const to = Number(event.currentTarget.dataset.to);
    if (!await ask("Roll back", `All requests to ${name} go to revision ${to}. Instances of the others finish what they have.`, "Roll back")) return;
    await change("POST", of(name, "/rollback"), { to }, { signal });
    toast(`Revision ${to} serves ${name}`);
    refresh();
    again();
  });
  const remove = busy(async () => {
    if (!await ask("Delete the function", `${name}, its revisions and settings are gone for good. Requests are answered 404 from then on.`, "Delete")) return;
    await change("DELETE", of(name), undefined, { signal });
    toast(`${name} is deleted`);
    refresh();
    location.hash = "#/";
  });
  const weight = new Map(traffic.weights.map((it) => [it.revision, it.percent]));
  const rows = list.map((it) => h("tr", { class: weight.get(it.number) ? "live" : "" },
    h("td", null, button(`r${it.number}`, busy(() => inside(name, it.number, signal)), { class: "link", title: "What is in it" })),
    h("td", { class: "r" }, weight.get(it.number) ? `${amount(weight.get(it.number), 1)} %` : "–"),
    h("td", { title: moment(it.created_ms) }, ago(it.created_ms)), h("td", null, it.created_by ?? "–"), h("td", { class: "message" }, it.message || "–"),
    h("td", null, h("code", { title: it.digest }, String(it.digest ?? "").replace("sha256:", "").slice(0, 12))),
    h("td", { class: "r actions" },
      button("Package", busy(() => download(name, it.number, signal)), { class: "link", disabled: Boolean(it.collected) }),
      weight.get(it.number) === 100 ? h("span", { class: "badge ok" }, "serves") : button("Roll back to this", rollback, { class: "link", "data-to": it.number, disabled: Boolean(it.collected) }))));
  return [
    panel("Traffic", warned, shares(name, list, traffic, signal, again)),
    panel("Revisions", table("Revisions", ["Revision", ["Traffic", "r"], "Published", "By", "Message", "Package", ["", "r"]], rows), differences(name, list, signal)),
    panel("Canary", moving),
    panel("Names", aliases),
    panel("End", h("p", { class: "line" }, h("span", { class: "quiet" }, "Deletes the function with all its revisions."), h("span", { class: "grow" }), button("Delete the function", remove, { class: "danger" }))),
  ];
}

/** The manifest, the settings and the files of a revision. */
async function inside(name, number, signal) {
  const it = await get(of(name, `/revisions/${number}`), { signal });
  const settings = Object.entries(it.settings).map(([key, value]) => `${key}=${value}`).join("\n");
  const files = it.files.map((file) => `${bytes(file.bytes).padStart(9)}  ${file.path}`).join("\n");
  dialog(`${name}, revision ${number}`, h("p", { class: "quiet" }, `${it.kind}, ${bytes(it.package_bytes)}, ${it.digest}`),
    h("h3", null, "function.toml"), h("pre", null, it.manifest), settings ? [h("h3", null, "Settings"), h("pre", null, settings)] : null,
    h("h3", null, "Files"), h("pre", null, files + (it.files_cut ? "\n…" : "") || "collected"));
}

async function download(name, number, signal) {
  const answer = await send("GET", of(name, `/revisions/${number}/package`), { signal });
  const url = URL.createObjectURL(await answer.blob());
  const kind = (answer.headers.get("content-type") ?? "").includes("zip") && !(answer.headers.get("content-type") ?? "").includes("gzip") ? "zip" : "tar.gz";
  h("a", { href: url, download: `${name}-r${number}.${kind}` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/** The sliders: what one gets more, the others get less, in proportion. */
function shares(name, list, traffic, signal, again) {
  const weights = new Map(traffic.weights.map((it) => [it.revision, it.percent]));
  const rows = new Map();
  const place = h("div", { class: "sliders" });
  const save = h("button", { type: "submit", class: "primary", disabled: true }, "Save");
  const changed = () => { save.disabled = false; };
  const draw = () => {
    for (const [number, row] of rows) {
      row.range.value = weights.get(number);
      row.number.value = round(weights.get(number));
      row.range.setAttribute("aria-valuetext", `${round(weights.get(number))} percent`);
    }
  };
  const set = (number, percent) => {
    const rest = [...weights.keys()].filter((it) => it !== number);
    if (!rest.length) percent = 100;
    const before = rest.reduce((all, it) => all + weights.get(it), 0);
    weights.set(number, percent);
    for (const it of rest) weights.set(it, before > 0 ? (weights.get(it) / before) * (100 - percent) : (100 - percent) / rest.length);
    changed();
    draw();
  };
  const add = (number) => {
    if (!weights.has(number)) weights.set(number, 0);
    const label = `Share of revision ${number} in percent`;
    const range = h("input", { type: "range", min: "0", max: "100", step: "1", "aria-label": label, oninput: () => set(number, Number(range.value)) });
    const exact = h("input", { type: "number", min: "0", max: "100", step: "0.1", "aria-label": `${label}, exactly`, onchange: () => set(number, Math.min(100, Math.max(0, Number(exact.value) || 0))) });
    rows.set(number, { range, number: exact });
    place.append(h("div", { class: "slider" }, h("b", null, `r${number}`), range, exact, h("span", { class: "quiet" }, "%")));
    draw();
  };
  [...weights.keys()].sort((a, b) => b - a).forEach(add);
  const more = select([["", "Add a revision…"], ...list.filter((it) => !it.collected).map((it) => [it.number, `r${it.number} ${it.message ?? ""}`.slice(0, 50)])], "", {
    "aria-label": "Add a revision", onchange: () => {
      if (more.value && !rows.has(Number(more.value))) add(Number(more.value));
      more.value = "";
    },
  });
  const kind = traffic.sticky ? Object.keys(traffic.sticky)[0] : "none";
  const sticky = select([["none", "each request by itself"], ["header", "by a header"], ["cookie", "by a cookie"]], kind, { onchange: () => { shown(); changed(); } });
  const key = h("input", { value: traffic.sticky ? traffic.sticky[kind] : "", oninput: changed, placeholder: "x-user or stoker-revision" });
  const mirror = select([["", "nobody"], ...list.filter((it) => !it.collected).map((it) => [it.number, `r${it.number}`])], traffic.mirror?.revision ?? "", { onchange: () => { shown(); changed(); } });
  const part = h("input", { type: "number", min: "0", max: "100", step: "0.1", value: traffic.mirror?.percent ?? 100, oninput: changed });
  const submit = busy(async () => {
    const shown = [...weights].map(([revision, percent]) => ({ revision, percent: round(percent) })).filter((it) => it.percent > 0);
    // What rounding left goes to the largest, so that it is 100 exactly.
    const largest = shown.reduce((a, b) => (b.percent > a.percent ? b : a));
    largest.percent = round(100 - shown.filter((it) => it !== largest).reduce((all, it) => all + it.percent, 0));
    await change("PUT", of(name, "/traffic"), {
      weights: shown,
      sticky: sticky.value === "none" ? null : { [sticky.value]: key.value.trim() },
      mirror: mirror.value === "" ? null : { revision: Number(mirror.value), percent: Number(part.value) },
    }, { signal });
    toast("The traffic is divided like that now");
    refresh();
    again();
  });
  const [named, copied] = [field("Name of the header or cookie", key), field("Percent of the requests", part)];
  // What means nothing without another choice is not there before it.
  const shown = () => {
    named.hidden = sticky.value === "none";
    key.required = !named.hidden;
    copied.hidden = mirror.value === "";
  };
  shown();
  return h("form", { onsubmit: submit }, place, h("div", { class: "line" }, field("Who stays with a revision", sticky), named, field("Copies go to", mirror), copied),
    h("div", { class: "line end" }, more, h("span", { class: "grow" }), save));
}

function round(percent) {
  return Math.round(percent * 10) / 10;
}

function differences(name, list, signal) {
  if (list.length < 2) return null;
  const options = list.map((it) => [it.number, `r${it.number}`]);
  const from = select(options, list[1].number);
  const to = select(options, list[0].number);
  const result = h("div");
  const show = busy(() => load(result, async () => told(await get(of(name, "/diff"), { signal, query: { from: from.value, to: to.value } }))));
  return h("form", { onsubmit: show }, h("div", { class: "line" }, field("From", from), field("To", to), h("button", { type: "submit" }, "Show what differs")), result);
}

/** Lines of texts with + and -, and names of files. */
function told(diff) {
  const { added, removed, changed } = diff.files;
  const files = [...removed.map((it) => `-${it}`), ...added.map((it) => `+${it}`), ...changed.map((it) => ` ${it} (other content)`)].join("\n");
  const parts = [["function.toml", diff.manifest], ["Settings", diff.settings], ["Files", files]].filter(([, text]) => text);
  return parts.length ? parts.flatMap(([title, text]) => [h("h3", null, title), patch(text)]) : note("They are the same.");
}

function patch(text) {
  return h("pre", { class: "diff" }, text.split("\n").map((it) => h("span", { class: it.startsWith("+") ? "plus" : it.startsWith("-") ? "minus" : "" }, `${it}\n`)));
}

async function named(name, list, signal) {
  const pairs = await get(of(name, "/aliases"), { signal });
  const place = h("div");
  const show = async () => place.replaceChildren(...await named(name, list, signal));
  const drop = (alias) => busy(async () => {
    await change("DELETE", of(name, `/aliases/${encodeURIComponent(alias)}`), undefined, { signal });
    await show();
  });
  const input = h("input", { name: "alias", required: true, pattern: "[a-z][a-z0-9\\-]{0,62}", placeholder: "stable", autocomplete: "off" });
  const revision = select(list.filter((it) => !it.collected).map((it) => [it.number, `r${it.number}`]), list[0]?.number);
  const add = busy(async () => {
    await change("PUT", of(name, `/aliases/${encodeURIComponent(input.value)}`), { revision: Number(revision.value) }, { signal });
    await show();
  });
  place.append(
    pairs.length ? table("Names of revisions", ["Name", "Revision", "Address", ["", "r"]], pairs.map(({ alias, revision: number }) => h("tr", null, h("td", null, h("b", null, alias)), h("td", null, `r${number}`),
      h("td", null, h("code", null, `/function/${name}:${alias}`)), h("td", { class: "r actions" }, button("Remove", drop(alias), { class: "link" })))))
      : h("p", { class: "quiet" }, "A name leads to one revision whatever the traffic is: /function/NAME:ALIAS."),
    h("form", { onsubmit: add }, h("div", { class: "line" }, field("Name", input), field("Revision", revision), h("button", { type: "submit" }, "Set the name"))));
  return [place];
}
