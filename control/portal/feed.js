// What the functions do, asked again and again: of all of them while they are few, else of those on
// the screen often and of the rest seldom.

import { get } from "./api.js";
import * as past from "./past.js";

/** Between two looks at what is on the screen. */
const OFTEN_MS = 2000;
/** Between two looks at everything, if that is much. */
const SELDOM_MS = 30000;
/** Up to here everything is little. */
const FEW = 150;
/** In one request, as the gateway has it. */
const MOST_NAMES = 100;

/** By name: the last summary and what it did lately. */
export const functions = new Map();
export const feed = new EventTarget();
/** When the last answer came, and why there is none. */
export const state = { at: 0, error: null, count: 0, prefix: "/function", version: "" };

const counted = new Map();
let wanted = [];
let since = 0;
let lastAll = 0;
let timer = null;
let running = null;

/** The functions that are on the screen. */
export function watch(names) {
  const fresh = names.some((name) => !wanted.includes(name));
  wanted = names;
  if (fresh && state.count > FEW) soon(120);
}

/** Looks at once. */
export function refresh() {
  lastAll = 0;
  return tick();
}

export function start() {
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : tick()));
  return tick();
}

function soon(ms) {
  clearTimeout(timer);
  timer = setTimeout(tick, ms);
}

function tick() {
  clearTimeout(timer);
  running ??= look().finally(() => {
    running = null;
    if (!document.hidden && state.error !== "token") soon(state.error ? 2 * OFTEN_MS : OFTEN_MS);
  });
  return running;
}

async function look() {
  const few = state.count <= FEW;
  const all = lastAll === 0 || few || Date.now() - lastAll > SELDOM_MS;
  const query = all ? {} : { names: wanted.slice(0, MOST_NAMES).join(",") };
  if (!all && wanted.length === 0) return;
  try {
    const [list, stats] = await Promise.all([get("/v1/functions", { query }), get("/v1/stats", { query })]);
    const at = performance.now();
    if (stats.since_ms !== since) {
      counted.clear();
      since = stats.since_ms;
    }
    if (all) {
      lastAll = Date.now();
      const names = new Set(list.map((one) => one.name));
      for (const name of functions.keys()) if (!names.has(name)) forget(name);
    } else {
      for (const name of wanted) if (!list.some((one) => one.name === name)) forget(name);
    }
    take(list, stats.functions, at);
    await past.look(few ? null : wanted.slice(0, MOST_NAMES));
    Object.assign(state, { at: Date.now(), error: null, count: functions.size });
  } catch (error) {
    state.error = error.status === 401 ? "token" : error.message;
  }
  feed.dispatchEvent(new Event("change"));
}

function forget(name) {
  functions.delete(name);
  counted.delete(name);
  past.forget(name);
}

function take(list, stats, at) {
  const by = new Map();
  for (const one of stats) {
    const revisions = by.get(one.function) ?? new Map();
    revisions.set(one.revision, one);
    by.set(one.function, revisions);
  }
  for (const summary of list) {
    const now = { at, revisions: by.get(summary.name) ?? new Map() };
    const before = counted.get(summary.name);
    counted.set(summary.name, now);
    const known = functions.get(summary.name);
    const done = before ? between(before, now) : known?.done ?? NOTHING;
    functions.set(summary.name, { ...summary, done });
  }
}

/** What it did of late, and does now, for a sparkline. */
export function history(name) {
  const it = functions.get(name);
  if (!it) return [];
  const now = { ...it.done, instances: live(it.states), queue: it.waiting };
  return [...past.of(name), now];
}

export function live(states) {
  return states.starting + states.ready + states.draining;
}

const NOTHING = { rate: null, errors: null, p50: null, p99: null, cold: null, cold50: null };

/** Revision by revision, for those that go take their counts with them. */
function between(before, now) {
  const seconds = (now.at - before.at) / 1000;
  let requests = 0;
  let errors = 0;
  const warm = [];
  const cold = [];
  let coldCount = 0;
  for (const [revision, one] of now.revisions) {
    const old = before.revisions.get(revision);
    requests += ended(one) - (old ? ended(old) : 0);
    errors += failed(one) - (old ? failed(old) : 0);
    add(warm, one.warm, old?.warm);
    add(warm, one.thawed, old?.thawed);
    add(cold, one.cold, old?.cold);
    coldCount += one.cold.count - (old?.cold.count ?? 0);
  }
  return {
    rate: Math.max(0, requests) / seconds, errors: Math.max(0, errors) / seconds,
    p50: quantile(warm, 0.5), p99: quantile(warm, 0.99), cold: coldCount / seconds, cold50: quantile(cold, 0.5),
  };
}

function ended(one) {
  const sum = (list) => list.reduce((all, it) => all + it, 0);
  return sum(one.from_function) + sum(one.from_gateway) + one.incomplete;
}

function failed(one) {
  return one.from_function[4] + one.from_gateway[4] + one.incomplete;
}

function add(into, now, old) {
  now.buckets.forEach(([bound, count], index) => {
    const fresh = count - (old?.buckets[index]?.[1] ?? 0);
    if (into[index]) into[index][1] += fresh;
    else into[index] = [bound, fresh];
  });
  into.count = (into.count ?? 0) + now.count - (old?.count ?? 0);
}

/** In milliseconds, by straight lines within buckets as Prometheus has it; null if there is none. */
function quantile(buckets, share) {
  if (!buckets.count) return null;
  const rank = share * buckets.count;
  let low = 0;
  let below = 0;
  for (const [bound, count] of buckets) {
    if (count >= rank && count > below) return 1e3 * (low + (bound - low) * ((rank - below) / (count - below)));
    [low, below] = [bound, count];
  }
  return 1e3 * low;
}
