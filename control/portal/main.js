// The page: which view is shown, keys, theme, and the token.

import { dialog, field, h, note, say } from "./dom.js";
import { events, get, hasToken, setToken } from "./api.js";
import { feed, start, state } from "./feed.js";
import * as functions from "./functions.js";
import * as oneFunction from "./function.js";
import * as usage from "./usage.js";
import * as audit from "./audit.js";
import { listen, publish } from "./publish.js";

const main = document.getElementById("main");
const standing = document.getElementById("standing");
const theme = document.getElementById("theme");
const leave = document.getElementById("leave");
const THEMES = { auto: ["◐", "follow the system"], light: ["☀", "light"], dark: ["☾", "dark"] };

let current = { keys: {} };
let closing = null;
let started = false;

function open(name, tab) {
  location.hash = `#/f/${encodeURIComponent(name)}${tab && tab !== "overview" ? `/${tab}` : ""}`;
}

/** Shows what the address says. */
function route(focusTab) {
  closing?.abort();
  closing = new AbortController();
  const parts = location.hash.replace(/^#\/?/, "").split("/").map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  const context = { signal: closing.signal, open, focusTab: focusTab === true };
  context.go = (name, tab) => {
    const before = location.hash;
    open(name, tab);
    if (location.hash === before) route();
  };
  const page = { f: "functions", usage: "usage", audit: "audit" }[parts[0]] ?? "functions";
  if (parts[0] === "f" && parts[1]) current = oneFunction.view(main, { ...context, name: parts[1], tab: parts[2] });
  else current = { usage, audit, functions }[page].view(main, context);
  document.title = `${current.title} · Stoker`;
  for (const it of document.querySelectorAll("[data-page]")) {
    if (it.dataset.page === page) it.setAttribute("aria-current", "page");
    else it.removeAttribute("aria-current");
  }
}

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  const [mark, text] = THEMES[name];
  say(theme, mark);
  theme.setAttribute("aria-label", `Theme: ${text}`);
  theme.title = `Theme: ${text}`;
  localStorage.setItem("stoker-theme", name);
}

function nextTheme() {
  const names = Object.keys(THEMES);
  setTheme(names[(names.indexOf(document.documentElement.dataset.theme) + 1) % names.length]);
}

const HELP = [
  ["/", "search"], ["j k ↑ ↓", "next, former function"], ["Enter", "open it"], ["Esc", "back, or close"], ["1 … 7", "part of a function"],
  ["[ ]", "former, next part"], ["p", "publish"], ["g f", "functions"], ["g u", "usage"], ["g a", "audit"], ["t", "theme"], ["?", "this"],
];

function help() {
  if (document.querySelector("dialog[open]")) return;
  dialog("Keys", h("dl", { class: "keyhelp" }, HELP.map(([keys, what]) => [h("dt", null, keys.split(" ").map((key) => h("kbd", null, key))), h("dd", null, what)])));
}

const GO = { f: "#/", u: "#/usage", a: "#/audit" };
let going = false;

function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || document.querySelector("dialog[open]")) return;
  const at = event.target;
  const typing = at.matches("input:not([type=checkbox]):not([type=range]), textarea, select");
  if (typing && event.key === "Escape") {
    at.blur();
    if (at.type !== "search") return;
  } else if (typing) return;
  // A focused button or link means itself by Enter.
  if (event.key === "Enter" && at.matches("a, button, summary")) return;
  if (event.key.startsWith("Arrow") && at.matches("input, [role=tab], .wide, .log")) return;
  const shared = { "?": help, t: nextTheme, p: () => publish(null, (name) => open(name)) };
  const chosen = going && GO[event.key] ? () => { location.hash = GO[event.key]; } : current.keys[event.key] ?? shared[event.key];
  going = event.key === "g";
  if (!chosen) return;
  event.preventDefault();
  chosen();
}

let askingToken = false;

/** Asks for the token until one is right. */
function login(wrong) {
  if (askingToken) return;
  askingToken = true;
  const input = h("input", { type: "password", name: "token", autocomplete: "off", "aria-describedby": "token-hint" });
  const told = h("div", { "aria-live": "assertive" }, wrong ? note(wrong, "bad") : "");
  const enter = async (event) => {
    event.preventDefault();
    setToken(input.value.trim() || null);
    try {
      await get("/v1/gateway");
      askingToken = false;
      begin();
    } catch (error) {
      setToken(null);
      told.replaceChildren(note(error.status === 401 ? "That is not a token of this gateway." : error.message, "bad"));
    }
  };
  main.replaceChildren(h("form", { class: "login panel", onsubmit: enter }, h("h1", null, "Stoker"), field("Token", input),
    h("p", { class: "quiet", id: "token-hint" }, "One of [admin] in the gateway’s file. It stays in this tab and is forgotten with it. Through the gateway’s Unix socket none is needed."), told,
    h("button", { type: "submit", class: "primary" }, "Open")));
  current = { title: "Stoker", keys: {} };
  input.focus();
}

function begin() {
  leave.hidden = !hasToken();
  if (started) {
    route();
    start();
    return;
  }
  started = true;
  listen((name) => open(name));
  addEventListener("hashchange", () => route(document.activeElement?.getAttribute("role") === "tab"));
  route();
  start();
}

feed.addEventListener("change", () => {
  say(standing, state.error === null ? "live" : state.error === "token" ? "no token" : "no connection");
  standing.className = `standing ${state.error === null ? "ok" : "bad"}`;
  standing.title = state.error ?? "Connected to the gateway";
});
events.addEventListener("token", () => {
  setToken(null);
  closing?.abort();
  login(started ? "The token is not valid any more." : null);
});
theme.addEventListener("click", nextTheme);
leave.addEventListener("click", () => {
  setToken(null);
  location.reload();
});
document.getElementById("help").addEventListener("click", help);
document.getElementById("publish").addEventListener("click", () => publish(null, (name) => open(name)));
addEventListener("keydown", key);
setTheme(localStorage.getItem("stoker-theme") in THEMES ? localStorage.getItem("stoker-theme") : "auto");

if (hasToken()) begin();
else login();
