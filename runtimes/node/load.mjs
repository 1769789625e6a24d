// Finds the handler in a module and what interface it has.

import { existsSync, statSync } from "node:fs";
import { extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";

// Looked for in this order.
const NAMES = ["handler", "fetch", "default"];
const EXTENSIONS = [".mjs", ".js", ".cjs"];
const INTERFACES = ["auto", "listener", "fetch"];

/// The handler cannot be used; the message is one lower-case sentence.
export class UnusableHandler extends Error {}

/// Imports "FILE" or "FILE#NAME" and returns `{ target, interface, upgrade }`. Waits for top-level
/// await. Throws `UnusableHandler`, and whatever the module throws.
export async function load(name, wanted) {
  if (!INTERFACES.includes(wanted)) {
    throw new UnusableHandler(`the interface "${wanted}" is none of ${INTERFACES.join(", ")}`);
  }
  const [file, exported] = name.split("#", 2);
  const module = await import(pathToFileURL(find(file, name)).href);
  const found = exported ? named(module, exported, file) : first(module, file);
  const upgrade = module.upgrade ?? module.default?.upgrade;
  return {
    ...detect(found, wanted, name),
    upgrade: exported || typeof upgrade !== "function" ? undefined : upgrade,
  };
}

function find(file, name) {
  if (!file) throw new UnusableHandler(`the handler "${name}" names no file`);
  const path = resolve(file);
  const tried = extname(path) ? [path] : EXTENSIONS.map((extension) => path + extension);
  const found = tried.find((one) => existsSync(one) && statSync(one).isFile());
  if (!found) throw new UnusableHandler(`the handler's file ${tried.join(" or ")} does not exist`);
  return found;
}

/// What a module exports under `name`; for CommonJS, a property of `module.exports`.
function named(module, name, file) {
  const value = module[name] ?? module.default?.[name];
  if (value === undefined) {
    throw new UnusableHandler(`${file} exports no "${name}"; it exports ${list(module)}`);
  }
  return { name, value };
}

function first(module, file) {
  // A transpiled module has its exports in `module.exports`, that is one level down.
  const places = [module, module.default].filter((one) => one !== null && one !== undefined);
  for (const place of places) {
    for (const name of NAMES) {
      const value = place[name];
      if (name === "fetch" && typeof value === "function") {
        return { name, value: value.bind(place) };
      }
      if (typeof value === "function" || typeof value?.fetch === "function") return { name, value };
    }
  }
  throw new UnusableHandler(
    `${file} exports neither a function (default, handler or fetch) nor an object with fetch; ` +
      `it exports ${list(module)}`,
  );
}

function list(module) {
  const names = Object.keys(module).map((name) => `${name} (${typeof module[name]})`);
  return names.slice(0, 10).join(", ") || "nothing";
}

/// By name, then by arity: two arguments or more are (request, response), one or none a Request.
function detect({ name, value }, wanted, handler) {
  if (typeof value !== "function") {
    if (typeof value?.fetch === "function" && wanted !== "listener") {
      return { target: value.fetch.bind(value), interface: "fetch" };
    }
    throw new UnusableHandler(`${handler} is ${typeof value} and cannot be called`);
  }
  if (wanted !== "auto") return { target: value, interface: wanted };
  const kind = name !== "fetch" && value.length >= 2 ? "listener" : "fetch";
  return { target: value, interface: kind };
}
