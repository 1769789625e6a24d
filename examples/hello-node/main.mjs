// Greets, in JSON. Node's own modules only.

import { createServer } from "node:http";

const server = createServer((request, response) => {
  let url;
  try {
    url = new URL(request.url, "http://localhost");
  } catch {
    response.writeHead(400).end();
    return;
  }
  const name = url.searchParams.get("name") ?? "world";
  const body = JSON.stringify({ message: `Hello, ${name}!`, pid: process.pid }) + "\n";
  response.writeHead(200, {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(body),
  });
  response.end(body);
});

// The gateway decides how long a connection stays. By default Node closes it after 5 idle seconds,
// perhaps just when the next request arrives.
server.keepAliveTimeout = 0;

// Requests in flight are finished, then the program ends.
process.on("SIGTERM", () => {
  server.close();
  server.closeIdleConnections();
});

server.listen(Number(process.env.PORT), "127.0.0.1");
