// A function that speaks HTTP/2 only. $RECORD, a pipe, is told what happens to its requests.

import { appendFile } from "node:fs";
import { createServer } from "node:http2";

const ALL = Buffer.alloc(1 << 16, "b");

function record(line) {
  if (process.env.RECORD) appendFile(process.env.RECORD, line + "\n", () => {});
}

const routes = {
  echo(stream) {
    stream.respond({ ":status": 200 });
    stream.pipe(stream);
  },
  headers(stream, headers) {
    let body = "";
    stream.setEncoding("utf8").on("data", (data) => (body += data));
    let trailers = {};
    stream.on("trailers", (fields) => (trailers = fields));
    stream.on("end", () => {
      stream.respond({ ":status": 200, "content-type": "application/json" });
      stream.end(JSON.stringify({ headers, body, trailers }) + "\n");
    });
  },
  bytes(stream, headers, query) {
    let left = Number(query.get("n"));
    stream.respond({ ":status": 200, "content-length": left });
    const push = () => {
      while (left > 0) {
        const piece = ALL.subarray(0, Math.min(left, ALL.length));
        left -= piece.length;
        if (!stream.write(piece)) return stream.once("drain", push);
      }
      stream.end();
    };
    if (headers[":method"] === "HEAD") stream.end();
    else push();
  },
  trailers(stream) {
    stream.respond({ ":status": 200, trailer: "x-sum" }, { waitForTrailers: true });
    stream.on("wantTrailers", () =>
      stream.sendTrailers({ "x-sum": "abc", "stoker-origin": "me", "content-type": "x/y" }),
    );
    stream.end("the body\n");
  },
  never(stream) {
    record("entered");
    stream.on("close", () => record("cancelled"));
  },
};

const server = createServer();
server.on("sessionError", () => {});
server.on("stream", (stream, headers) => {
  const url = new URL(headers[":path"], "http://localhost");
  stream.on("error", () => {});
  const route = routes[url.pathname.split("/").pop()];
  if (route) route(stream, headers, url.searchParams);
  else stream.respond({ ":status": 404 }, { endStream: true });
});
process.on("SIGTERM", () => process.exit(0));
server.listen(process.env.STOKER_SOCKET ?? { port: process.env.PORT, host: "127.0.0.1" });
