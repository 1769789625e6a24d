// `node .../main.mjs MODE`: serves a handler over HTTP/1.1, as an instance of a function.
//
// serve: an instance from its beginning, on the inherited socket. cell: a booted runner that waits
// for a function to be loaded into it.

import { takeSettings } from "./settings.mjs";

const mode = process.argv[2];
if (mode === "serve") {
  const { serve } = await import("./serve.mjs");
  process.argv.length = 2;
  await serve(takeSettings(), { fd: 3 });
} else if (mode === "cell") {
  const { runCell } = await import("./cell.mjs");
  process.argv.length = 2;
  await runCell(takeSettings());
} else {
  process.stderr.write("usage: node main.mjs serve|cell\n");
  process.exitCode = 2;
}
