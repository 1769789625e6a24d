// Zip files: written without compression, and their directory read (APPNOTE.TXT of PKWARE, 4.3).

const TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

export function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = TABLE[(value ^ byte) & 255] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

/** UTF-8 names, sizes that are known ahead. */
const FLAGS = 0x0800;
/** Made by Unix, so that modes count. */
const MADE_BY = 0x031e;
/** 1980-01-01, the first day there is: the same files make the same package. */
const DATE = 0x0021;

/** A zip of `[{path, file, mode}]`, where `file` is a Blob. */
export async function zip(entries) {
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const { path, file, mode } of entries) {
    const content = new Uint8Array(await file.arrayBuffer());
    const name = new TextEncoder().encode(path);
    const common = record(26, [[0, 2, 20], [2, 2, FLAGS], [8, 2, DATE], [10, 4, crc32(content)], [14, 4, content.length], [18, 4, content.length], [22, 2, name.length]], 2);
    parts.push(bytes(0x04034b50), common, name, content);
    directory.push([name, common, mode, offset]);
    offset += 30 + name.length + content.length;
  }
  const begin = offset;
  for (const [name, common, mode, at] of directory) {
    const rest = record(16, [[4, 2, 0], [6, 4, ((0o100000 | mode) << 16) >>> 0], [10, 4, at]], 0);
    parts.push(bytes(0x02014b50), record(2, [[0, 2, MADE_BY]], 0), common, rest.subarray(0, 14), name);
    offset += 46 + name.length;
  }
  parts.push(bytes(0x06054b50), record(18, [[4, 2, directory.length], [6, 2, directory.length], [8, 4, offset - begin], [12, 4, begin]], 0));
  return new Blob(parts, { type: "application/zip" });
}

function record(length, fields) {
  const view = new DataView(new ArrayBuffer(length));
  for (const [at, size, value] of fields) size === 2 ? view.setUint16(at, value, true) : view.setUint32(at, value, true);
  return new Uint8Array(view.buffer);
}

function bytes(signature) {
  return record(4, [[0, 4, signature]]);
}

/** What a zip has in it: `[{path, size, text()}]`. Throws if it is none. */
export async function list(file) {
  const tail = new DataView(await file.slice(Math.max(0, file.size - 65557)).arrayBuffer());
  let end = tail.byteLength - 22;
  while (end >= 0 && tail.getUint32(end, true) !== 0x06054b50) end -= 1;
  if (end < 0) throw new Error(`${file.name} is no zip file`);
  const at = tail.getUint32(end + 16, true);
  const directory = new DataView(await file.slice(at, at + tail.getUint32(end + 12, true)).arrayBuffer());
  const found = [];
  for (let place = 0; place + 46 <= directory.byteLength && directory.getUint32(place, true) === 0x02014b50;) {
    const names = directory.getUint16(place + 28, true);
    const more = directory.getUint16(place + 30, true) + directory.getUint16(place + 32, true);
    const path = new TextDecoder().decode(new Uint8Array(directory.buffer, place + 46, names));
    const [method, packed, size, local] = [directory.getUint16(place + 10, true), directory.getUint32(place + 20, true), directory.getUint32(place + 24, true), directory.getUint32(place + 42, true)];
    if (!path.endsWith("/")) found.push({ path, size, text: () => read(file, local, method, packed) });
    place += 46 + names + more;
  }
  return found;
}

async function read(file, local, method, packed) {
  const head = new DataView(await file.slice(local, local + 30).arrayBuffer());
  const from = local + 30 + head.getUint16(26, true) + head.getUint16(28, true);
  const content = file.slice(from, from + packed);
  const plain = method === 0 ? content.stream() : content.stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Response(plain).text();
}
