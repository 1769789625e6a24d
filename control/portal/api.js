// Speaking with the admin API. The token is in the header of each request and nowhere else: no
// cookie, so no other site can have the browser present it.

const KEY = "stoker-token";
let token = sessionStorage.getItem(KEY);

/** What the server said is wrong. */
export class Problem extends Error {
  constructor(status, document) {
    const lines = [document.detail ?? document.title ?? `the gateway answered ${status}`, ...(document.errors ?? [])];
    super(lines.join("\n"));
    this.name = "Problem";
    this.status = status;
    this.kind = String(document.type ?? "").replace("urn:stoker:problem:", "");
    this.errors = document.errors ?? [];
    /** The server has no such route, as an older one. */
    this.absent = status === 405 || (status === 404 && (this.kind === "not-found" || this.kind === ""));
  }
}

/** Who is told when a token is needed. */
export const events = new EventTarget();

export function hasToken() {
  return token !== null;
}

export function setToken(text) {
  token = text;
  if (text === null) sessionStorage.removeItem(KEY);
  else sessionStorage.setItem(KEY, text);
}

/** A path below a function. */
export function of(name, rest = "") {
  return `/v1/functions/${encodeURIComponent(name)}${rest}`;
}

/** The answer, if it is a good one. */
export async function send(method, path, { json, body, type, signal, query } = {}) {
  const headers = new Headers();
  if (token !== null) headers.set("authorization", `Bearer ${token}`);
  if (json !== undefined) headers.set("content-type", "application/json");
  else if (type) headers.set("content-type", type);
  const entries = Object.entries(query ?? {}).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const search = entries.length ? `?${new URLSearchParams(entries)}` : "";
  const answer = await fetch(path + search, {
    method, headers, signal, cache: "no-store", credentials: "omit", redirect: "error",
    body: json !== undefined ? JSON.stringify(json) : body,
  });
  if (answer.ok) return answer;
  let document = {};
  try {
    document = await answer.json();
  } catch {
    // Not a problem document: the status alone has to do.
  }
  if (answer.status === 401) events.dispatchEvent(new Event("token"));
  throw new Problem(answer.status, document);
}

export async function get(path, options) {
  return (await send("GET", path, options)).json();
}

/** The answer's JSON, or null if it has none. */
export async function change(method, path, json, options) {
  const answer = await send(method, path, { json, ...options });
  const text = await answer.text();
  return text ? JSON.parse(text) : null;
}

/** The lines of a stream of JSON, as they come; they come in batches. */
export async function* lines(path, options) {
  const answer = await send("GET", path, options);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    if (parts.length) yield parts.filter(Boolean).map((line) => JSON.parse(line));
  }
}

/** A list that is the answer itself or one of its fields. */
export function listOf(answer, name) {
  return Array.isArray(answer) ? answer : answer?.[name] ?? [];
}
