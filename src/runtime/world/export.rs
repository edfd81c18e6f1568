//! What is seen, written into a file of its own that nobody else can read.

use super::World;
use crate::domain::{Timestamp, units};
use crate::metrics::csv;
use crate::store::{Export, Msg};
use std::fs::OpenOptions;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// So many files of one second are told apart.
const ALIKE: u32 = 100;

impl World {
    /// From now on files that the operator asks for are written there.
    pub fn write_exports_to(&self, folder: PathBuf) {
        // Only one console is ever in front of it.
        let _ = self.0.exports.set(folder);
    }

    pub(super) async fn export(self, export: Export) {
        let now = self.0.clock.now();
        let folder = self.0.exports.get().cloned();
        let (text, bad) = match folder {
            None => ("nothing written: there is no folder for it".to_owned(), true),
            Some(folder) => {
                let write = move || written(&folder, &export, now);
                match tokio::task::spawn_blocking(write).await {
                    Ok(Ok(told)) => (told, false),
                    Ok(Err(why)) => (format!("nothing written: {why}"), true),
                    Err(error) => (format!("nothing written: {error}"), true),
                }
            }
        };
        self.tell(Msg::Said { text, bad }).await;
    }
}

/// Writes it, and says where it is.
fn written(folder: &Path, export: &Export, now: Timestamp) -> Result<String, String> {
    let told = |path: &Path, error: io::Error| format!("{}: {error}", path.display());
    let data = export.answer.outcome.as_ref().map_err(|error| error.message.clone())?;
    std::fs::create_dir_all(folder).map_err(|error| told(folder, error))?;
    let (file, path) = new_file(folder, now).map_err(|error| told(folder, error))?;
    let mut file = BufWriter::new(file);
    let done = csv::write(&mut file, data, export.answer.ask.at, &export.series);
    let done = done.and_then(|values| file.flush().map(|()| values));
    match done {
        Ok(values) => {
            let (series, values) = (export.series.len().max(1), units::count(values, "value"));
            Ok(format!("wrote {} ({series} series, {values})", short(&path)))
        }
        Err(error) => {
            // Half a file says less than none.
            let _ = std::fs::remove_file(&path);
            Err(told(&path, error))
        }
    }
}

/// The path, with `~` for the user's home: it has to fit on a small screen.
fn short(path: &Path) -> String {
    let home = std::env::home_dir().filter(|home| home.parent().is_some());
    match home.and_then(|home| path.strip_prefix(home).ok().map(Path::to_path_buf)) {
        Some(rest) => format!("~/{}", rest.display()),
        None => path.display().to_string(),
    }
}

/// A file that was not there before: `metrics-2025-11-20T190720Z.csv`.
fn new_file(folder: &Path, now: Timestamp) -> io::Result<(std::fs::File, PathBuf)> {
    let name = now.to_string().replace([':'], "");
    let name = name.split('.').next().unwrap_or(&name);
    for again in 1..=ALIKE {
        let ending = if again == 1 { String::new() } else { format!("-{again}") };
        let path = folder.join(format!("metrics-{name}Z{ending}.csv"));
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        match opened {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            opened => return Ok((opened?, path)),
        }
    }
    Err(io::Error::new(ErrorKind::AlreadyExists, "too many files of this second"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{EngineKind, Labels, Num};
    use crate::metrics::{Coverage, Data, Point};
    use crate::store::{Answer, Ask, AskId};
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;
    use std::time::Duration;

    fn export() -> Export {
        let at = Timestamp::from_millis(1_000);
        let ask = Ask {
            id: AskId("page/now".into()),
            expr: "up".into(),
            split: None,
            range: None,
            at,
            engine: EngineKind::Embedded,
        };
        let labels = Labels::new([("job", "api")]);
        let outcome = Ok(Data::Vector(vec![Point { labels: labels.clone(), value: Num(1.0) }]));
        let answer = Arc::new(Answer {
            ask,
            outcome,
            coverage: Coverage::Whole,
            warnings: Vec::new(),
            infos: Vec::new(),
            took: Duration::ZERO,
        });
        Export { answer, series: vec![labels] }
    }

    #[test]
    fn a_file_is_for_its_user_alone_and_never_written_over() {
        let scratch = tempfile::tempdir().unwrap();
        let now = Timestamp::from_millis(1_763_665_640_000);
        let first = written(scratch.path(), &export(), now).unwrap();
        let second = written(scratch.path(), &export(), now).unwrap();
        assert!(first.ends_with("Z.csv (1 series, 1 value)"), "{first}");
        assert!(second.contains("-2.csv ("), "{second}");
        for entry in std::fs::read_dir(scratch.path()).unwrap() {
            let mode = entry.unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn what_cannot_be_written_is_said_with_its_reason() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = written(&file, &export(), Timestamp::default()).unwrap_err();
        assert!(error.contains("file"), "{error}");
    }
}
