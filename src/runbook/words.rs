//! What a shell makes of a script: its commands, their words, the variables in them.

/// The variables that a command uses: neither set in it nor with a default there.
pub fn variables(script: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (at, _) in script.match_indices('$') {
        let rest = script[at + 1..].trim_start_matches('{');
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let name = &rest[..end.unwrap_or(rest.len())];
        if super::given::is_identifier(name) && !found.iter().any(|known| known == name) {
            found.push(name.to_owned());
        }
    }
    found
}
