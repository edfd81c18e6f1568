use super::*;

/// What a template becomes for `v{instance="i<>", job="j"}` with the value 5,
/// as promtool 2.42 filled it in.
fn expand(text: &str) -> String {
    let series = Labels::new([("__name__", "v"), ("job", "j"), ("instance", "i<>")]);
    let query = |expr: &str| match expr {
        "v" => Ok(vec![(series.clone(), 5.0)]),
        "two" => Ok(vec![(Labels::new([("n", "b")]), 1.0), (Labels::new([("n", "a")]), 2.0)]),
        "bad" => Err("no".to_owned()),
        _ => Ok(Vec::new()),
    };
    let external = Labels::new([("cluster", "c1")]);
    let world = World {
        at: Timestamp::from_millis(60_000),
        external_labels: &external,
        external_url: "http://x/y",
        query: &query,
    };
    match Template::parse(text) {
        Ok(template) => template.expand("A", &series, 5.0, &world).unwrap_or_else(|words| words),
        Err(error) => format!("{}: {}", error.at, error.message),
    }
}

#[test]
fn texts_are_filled_in_as_promtool_does() {
    for (text, filled) in [
        ("no template", "no template"),
        ("{{ $labels.missing }}", ""),
        ("{{ $value }} {{ 1000000.0 }} {{ 123456.0 }} {{ 1e21 }}", "5 1e+06 123456 1e+21"),
        (
            r#"{{ printf "%d" $value }} {{ printf "%v %s %q %5.2f|%-8s|%08.3f|%+d" $value "x" "y" 3.14159 "ab" 2.5 7 }}"#,
            "%!d(float64=5) 5 x \"y\"  3.14|ab      |0002.500|+7",
        ),
        (
            "{{ $labels }} {{ . }} {{ printf \"%v\" $labels }}",
            "map[__name__:v instance:i<> job:j] {map[__name__:v instance:i<> job:j] map[cluster:c1] http://x/y 5} map[__name__:v instance:i<> job:j]",
        ),
        (
            r#"{{ range $i, $e := query "v" }}{{ $i }}={{ $e }};{{ .Labels }}{{ .Value }}{{ end }}"#,
            "0={map[__name__:v instance:i<> job:j] 5};map[__name__:v instance:i<> job:j]5",
        ),
        (
            r#"{{ "1435065584.128" | humanizeTimestamp }} {{ toTime 1435065584.128 }}"#,
            "2015-06-23 13:19:44.128 +0000 UTC 2015-06-23 13:19:44.128 +0000 UTC",
        ),
        (r#"{{ with query "nope" }}x{{ else }}none{{ end }}"#, "none"),
        (r#"{{ title "hello WORLD foo-bar" }} {{ toUpper "a" }}"#, "Hello WORLD Foo-Bar A"),
        (r#"{{ reReplaceAll "(a)b" "$1x" "abab" }} {{ match "a+" "xaa" }}"#, " true"),
        (r#"{{ stripPort "h:80" }} {{ stripDomain "a.b.c:80" }}"#, "h a:80"),
        (r#"{{ graphLink "up{a=\"b\"}" }}"#, "/graph?g0.expr=up%7Ba%3D%22b%22%7D&g0.tab=0"),
        (
            r#"{{ html "<a>&" }} {{ js "a'b" }} {{ urlquery "a b&c" }}"#,
            r"&lt;a&gt;&amp; a\'b a+b%26c",
        ),
        (
            r#"{{ index $labels "job" }} {{ index (query "v") 0 }}"#,
            "j {map[__name__:v instance:i<> job:j] 5}",
        ),
        (
            r#"{{ len $labels }} {{ slice "abc" 1 2 }} {{ print 1 2 "a" "b" 3 }} {{ println "x" }}"#,
            "3 b 1 2ab3 x\n",
        ),
        (
            r#"{{ define "t" }}T{{ . }}{{ end }}{{ template "t" 5 }}{{ block "u" . }}U{{ end }}"#,
            "T5U",
        ),
        (
            r#"{{ $x := 3 }}{{ $x = 4 }}{{ $x }} {{ if and true $x }}y{{ end }} {{ not 0 }} {{ or "" "z" }}"#,
            "4 y true z",
        ),
        (r#"{{ eq $labels.job "j" "k" }}"#, "true"),
        (
            r#"{{ parseDuration "1h30m" | humanizeDuration }} {{ 0.0012 | humanizeDuration }}"#,
            "1h 30m 0s 1.2ms",
        ),
        (
            "{{ humanize 123456.7 }} {{ humanize1024 123456.7 }} {{ humanizePercentage 0.12345 }}",
            "123.5k 120.6ki 12.35%",
        ),
        (
            r#"{{ (query "v" | first).Labels.job }} {{ label "job" (query "v" | first) }} {{ args 1 "b" }}"#,
            "j j map[arg0:1 arg1:b]",
        ),
        (
            "{{ .ExternalURL }} {{ $externalURL }} {{ $externalLabels }}",
            "http://x/y http://x/y map[cluster:c1]",
        ),
        (
            r#"{{ range $k, $v := $labels }}{{ $k }}={{ $v }},{{ end }} {{ range $i := query "nope" }}{{ else }}empty{{ end }}"#,
            "__name__=v,instance=i<>,job=j, empty",
        ),
        (
            "{{- \"a\" -}}   b   {{/* c */}} {{ `raw` }} {{ \"\\u00e9\\n\" }} {{ 0x10 }} {{ 1_000 }} {{ true }} {{ 'a' }}",
            "ab    raw é\n 16 1000 true 97",
        ),
        (
            r#"{{ range query "two" | sortByLabel "n" }}{{ .Labels.n }}{{ .Value }} {{ end }}"#,
            "a2 b1 ",
        ),
        ("{{ if gt $value 4.0 }}big{{ else if gt $value 2.0 }}mid{{ else }}small{{ end }}", "big"),
        ("{{ if gt $value 9.0 }}big{{ else if gt $value 2.0 }}mid{{ else }}small{{ end }}", "mid"),
        (
            "{{ range $labels }}{{ if eq . \"v\" }}{{ continue }}{{ end }}{{ . }}{{ break }}{{ end }}",
            "i<>",
        ),
        ("{{ $v := 1 }}{{ range query \"two\" }}{{ $v = .Value }}{{ end }}{{ $v }}", "2"),
        (
            r#"{{ with $x := query "v" }}{{ range $x }}{{ .Value | printf "%.1f" }}{{ end }}{{ end }}"#,
            "5.0",
        ),
        (r#"{{ query "v" | first | value }} {{ args 1 "b" | len }}"#, "5 2"),
    ] {
        assert_eq!(expand(text), filled, "{text}");
    }
}

#[test]
fn errors_are_told_in_the_words_of_prometheus() {
    for (text, told) in [
        (
            "{{ gt $value 5 }}",
            "1:115: executing \"__alert_A\" at <gt $value 5>: error calling gt: incompatible types for comparison",
        ),
        (
            "{{ $labels.a.b }}",
            "1:122: executing \"__alert_A\" at <$labels.a.b>: can't evaluate field b in type string",
        ),
        ("{{ nil }}", "1:115: executing \"__alert_A\" at <nil>: nil is not a command"),
        (
            r#"{{ eq $labels.job "j" "k" }} {{ eq 1 1.0 }}"#,
            "1:144: executing \"__alert_A\" at <eq 1 1.0>: error calling eq: incompatible types for comparison",
        ),
        (
            r#"{{ with query "nope" }}x{{ else }}none{{ end }} {{ query "nope" | first | value }}"#,
            "1:178: executing \"__alert_A\" at <first>: error calling first: first() called on vector with no elements",
        ),
        (
            "{{ .Nope }}",
            "1:115: executing \"__alert_A\" at <.Nope>: can't evaluate field Nope in type struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value float64 }",
        ),
    ] {
        let told = format!("error executing template __alert_A: template: __alert_A:{told}");
        assert_eq!(expand(text), told, "{text}");
    }
}

#[test]
fn what_promtool_refuses_is_refused_in_its_words() {
    for (text, words) in [
        ("{{ tmpl \"x\" 1 }}", "function \"tmpl\" not defined"),
        ("{{ foo }}", "function \"foo\" not defined"),
        ("{{ $x }}", "undefined variable \"$x\""),
        ("{{ $labels.job", "unclosed action"),
        ("{{ if }}x{{ end }}", "missing value for if"),
        ("{{ if true }}x", "unexpected EOF"),
        ("{{ end }}", "unexpected {{end}}"),
        ("{{ else }}", "unexpected {{else}}"),
        ("{{ \"abc }}", "unterminated quoted string"),
        ("{{ }}", "missing value for command"),
        ("{{ | }}", "unexpected \"|\" in command"),
        ("{{ 1 | 2 }}", "non executable command in pipeline stage 2"),
        ("{{ .Labels | 5 }}", "non executable command in pipeline stage 2"),
        ("{{ humanize $value }", "unexpected \"}\" in operand"),
        ("{{ /* x */ }}", "unexpected \"/\" in command"),
        ("{{/* x }}", "unclosed comment"),
        ("{{ range $a, $b, $c := .Labels }}{{ end }}", "too many declarations in range"),
        ("{{ with $x := 5 }}{{ $x }}{{ end }}{{ $x }}", "undefined variable \"$x\""),
        ("{{ 08 }}", "integer overflow: \"08\""),
        ("{{ 1.2.3 }}", "unexpected \".3\" in operand"),
        ("{{ $labels.a-b }}", "bad character U+002D '-'"),
        ("{{ $labels.\"a\" }}", "bad character U+0022 '\"'"),
        ("{{ define \"a\" }}", "unexpected EOF"),
        ("{{ if 1 }}{{ else if 2 }}{{ else }}{{ else }}{{ end }}", "expected end; found {{else}}"),
        ("{{ $x := }}", "missing value for command"),
        ("{{ true.x }}", "unexpected . after term \"true\""),
        ("{{ nil.x }}", "unexpected . after term \"nil\""),
        ("{{ ! }}", "unexpected \"!\" in command"),
        ("{{ a\\b }}", "bad character U+005C '\\'"),
        ("{{ \"\\q\" }}", "invalid syntax"),
        ("{{ 1 + 2 }}", "illegal number syntax: \"+\""),
        ("{{ \"a\nb\" }}", "unterminated quoted string"),
        ("{{ (printf \"x\" }}", "unclosed left paren"),
        ("{{ break }}", "{{break}} outside {{range}}"),
        ("{{ define \"t\" }}{{ $labels.job }}{{ end }}", "undefined variable \"$labels\""),
    ] {
        let error = Template::parse(text).err();
        assert_eq!(error.map(|error| error.message).as_deref(), Some(words), "{text}");
    }
}

#[test]
fn what_promtool_takes_is_taken() {
    for text in [
        "{{ printf }}",
        "{{ $labels.instance | }}",
        "{{ template \"none\" }}",
        "{{ (1) }}",
        "{{ \"a\" \"b\" }}",
        "{{ .Labels \"b\" }}",
        "{{ index $labels 'a' }}",
        "{{ $x = 3 }}{{ end",
        "}} {",
        "{{ (printf \"x\") (printf \"y\") }}",
    ] {
        let parsed = Template::parse(text);
        assert_eq!(parsed.is_ok(), !text.contains("end"), "{text}: {parsed:?}");
    }
}

#[test]
fn a_text_without_end_is_cut_off() {
    let loops = "{{ define \"t\" }}{{ template \"t\" . }}{{ end }}{{ template \"t\" . }}";
    assert!(expand(loops).contains("deep"), "{}", expand(loops));
    assert!(expand("{{ range 999999999 }}{{ end }}").contains("steps"));
    assert!(expand("{{ range 20000 }}{{ printf \"%1000d\" . }}{{ end }}").contains("longer than"));
    let deep = format!("{{{{ {}1{} }}}}", "(".repeat(500), ")".repeat(500));
    assert!(Template::parse(&deep).is_err());
}
