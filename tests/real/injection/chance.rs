//! Scripts that chance has written, and hostile values in them: what the reader
//! of shell calls harmless is, to real shells.

use super::*;

/// Texts put together by chance of what means something to a shell, each with a
/// placeholder and variables in it.
fn shapes(count: usize) -> Vec<String> {
    const PIECES: &[&str] = &[
        "show ",
        "give ",
        "cat ",
        "<x>",
        "<x>",
        "\"$X\"",
        "\"$X\"",
        "$X",
        "${X}",
        "\"",
        "\"",
        "'",
        "'",
        "$(",
        "$(show ",
        ")",
        ")",
        "`",
        "\\`",
        "\\",
        "\n",
        "\n",
        " ",
        " ",
        ";",
        "|",
        "|\n",
        "&&",
        "||",
        "{ ",
        "; }",
        "(",
        "cat <<E\n",
        "cat <<'E'\n",
        "cat <<-E\n",
        "\nE\n",
        "\nE\n",
        "<<< ",
        "${A:-",
        "${A:+",
        "${A#",
        "}",
        "}",
        "$((",
        "))",
        "((",
        "[[ ",
        " ]]",
        " -gt 1",
        "case a in ",
        "a) ",
        "*) ",
        ";; esac",
        "if ",
        "; then ",
        "; fi",
        "for i in ",
        "; do ",
        "; done",
        "A=",
        "A=(",
        "B[",
        "]=",
        "#",
        "$'",
        "$\"",
        "eval ",
        "sh -c ",
        "declare -i ",
        "declare -a ",
        "f() ",
        "f ",
        "\"$1\"",
        "\"$A\"",
        "$A",
        "read A",
        "2>",
        "<(",
        "test -n ",
        "set -- ",
        "printf ",
        "&",
        "\\\n",
    ];
    let piece = proptest::sample::select(PIECES);
    let any = proptest::collection::vec(piece, 3..14).prop_map(|pieces| pieces.concat());
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    (0..count).map(|_| any.new_tree(&mut runner).unwrap().current()).collect()
}

#[test]
fn no_value_runs_anything_in_texts_that_chance_has_written() {
    if program("bash").is_none() {
        return;
    }
    // `OPSROOM_SHAPES=100000` looks at more of them.
    let count = std::env::var("OPSROOM_SHAPES").ok().and_then(|count| count.parse().ok());
    let bench = Bench::new();
    let hostile =
        ["$(canary)", "; canary;", "'; canary; '", "\"; canary; \"", "a[$(canary)]", "\ncanary\n"];
    let (mut ran, mut unsafe_ones) = (0, 0);
    for text in shapes(count.unwrap_or(3_000)) {
        let book = Book::read("x", "x.md", &format!("```bash\n{text}\n```\n"));
        for step in steps(&book).filter(|step| step.edit.is_none() && is_tame(&step.script)) {
            let x = ["X".to_owned()];
            if !step.script.contains("$X") && !step.script.contains("${X") {
                continue;
            }
            if places(&step.script, &x).iter().any(|place| !place.bare) {
                unsafe_ones += 1;
                continue;
            }
            for (at, value) in hostile.into_iter().enumerate() {
                let shell = if at % 2 == 0 { Shell::Bash } else { Shell::Sh };
                let env = BTreeMap::from([("X".to_owned(), value.to_owned())]);
                ran += 1;
                let (canary, calls) = bench.run(shell, &step.script, &env);
                assert!(!canary, "{value:?} in {shell:?} {:?}: {calls:?}", step.script);
            }
        }
    }
    println!("{ran} runs, {unsafe_ones} that have to match a pattern");
    assert!(ran > 100, "{ran}");
}
