// Trailers over HTTP/1.1, both ways.

import { createServer } from "node:http";

const server = createServer((request, response) => {
  let body = "";
  request.setEncoding("utf8").on("data", (data) => (body += data));
  request.on("end", () => {
    if (request.url.endsWith("/undeclared")) {
      response.writeHead(200, { "Content-Type": "text/plain" });
      response.write("the body\n");
      response.addTrailers({ "X-Sum": "abc" });
      return response.end();
    }
    const { headers, trailers } = request;
    const text = JSON.stringify({ headers, trailers, body }) + "\n";
    const names = "X-Sum, Content-Type, Stoker-Origin, X-Forwarded-For, Authorization";
    response.writeHead(200, { "Content-Type": "application/json", Trailer: names });
    response.write(text);
    response.addTrailers({
      "X-Sum": "abc",
      "Content-Type": "x/y",
      "Stoker-Origin": "me",
      "X-Forwarded-For": "192.0.2.1",
      Authorization: "none",
    });
    response.end();
  });
});
server.keepAliveTimeout = 0;
process.on("SIGTERM", () => process.exit(0));
server.listen(process.env.STOKER_SOCKET ?? { port: process.env.PORT, host: "127.0.0.1" });
