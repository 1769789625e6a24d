//! The reference of all keys, made from their description.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use crate::schema::{Content, Key, Section, gateway, manifest};

/// Every key of the gateway file, in an example that is read by a test.
const GATEWAY_EXAMPLE: &str = include_str!("reference/stoker.toml");

/// Every key of a manifest, in an example that is read by a test.
const MANIFEST_EXAMPLE: &str = include_str!("reference/function.toml");

const INTRODUCTION: &str = "\
# Configuration

This text is printed by `stoker config reference`, from the same table of keys that the files are \
read with. `docs/configuration.md` is a copy: `stoker config reference > docs/configuration.md`.

Stoker reads one **gateway file** and one **manifest**, `function.toml`, per function. Both are \
TOML. Unknown keys are errors. All errors in all files are reported at once, each with its file, \
line, key and value and with what is allowed:

```text
functions/hello/function.toml:12: scaling.concurrency: got 0, expected a whole number from 1 to 1000
```

- A **duration** is a text: a number and one of `us`, `ms`, `s`, `m`, `h`, such as `\"250ms\"` or \
`\"1.5s\"`.
- A **size** is a whole number of bytes, or a text with one of `B`, `kB`, `MB`, `GB`, `TB` \
(powers of 1000) or `KiB`, `MiB`, `GiB`, `TiB` (powers of 1024), such as `\"64KiB\"`.
- A **path** is relative to the directory of the file that it stands in.
";

/// The Markdown of `stoker config reference`: every key with its type, default, bound and meaning,
/// and a complete example of each file.
pub fn reference() -> String {
    let mut text = INTRODUCTION.to_owned();
    text.push_str("\n## The gateway file\n");
    sections(&mut text, gateway::SECTIONS);
    example(&mut text, GATEWAY_EXAMPLE);
    text.push_str("\n## The manifest of a function\n");
    sections(&mut text, manifest::SECTIONS);
    example(&mut text, MANIFEST_EXAMPLE);
    text
}

fn sections<T>(text: &mut String, sections: &'static [Section<T>]) {
    for section in sections {
        let title = match (section.name, &section.content) {
            ("", _) => "Top level".to_owned(),
            (name, Content::Rows(_)) => format!("`[[{name}]]`"),
            (name, _) => format!("`[{name}]`"),
        };
        paragraph(text, &format!("### {title}"));
        paragraph(text, section.meaning);
        match &section.content {
            Content::Keys(keys) => table(text, keys.iter().map(Key::cells)),
            Content::Over { .. } => {}
            Content::Rows(rows) => table(text, rows.cells()),
            Content::Names { rule, .. } => {
                paragraph(text, &format!("Each key is {rule}; each value is a text."));
            }
        }
    }
}

fn table(text: &mut String, rows: impl IntoIterator<Item = [String; 5]>) {
    text.push_str("\n| key | type | default | allowed | meaning |\n|---|---|---|---|---|\n");
    for cells in rows {
        for cell in cells {
            // Markdown would take it for the next column.
            let cell = cell.replace('|', "\\|");
            let space = if cell.is_empty() { "" } else { " " };
            write!(text, "| {cell}{space}").expect("text takes all");
        }
        text.push_str("|\n");
    }
}

fn example(text: &mut String, toml: &str) {
    paragraph(text, "### Example with every key");
    paragraph(text, &format!("```toml\n{}\n```", toml.trim_end()));
}

fn paragraph(text: &mut String, content: &str) {
    writeln!(text, "\n{content}").expect("text takes all");
}
