//! Debian's monitoring plugins.

use super::support::{check, free_port, program, until};
use opsroom::domain::{Cause, Status};

#[tokio::test]
async fn plugins_answer_with_code_line_and_numbers() {
    if program("check_dummy").is_none() {
        return;
    }
    for (code, status) in
        [(0, Status::Ok), (1, Status::Warning), (2, Status::Critical), (3, Status::Unknown)]
    {
        let reading = check(&format!("command = ['check_dummy', '{code}', 'as told']")).await;
        assert_eq!(reading.status, status);
        assert!(reading.summary.ends_with("as told"), "{}", reading.summary);
    }
    let load = check("command = ['check_load', '-w', '900,900,900', '-c', '999,999,999']").await;
    assert_eq!(load.status, Status::Ok, "{}", load.summary);
    assert!(load.numbers.iter().any(|(name, _)| name.starts_with("load1")), "{:?}", load.numbers);
    let port = free_port();
    let refused = check(&format!("command = 'check_tcp -H 127.0.0.1 -p {port} -t 1'")).await;
    assert_eq!((refused.status, refused.cause), (Status::Critical, Some(Cause::Answer)));
}

#[tokio::test]
async fn a_plugin_that_hangs_is_ended_with_all_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let command = format!("sleep 77 & echo $! > {}; wait", file.display());
    let reading = check(&format!("command = \"{command}\"")).await;
    assert_eq!((reading.status, reading.cause), (Status::Critical, Some(Cause::Timeout)));
    let pid: i32 = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
    // Ended means gone, or a zombie that waits for whoever adopted it.
    until("its child has ended", || async {
        let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        state.is_empty() || state.contains(") Z ")
    })
    .await;
    let missing = check("command = ['/no/such/plugin', 'x']").await;
    assert_eq!((missing.status, missing.cause), (Status::Unknown, Some(Cause::Check)));
}
