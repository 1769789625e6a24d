// Numbers in few characters.

const DASH = "–";

export function rate(value) {
  if (value === null || value === undefined) return DASH;
  if (value <= 0) return "0";
  if (value < 9.95) return value.toFixed(1);
  if (value < 9999.5) return value.toFixed(0);
  return value < 99950 ? `${(value / 1e3).toFixed(1)}k` : `${(value / 1e3).toFixed(0)}k`;
}

/** A time that is in milliseconds. */
export function time(ms) {
  if (ms === null || ms === undefined || Number.isNaN(ms)) return DASH;
  if (ms === 0) return "0";
  if (ms < 0.9995) return `${(ms * 1e3).toFixed(0)} µs`;
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${ms.toFixed(0)} ms`;
  if (ms < 9950) return `${(ms / 1e3).toFixed(1)} s`;
  return span(ms / 1e3);
}

/** A span that is in seconds. */
export function span(seconds) {
  if (seconds === null || seconds === undefined) return DASH;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${(seconds / 3600).toFixed(1)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

export function ago(ms) {
  return ms ? `${span(Math.max(0, (Date.now() - ms) / 1e3))} ago` : DASH;
}

export function moment(ms) {
  return ms ? new Date(ms).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" }) : DASH;
}

export function bytes(count) {
  if (count === null || count === undefined) return DASH;
  for (const [unit, size] of [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]]) {
    if (count >= size) return `${(count / size).toFixed(count < 10 * size ? 1 : 0)} ${unit}`;
  }
  return `${count} B`;
}

export function count(value) {
  return value === null || value === undefined ? DASH : Number(value).toLocaleString("en", { maximumFractionDigits: 0 });
}

export function amount(value, digits = 2) {
  return value === null || value === undefined ? DASH : Number(value).toLocaleString("en", { maximumFractionDigits: digits });
}

/** With as many digits as the others of its column. */
export function fixed(value, digits) {
  return value === null || value === undefined ? DASH : Number(value).toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** The number of a published revision, or the beginning of a hash. */
export function shortRevision(revision) {
  return /^\d{1,9}$/.test(revision) ? `r${revision}` : String(revision).slice(0, 12);
}

export function plural(number, one, many) {
  return `${count(number)} ${number === 1 ? one : many ?? `${one}s`}`;
}
