// Publishing by dropping a folder or an archive anywhere on the page.

import { button, busy, dialog, field, h, note, say, toast } from "./dom.js";
import { bytes, plural } from "./format.js";
import { of, send } from "./api.js";
import { refresh } from "./feed.js";
import { packed as kept } from "./ignore.js";
import { list, zip } from "./zip.js";

const MANIFEST = "function.toml";
const MOST_FILES = 20000;

/** Takes drops from now on. */
export function listen(published) {
  const cover = h("div", { class: "drop", hidden: true }, h("p", null, "Drop a folder or a zip to publish it"));
  document.body.append(cover);
  let depth = 0;
  const files = (event) => event.dataTransfer?.types.includes("Files");
  const end = () => {
    depth = 0;
    cover.hidden = true;
  };
  addEventListener("dragenter", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    depth += 1;
    cover.hidden = false;
  });
  addEventListener("dragleave", () => {
    depth -= 1;
    if (depth <= 0) end();
  });
  addEventListener("dragover", (event) => files(event) && event.preventDefault());
  addEventListener("drop", async (event) => {
    if (!files(event)) return;
    event.preventDefault();
    end();
    // The entries are gone once this handler has waited.
    const entries = [...event.dataTransfer.items].map((it) => it.webkitGetAsEntry()).filter(Boolean);
    try {
      publish(await dropped(entries), published);
    } catch (error) {
      toast(error.message, "bad");
    }
  });
}

/** The dialog, with what was dropped or with nothing yet. */
export function publish(source, published) {
  document.querySelector("dialog.publish")?.close();
  const what = h("div", { class: "source" });
  const name = h("input", { name: "name", required: true, pattern: "[a-z0-9]([a-z0-9._\\-]{0,62})", autocomplete: "off", spellcheck: "false", placeholder: "my-function" });
  const message = h("input", { name: "message", maxlength: "500", autocomplete: "off", placeholder: "what is new" });
  const traffic = h("input", { name: "traffic", type: "number", min: "0", max: "100", step: "0.1", value: "100" });
  const prove = h("input", { name: "prove", type: "checkbox", checked: true });
  const told = h("div", { "aria-live": "polite" });
  const go = h("button", { type: "submit", class: "primary", disabled: true }, "Publish");
  const folder = h("input", { type: "file", webkitdirectory: true, hidden: true, onchange: () => take(packed([tree(folder.files)])) });
  const archive = h("input", { type: "file", accept: ".zip,.tgz,.gz,application/zip,application/gzip", hidden: true, onchange: () => take(archived(archive.files[0])) });
  let ready = null;

  const take = async (promise) => {
    try {
      ready = await promise;
      name.value ||= ready.name;
      what.replaceChildren(h("p", null, h("b", null, ready.title), ` ${bytes(ready.size)}${ready.paths ? `, ${plural(ready.paths.length, "file")}` : ""}`),
        ready.left ? h("p", { class: "quiet" }, `.stokerignore leaves out ${plural(ready.left, "file or folder", "files and folders")}.`) : "",
        ready.paths ? h("details", null, h("summary", null, "Files"), h("pre", null, ready.paths.slice(0, 300).join("\n"))) : "",
        ready.warning ? note(ready.warning, "warn") : "");
      go.disabled = false;
    } catch (error) {
      what.replaceChildren(note(error.message, "bad"));
    }
  };
  const submit = busy(async () => {
    say(go, "Publishing…");
    told.replaceChildren(h("p", { class: "quiet" }, `Sending ${bytes(ready.size)}; it is checked${prove.checked ? ", started once" : ""} and then takes over.`));
    try {
      const answer = await send("PUT", of(name.value.trim()), { body: ready.body, type: ready.type, query: {
        message: message.value.trim(), traffic: Number(traffic.value) === 100 ? "all" : Number(traffic.value) === 0 ? "none" : traffic.value, prove: String(prove.checked),
      } });
      const revision = await answer.json();
      await refresh();
      toast([`${name.value.trim()} has revision ${revision.number}`, ...(revision.notes ?? [])].join("\n"));
      box.close();
      published(name.value.trim());
    } catch (error) {
      told.replaceChildren(note(error.absent ? "This gateway takes no packages: it is an older one." : error.message, "bad"));
    } finally {
      say(go, "Publish");
    }
  });
  const form = h("form", { onsubmit: submit }, h("div", { class: "line" }, button("Choose a folder", () => folder.click()), button("Choose an archive", () => archive.click()),
    h("span", { class: "quiet" }, "or drop it on the page"), folder, archive), what,
  h("div", { class: "line" }, field("Name", name), field("Message", message)),
  h("div", { class: "line" }, field("Traffic in percent", traffic), h("label", { class: "check" }, prove, " Start it once before it takes over")), told,
  h("footer", null, button("Cancel", () => box.close()), go));
  const box = dialog("Publish", form);
  box.classList.add("publish");
  if (source) take(source.archive ? archived(source.archive) : packed(source.entries));
  name.focus();
}

async function dropped(entries) {
  if (entries.length === 1 && entries[0].isFile) {
    const file = await new Promise((take, fail) => entries[0].file(take, fail));
    if (/\.(zip|tgz|gz)$/i.test(file.name)) return { archive: file };
  }
  return { entries: entries.map(node) };
}

/** What was dropped, as the rules of packing see it. */
function node(entry) {
  if (entry.isFile) return { name: entry.name, file: () => new Promise((take, fail) => entry.file(take, fail)) };
  const children = async () => {
    const reader = entry.createReader();
    const all = [];
    for (;;) {
      // It gives a hundred at a time.
      const some = await new Promise((take, fail) => reader.readEntries(take, fail));
      if (!some.length) return all;
      all.push(...some.map(node));
    }
  };
  return { name: entry.name, children };
}

/** The same of a folder that was chosen, of which there is a list of files. */
function tree(files) {
  const root = { folders: new Map(), nodes: [] };
  for (const file of files) {
    let at = root;
    const names = file.webkitRelativePath.split("/");
    for (const name of names.slice(0, -1)) {
      let below = at.folders.get(name);
      if (!below) {
        below = { folders: new Map(), nodes: [] };
        at.folders.set(name, below);
        const { nodes } = below;
        at.nodes.push({ name, children: async () => nodes });
      }
      at = below;
    }
    at.nodes.push({ name: names.at(-1), file: async () => file });
  }
  return root.nodes[0] ?? { name: "", children: async () => [] };
}

/** A package of a folder, or of files and folders that lie beside each other. */
async function packed(entries) {
  const top = entries.length === 1 && entries[0].children ? entries[0].name : "";
  const { files: inside, left } = await kept(top ? entries[0] : { children: async () => entries }, MOST_FILES);
  if (!inside.length) throw new Error(left ? "ignore files leave out all that is in that" : "there is no file in that");
  inside.sort((a, b) => (a.path < b.path ? -1 : 1));
  for (const it of inside) {
    // A browser does not tell modes: what begins as a program does is one.
    const head = new Uint8Array(await it.file.slice(0, 4).arrayBuffer());
    it.mode = (head[0] === 35 && head[1] === 33) || (head[0] === 127 && head[1] === 69) ? 0o755 : 0o644;
  }
  const body = await zip(inside);
  const manifest = inside.find((it) => it.path === MANIFEST);
  return { title: top || "Files", type: "application/zip", body, size: body.size, left, paths: inside.map((it) => it.path), ...await about(manifest && manifest.file.text(), top) };
}

async function archived(file) {
  if (!/\.zip$/i.test(file.name)) return { title: file.name, type: "application/gzip", body: file, size: file.size, name: plain(file.name) };
  const found = await list(file);
  const manifest = found.find((it) => it.path === MANIFEST) ?? found.find((it) => it.path.split("/").length === 2 && it.path.endsWith(`/${MANIFEST}`));
  return { title: file.name, type: "application/zip", body: file, size: file.size, paths: found.map((it) => it.path), ...await about(manifest?.text(), file.name) };
}

/** The function's name, as its manifest has it or else the file. */
async function about(text, fallback) {
  if (text === undefined) return { name: plain(fallback), warning: `There is no ${MANIFEST} at its top: the gateway will refuse it.` };
  const before = (await text).split(/^\s*\[/m)[0];
  return { name: /^\s*name\s*=\s*["']([^"']+)["']/m.exec(before)?.[1] ?? plain(fallback) };
}

function plain(name) {
  return name.toLowerCase().replace(/\.(zip|tgz|tar\.gz|gz)$/, "").replace(/[^a-z0-9-]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 63);
}
