// Settings and secrets, apart from the code.

import { ask, button, busy, field, h, load, note, panel, select, table, toast } from "./dom.js";
import { ago } from "./format.js";
import { change, get, of } from "./api.js";
import { refresh } from "./feed.js";

export async function settings(name, { signal }) {
  const plain = h("div");
  const secret = h("div");
  load(plain, () => values(name, signal));
  load(secret, () => secrets(name, signal));
  return [panel("Settings", plain), panel("Secrets", secret)];
}

async function values(name, signal) {
  const pairs = Object.entries(await get(of(name, "/settings"), { signal }));
  const rows = h("div", { class: "pairs" });
  const add = (key = "", value = "") => {
    const row = h("div", { class: "pair" }, h("input", { value: key, placeholder: "KEY", "aria-label": "Key", spellcheck: "false", class: "mono" }),
      h("input", { value, placeholder: "value", "aria-label": `Value of ${key || "the new setting"}`, spellcheck: "false", class: "mono" }),
      button("✕", () => row.remove(), { class: "icon", "aria-label": `Remove ${key || "this setting"}` }));
    rows.append(row);
    return row;
  };
  pairs.forEach(([key, value]) => add(key, value));
  const save = busy(async () => {
    const wanted = {};
    for (const row of rows.children) {
      const [key, value] = [...row.querySelectorAll("input")].map((it) => it.value);
      if (key.trim()) wanted[key.trim()] = value;
    }
    await change("PUT", of(name, "/settings"), wanted, { signal });
    toast("The settings are saved: a new revision starts with them");
    refresh();
  });
  return h("form", { onsubmit: save }, h("p", { class: "quiet" }, "Given to instances as environment. A change makes a new revision with the same package."), rows,
    h("div", { class: "line end" }, button("Add", () => add().querySelector("input").focus()), h("span", { class: "grow" }), h("button", { type: "submit", class: "primary" }, "Save")));
}

async function secrets(name, signal) {
  const list = await get(of(name, "/secrets"), { signal });
  const place = h("div");
  const show = async () => place.replaceChildren(...[await secrets(name, signal)]);
  const drop = (key) => busy(async () => {
    if (!await ask("Delete the secret", `${key} is not given to instances from then on.`, "Delete")) return;
    await change("DELETE", of(name, `/secrets/${encodeURIComponent(key)}`), undefined, { signal });
    await show();
  });
  const key = h("input", { name: "key", required: true, autocomplete: "off", spellcheck: "false", class: "mono", placeholder: "KEY" });
  const value = h("input", { name: "value", type: "password", required: true, autocomplete: "new-password" });
  const as = select([["environment", "environment"], ["file", "file"]], "environment");
  const set = busy(async () => {
    await change("PUT", of(name, `/secrets/${encodeURIComponent(key.value)}`), { value: value.value, as: as.value }, { signal });
    toast(`${key.value} is set`);
    await show();
  });
  place.append(h("p", { class: "quiet" }, "Given to instances too, encrypted at rest; nothing shows a value again. One that is set again gets a new version, and new instances have it."), list.length ? table("Secrets", ["Key", "Given as", ["Version", "r"], "Changed", ["", "r"]], list.map((it) => h("tr", null, h("td", null, h("code", null, it.key)), h("td", null, it.as),
    h("td", { class: "r" }, it.version), h("td", null, `${ago(it.updated_ms)} by ${it.updated_by ?? "–"}`), h("td", { class: "r actions" }, button("Delete", drop(it.key), { class: "link" })))))
    : h("p", { class: "quiet" }, "There is none."),
  h("form", { onsubmit: set }, h("div", { class: "line" }, field("Key", key), field("Value", value), field("Given as", as), h("button", { type: "submit" }, "Set the secret"))));
  return place;
}
