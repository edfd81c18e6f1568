//! `opsroom runbooks new`

use color_eyre::Result;
use color_eyre::eyre::{WrapErr, bail};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// Prints a runbook to start from, or writes it to a file that is not there yet.
pub(super) fn run(file: Option<&Path>, alert: Option<&str>) -> Result<ExitCode> {
    let alert = alert.unwrap_or("HighErrorRate");
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | ':' | '.');
    if alert.is_empty() || !alert.chars().all(plain) {
        bail!("an alert's name is letters, digits, `_`, `-`, `:` and `.`");
    }
    let text = template(alert);
    let Some(file) = file else {
        super::super::print(&text)?;
        return Ok(ExitCode::SUCCESS);
    };
    // Only Markdown is looked for in folders of runbooks.
    let file = &match file.extension() {
        Some(_) => file.to_path_buf(),
        None => file.with_extension("md"),
    };
    let shown = crate::domain::harmless(&file.to_string_lossy()).into_owned();
    let mut made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(file)
        .wrap_err_with(|| format!("cannot write {shown}"))?;
    made.write_all(text.as_bytes()).wrap_err_with(|| format!("cannot write {shown}"))?;
    super::super::complain(&format!(
        "written: {shown}; runbooks are found in `[runbooks] folders` and in `runbooks` beside the config"
    ));
    Ok(ExitCode::SUCCESS)
}

/// A runbook for an alert. Its commands are those of every systemd host.
fn template(alert: &str) -> String {
    format!(
        r#"---
title: Mend {alert}
alerts: [{alert}]
params:
  UNIT: {{ ask: "The systemd unit behind it" }}
---
# Mend {alert}

What users notice, and what is usually behind it.

## What is wrong?

```sh {{reads timeout=30s}}
systemctl status --no-pager "$UNIT" || true
journalctl --no-pager -n 50 -u "$UNIT"
```

## Restart it

What must still be true right before anything is changed:

```pin
unit file = systemctl show --value -p FragmentPath "$UNIT"
```

```sh {{name=restart timeout=2m confirm=host}}
sudo -n systemctl restart "$UNIT"
```

## Proof

```check {{within=10m}}
alert {alert} is not firing
```

- [ ] Write down what it was, and what would keep it from coming back
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbook::Book;

    #[test]
    fn what_one_begins_with_has_no_fault() {
        for alert in ["HighErrorRate", "job:x-y.z"] {
            let book = Book::read("mend", "mend.md", &template(alert));
            assert_eq!(book.remarks, []);
            assert_eq!(book.front.alerts, [alert]);
            assert_eq!((book.steps.len(), book.pins.len()), (4, 1));
            assert!(!book.foreign);
        }
    }
}
