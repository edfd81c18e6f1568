//! Secrets: references in the config, values only in memory and never shown.

use std::fmt;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;

/// A secret as the config names it. Its text never shows a plain value.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Reference);

#[derive(Clone, PartialEq, Eq)]
enum Reference {
    /// `env:NAME`
    Env(String),
    /// `file:PATH`
    File(String),
    /// `cmd:COMMAND`
    Command(String),
    /// The secret itself.
    Plain(String),
}

impl Secret {
    /// From its text in the config.
    pub fn parse(text: &str) -> Self {
        Self(if let Some(name) = text.strip_prefix("env:") {
            Reference::Env(name.trim().into())
        } else if let Some(path) = text.strip_prefix("file:") {
            Reference::File(path.trim().into())
        } else if let Some(command) = text.strip_prefix("cmd:") {
            Reference::Command(command.trim().into())
        } else {
            Reference::Plain(text.into())
        })
    }

    /// Whether the config holds the secret itself.
    pub fn is_plain(&self) -> bool {
        matches!(self.0, Reference::Plain(_))
    }

    /// Whether it names nothing.
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Reference::Env(text)
            | Reference::File(text)
            | Reference::Command(text)
            | Reference::Plain(text) => text.is_empty(),
        }
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Reference::Env(name) => write!(f, "env:{name}"),
            Reference::File(path) => write!(f, "file:{path}"),
            // A command may hold a secret among its arguments.
            Reference::Command(command) => {
                write!(f, "cmd:{}", command.split_whitespace().next().unwrap_or_default())
            }
            Reference::Plain(_) => f.write_str("(hidden)"),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({self})")
    }
}

/// How long a secret's command may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(5);
/// A secret is not longer than this.
const LONGEST: u64 = 64 * 1024;

/// Why a secret could not be had. Names the reference only.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// `env:` names a variable that is not there.
    #[error("{0}: no such variable in the environment")]
    NoVariable(String),
    /// The file cannot be read.
    #[error("{reference}: {why}")]
    File { reference: String, why: String },
    /// Anybody on this host can read the file.
    #[error("{reference}: others can read or write this file (mode {mode:03o}); chmod 600 it")]
    Open { reference: String, mode: u32 },
    /// The command gave nothing in time.
    #[error("{0}: no answer in 5 s")]
    Timeout(String),
    /// The command failed.
    #[error("{reference}: {why}")]
    Command { reference: String, why: String },
    /// There is nothing in it, or no text.
    #[error("{reference}: {why}")]
    Content { reference: String, why: &'static str },
}

/// A secret's value. Shows as `(hidden)`; only `reveal` gives it. Cheap to clone:
/// each poll looks its answer through for all of them.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Arc<str>);

impl SecretValue {
    /// From a text that holds one in another form, to be masked like it.
    pub fn from_text(text: String) -> Self {
        Self(text.into())
    }

    /// The value itself, for the one place that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl fmt::Display for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl Secret {
    /// Asks the environment, the file or the command. A command has 5 s and
    /// its own process group, which is killed whole when it takes longer.
    pub async fn resolve(&self) -> Result<SecretValue, SecretError> {
        let raw = match &self.0 {
            Reference::Plain(text) => return Ok(SecretValue::from_text(text.clone())),
            Reference::Env(name) => std::env::var_os(name)
                .ok_or_else(|| SecretError::NoVariable(self.to_string()))?
                .into_encoded_bytes(),
            Reference::File(path) => self.read_file(&super::home_path(path))?,
            Reference::Command(command) => self.run(command).await?,
        };
        let content = |why| SecretError::Content { reference: self.to_string(), why };
        let mut text = String::from_utf8(raw).map_err(|_| content("this is not UTF-8 text"))?;
        if text.ends_with('\n') {
            text.pop();
            if text.ends_with('\r') {
                text.pop();
            }
        }
        if text.is_empty() { Err(content("it is empty")) } else { Ok(SecretValue::from_text(text)) }
    }

    fn read_file(&self, path: &Path) -> Result<Vec<u8>, SecretError> {
        let failed = |error: std::io::Error| SecretError::File {
            reference: self.to_string(),
            why: super::file::reason(&error),
        };
        // Neither a FIFO nor a terminal may hold up the console.
        let file = super::file::open(path).map_err(failed)?;
        let about = file.metadata().map_err(failed)?;
        let mode = about.mode() & 0o777;
        if mode & 0o006 != 0 {
            return Err(SecretError::Open { reference: self.to_string(), mode });
        }
        let mut bytes = Vec::new();
        file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
        self.fits(bytes)
    }

    fn fits(&self, bytes: Vec<u8>) -> Result<Vec<u8>, SecretError> {
        if bytes.len() as u64 > LONGEST {
            let why = "it is longer than 64 KiB";
            return Err(SecretError::Content { reference: self.to_string(), why });
        }
        Ok(bytes)
    }

    async fn run(&self, command: &str) -> Result<Vec<u8>, SecretError> {
        let failed = |why: String| SecretError::Command { reference: self.to_string(), why };
        let mut child = tokio::process::Command::new("/bin/sh")
            .args(["-c", command])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(super::file::reason(&error)))?;
        let group = child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()));
        // Unless it ends by itself, nothing of its group is left behind.
        let mut kill = KillGroup(group);
        let out = child.stdout.take();
        let read = async {
            let mut bytes = Vec::new();
            if let Some(out) = out {
                out.take(LONGEST + 1)
                    .read_to_end(&mut bytes)
                    .await
                    .map_err(|error| failed(super::file::reason(&error)))?;
            }
            let bytes = self.fits(bytes)?;
            let status = child.wait().await.map_err(|error| failed(super::file::reason(&error)))?;
            Ok::<_, SecretError>((bytes, status))
        };
        let (bytes, status) = tokio::time::timeout(COMMAND_TIMEOUT, read)
            .await
            .map_err(|_| SecretError::Timeout(self.to_string()))??;
        // The number may belong to somebody else from now on.
        kill.0 = None;
        if status.success() { Ok(bytes) } else { Err(failed(format!("it ended with {status}"))) }
    }
}

struct KillGroup(Option<rustix::process::Pid>);

impl Drop for KillGroup {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Fails where the whole group has ended already: all is well then.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    async fn resolved(text: &str) -> Result<String, String> {
        let secret = Secret::parse(text);
        secret.resolve().await.map(|value| value.reveal().into()).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn the_environment_is_asked_and_a_missing_variable_is_named() {
        assert!(resolved("env:PATH").await.unwrap().contains("bin"));
        assert_eq!(
            resolved("env:OPSROOM_NO_SUCH").await.unwrap_err(),
            "env:OPSROOM_NO_SUCH: no such variable in the environment"
        );
    }

    #[tokio::test]
    async fn a_file_loses_its_last_newline_and_must_not_be_open_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "s3cret\n\n").unwrap();
        let name = format!("file:{}", path.display());
        let mode = |mode| std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        mode(0o640);
        assert_eq!(resolved(&name).await.unwrap(), "s3cret\n");
        mode(0o644);
        let error = resolved(&name).await.unwrap_err();
        assert!(error.contains("mode 644"), "{error}");
        std::fs::write(&path, "\n").unwrap();
        mode(0o600);
        assert!(resolved(&name).await.unwrap_err().ends_with("it is empty"));
        std::fs::write(&path, vec![b'a'; 70_000]).unwrap();
        assert!(resolved(&name).await.unwrap_err().ends_with("longer than 64 KiB"));
        let error = resolved(&format!("file:{}", folder.path().display())).await.unwrap_err();
        assert!(error.contains("not a file"), "{error}");
        assert!(resolved("file:/no/such").await.unwrap_err().contains("no such file"));
    }

    #[tokio::test]
    async fn a_command_gives_the_secret_or_says_how_it_ended() {
        assert_eq!(resolved("cmd:printf 'a b\\n'").await.unwrap(), "a b");
        let error = resolved("cmd:false --token=abc").await.unwrap_err();
        assert_eq!(error, "cmd:false: it ended with exit status: 1");
        assert!(resolved("cmd:yes").await.unwrap_err().contains("64 KiB"));
    }

    #[test]
    fn nothing_shows_a_value() {
        let secret = Secret::parse("hunter2");
        assert!(secret.is_plain());
        assert_eq!(format!("{secret} {secret:?}"), "(hidden) Secret((hidden))");
        let value = SecretValue("hunter2".into());
        assert_eq!(format!("{value} {value:?}"), "(hidden) (hidden)");
        assert_eq!(Secret::parse("cmd:pass show x").to_string(), "cmd:pass");
    }
}
