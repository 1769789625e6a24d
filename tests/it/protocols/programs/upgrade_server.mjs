// A function that switches to a protocol of its own: it speaks first, right behind the 101, and
// then says everything back until the other side ends.

import { createServer } from "node:http";

const server = createServer((request, response) => {
  response.writeHead(426, { Connection: "upgrade", Upgrade: "own" }).end("own only\n");
});
server.on("upgrade", (request, socket, head) => {
  const lines = ["HTTP/1.1 101 Switching", "Connection: upgrade", `Upgrade: ${request.headers.upgrade}`];
  socket.on("error", () => {});
  socket.allowHalfOpen = true;
  socket.write(lines.join("\r\n") + "\r\n\r\nfirst words|");
  socket.write(head);
  socket.on("data", (data) => socket.write(data));
  socket.on("end", () => socket.end("|last words"));
});
process.on("SIGTERM", () => process.exit(0));
server.listen(process.env.STOKER_SOCKET ?? { port: process.env.PORT, host: "127.0.0.1" });
