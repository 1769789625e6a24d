// Fetch-style handlers: a Request in, a Response out, both streaming.

import { Readable } from "node:stream";

// Of the connection, and so the server's.
const OURS = new Set(["connection", "keep-alive", "transfer-encoding", "upgrade", "proxy-connection"]);
// What `Request` refuses to be (Fetch standard, "forbidden method").
const FORBIDDEN = new Set(["CONNECT", "TRACE", "TRACK"]);

/// Calls `handler` with the request, and sends the response that it returns.
export async function answerFetch(handler, incoming, outgoing) {
  if (FORBIDDEN.has(incoming.method)) {
    return refuse(outgoing, 405, `the method ${incoming.method} is not allowed`);
  }
  const url = urlOf(incoming);
  if (url === null) return refuse(outgoing, 400, "the target or the host is no part of a URL");
  const aborter = new AbortController();
  outgoing.once("close", () => {
    if (!outgoing.writableFinished) aborter.abort();
  });
  const response = await handler(requestOf(incoming, url, aborter.signal));
  if (typeof response?.status !== "number" || typeof response?.headers?.entries !== "function") {
    throw new TypeError(
      `the handler returned ${describe(response)}, not a Response; if it takes (request, response), ` +
        'say so with the setting interface = "listener"',
    );
  }
  await send(response, outgoing);
}

function urlOf(incoming) {
  const scheme = incoming.headers["x-forwarded-proto"] === "https" ? "https" : "http";
  const target = incoming.url.startsWith("/")
    ? `${scheme}://${incoming.headers.host || "localhost"}${incoming.url}`
    : incoming.url;
  try {
    return new URL(target);
  } catch {
    return null;
  }
}

function requestOf(incoming, url, signal) {
  const headers = new Headers();
  const raw = incoming.rawHeaders;
  for (let at = 0; at < raw.length; at += 2) headers.append(raw[at], raw[at + 1]);
  const bodiless = incoming.method === "GET" || incoming.method === "HEAD";
  const body = bodiless ? undefined : Readable.toWeb(incoming);
  return new Request(url, { method: incoming.method, headers, body, duplex: "half", signal });
}

async function send(response, outgoing) {
  outgoing.statusCode = response.status;
  if (response.statusText) outgoing.statusMessage = response.statusText;
  for (const [name, value] of response.headers.entries()) {
    if (!OURS.has(name) && name !== "set-cookie") outgoing.setHeader(name, value);
  }
  const cookies = response.headers.getSetCookie?.() ?? [];
  if (cookies.length > 0) outgoing.setHeader("set-cookie", cookies);
  if (response.body === null || response.body === undefined) {
    outgoing.end();
    return;
  }
  const reader = response.body.getReader();
  outgoing.once("close", () => reader.cancel().catch(() => {}));
  try {
    await pump(reader, outgoing);
  } finally {
    reader.releaseLock();
  }
}

async function pump(reader, outgoing) {
  const first = await reader.read();
  if (first.done) return void outgoing.end();
  // If the body's end is here already, the length is known.
  let next = reader.read();
  const turn = new Promise((resolve) => setImmediate(resolve, null));
  if ((await Promise.race([next, turn]))?.done) {
    if (!outgoing.hasHeader("content-length")) {
      outgoing.setHeader("content-length", first.value.byteLength);
    }
    outgoing.end(first.value);
    return;
  }
  for (let part = first; !part.done; part = await next, next = part.done ? null : reader.read()) {
    if (outgoing.destroyed) return;
    if (!outgoing.write(part.value)) await drained(outgoing);
  }
  outgoing.end();
}

/// Resolves when more may be written, or never will be.
function drained(outgoing) {
  return new Promise((resolve) => {
    const done = () => {
      outgoing.off("drain", done);
      outgoing.off("close", done);
      resolve();
    };
    outgoing.on("drain", done);
    outgoing.on("close", done);
  });
}

function refuse(outgoing, status, text) {
  outgoing.writeHead(status, { "content-type": "text/plain; charset=utf-8", connection: "close" });
  outgoing.end(`${text}\n`);
}

function describe(value) {
  return value === null ? "null" : typeof value === "object" ? value.constructor?.name : typeof value;
}
