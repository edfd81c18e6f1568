//! Set `exposition`: pages that readers of the formats must take or refuse.

use crate::{folder, tell};
use opsroom::metrics::exposition::{Faults, Format, Label, Meta, SampleLine, Sink, Value, parse};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::fs;

/// A page as it was read, in the shape of the expectations.
#[derive(Default)]
struct Read {
    samples: Vec<Json>,
    metadata: BTreeMap<String, BTreeMap<&'static str, String>>,
}

fn number(value: f64) -> Json {
    if value.is_nan() {
        json!("NaN")
    } else if value.is_infinite() {
        json!(if value > 0.0 { "+Inf" } else { "-Inf" })
    } else {
        json!(value)
    }
}

fn labels(labels: &[Label<'_>]) -> Json {
    labels.iter().map(|label| (label.name.to_string(), json!(label.value))).collect()
}

impl Sink for Read {
    fn sample(&mut self, sample: &SampleLine<'_, '_>) {
        let mut seen = json!({"name": sample.name, "labels": labels(sample.labels)});
        match sample.value {
            Value::Float(value) => seen["value"] = number(value),
            Value::NativeHistogram => seen["native_histogram"] = json!(true),
        }
        if let Some(at) = sample.at {
            seen["ms"] = json!(at.millis());
        }
        if let Some(exemplar) = &sample.exemplar {
            seen["exemplar"] =
                json!({"labels": labels(exemplar.labels), "value": number(exemplar.value)});
            if let Some(at) = exemplar.at {
                seen["exemplar"]["ms"] = json!(at.millis());
            }
        }
        self.samples.push(seen);
    }

    fn meta(&mut self, family: &str, meta: &Meta<'_>) {
        let family = self.metadata.entry(family.to_owned()).or_default();
        match meta {
            Meta::Kind(kind) => family.insert("type", kind.word().to_owned()),
            Meta::Help(help) => family.insert("help", help.clone().into_owned()),
            Meta::Unit(unit) => family.insert("unit", (*unit).to_owned()),
        };
    }
}

/// An expected sample in the shape of the read ones: both units of time as
/// milliseconds, every number as a float.
fn expected(sample: &Json) -> Json {
    let mut sample = sample.clone();
    let fields = sample.as_object_mut().unwrap();
    let millis = match (fields.remove("timestamp_ms"), fields.remove("timestamp_s")) {
        (Some(ms), _) => Some(ms),
        #[expect(clippy::cast_possible_truncation, reason = "what is too far saturates")]
        (_, Some(s)) => Some(json!((s.as_f64().unwrap() * 1000.0).round() as i64)),
        _ => None,
    };
    if let Some(millis) = millis {
        fields.insert("ms".to_owned(), millis);
    }
    if let Some(value) = fields.get_mut("value").filter(|value| value.is_number()) {
        *value = json!(value.as_f64().unwrap());
    }
    if let Some(exemplar) = fields.get_mut("exemplar") {
        *exemplar = expected(exemplar);
    }
    sample
}

/// One reader of the reference calls a counter's sample by its OpenMetrics name.
fn renamed(sample: &Json, read: &Read) -> Json {
    let mut sample = sample.clone();
    let name = sample["name"].as_str().unwrap().to_owned();
    if let Some(family) = name.strip_suffix("_total")
        && read.metadata.get(family).is_some_and(|m| m.get("type").is_some_and(|t| t == "counter"))
    {
        sample["name"] = json!(family);
    }
    sample
}

/// Equal, numbers to the last bit but one: without `float_roundtrip` the JSON
/// reader reads the expectations' own decimals that far off.
fn same(wanted: &Json, seen: &Json) -> bool {
    match (wanted, seen) {
        (Json::Number(a), Json::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            a.to_bits().abs_diff(b.to_bits()) <= 1
        }
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => wanted == seen,
    }
}

fn wrong_metadata(wanted: &Json, read: &Read) -> Option<String> {
    for (family, meta) in wanted.as_object()? {
        let none = BTreeMap::new();
        let seen = read
            .metadata
            .get(family)
            .or_else(|| read.metadata.get(&format!("{family}_total")))
            .unwrap_or(&none);
        for (field, text) in meta.as_object().unwrap() {
            let text = match text.as_str().unwrap() {
                "untyped" => "unknown",
                text => text,
            };
            let fallback = if field == "type" { "unknown" } else { "" };
            let seen = seen.get(field.as_str()).map_or(fallback, String::as_str);
            if seen != text {
                return Some(format!("{field} of {family} is {seen:?}, not {text:?}"));
            }
        }
    }
    None
}

fn wrong_valid(case: &Json, read: &Read, faults: &Faults, wanted: &Json) -> Option<String> {
    if let Some(first) = faults.first.first() {
        return Some(format!("refused {} lines, first {first:?}", faults.total));
    }
    let client = case["expected_from"] == "client_python_text";
    let adapt = |sample: &Json| {
        let sample = expected(sample);
        if client { renamed(&sample, read) } else { sample }
    };
    if wanted["digest"] == true {
        let total = wanted["samples_total"].as_u64().unwrap();
        if read.samples.len() as u64 != total {
            return Some(format!("{} samples, not {total}", read.samples.len()));
        }
        let names: std::collections::BTreeSet<_> =
            read.samples.iter().map(|sample| sample["name"].to_string()).collect();
        if names.len() as u64 != wanted["distinct_names"].as_u64().unwrap() {
            return Some(format!("{} names, not {}", names.len(), wanted["distinct_names"]));
        }
        if read.metadata.len() as u64 != wanted["metadata_total"].as_u64().unwrap() {
            return Some(format!(
                "{} families, not {}",
                read.metadata.len(),
                wanted["metadata_total"]
            ));
        }
        let spots = wanted["spot_samples"].as_array().unwrap();
        let missing =
            spots.iter().map(adapt).find(|spot| !read.samples.iter().any(|seen| same(spot, seen)));
        return missing.map(|spot| format!("there is no {spot}"));
    }
    let wanted_samples: Vec<Json> =
        wanted["samples"].as_array().unwrap().iter().map(adapt).collect();
    for (i, (wanted, seen)) in wanted_samples.iter().zip(&read.samples).enumerate() {
        if !same(wanted, seen) {
            return Some(format!("sample {i} is {seen}, not {wanted}"));
        }
    }
    if wanted_samples.len() != read.samples.len() {
        return Some(format!("{} samples, not {}", read.samples.len(), wanted_samples.len()));
    }
    wrong_metadata(&wanted["metadata"], read)
}

#[test]
fn exposition() {
    let Some(folder) = folder("exposition") else { return };
    let index: Json =
        serde_json::from_slice(&fs::read(folder.join("index.json")).unwrap()).unwrap();
    let mut total = 0;
    let mut failures = Vec::new();
    // What only the strict library or OpenMetrics' rules of meaning refuse need
    // not be refused here; it is told, not judged.
    let (mut lenient, mut lenient_refused) = (0, 0);
    for case in index.as_array().unwrap() {
        let file = case["file"].as_str().unwrap();
        let body = fs::read(folder.join(file)).unwrap();
        let format = match case["format"].as_str().unwrap() {
            "openmetrics" => Format::OpenMetrics,
            _ => Format::Text,
        };
        let mut read = Read::default();
        let faults = parse(&body, format, &mut read);
        if case["valid"] == true {
            total += 1;
            let wanted = fs::read(folder.join(format!("{file}.expected.json"))).unwrap_or_default();
            let wanted: Json = serde_json::from_slice(&wanted)
                .unwrap_or_else(|_| json!({"samples": read.samples.clone(), "metadata": {}}));
            if let Some(wrong) = wrong_valid(case, &read, &faults, &wanted) {
                failures.push(format!("{}: {wrong}", case["id"]));
            }
        } else if case["rejected_by"]
            .as_array()
            .is_some_and(|by| by.iter().any(|reader| reader == "prometheus-scraper"))
        {
            total += 1;
            if faults.total == 0 {
                failures.push(format!("{}: taken without a word", case["id"]));
            }
        } else {
            lenient += 1;
            lenient_refused += usize::from(faults.total > 0);
        }
    }
    tell("exposition", total, &failures);
    println!(
        "set exposition: of {lenient} pages that only stricter readers refuse, {lenient_refused} are reported"
    );
    assert_eq!(failures, Vec::<String>::new());
}
