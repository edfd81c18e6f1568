//! Effects against a config in a scratch folder; nothing in it is ever reached.

use super::*;
use crate::rules::Earlier;
use crate::runtime::kept::{Keeper, KeptFiles};
use crate::runtime::state_file;
use crate::sources::Page;
use crate::store::AskId;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::TempDir;
use tokio::sync::mpsc::Receiver;

struct Bench {
    world: World,
    messages: Receiver<Msg>,
    scratch: TempDir,
}

fn write(scratch: &TempDir, text: &str) -> PathBuf {
    let path = scratch.path().join("config.toml");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn started(text: &str) -> Bench {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let scratch = tempfile::tempdir().unwrap();
    std::fs::set_permissions(scratch.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let found = discover::read(&write(&scratch, text)).unwrap();
    let assembled = Assembled::of(&found, false).unwrap();
    let (out, messages) = tokio::sync::mpsc::channel(MESSAGES);
    let practice: CallFault = Arc::new(|name| match name {
        "hang" => Ok("api hangs".to_owned()),
        _ => Err(format!("no fault {name}")),
    });
    let (world, _engine) = World::start(assembled, Clock::Wall, out, Some(practice)).unwrap();
    Bench { world, messages, scratch }
}

impl Bench {
    fn execute(&mut self, effect: Effect) {
        self.world.execute(effect, Timestamp::default());
    }

    /// The first message that `wanted` makes something of.
    async fn hear<T>(&mut self, wanted: impl Fn(Msg) -> Option<T>) -> T {
        loop {
            let msg = self.messages.recv().await.unwrap();
            if let Some(found) = wanted(msg) {
                return found;
            }
        }
    }
}

const CONFIG: &str = "environment = 'test'\n\
    [service.api]\nlogs = 'echo one; echo two'\ntcp = '127.0.0.1:1'\n\
    [scrape.app]\ntargets = ['127.0.0.1:1']\n";

fn reloaded(msg: Msg) -> Option<Result<Arc<crate::domain::Inventory>, String>> {
    if let Msg::Reloaded(result) = msg { Some(result) } else { None }
}

#[tokio::test]
async fn checks_and_failed_scrapes_come_as_readings() {
    let mut bench = started(CONFIG);
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 2 {
        let polls = bench.hear(|msg| if let Msg::Polled(p) = msg { Some(p) } else { None }).await;
        seen.extend(polls.into_iter().map(|polled| polled.source.to_string()));
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["check/api/tcp", "scrape/app/127.0.0.1:1"]);
}

#[tokio::test]
async fn logs_faults_and_questions_to_nobody_are_answered() {
    let mut bench = started(CONFIG);
    bench.execute(Effect::ReadLogs("api".into()));
    let lines = bench
        .hear(|msg| if let Msg::LogsRead { lines, .. } = msg { Some(lines) } else { None })
        .await;
    assert_eq!(&*lines.unwrap(), ["one".to_owned(), "two".to_owned()]);
    bench.execute(Effect::Practice("hang".into()));
    let said = |msg| if let Msg::Said { text, bad } = msg { Some((text, bad)) } else { None };
    assert_eq!(bench.hear(said).await, ("api hangs".to_owned(), false));
    bench.execute(Effect::Ask(Ask {
        id: AskId("a".into()),
        expr: "up".into(),
        split: None,
        range: None,
        at: Timestamp::default(),
        engine: crate::domain::EngineKind::Server,
    }));
    let answers = bench.hear(|msg| if let Msg::Answered(a) = msg { Some(a) } else { None }).await;
    let error = answers[0].answer.outcome.as_ref().unwrap_err();
    assert!(error.message.starts_with("no metrics server is set"), "{error:?}");
}

#[tokio::test]
async fn a_reload_takes_a_good_config_and_leaves_a_bad_one() {
    let mut bench = started(CONFIG);
    write(&bench.scratch, "environment = 'test'\n[service.shop]\ntcp = '127.0.0.1:1'\n");
    bench.execute(Effect::Reload);
    let inventory = bench.hear(reloaded).await.unwrap();
    assert_eq!(inventory.services[0].name.as_str(), "shop");
    assert!(bench.world.made().targets.is_empty());

    write(&bench.scratch, "[service.shop]\ntpc = '127.0.0.1:1'\n");
    bench.execute(Effect::Reload);
    let mistake = bench.hear(reloaded).await.unwrap_err();
    assert!(mistake.contains("`tpc`"), "{mistake}");

    write(&bench.scratch, "environment = 'production'\n[service.shop]\ntcp = '127.0.0.1:1'\n");
    bench.execute(Effect::Reload);
    let refused = bench.hear(reloaded).await.unwrap_err();
    assert!(refused.starts_with("this console watches test"), "{refused}");
}

#[tokio::test]
async fn a_config_file_that_is_gone_or_back_is_said() {
    let mut bench = started(CONFIG);
    std::fs::remove_file(bench.scratch.path().join("config.toml")).unwrap();
    let why = bench.world.look_at_config().await.unwrap_err();
    bench.world.config_turned(Turn::Gone(why)).await;
    let said = |msg| if let Msg::Said { text, bad } = msg { Some((text, bad)) } else { None };
    let (text, bad) = bench.hear(said).await;
    assert!(text.starts_with("the config file is gone, the old config stays: /"), "{text}");
    assert!(bad);
    assert!(!bench.world.made().targets.is_empty());
    write(&bench.scratch, CONFIG);
    assert!(bench.world.look_at_config().await.is_ok());
    bench.world.config_turned(Turn::Back).await;
    assert!(!bench.hear(said).await.1);
    bench.world.config_turned(Turn::Changed).await;
    assert!(bench.hear(reloaded).await.is_ok());
}

/// Puts a version of a config and a rule file into a folder as Kubernetes mounts
/// them: links by way of `..data`, which is replaced; the version before goes.
fn mount(folder: &Path, version: &str, config: &str, rules: &str) {
    let (own, data) = (folder.join(version), folder.join("..data"));
    std::fs::create_dir(&own).unwrap();
    for (name, text) in [("config.toml", config), ("rules.yml", rules)] {
        std::fs::write(own.join(name), text).unwrap();
        std::fs::set_permissions(own.join(name), std::fs::Permissions::from_mode(0o600)).unwrap();
        let _ = std::os::unix::fs::symlink(format!("..data/{name}"), folder.join(name));
    }
    std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o755)).unwrap();
    let before = std::fs::read_link(&data);
    std::os::unix::fs::symlink(version, folder.join("..data_tmp")).unwrap();
    std::fs::rename(folder.join("..data_tmp"), data).unwrap();
    if let Ok(before) = before {
        std::fs::remove_dir_all(folder.join(before)).unwrap();
    }
}

#[tokio::test]
async fn a_config_that_kubernetes_mounts_is_read_anew_when_it_is_swapped() {
    const RULES: &str = "groups:\n- name: g\n  rules:\n  - {alert: A, expr: up == 0}\n";
    let _ = rustls::crypto::ring::default_provider().install_default();
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("etc");
    std::fs::create_dir(&folder).unwrap();
    let config = |service: &str| {
        format!(
            "environment = 'test'\nrules = 'rules.yml'\n[service.{service}]\ntcp = '127.0.0.1:1'\n\
             [scrape.app]\ntargets = ['127.0.0.1:1']\n"
        )
    };
    mount(&folder, "..2026_11_22_03_25_46.1", &config("api"), RULES);
    let path = folder.join("config.toml");
    let assembled = Assembled::of(&discover::read(&path).unwrap(), false).unwrap();
    assert_eq!(assembled.path, path);
    // The rule files of the version that comes next are found as well.
    assert_eq!(assembled.config.rules.files, [folder.join("rules.yml").to_string_lossy()]);
    let kept = KeptFiles::at(scratch.path(), &assembled.path, false);
    let (out, messages) = tokio::sync::mpsc::channel(MESSAGES);
    let (world, _engine) = World::start(assembled, Clock::Wall, out, None).unwrap();
    let mut bench = Bench { world, messages, scratch };
    let mut following = Following::from(bench.world.look_at_config().await);
    assert_eq!(following.look(bench.world.look_at_config().await), None);

    let rules = RULES.replace("up == 0", "up == 1");
    mount(&folder, "..2026_11_22_04_25_46.2", &config("shop"), &rules);
    assert_eq!(following.look(bench.world.look_at_config().await), None);
    let turn = following.look(bench.world.look_at_config().await);
    assert_eq!(turn, Some(Turn::Changed));
    bench.world.config_turned(Turn::Changed).await;
    let inventory = bench.hear(reloaded).await.unwrap();
    assert_eq!(inventory.services[0].name.as_str(), "shop");
    // It is the same config as before, and has the same history.
    assert_eq!(KeptFiles::at(bench.scratch.path(), &path, false), kept);
}

#[tokio::test]
async fn a_damaged_window_is_said_and_put_aside_and_a_kept_one_comes_back() {
    let mut bench = started(CONFIG);
    let files = KeptFiles::at(bench.scratch.path(), Path::new("/c.toml"), false);
    let window = files.window();
    std::fs::write(&window, b"rubbish").unwrap();
    let limits = crate::metrics::Limits::default();
    let said = |msg| if let Msg::Said { text, bad: true } = msg { Some(text) } else { None };
    // Whoever only reads it, or finds another at it, leaves it where it is.
    let other = Keeper::new(files.clone(), "watch");
    assert!(other.keeps().unwrap());
    let keeper = Keeper::new(files.clone(), "console");
    bench.world.take_up(files.clone(), limits);
    assert!(bench.hear(said).await.contains("cannot be read"));
    bench.world.go_on_from(keeper.clone(), limits, Earlier::new());
    assert!(bench.hear(said).await.contains("cannot be read"));
    assert!(window.exists());
    drop(other);
    bench.world.go_on_from(keeper.clone(), limits, Earlier::new());
    assert!(bench.hear(said).await.contains("put aside"));
    assert!(!window.exists());

    let target = bench.world.made().targets.values().next().cloned().unwrap();
    let page =
        Page { content_type: "text/plain".into(), body: "x 1\n".into(), took: Duration::ZERO };
    let now = Clock::Wall.now();
    bench.world.engine().take_page(target, page, now).await.unwrap();
    bench.world.keep_window_now(keeper, Duration::from_secs(20));
    let kept = state_file::read_window(&window, limits).unwrap().unwrap();
    assert!(kept.stats().samples > 0);
}
