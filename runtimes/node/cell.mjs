// A booted runner: everything that serves is loaded and was used once; the function is not known
// yet. It comes with the listening socket over Node's own channel between processes.

import { serve } from "./serve.mjs";
import { takeSettings } from "./settings.mjs";
import { warm } from "./warm.mjs";

/// Warms up, says so, and becomes an instance when it is told which.
export async function runCell() {
  // The spawner went, or has no use for it.
  const leave = () => process.exit(0);
  process.on("disconnect", leave);
  process.on("SIGTERM", leave);
  const assigned = new Promise((resolve) => {
    process.once("message", (message, handle) => resolve({ message, handle }));
  });
  await warm();
  process.send({ type: "spare", pid: process.pid });
  const { message, handle } = await assigned;
  process.off("disconnect", leave);
  process.off("SIGTERM", leave);
  await become(message, handle);
}

async function become(message, handle) {
  if (message?.type !== "assign" || !handle) {
    process.stderr.write("stoker: the spawner sent a message that is no assignment\n");
    process.exit(1);
  }
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, message.environment);
  for (const name of message.unset ?? []) delete process.env[name];
  takeSettings();
  if (message.directory) process.chdir(message.directory);
  await serve({ handler: message.handler, interface: message.interface || "auto" }, handle);
  // The acknowledgement of the handle has left by now; nothing more is said.
  if (process.connected) process.disconnect();
}
