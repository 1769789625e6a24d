// The HTTP server of an instance: Node's own, with the limits that fit behind the gateway.

import http from "node:http";

import { answerFetch } from "./fetch.mjs";

// More than the gateway lets through: its `header-bytes` is at most 1 MiB, to which it adds its own.
const MAX_HEAD_BYTES = 1024 * 1024 + 64 * 1024;
const OPTIONS = {
  maxHeaderSize: MAX_HEAD_BYTES,
  // The gateway decides how long a request may take and how long a connection stays: by default
  // Node would close it after five idle seconds, perhaps just when the next request arrives.
  requestTimeout: 0,
  keepAliveTimeout: 0,
};

/// A server that calls `handler`, as `load` returned it.
export function createServer(handler) {
  const answer = handler.interface === "fetch" ? answerFetch : answerListener;
  const server = http.createServer(OPTIONS, (request, response) => {
    if (server.ending) response.shouldKeepAlive = false;
    response.once("close", () => server.ending && setImmediate(() => server.closeIdleConnections()));
    answer(handler.target, request, response).catch((error) => fail(error, response));
  });
  server.ending = false;
  if (handler.upgrade) server.on("upgrade", handler.upgrade);
  return server;
}

async function answerListener(listener, request, response) {
  await listener(request, response);
}

/// Answers 500 if nothing was sent, else breaks the connection off, so that nobody takes half an
/// answer for a whole one.
function fail(error, response) {
  console.error(error);
  if (response.headersSent) {
    response.destroy();
    return;
  }
  for (const name of response.getHeaderNames()) response.removeHeader(name);
  response.statusMessage = "";
  const body = "the function failed\n";
  response.writeHead(500, {
    "content-type": "text/plain; charset=utf-8",
    "content-length": body.length,
    connection: "close",
  });
  response.end(body);
}
