//! Files, good and bad, as the reader takes them.

use super::*;
use crate::config::keys::key;

const AUTH: Keys = &[&[key("bearer", Shape::Secret, "A token.")]];
const SHARED: Keys = &[&[key("every", Shape::EVERY, "How often.").or("10s")]];
const KINDS: &[KindKeys] = &[
    KindKeys {
        family: crate::config::Family::Check,
        name: "http",
        keys: &[&[
            key("http", Shape::Url, "The URL.").needed(),
            key("status", Shape::OneOrMore(&Shape::Integer { min: 100, max: 599 }), "Allowed.")
                .or("200"),
        ]],
    },
    KindKeys {
        family: crate::config::Family::Check,
        name: "tcp",
        keys: &[&[key("tcp", Shape::Address, "The port.").needed()]],
    },
];
const ROOT: Keys = &[&[
    key("site", Shape::Text, "Where."),
    key("share", Shape::Ratio, "How much.").or("5%"),
    key("limit", Shape::Quantity, "How much."),
    key("keep", Shape::Size, "Memory.").or("64 MiB"),
    key("theme", Shape::OneOf(&["dark", "light"]), "Colours.").or("dark"),
    key("match", Shape::Regex, "What."),
    key("prometheus", Shape::TableOr("url", SERVER), "The server."),
    key("check", Shape::Kinds(crate::config::Family::Check, SHARED), "Checks."),
    key("scrape", Shape::Named(TARGETS), "Targets."),
    key("headers", Shape::Map(&Shape::Header), "Headers."),
]];
const SERVER: Keys =
    &[&[key("url", Shape::Url, "The URL.").needed(), key("auth", Shape::Table(AUTH), "Who.")]];
const TARGETS: Keys =
    &[&[key("targets", Shape::OneOrMore(&Shape::Address), "Who.").needed()], SHARED[0]];

fn read(text: &str) -> (Table, Mistakes) {
    let mut mistakes = Mistakes::default();
    let table = document(text, ROOT, KINDS, &mut mistakes);
    (table, mistakes)
}

/// Each mistake as `the text that it points at: message; help`.
fn complaints(text: &str) -> Vec<String> {
    let (_, mistakes) = read(text);
    let line = |mistake: &crate::config::Mistake| {
        let help = mistake.help.as_deref().unwrap_or_default();
        format!("{}: {}; {help}", &text[mistake.span.clone()], mistake.message)
    };
    mistakes.in_order().into_iter().map(line).collect()
}

#[test]
fn values_come_typed_and_what_is_left_out_is_the_default() {
    let (table, mistakes) = read(
        r#"
        site = "shop"
        limit = "500ms"
        prometheus = "http://prom:9090/x"
        [check.login]
        http = "https://shop.example/login"
        status = [200, 302]
        [scrape.node]
        targets = "10.0.0.1:9100"
        every = "15s"
        "#,
    );
    assert!(mistakes.is_empty(), "{mistakes:?}");
    assert_eq!(table.text("site"), "shop");
    assert_eq!(table.optional_number("limit"), Some(0.5));
    assert!((table.number("share") - 0.05).abs() < f64::EPSILON);
    assert_eq!(table.size("keep"), 64 << 20);
    assert_eq!(table.text("theme"), "dark");
    assert_eq!(table.table("prometheus").unwrap().text("url"), "http://prom:9090/x");
    let check = &table.named("check")[0];
    assert_eq!((check.kind(), check.name()), (Some("http"), "login"));
    assert_eq!(check.path(), "check.login");
    assert_eq!(check.wholes::<u16>("status"), [200, 302]);
    assert_eq!(check.duration("every"), Duration::from_secs(10));
    let scrape = &table.named("scrape")[0];
    assert_eq!(scrape.texts("targets"), ["10.0.0.1:9100"]);
    assert_eq!(scrape.duration("every"), Duration::from_secs(15));
}

#[test]
fn all_mistakes_are_told_at_once_each_at_its_place() {
    let found = complaints(
        r#"
        siet = "shop"
        share = 5
        keep = 64
        theme = "drak"
        match = "("
        prometheus = { url = "prom:9090", auht = { bearer = "x" } }
        [check.a]
        htpp = "https://x"
        [check.b]
        http = "ftp://x"
        tcp = "x:1"
        status = 200
        evry = "10s"
        [check.c]
        tcp = "x:99999"
        every = "10"
        [scrape.node]
        "#,
    );
    assert_eq!(
        found,
        [
            "siet: unknown key `siet`; did you mean `site`?",
            "5: `share` is out of bounds; a share is from 0 to 1, or \"0%\" to \"100%\"",
            "64: `keep` is a whole number; expected a size with its unit, such as \"64 MiB\"",
            "\"drak\": `theme` cannot be `drak`; did you mean `dark`?",
            "\"(\": `match` is not a regular expression; unclosed group",
            "\"prom:9090\": `prometheus.url` is neither http nor https; \
             expected a URL such as \"https://host/path\"",
            "auht: unknown key `auht` in `prometheus`; did you mean `auth`?",
            "a: `check.a` does not say what is asked; did you mean `http`?",
            "\"ftp://x\": `check.b.http` is neither http nor https; \
             expected a URL such as \"https://host/path\"",
            "tcp: `check.b` asks twice; `http` and `tcp` are two checks",
            "evry: unknown key `evry` in `check.b`; did you mean `every`?",
            "\"x:99999\": `check.c.tcp` is not host and port; \
             expected host and port, such as \"db-1:5432\"",
            "\"10\": `check.c.every` is not understood; \
             expected a time with its unit, such as \"10s\" or \"1h30m\"",
            "node: `targets` is missing in `scrape.node`; Who.",
        ]
    );
}

#[test]
fn wrong_types_say_what_they_are_and_what_is_expected() {
    assert_eq!(
        complaints("site = [1]\nprometheus = 3\ncheck = \"x\"\nscrape.a = 1"),
        [
            "[1]: `site` is a list; expected a text",
            "3: `prometheus` is a whole number; \
             expected a URL such as \"https://host/path\", or a table",
            "\"x\": `check` is a text; expected a table",
            "a: `scrape.a` is not a table; `scrape` holds tables that are named by you",
        ]
    );
}

#[test]
fn a_file_that_is_not_toml_says_so_and_where() {
    let (_, mistakes) = read("site = \"a\"\nsite = \"b\"\n");
    let first = &mistakes.in_order()[0];
    assert!(first.message.contains("duplicate key"), "{first:?}");
    assert_eq!(first.span, 11..15);
    assert!(!read("[check.a\nhttp =").1.is_empty());
    let deep = format!("site = {}", "[".repeat(100_000));
    assert!(!read(&deep).1.is_empty());
}

#[test]
fn what_may_be_a_secret_is_hidden() {
    let text = r#"
        headers = { X-Key = "abc", Other = "env:KEY" }
        prometheus = { url = "http://u:p@h/", auth = { bearer = "tok", baerer = "tik" } }
    "#;
    let (_, mistakes) = read(text);
    let hidden: Vec<&str> = mistakes.hidden().iter().map(|span| &text[span.clone()]).collect();
    assert_eq!(hidden, ["\"abc\"", "\"http://u:p@h/\"", "\"tok\"", "\"tik\""]);
    assert_eq!(mistakes.advisories(), 2);
}

#[test]
fn addresses_have_a_host_and_a_port() {
    for good in ["db:1", "10.0.0.1:65535", "[::1]:80", "[fe80::1%eth0]:80", "a_b.c-d:5"] {
        assert!(is_address(good), "{good}");
    }
    for wrong in ["", ":80", "db", "db:", "db:0", "db:65536", "::1:80", "[x]:1", "a b:1", "a:+1"] {
        assert!(!is_address(wrong), "{wrong}");
    }
}

proptest::proptest! {
    #[test]
    fn no_file_makes_the_reader_fall_over(text in "(?s).{0,400}") {
        read(&text);
    }

    #[test]
    fn no_value_makes_the_reader_fall_over(
        name in "site|share|keep|match|prometheus|check|check\\.a|scrape\\.a|headers|limit",
        value in r#"[0-9]{1,25}|-?[0-9]\.[0-9]|nan|-inf|true|"[a-z0-9:%/ .]{0,12}"|\[\]|\{\}|\[1, "x"\]|\{ http = 1 \}|\{ url = "" \}|1979-05-27|0xff"#,
    ) {
        read(&format!("{name} = {value}"));
    }
}

#[test]
fn keys_nested_without_end_end_in_a_mistake() {
    for text in [
        format!("{}a = 1", "a.".repeat(300_000)),
        format!("[{}a]", "a.".repeat(300_000)),
        format!("site = {}", "{a=".repeat(100_000)),
        "[a]\n[a.a]\n".repeat(10_000),
    ] {
        assert!(!read(&text).1.is_empty());
    }
}
