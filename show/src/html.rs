//! Text for the page.

/// A text as the content of an element or of a quoted attribute. What no page may have becomes a
/// replacement character.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A table whose first `texts` columns are words. Cells are escaped here; a line break in a cell
/// makes what follows it small.
pub fn table(headings: &[&str], texts: usize, rows: &[Vec<String>]) -> String {
    let class = |index: usize| if index < texts { "" } else { " class=\"n\"" };
    let mut out = "<div class=\"scroll\"><table>\n<thead><tr>".to_owned();
    for (index, heading) in headings.iter().enumerate() {
        out.push_str(&format!("<th{}>{}</th>", class(index), escape(heading)));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        out.push_str("<tr>");
        for (index, cell) in row.iter().enumerate() {
            let (first, small) = cell.split_once('\n').unwrap_or((cell, ""));
            out.push_str(&format!("<td{}>{}", class(index), escape(first)));
            if !small.is_empty() {
                out.push_str(&format!("<small>{}</small>", escape(small)));
            }
            out.push_str("</td>");
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table></div>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn nothing_gets_out() {
        assert_eq!(
            escape("<a href='x' b=\"y\">&\u{0}\u{1b}"),
            "&lt;a href=&#39;x&#39; b=&quot;y&quot;&gt;&amp;\u{fffd}\u{fffd}"
        );
    }
}
