// Loads a handler and serves it on a listening socket.

import { UnusableHandler, load } from "./load.mjs";
import { createServer } from "./server.mjs";

// The kernel bounds it further (net.core.somaxconn).
const BACKLOG = 4096;

/// Serves `settings.handler` on `socket`, which is `{ fd }` or a handle that was received. Ends the
/// process with status 1 and the reason on standard error if it cannot.
export async function serve(settings, socket) {
  try {
    const handler = await load(settings.handler, settings.interface);
    const server = createServer(handler);
    await new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(socket, BACKLOG, resolve);
    });
    server.removeAllListeners("error");
    endOnSignal(server);
  } catch (error) {
    const known = error instanceof UnusableHandler;
    if (!known) console.error(error);
    const detail = known ? error.message : `${settings.handler} cannot be loaded`;
    process.stderr.write(`stoker: ${detail}\n`, () => process.exit(1));
    process.exitCode = 1;
  }
}

/// At SIGTERM: finishes what was asked, then ends the process.
function endOnSignal(server) {
  let ending = false;
  const end = () => {
    if (ending) return;
    ending = true;
    server.ending = true;
    // What waits to be accepted was asked before; so many turns of the loop take and read it.
    afterTurns(3, () => {
      server.close(() => process.exit(0));
      server.closeIdleConnections();
    });
  };
  process.on("SIGTERM", end);
  process.on("SIGINT", end);
}

function afterTurns(count, then) {
  if (count === 0) then();
  else setImmediate(afterTurns, count - 1, then);
}
