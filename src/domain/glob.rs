//! Names by pattern: `*` stands for any characters.

/// Whether a name is meant by a pattern. Every character but `*` stands for itself.
pub fn glob(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        // The earliest place leaves the most room for what follows.
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters_and_all_else_for_itself() {
        for (pattern, name) in [
            ("bastion-*", "bastion-2"),
            ("*", ""),
            ("a*b*c", "axxbyybc"),
            ("High*Rate", "HighErrorRate"),
            ("*.example", "db.example"),
            ("a**b", "ab"),
            ("ab", "ab"),
        ] {
            assert!(glob(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("bastion-*", "db-1"),
            ("a*b*c", "acb"),
            ("ab", "abc"),
            ("aba*aba", "aba"),
            ("", "a"),
            ("a?", "ab"),
        ] {
            assert!(!glob(pattern, name), "{pattern} {name}");
        }
    }
}
