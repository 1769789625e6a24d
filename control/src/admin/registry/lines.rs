//! Which lines differ between two texts.

/// Lines around those that differ.
const AROUND: usize = 3;
/// Beyond so many pairs of lines, all of what differs is shown as replaced.
const MOST_PAIRS: usize = 4_000_000;

/// The lines of both texts, each after `-`, `+` or a blank, without those far from any that differs;
/// empty if the texts are the same.
pub(super) fn diff(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    if old == new {
        return String::new();
    }
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let rest = old[head..].iter().rev().zip(new[head..].iter().rev());
    let tail = rest.take_while(|(a, b)| a == b).count();
    let same = |range: &[&str]| {
        range
            .iter()
            .map(|line| format!(" {line}"))
            .collect::<Vec<_>>()
    };
    let mut lines = same(&old[..head]);
    middle(
        &old[head..old.len() - tail],
        &new[head..new.len() - tail],
        &mut lines,
    );
    lines.extend(same(&old[old.len() - tail..]));
    shorten(&lines)
}

/// By the longest common subsequence.
fn middle(old: &[&str], new: &[&str], lines: &mut Vec<String>) {
    let width = new.len() + 1;
    let pairs = (old.len() + 1).saturating_mul(width);
    let mut common = vec![0_u32; if pairs <= MOST_PAIRS { pairs } else { 0 }];
    if !common.is_empty() {
        for (i, a) in old.iter().enumerate().rev() {
            for (j, b) in new.iter().enumerate().rev() {
                let (skip_old, skip_new) = (common[(i + 1) * width + j], common[i * width + j + 1]);
                common[i * width + j] = match a == b {
                    true => common[(i + 1) * width + j + 1] + 1,
                    false => skip_old.max(skip_new),
                };
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        let both = i < old.len() && j < new.len() && !common.is_empty();
        if both && old[i] == new[j] {
            lines.push(format!(" {}", old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j >= new.len()
            || i < old.len()
                && (common.is_empty() || common[(i + 1) * width + j] >= common[i * width + j + 1])
        {
            lines.push(format!("-{}", old[i]));
            i += 1;
        } else {
            lines.push(format!("+{}", new[j]));
            j += 1;
        }
    }
}

fn shorten(lines: &[String]) -> String {
    let near = |index: usize| {
        let from = index.saturating_sub(AROUND);
        let to = (index + AROUND + 1).min(lines.len());
        lines[from..to].iter().any(|line| !line.starts_with(' '))
    };
    let mut text = String::new();
    let mut left_out = false;
    for (index, line) in lines.iter().enumerate() {
        if near(index) {
            text.push_str(line);
            text.push('\n');
        } else if !left_out {
            text.push_str("...\n");
        }
        left_out = !near(index);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::diff;

    #[test]
    fn lines_are_kept_removed_and_added() {
        assert_eq!(diff("a\nb\n", "a\nb\n"), "");
        assert_eq!(diff("a\nb\nc\n", "a\nx\nc\n"), " a\n-b\n+x\n c\n");
        assert_eq!(diff("", "a\n"), "+a\n");
        assert_eq!(diff("a\n", ""), "-a\n");
        assert_eq!(diff("a\nb\nc\nd\n", "b\nc\nx\nd\n"), "-a\n b\n c\n+x\n d\n");
        // Only the end of the last line differs.
        assert_eq!(diff("a\n", "a"), "");
    }

    #[test]
    fn what_is_far_is_left_out() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        let new = "1\n2\n3\n4\n5\n6\n7\n8\nX\n";
        assert_eq!(diff(old, new), "...\n 6\n 7\n 8\n-9\n+X\n");
    }

    #[test]
    fn long_texts_are_replaced() {
        let old: String = (0..3000).map(|n| format!("a{n}\n")).collect();
        let new: String = (0..3000).map(|n| format!("b{n}\n")).collect();
        let told = diff(&old, &new);
        assert_eq!(told.lines().count(), 6000);
        assert!(told.starts_with("-a0\n"));
    }
}
