// What the spawner says in the environment.

const OURS = [
  "STOKER_HANDLER", "STOKER_INTERFACE", "STOKER_CONCURRENCY", "STOKER_CONTROL", "STOKER_SPAWNER_PID",
  "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES",
];

/// Takes our variables out of the environment, so that what the handler starts does not see them.
export function takeSettings(environment = process.env) {
  const settings = {
    handler: environment.STOKER_HANDLER ?? "",
    interface: environment.STOKER_INTERFACE || "auto",
  };
  for (const name of OURS) delete environment[name];
  return settings;
}
