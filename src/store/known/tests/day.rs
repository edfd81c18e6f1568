//! A day of a healthy service, poll by poll, and a real fault in it.

use super::*;

/// A generator of numbers that are the same in every run (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

/// Polls of one check as the poller carries them out: every ten seconds, and
/// again when the fold asks for it. `answers` says what the poll at a moment finds.
fn replay(
    length: Duration,
    mut answers: impl FnMut(Timestamp) -> Result<Reading, PollError>,
    mut seen: impl FnMut(&World, usize),
) {
    let mut world = World::new(Inventory {
        sources: vec![check("api", "health")],
        services: vec![service("api")],
        ..Inventory::default()
    });
    let mut due = vec![START];
    let mut polls = 0;
    while world.now < START + length {
        due.sort();
        let at = due.remove(0);
        let next_tick = world.now + Duration::from_secs(1);
        if next_tick < at {
            due.push(at);
            world.now = next_tick;
            world.tick();
            continue;
        }
        let scheduled = at.since(START).as_millis() % EVERY.as_millis() == 0;
        if scheduled {
            due.push(at + EVERY);
        }
        world.now = at;
        polls += 1;
        for effect in world.poll("check/api/health", answers(at)) {
            if let Effect::PollAgain { after, .. } = effect {
                // Not on the schedule's own milliseconds.
                due.push(at + after + Duration::from_millis(7));
            }
        }
        seen(&world, polls);
    }
}

#[test]
fn a_day_of_healthy_traffic_with_rolling_restarts_is_never_critical() {
    for seed in 0..3 {
        let mut dice = Dice(seed);
        let mut left_of_failure = 0;
        let mut restarting_until = START;
        let mut failures = 0;
        let answers = |at: Timestamp| {
            // Six restarts a day of a dozen instances, one a quarter minute, and
            // besides one poll in three hundred that fails for no reason.
            let hour4 = at.since(START).as_secs() % (4 * 3_600);
            if hour4 < 20 {
                restarting_until = at + Duration::from_mins(3);
            }
            if left_of_failure == 0 {
                let odds = if at < restarting_until { 12 } else { 300 };
                if dice.roll(odds) == 0 {
                    // One failed poll, or it and the one after it.
                    left_of_failure = 1 + dice.roll(2);
                }
            } else {
                left_of_failure -= 1;
                if left_of_failure == 0 {
                    return fine();
                }
            }
            if left_of_failure > 0 {
                failures += 1;
                return if dice.roll(2) == 0 { bad() } else { cut_off() };
            }
            fine()
        };
        replay(Duration::from_hours(24), answers, |world, _| {
            assert_eq!(world.service("api").status, Status::Ok, "seed {seed} at {}", world.now);
            assert!(world.known.alerts.is_empty());
        });
        assert!(failures > 50, "seed {seed}: only {failures} polls failed");
    }
}

#[test]
fn a_real_fault_is_critical_after_exactly_three_polls_and_two_seconds() {
    let begins = START + Duration::from_hours(1);
    let ends = begins + Duration::from_mins(10);
    let answers = |at: Timestamp| if (begins..ends).contains(&at) { bad() } else { fine() };
    let mut first_bad = None;
    let mut confirmed = None;
    let mut recovered = None;
    replay(Duration::from_hours(2), answers, |world, polls| {
        if world.now >= begins && first_bad.is_none() {
            first_bad = Some(polls);
        }
        let status = world.service("api").status;
        if status == Status::Critical && confirmed.is_none() {
            confirmed = Some((polls, world.now.since(begins)));
        }
        if confirmed.is_some() && status == Status::Ok && recovered.is_none() {
            recovered = Some(world.now.since(ends));
        }
    });
    let (polls, after) = confirmed.unwrap();
    assert_eq!(polls - first_bad.unwrap(), 2);
    assert_eq!(after, Duration::from_millis(2_014));
    assert_eq!(recovered, Some(Duration::from_millis(2_014)));
}

#[test]
fn a_service_that_fails_every_other_poll_is_flapping_at_critical_within_minutes() {
    let mut turn = false;
    let answers = |_| {
        turn = !turn;
        if turn { bad() } else { fine() }
    };
    let mut flapping = None;
    replay(Duration::from_mins(10), answers, |world, _| {
        let api = world.service("api");
        if api.status == Status::Critical && flapping.is_none() {
            assert_eq!(api.mark, Some(Mark::Flapping));
            flapping = Some(world.now.since(START));
        }
    });
    assert!(flapping.unwrap() <= Duration::from_mins(2), "{flapping:?}");
}
