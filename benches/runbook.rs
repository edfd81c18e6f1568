//! What it costs to read a runbook of 5,000 lines: one written for opsroom, one
//! written for people.

use divan::{Bencher, black_box};
use opsroom::runbook::Book;
use std::fmt::Write;

const LINES: usize = 5_000;

fn main() {
    divan::main();
}

fn own() -> String {
    let mut text =
        String::from("---\ntitle: Long\nparams:\n  RELEASE: {ask: Release}\n---\n# Long\n");
    let mut part = 0;
    while text.lines().count() < LINES {
        part += 1;
        let _ = write!(
            text,
            "\n## Part {part}\n\nSome *words* about [it](https://example.com/{part}), `code` and a list:\n\n\
             - one\n- two\n\n```sh {{reads capture=V{part} timeout=1m}}\ndeployctl current \"$SERVICE\"\n```\n\n\
             ```sh {{name=step-{part} confirm=service}}\ndeployctl rollback \"$SERVICE\" \"$RELEASE\"\n```\n\n\
             ```check {{within=5m}}\nservice api is ok\npromql sum(rate(x{{job=\"api\"}}[1m])) > 0\n```\n\n- [ ] Tell them\n"
        );
    }
    text
}

fn foreign() -> String {
    let mut text = String::from("# Long\n");
    let mut part = 0;
    while text.lines().count() < LINES {
        part += 1;
        let _ = write!(
            text,
            "\n## Part {part}\n\n1. Look:\n\n   ```bash\n   $ kubectl -n <namespace> logs <pod> | \\\n   > grep error\n   \
             NAME READY\n   x 1/1\n   ```\n\n```\nNS=$(kubectl get ns -o name | awk '{{print $1}}')\nkubectl -n $NS get po\n```\n\n\
             ```yaml\na: b\n```\n\n    journalctl -u x --since '<time>'\n"
        );
    }
    text
}

#[divan::bench]
fn own_5000_lines(bencher: Bencher<'_, '_>) {
    let text = own();
    bencher.bench(|| Book::read("long", "long.md", black_box(&text)));
}

#[divan::bench]
fn foreign_5000_lines(bencher: Bencher<'_, '_>) {
    let text = foreign();
    bencher.bench(|| Book::read("long", "long.md", black_box(&text)));
}
