//! The runbooks that ship with opsroom.

/// Each with its name and its text.
pub const BOOKS: &[(&str, &str)] = &[
    ("database-trouble", include_str!("../../runbooks/database-trouble.md")),
    ("payment-failures", include_str!("../../runbooks/payment-failures.md")),
    ("restart-pm2", include_str!("../../runbooks/restart-pm2.md")),
    ("restart-supervisor", include_str!("../../runbooks/restart-supervisor.md")),
    ("restart-systemd", include_str!("../../runbooks/restart-systemd.md")),
    ("restore-files-restic", include_str!("../../runbooks/restore-files-restic.md")),
    ("restore-postgres-dump", include_str!("../../runbooks/restore-postgres-dump.md")),
    ("restore-postgres-pgbackrest", include_str!("../../runbooks/restore-postgres-pgbackrest.md")),
    ("rollback", include_str!("../../runbooks/rollback.md")),
    ("server-down", include_str!("../../runbooks/server-down.md")),
    ("slowness", include_str!("../../runbooks/slowness.md")),
    ("swap-postgres", include_str!("../../runbooks/swap-postgres.md")),
];

/// The path of a runbook that ships with opsroom.
pub const PATH: &str = "built in";

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn every_runbook_of_the_folder_ships() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/runbooks");
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut names: Vec<String> = files
            .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
            .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        names.sort();
        assert_eq!(names, BOOKS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    }
}
