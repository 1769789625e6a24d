// Who changed what.

import { button, h, load, note, panel, table } from "./dom.js";
import { moment } from "./format.js";
import { get, listOf } from "./api.js";

const SHOWN = 500;

export function view(root, { signal }) {
  const place = h("div");
  const filter = h("input", { type: "search", placeholder: "Show changes with…", "aria-label": "Show changes with" });
  filter.addEventListener("input", () => {
    for (const row of place.querySelectorAll("tbody tr")) row.hidden = !row.textContent.toLowerCase().includes(filter.value.toLowerCase());
  });
  const show = () => load(place, async () => {
    const list = listOf(await get("/v1/audit", { signal, query: { limit: SHOWN } }), "entries");
    if (!list.length) return note("Nothing was changed by the API yet.");
    const rows = list.slice().sort((a, b) => b.at_ms - a.at_ms).map((it) => h("tr", null,
      h("td", null, moment(it.at_ms)), h("td", null, h("b", null, it.who)), h("td", null, it.role || "–"), h("td", { class: "call" }, h("code", null, it.method ? `${it.method} ${it.path}` : "–")),
      h("td", null, h("span", { class: `badge ${it.status < 400 ? "ok" : "bad"}` }, it.status)), h("td", { class: "message" }, it.what ?? "")));
    return table("Audit", ["When", "Who", "Role", "Call", "Status", "What"], rows);
  });
  root.replaceChildren(h("div", { class: "function" }, h("div", { class: "title" }, h("h1", null, "Audit")),
    h("div", { class: "content" }, panel(["Changes", h("span", { class: "grow" }), filter, button("Look again", show)], place))));
  show();
  return { title: "Audit", keys: { "/": () => filter.focus() } };
}
