// What of a folder goes into its package: the rules of `stoker publish`, so that both send the same.
// The syntax of .stokerignore is that of .gitignore, with {a,b} besides, as the command's library has it.

const IGNORE = ".stokerignore";
const NEVER = [".git", IGNORE];

/**
 * The files of a folder that go into its package, `[{path, file}]`, and how many files and folders
 * ignore files leave out. A folder is `{name, children()}`, a file `{name, file()}`; what is left out is
 * not looked into. More files than `most` are an error.
 */
export async function packed(folder, most) {
  const found = { files: [], left: 0 };
  await walk(folder, "", [], found, most);
  return found;
}

async function walk(folder, base, above, found, most) {
  const children = await folder.children();
  const own = children.find((it) => it.name === IGNORE && it.file);
  const all = own ? [...above, { base, rules: rules(await (await own.file()).text(), base + IGNORE) }] : above;
  for (const it of children) {
    if (NEVER.includes(it.name)) continue;
    const path = base + it.name;
    if (isLeftOut(all, path, !it.file)) found.left += 1;
    else if (it.children) await walk(it, `${path}/`, all, found, most);
    else if (found.files.length === most) throw new Error(`these are more than ${most} files; name in a ${IGNORE} what the function does not need, or use “stoker publish”`);
    else found.files.push({ path, file: await it.file() });
  }
}

/** The last rule of the nearest ignore file that has one for the path. */
function isLeftOut(all, path, isFolder) {
  for (const { base, rules: list } of all.toReversed()) {
    const rule = list.findLast((it) => (isFolder || !it.foldersOnly) && it.pattern.test(bytes(path.slice(base.length))));
    if (rule) return !rule.keeps;
  }
  return false;
}

/** The rules of an ignore file. */
export function rules(text, name) {
  return text.replace(/^\uFEFF/, "").split(/\r?\n/).map((line, index) => {
    try {
      return rule(line);
    } catch (error) {
      throw new Error(`${name}, line ${index + 1}: ${error.message}`);
    }
  }).filter(Boolean);
}

function rule(line) {
  if (line.startsWith("#")) return null;
  let glob = line.endsWith("\\ ") ? line : line.trimEnd();
  if (!glob) return null;
  let keeps = false;
  let fromHere = false;
  if (/^\\[!#]/.test(glob)) glob = glob.slice(1);
  else {
    keeps = glob.startsWith("!");
    if (keeps) glob = glob.slice(1);
    fromHere = glob.startsWith("/");
    if (fromHere) glob = glob.slice(1);
  }
  const foldersOnly = glob.endsWith("/");
  if (foldersOnly) glob = glob.slice(0, -1).replace(/\\$/, "");
  // Without a slash in it, it means a name at any depth.
  if (!fromHere && !glob.includes("/")) glob = `**/${glob}`;
  // What is in the folder, not the folder itself.
  if (glob.endsWith("/**")) glob += "/*";
  return { keeps, foldersOnly, pattern: new RegExp(`^${new Glob(bytes(glob)).expression()}$`, "su") };
}

/** A character for each byte: the command compares names as bytes, of which a ? is one. */
function bytes(text) {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

const PREFIX = "(?:/?|.*/)";
const SUFFIX = "/.*";
const BETWEEN = "(?:/|/.*/)";
const ANY = "[^/]*";

class Glob {
  constructor(text) {
    this.text = [...text];
    this.at = 0;
    /** Parts of regular expressions; those of alternatives that are open are in lists of their own. */
    this.open = [[[]]];
  }

  expression() {
    while (this.at < this.text.length) this.part(this.text[this.at++]);
    if (this.open.length > 1) throw new Error("there is a { without its }");
    // Two stars alone are everything.
    const all = this.open[0][0].join("");
    return all === PREFIX ? ".*" : all;
  }

  get parts() {
    return this.open.at(-1).at(-1);
  }

  part(it) {
    if (it === "?") this.parts.push("[^/]");
    else if (it === "*") this.stars();
    else if (it === "[") this.parts.push(this.oneOf());
    else if (it === "{") this.open.push([[]]);
    else if (it === "}") this.close();
    else if (it === "," && this.open.length > 1) this.open.at(-1).push([]);
    else if (it === "\\") {
      if (this.at === this.text.length) throw new Error("there is nothing after the last \\");
      this.parts.push(plain(this.text[this.at++]));
    } else this.parts.push(plain(it));
  }

  close() {
    if (this.open.length === 1) throw new Error("there is a } without its {");
    const some = this.open.pop().map((parts) => parts.join("")).filter(Boolean);
    this.parts.push(some.length ? `(?:${some.join("|")})` : "");
  }

  stars() {
    const before = this.text[this.at - 2];
    if (this.text[this.at] !== "*") return this.parts.push(ANY);
    this.at += 1;
    const after = this.text[this.at];
    const inside = this.open.length > 1;
    if (this.parts.length === 0) {
      if (after !== undefined && after !== "/") return this.parts.push(ANY, ANY);
      this.at += 1;
      return this.parts.push(PREFIX);
    }
    if (before !== "/" && !(inside && (before === "," || before === "{"))) return this.parts.push(ANY, ANY);
    const ends = after === undefined || (inside && (after === "," || after === "}"));
    if (!ends && after !== "/") return this.parts.push(ANY, ANY);
    if (!ends) this.at += 1;
    const last = this.parts.pop();
    return this.parts.push(last === PREFIX || last === SUFFIX ? last : ends ? SUFFIX : BETWEEN);
  }

  /** `[a-z]`, `[!a-z]`, `[^a-z]`; a bracket or a hyphen that comes first means itself, and so does one that is not closed. */
  oneOf() {
    const begin = this.at;
    const others = this.text[this.at] === "!" || this.text[this.at] === "^";
    if (others) this.at += 1;
    const ranges = [];
    let isRange = false;
    for (let first = true; ; first = false) {
      const it = this.text[this.at++];
      if (it === undefined) {
        this.at = begin;
        return "\\[";
      }
      if (it === "]" && !first) break;
      if (isRange) {
        const range = ranges.at(-1);
        range[1] = it;
        if (range[0].codePointAt() > it.codePointAt()) throw new Error(`${range.join("-")} is no range`);
        isRange = false;
      } else if (it === "-" && !first) isRange = true;
      else ranges.push([it, it]);
    }
    if (isRange) ranges.push(["-", "-"]);
    return `[${others ? "^" : ""}${ranges.map(([from, to]) => `${code(from)}-${code(to)}`).join("")}]`;
  }
}

function plain(it) {
  return /[\\^$.*+?()[\]{}|/]/.test(it) ? `\\${it}` : it;
}

function code(it) {
  return `\\u{${it.codePointAt().toString(16)}}`;
}
