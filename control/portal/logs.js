// The log as it is written.

import { button, h, note, say } from "./dom.js";
import { lines, of } from "./api.js";

const KEPT = 2000;
const AGAIN_MS = 2000;

export async function logs(name, { signal }) {
  const output = h("div", { class: "log", role: "log", tabindex: "0", "aria-label": `Log of ${name}`, "aria-live": "off" });
  const standing = h("span", { class: "quiet", role: "status" }, "connecting");
  const filter = h("input", { type: "search", placeholder: "Show lines with…", "aria-label": "Show lines with" });
  const follow = h("input", { type: "checkbox", checked: true });
  const wrap = h("input", { type: "checkbox", checked: true, onchange: () => output.classList.toggle("nowrap", !wrap.checked) });
  const empty = h("p", { class: "quiet pad" }, "Nothing was written yet.");
  output.append(empty);

  const visible = (node) => !filter.value || node.textContent.toLowerCase().includes(filter.value.toLowerCase());
  filter.addEventListener("input", () => {
    for (const node of output.children) node.hidden = node !== empty && !visible(node);
  });
  // Whoever scrolls up reads; at the end again it goes on.
  output.addEventListener("scroll", () => {
    follow.checked = output.scrollTop + output.clientHeight >= output.scrollHeight - 24;
  }, { passive: true });
  const append = (batch) => {
    empty.remove();
    const made = batch.slice(-KEPT).map((it) => {
      const node = h("div", { class: it.stream }, h("time", { datetime: it.time }, String(it.time).slice(11, 23)), " ",
        h("span", { class: "from" }, it.instance ?? (it.stream === "sys" ? "gateway" : "")), " ", it.text);
      node.hidden = !visible(node);
      return node;
    });
    output.append(...made);
    while (output.childElementCount > KEPT) output.firstElementChild.remove();
    if (follow.checked) output.scrollTop = output.scrollHeight;
  };
  const read = async () => {
    let first = true;
    while (!signal.aborted) {
      try {
        say(standing, "live");
        for await (const batch of lines(of(name, "/logs"), { signal, query: { follow: "true", lines: first ? 500 : 0 } })) {
          append(batch);
          first = false;
        }
        say(standing, "the gateway closed the stream; connecting again");
      } catch (error) {
        if (error.name === "AbortError") return;
        if (error.status && error.status !== 503) {
          output.append(note(error.message, "bad"));
          return;
        }
        say(standing, `${error.message}; trying again`);
      }
      await new Promise((wake) => setTimeout(wake, AGAIN_MS));
    }
  };
  read();
  return h("section", { class: "panel" }, h("div", { class: "tools" }, h("h2", null, "Log"), filter,
    h("label", { class: "check" }, follow, " Follow"), h("label", { class: "check" }, wrap, " Wrap"),
    button("Clear", () => output.replaceChildren()), standing), output);
}
