// Making elements. Data enters the page as text nodes and attributes only, never as markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, props, children) {
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || (value === false && !key.startsWith("aria-"))) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "value" || key === "checked" || key === "selected") node[key] = value;
    else node.setAttribute(key, value === true && !key.startsWith("aria-") ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((it) => it !== null && it !== undefined && it !== false));
  return node;
}

/** An HTML element; properties that begin with `on` are listeners. */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** An SVG element. */
export function s(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

/** Sets a text only where it differs, so that nothing is laid out anew for nothing. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** A labelled field: the label stands above what is typed into. */
export function field(label, input, hint) {
  return h("label", { class: "field" }, h("span", null, label), input, hint && h("small", null, hint));
}

export function button(label, onclick, props) {
  return h("button", { type: "button", onclick, ...props }, label);
}

export function select(options, value, props) {
  const made = options.map((it) => {
    const [key, text] = Array.isArray(it) ? it : [it, it];
    return h("option", { value: key, selected: String(key) === String(value) }, text);
  });
  return h("select", props, made);
}

/** A table; `columns` are texts, or `[text, class, meaning]`. On a phone each row is a card, whose cells have their heads beside them. */
export function table(caption, columns, rows, props) {
  const heads = columns.map((it) => (Array.isArray(it) ? it : [it]));
  const body = h("tbody", { role: "rowgroup" }, rows);
  for (const row of body.rows) {
    row.setAttribute("role", "row");
    [...row.cells].forEach((cell, at) => {
      cell.setAttribute("role", cell.scope ? "rowheader" : "cell");
      if (heads[at]?.[0]) cell.dataset.head = heads[at][0];
    });
  }
  const head = heads.map(([text, kind, title]) => h("th", { scope: "col", role: "columnheader", class: kind, title }, text));
  return h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": caption },
    h("table", { role: "table", ...props }, h("caption", { class: "unseen" }, caption), h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, head)), body));
}

export function panel(title, ...children) {
  return h("section", { class: "panel" }, h("h2", null, title), children);
}

export function note(text, kind) {
  return h("p", { class: `note ${kind ?? ""}`, role: kind === "bad" ? "alert" : null }, text);
}

/** Tells what happened, for a moment; a failure stays until it is put away. */
export function toast(text, kind) {
  const place = document.getElementById("toasts");
  const put = button("✕", () => made.remove(), { class: "icon", "aria-label": "Close" });
  const made = h("div", { class: `toast ${kind ?? ""}` }, h("span", null, text), put);
  place.append(made);
  if (kind !== "bad") setTimeout(() => made.remove(), 5000);
  while (place.childElementCount > 4) place.firstElementChild.remove();
}

/** A modal dialog that is gone once it is closed. */
export function dialog(title, ...children) {
  const close = button("✕", () => made.close(), { class: "icon", "aria-label": "Close" });
  const made = h("dialog", { "aria-label": title }, h("header", null, h("h2", null, title), close), children);
  made.addEventListener("close", () => made.remove());
  document.body.append(made);
  made.showModal();
  return made;
}

/** Asks before something that cannot be taken back; true if it is wanted. */
export function ask(title, text, yes) {
  return new Promise((answer) => {
    let wanted = false;
    const go = () => { wanted = true; box.close(); };
    const box = dialog(title, h("p", null, text), h("footer", null,
      button("Cancel", () => box.close()), button(yes, go, { class: "danger", autofocus: true })));
    box.addEventListener("close", () => answer(wanted));
  });
}

/** Runs what a button is for: not twice at once, and a failure is told. */
export function busy(work) {
  return async (event) => {
    event?.preventDefault?.();
    const at = event?.submitter ?? event?.currentTarget;
    if (at?.getAttribute("aria-busy") === "true") return;
    at?.setAttribute("aria-busy", "true");
    try {
      await work(event);
    } catch (error) {
      if (error.name !== "AbortError") toast(error.message, "bad");
    } finally {
      at?.removeAttribute("aria-busy");
    }
  };
}

/** Fills `place` with what `make` comes to; with what is absent or wrong otherwise. */
export async function load(place, make) {
  try {
    place.replaceChildren(...[await make()].flat());
  } catch (error) {
    if (error.name === "AbortError") return;
    if (error.absent) place.replaceChildren(note("This gateway does not offer that: it is an older one."));
    else place.replaceChildren(note(error.message, error.kind === "not-published" ? "" : "bad"));
  }
}
