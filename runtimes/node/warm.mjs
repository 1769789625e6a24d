// Requests to ourselves in memory, so that the first real one finds everything loaded and compiled.

import { Duplex } from "node:stream";

import { createServer } from "./server.mjs";

const ROUNDS = 3;
const REQUEST =
  "POST /warm?a=b HTTP/1.1\r\nhost: stoker\r\nx-forwarded-proto: http\r\n" +
  "content-type: text/plain\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";

/// Serves some requests with handlers of our own.
export async function warm() {
  await import("./warm.cjs");
  const handlers = [
    { interface: "listener", target: listen },
    { interface: "fetch", target: fetchLike },
  ];
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const handler of handlers) await ask(createServer(handler));
  }
}

function listen(request, response) {
  request.resume();
  response.writeHead(200, { "content-type": "text/plain" });
  response.end("warm");
}

async function fetchLike(request) {
  return new Response(await request.text());
}

/// One request through a pair of streams in memory.
function ask(server) {
  return new Promise((resolve) => {
    const socket = new Duplex({
      read() {},
      write(_chunk, _encoding, done) {
        done();
      },
      final(done) {
        done();
        resolve();
      },
    });
    socket.once("close", resolve);
    server.emit("connection", socket);
    socket.push(REQUEST);
  });
}
