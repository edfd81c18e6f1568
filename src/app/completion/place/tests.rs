use super::*;

/// Looks where `|` stands.
fn at(text: &str) -> Place {
    let cursor = text.find('|').unwrap();
    place(&text.replacen('|', "", 1), cursor)
}

fn of(metric: &str, given: &[(&str, &str)]) -> SeriesOf {
    SeriesOf {
        metric: (!metric.is_empty()).then(|| metric.to_owned()),
        given: given
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    }
}

fn label(of: SeriesOf) -> What {
    What::Label { of, quote: None }
}

#[test]
fn where_an_operand_may_stand_it_is_offered() {
    for text in ["|", "ra|", "sum(ra|", "a + |", "a > bool |", "-|", "sum by (x) (|", "topk(5, |"] {
        assert!(matches!(at(text).what, What::Operand(_)), "{text}: {:?}", at(text));
    }
    for text in ["a |", "sum(x) |", "x{a=\"b\"} |", "x[5m] |", "1 |", "sum |", "sum(x) by (a) |"] {
        assert!(matches!(at(text).what, What::Word(_)), "{text}: {:?}", at(text));
    }
    assert_eq!(at("sum(x) b|").what, What::Word(AFTER_AGGREGATION));
    assert_eq!(at("rate(x[5m]) o|").what, What::Word(AFTER_OPERAND));
    assert_eq!(at("a > b|").what, What::Operand(AFTER_COMPARISON));
    assert_eq!(at("a * on (job) g|").what, What::Operand(AFTER_MATCHING));
    assert_eq!(at("a @ s|").what, What::Word(MOMENTS));
}

#[test]
fn a_name_is_replaced_as_a_whole() {
    let place = at("sum(http_re|quests[5m])");
    assert_eq!((place.typed.as_str(), place.from, place.until), ("http_re", 4, 17));
    assert_eq!(place.metric.as_deref(), Some("http_requests"));
    assert_eq!(at("sum(http_requests|[5m])").metric.as_deref(), Some("http_requests"));
    assert_eq!(at("rat|").metric.as_deref(), Some("rat"));
    assert_eq!(at("rate|").metric, None, "a function is no metric");
}

#[test]
fn in_braces_labels_of_the_metric_are_offered() {
    assert_eq!(at("up{|").what, label(of("up", &[])));
    assert_eq!(at("up{jo|}").what, label(of("up", &[])));
    assert_eq!(at("up{job=\"a\", |").what, label(of("up", &[("job", "a")])));
    assert_eq!(at("{|").what, label(of("", &[])));
    assert_eq!(at("up{job|").typed, "job");
    assert_eq!(at("up{job=\"a\"|").what, What::Nothing, "a comma comes first");
    assert_eq!(at("up{job !|").what, What::Nothing);
    assert_eq!(at("x + up{job!=\"a\", i|").what, label(of("up", &[])));
}

#[test]
fn after_a_sign_values_of_that_label_are_offered() {
    let value =
        |label: &str, of, quote, pattern| What::Value { label: label.into(), of, quote, pattern };
    assert_eq!(at("up{job=|").what, value("job", of("up", &[]), None, false));
    let place = at("up{a=\"1\",job=\"ap|i\"}");
    assert_eq!(place.what, value("job", of("up", &[("a", "1")]), Some('"'), false));
    assert_eq!((place.typed.as_str(), place.from, place.until), ("ap", 14, 17));
    let place = at("up{job=~\"a|");
    assert_eq!(place.what, value("job", of("up", &[]), Some('"'), true));
    let escaped = at(r#"up{path="C:\\a\"|"}"#);
    assert_eq!(escaped.typed, r#"C:\a""#);
    // A quote that ends some other text does not end this one.
    let open = at("sum(up{job=\"|, instance=\"b\"}) by (x)");
    assert_eq!((open.from, open.until), (12, 12));
    assert_eq!(
        at(r#"{"my.metric", "l.a"='v|"#).what,
        value("l.a", of("my.metric", &[]), Some('\''), false)
    );
}

#[test]
fn of_a_pattern_only_its_last_alternative_is_completed() {
    let text = "up{job=~\"api|we";
    let place = place(text, text.len());
    assert_eq!((place.typed.as_str(), place.from), ("we", 13));
    let text = r#"up{i=~"10\\.0"#;
    assert_eq!(super::place(text, text.len()).typed, "10.0");
}

#[test]
fn in_groups_labels_of_what_is_grouped_are_offered() {
    assert_eq!(at("sum by (|) (rate(http_total[5m]))").what, label(of("http_total", &[])));
    assert_eq!(at("sum by (job, c|) (rate(http_total[5m]))").what, label(of("http_total", &[])));
    assert_eq!(at("sum(rate(http_total[5m])) by (|").what, label(of("http_total", &[])));
    assert_eq!(at("a / on (|) b").what, label(of("a", &[])));
    assert_eq!(at("sum without (|").what, label(of("", &[])));
}

#[test]
fn stretches_of_time_are_offered_where_they_belong() {
    for text in ["x[|", "x[5|", "x[5m:|", "x offset |", "x{a=\"b\"}[|"] {
        assert_eq!(at(text).what, What::Duration, "{text}");
    }
    assert_eq!(at("x[5m|").metric.as_deref(), Some("x"));
    assert_eq!(at("1|").what, What::Nothing);
}

#[test]
fn names_in_quotes_and_texts_that_are_no_names() {
    assert_eq!(at("{\"my.|").what, What::QuotedMetric('"'));
    assert_eq!(at("{\"my.|").typed, "my.");
    assert!(matches!(at("{\"m\", \"la|").what, What::Label { quote: Some('"'), .. }));
    assert_eq!(at("label_replace(x, \"ds|").what, What::Nothing);
    assert_eq!(at("x # some wor|").what, What::Nothing);
}

#[test]
fn no_text_and_no_place_in_it_is_too_odd() {
    for text in [
        "}}}",
        "((((",
        "]]",
        "{{{",
        "sum by (",
        "\"\\",
        "é{ü=\"ä",
        "a{b=\"c\"",
        "[[:",
        "@",
        "by by by",
    ] {
        for cursor in 0..=text.len() + 1 {
            let place = place(text, cursor);
            assert!(text.get(place.from..place.until).is_some(), "{text} at {cursor}: {place:?}");
        }
    }
}
