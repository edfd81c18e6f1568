//! Files of `NAME=value` lines, as cron jobs source them and systemd reads them.

/// Letters, digits and `_`, and no digit first.
pub(in crate::sources) fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether a variable of this name holds a secret. Files and commands that lead
/// to one are none themselves.
pub(in crate::sources) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let leads = ["_FILE", "_PATH", "_ID", "_FD", "KEYS_FOLDER"];
    ["PASS", "SECRET", "KEY", "TOKEN", "CRED", "AUTH", "SIGNATURE"]
        .iter()
        .any(|part| name.contains(part))
        && !leads.iter().any(|end| name.ends_with(end))
        && name != "SSH_AUTH_SOCK"
}

/// The variables in their order, or what is wrong in which line. Names the line
/// only, never what stands in it.
pub(in crate::sources) fn parse(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut variables = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start().trim_start_matches('\u{feff}');
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
        let wrong = |what: &str| format!("line {}: {what}", number + 1);
        let Some((name, value)) = line.split_once('=') else {
            return Err(wrong("expected NAME=value"));
        };
        let name = name.trim_end();
        if !is_name(name) {
            return Err(wrong("this is no name of a variable"));
        }
        let value = unquoted(value).ok_or_else(|| {
            wrong("commands and ${…} are not run here; write the value, or name its file")
        })?;
        if value.contains('\0') {
            return Err(wrong("there is a NUL in it"));
        }
        variables.push((name.to_owned(), value));
    }
    Ok(variables)
}

/// The value as a shell would take it; `None` where the shell would have to run
/// or look up something.
fn unquoted(raw: &str) -> Option<String> {
    let raw = raw.trim();
    let mut value = String::with_capacity(raw.len());
    let mut chars = raw.chars().peekable();
    let mut quote = None;
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (Some('\''), c) => value.push(c),
            (None, '\\') => value.extend(chars.next()),
            (Some(_), '\\') => match chars.next_if(|next| "\\\"$`".contains(*next)) {
                Some(next) => value.push(next),
                None => value.push('\\'),
            },
            (_, '$') if matches!(chars.peek(), Some('(' | '{')) => return None,
            (_, '`') => return None,
            (None, '#') if value.ends_with([' ', '\t']) => break,
            (_, c) => value.push(c),
        }
    }
    if !raw.ends_with(['"', '\'']) {
        value.truncate(value.trim_end().len());
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_a_shell_would() {
        let text = "# for cron\n\nexport RESTIC_REPOSITORY=s3:host/b\r\n  A='x y # $HOME'\n\
                    B=\"q \\\" \\$ z\"\nC=plain # told\nD=pa$$w0rd\nE=\nF=a\\ b\n; systemd\n";
        let read = parse(text).unwrap();
        let expected = [
            ("RESTIC_REPOSITORY", "s3:host/b"),
            ("A", "x y # $HOME"),
            ("B", "q \" $ z"),
            ("C", "plain"),
            ("D", "pa$$w0rd"),
            ("E", ""),
            ("F", "a b"),
        ];
        assert_eq!(read, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn what_is_wrong_names_the_line_and_not_what_stands_there() {
        for text in ["A=1\nhunter2", "A=1\nhun ter=2", "A=1\nP=$(cat hunter2)", "A=1\nP=`hunter2`"]
        {
            let told = parse(text).unwrap_err();
            assert!(told.starts_with("line 2: ") && !told.contains("hunter"), "{told}");
        }
    }

    #[test]
    fn names_tell_which_values_are_secret() {
        for name in [
            "RESTIC_PASSWORD",
            "AWS_SECRET_ACCESS_KEY",
            "B2_ACCOUNT_KEY",
            "BORG_PASSPHRASE",
            "PGBACKREST_REPO1_CIPHER_PASS",
            "RESTIC_PASSWORD_COMMAND",
            "AWS_SESSION_TOKEN",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "AWS_ACCESS_KEY_ID",
            "RESTIC_PASSWORD_FILE",
            "RESTIC_REPOSITORY",
            "HOME",
            "SSH_AUTH_SOCK",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
