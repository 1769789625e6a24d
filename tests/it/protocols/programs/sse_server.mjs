// Server-sent events: each is sent when a request says so. $RECORD, a pipe, is told what comes.

import { appendFileSync } from "node:fs";
import { createServer } from "node:http";

const PAGE = `<!doctype html><title>events</title><script>
const got = [];
const source = new EventSource("events");
source.onmessage = (event) => {
  got.push(event.lastEventId + "=" + event.data);
  fetch("report", { method: "POST", body: got.join(" ") });
};
</script>`;

let streams = [];
let count = 0;

function record(line) {
  if (process.env.RECORD) appendFileSync(process.env.RECORD, line + "\n");
}

const server = createServer((request, response) => {
  const what = request.url.split("/").pop();
  if (what === "events" || what === "chunks") {
    const type = what === "events" ? "text/event-stream; charset=utf-8" : "text/plain";
    response.writeHead(200, { "Content-Type": type, "Cache-Control": "no-cache" });
    response.flushHeaders();
    if (what === "events") response.write("retry: 50\n\n");
    streams.push(response);
    response.on("close", () => record("gone"));
    record(`opened after ${request.headers["last-event-id"] ?? "nothing"};`);
    return;
  }
  if (what === "stall") return;
  let body = "";
  request.setEncoding("utf8").on("data", (data) => (body += data));
  request.on("end", () => {
    if (what === "emit") {
      count += 1;
      for (const stream of streams) stream.write(`id: ${count}\ndata: ${body}\n\n`);
    } else if (what === "end") {
      for (const stream of streams) stream.end();
      streams = [];
    } else if (what === "report") {
      record(`report ${body};`);
    }
    response.writeHead(200, { "Content-Type": "text/html" });
    response.end(what === "page" ? PAGE : "done\n");
  });
});
server.keepAliveTimeout = 0;
process.on("SIGTERM", () => process.exit(0));
server.listen(process.env.STOKER_SOCKET ?? { port: process.env.PORT, host: "127.0.0.1" });
