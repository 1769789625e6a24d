// What the functions did before: the gateway remembers it, look by look, and tells what is new.

import { get } from "./api.js";
import { span } from "./format.js";

/** Looks that a sparkline shows. */
export const SHOWN = 180;
/** Functions that are remembered. */
const REMEMBERED = 400;
const NOTHING = { rate: 0, errors: 0, cold: 0, p50: null, p99: null, instances: 0, queue: 0 };
/** Where nobody looked there is no line. */
const GAP = { rate: null, errors: null, cold: null, p50: null, p99: null, instances: null, queue: null };

/** When the gateway looked, the oldest first. */
let looks = [];
/** By name: what it did at which of them, and the last that was asked for. */
const known = new Map();
let interval = 5000;
let keep = 0;
let asked = 0;
let absent = false;

/** Asks for what is new of these functions, or of all. */
export async function look(names) {
  const fresh = names?.some((name) => !known.has(name)) ?? known.size === 0;
  if (absent || (!fresh && Date.now() - asked < interval)) return;
  asked = Date.now();
  const newest = looks.at(-1) ?? 0;
  try {
    const unknown = names?.filter((name) => !known.has(name)) ?? [];
    if (unknown.length) take(await get("/v1/history", { query: { names: unknown.join(","), last: SHOWN } }), unknown);
    const old = names?.filter((name) => !unknown.includes(name));
    if (!names || old.length) {
      const since = names ? Math.min(...old.map((name) => known.get(name).until)) : newest;
      take(await get("/v1/history", { query: { names: old?.join(","), since, last: SHOWN } }), old);
    }
  } catch (error) {
    if (!error.absent) throw error;
    absent = true;
  }
}

/** `names` were asked for; all if there are none. */
function take(answer, names) {
  ({ interval_ms: interval, keep_ms: keep } = answer);
  const times = answer.looks_ms;
  const after = looks.at(-1) ?? 0;
  const before = looks[0] ?? Infinity;
  // Another gateway may know what was before this one.
  looks = [...times.filter((at) => at < before), ...looks, ...times.filter((at) => at > after && at >= before)].slice(-SHOWN);
  const until = times.at(-1) ?? after;
  for (const name of names ?? [...known.keys()]) remember(name, until);
  for (const one of answer.functions) {
    const points = remember(one.function, until);
    one.looks.forEach((place, index) => points.set(times[place], {
      rate: one.rate[index], errors: one.errors[index], cold: one.cold[index], p50: one.p50_ms[index], p99: one.p99_ms[index],
      instances: one.instances[index], queue: one.waiting[index],
    }));
    for (const at of points.keys()) if (at < looks[0]) points.delete(at);
  }
}

function remember(name, until) {
  const one = known.get(name) ?? { points: new Map() };
  // The one that was looked at last is the last to go.
  known.delete(name);
  known.set(name, { ...one, until });
  if (known.size > REMEMBERED) known.delete(known.keys().next().value);
  return one.points;
}

export function forget(name) {
  known.delete(name);
}

/** A point for each look. */
export function of(name) {
  const points = known.get(name)?.points;
  const all = [];
  looks.forEach((at, index) => {
    if (index > 0 && at - looks[index - 1] > 3 * interval) all.push(GAP);
    all.push(points?.get(at) ?? NOTHING);
  });
  return all;
}

/** How far back it goes, in words. */
export function reach() {
  return `last ${span(Math.min(keep, SHOWN * interval) / 1e3)}`;
}
