use super::*;
use proptest::prelude::*;

const S: Duration = Duration::from_secs(1);

fn output(folder: &Path, secrets: &[&str]) -> Output {
    let masker = Masker::new(secrets.iter().copied()).unwrap();
    Output::open(&folder.join("output"), false, masker).unwrap()
}

fn file(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("output")).unwrap()
}

/// What a follower has who heard all pieces.
fn follow(so_far: &mut String, pieces: Vec<Piece>) {
    for piece in pieces {
        assert_eq!(piece.from, so_far.len() as u64);
        so_far.push_str(&piece.text);
    }
}

#[test]
fn what_followers_hear_is_what_stands_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut output = output(folder.path(), &["swordfish"]);
    let mut heard = String::new();
    for piece in [&b"a swordf"[..], b"ish \xc3", b"\xbc \xff\n", b"sword"] {
        let pieces = output.take(piece, S);
        follow(&mut heard, pieces);
    }
    let (range, pieces) = output.end();
    follow(&mut heard, pieces);
    assert_eq!(heard, "a (hidden) ü \u{fffd}\nsword");
    assert_eq!(file(folder.path()), heard);
    assert_eq!(range, Some(OutputRange { from: 0, to: heard.len() as u64, dropped: 0 }));
    output.begin();
    assert_eq!(output.end().0, None);
    let pieces = output.take(b"next", S);
    follow(&mut heard, pieces);
    let (range, _) = output.end();
    assert_eq!(range.unwrap().from, heard.len() as u64 - 4);
}

#[test]
fn of_an_output_without_end_head_and_tail_are_kept_and_the_rest_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut output = output(folder.path(), &[]);
    let mut heard = String::new();
    let mut written = 0_u64;
    for i in 0..600_000_u32 {
        let line = format!("line {i:06} of a log that says nothing\n");
        written += line.len() as u64;
        let pieces = output.take(line.as_bytes(), S * (i / 10_000));
        follow(&mut heard, pieces);
    }
    let (range, pieces) = output.end();
    follow(&mut heard, pieces);
    let range = range.unwrap();
    assert_eq!(file(folder.path()), heard);
    assert!(
        heard.starts_with("line 000000") && heard.ends_with("599999 of a log that says nothing\n")
    );
    assert!(heard.contains("this passes by") && heard.contains("of output left out here"));
    assert!(heard.len() as u64 <= HEAD + GLIMPSES + 2 * TAIL + 200, "{}", heard.len());
    let kept = heard.len() as u64;
    assert!(range.dropped > 0 && range.dropped + kept >= written);
}

#[test]
fn there_is_always_room_for_another_step_and_never_more_than_the_bound() {
    let folder = tempfile::tempdir().unwrap();
    let mut output = output(folder.path(), &[]);
    let much = vec![b'x'; 6 << 20];
    for step in 0..40 {
        output.begin();
        output.take(&much, S);
        let head = format!("the end of step {step}");
        output.take(head.as_bytes(), S);
        let (range, _) = output.end();
        assert!(range.is_some());
        if step < 12 {
            assert!(file(folder.path()).ends_with(&head), "{step}");
        }
    }
    assert!(file(folder.path()).len() as u64 <= MOST + 40 * 100);
}

#[test]
fn on_a_full_disk_the_step_goes_on_and_the_loss_is_said() {
    let masker = Masker::default();
    let mut output = Output::open(Path::new("/dev/full"), false, masker).unwrap();
    assert_eq!(output.take(b"hello", S), Vec::new());
    assert!(output.loss().unwrap().contains("No space left"));
    let (range, _) = output.end();
    assert_eq!(range.unwrap().dropped, 5);
    assert!(output.loss().is_some());
    output.begin();
    assert_eq!(output.loss(), None);
}

#[test]
fn whoever_takes_it_up_goes_on_at_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = output(folder.path(), &[]);
    first.take(b"before\n", S);
    drop(first);
    let mut second = output(folder.path(), &[]);
    let pieces = second.take(b"after\n", S);
    assert_eq!(pieces, [Piece { from: 7, text: "after\n".into() }]);
    let mode = std::os::unix::fs::MetadataExt::mode(
        &std::fs::metadata(folder.path().join("output")).unwrap(),
    );
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn it_is_read_from_any_byte_on_and_no_character_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("output");
    std::fs::write(&path, "añ😀b").unwrap();
    let text = |from, most| {
        let piece = read(&path, from, most).unwrap();
        (piece.from, piece.text)
    };
    assert_eq!(text(0, 100), (0, "añ😀b".into()));
    assert_eq!(text(1, 100), (1, "ñ😀b".into()));
    assert_eq!(text(2, 100), (1, "ñ😀b".into()));
    assert_eq!(text(6, 100), (3, "😀b".into()));
    assert_eq!(text(7, 100), (7, "b".into()));
    assert_eq!(text(8, 100), (8, String::new()));
    assert_eq!(text(99, 100), (8, String::new()));
    // What stands behind it may be of another step.
    assert_eq!(text(0, 3), (0, "añ".into()));
    assert_eq!(text(1, 2), (1, "ñ".into()));
}

proptest! {
    #[test]
    fn read_piece_by_piece_it_is_the_whole(all in "(\\PC){0,80}", most in 4_usize..20) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("output");
        std::fs::write(&path, &all).unwrap();
        let mut got = String::new();
        loop {
            let piece = read(&path, got.len() as u64, most).unwrap();
            prop_assert_eq!(piece.from, got.len() as u64);
            if piece.text.is_empty() {
                break;
            }
            got.push_str(&piece.text);
        }
        prop_assert_eq!(got, all);
    }
}
