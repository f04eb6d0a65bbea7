use super::*;

fn retries(max_attempts: u8) -> Retries {
    Retries { max_attempts, budget_percent: 20, min_per_second: 3 }
}

fn place(step: Step) -> Option<usize> {
    match step {
        Step::Try { place, .. } | Step::Wait { place, .. } => Some(place),
        Step::GiveUp => None,
    }
}

/// A failure at a target that can be asked again, with these many in the order.
fn failed(class: Class, attempts: &Attempts, targets: usize) -> Failed {
    let next = Some(attempts.place() + 1).filter(|next| *next < targets);
    let again = Again::Same;
    let (unsent, hopeless, to_gateway) = (false, false, false);
    Failed { class, retry_after: None, again, next, unsent, hopeless, to_gateway }
}

#[test]
fn connect_failure_is_retried_once_on_the_same_target_then_falls_back() {
    let (mut attempts, budget) = (Attempts::new(retries(5)), RetryBudget::default());
    for expected in [Some(0), Some(1), Some(1), None] {
        let broken = failed(Class::Connect, &attempts, 2);
        assert_eq!(place(attempts.after(&broken, &budget, 0)), expected);
    }
}

#[test]
fn a_silent_target_is_never_retried() {
    let (mut attempts, budget) = (Attempts::new(retries(5)), RetryBudget::default());
    for expected in [Some(1), None] {
        let silent = failed(Class::SlowFirstToken, &attempts, 2);
        assert_eq!(place(attempts.after(&silent, &budget, 0)), expected);
    }
}

#[test]
fn a_callers_bad_request_is_final() {
    let (mut attempts, budget) = (Attempts::new(retries(5)), RetryBudget::default());
    let bad = failed(Class::BadRequest, &attempts, 1);
    assert_eq!(attempts.after(&bad, &budget, 0), Step::GiveUp);
}

#[test]
fn a_rate_limit_falls_back_and_waits_only_as_the_last_resort() {
    let budget = RetryBudget::default();
    let wait = Duration::from_millis(1_500);
    let limited = |attempts: &Attempts, wait, targets| Failed {
        retry_after: Some(wait),
        ..failed(Class::RateLimit, attempts, targets)
    };
    let mut two = Attempts::new(retries(5));
    let first = limited(&two, wait, 2);
    assert_eq!(place(two.after(&first, &budget, 0)), Some(1));
    let mut last = Attempts::new(retries(5));
    let alone = limited(&last, wait, 1);
    assert_eq!(last.after(&alone, &budget, 0), Step::Try { place: 0, pause: wait });
    assert_eq!(last.after(&alone, &budget, 0), Step::GiveUp, "once");
    let mut long = Attempts::new(retries(5));
    let patient = limited(&long, wait * 10, 1);
    assert_eq!(long.after(&patient, &budget, 0), Step::GiveUp);
}

#[test]
fn attempts_never_exceed_their_maximum() {
    let (mut attempts, budget) = (Attempts::new(retries(3)), RetryBudget::default());
    let mut tried = 1;
    loop {
        let server = failed(Class::Server, &attempts, 9);
        if attempts.after(&server, &budget, 0) == Step::GiveUp {
            break;
        }
        tried += 1;
    }
    assert_eq!((tried, attempts.made()), (3, 3));
}

#[test]
fn another_endpoint_comes_first_once_and_costs_no_budget() {
    let budget = RetryBudget::default();
    let none = Retries { budget_percent: 0, min_per_second: 0, ..retries(4) };
    let mut attempts = Attempts::new(none);
    let after = |attempts: &mut Attempts, again, next| {
        let failed = Failed { again, next, ..failed(Class::Connect, attempts, 1) };
        attempts.after(&failed, &budget, 0)
    };
    let at_once = |place| Step::Try { place, pause: Duration::ZERO };
    assert_eq!(after(&mut attempts, Again::Other, Some(1)), at_once(0));
    assert_eq!(after(&mut attempts, Again::Other, Some(1)), at_once(1));
    assert_eq!(after(&mut attempts, Again::Other, None), at_once(1));
    assert_eq!(after(&mut attempts, Again::Other, None), Step::GiveUp, "four in all");
    let mut alone = Attempts::new(none);
    assert_eq!(after(&mut alone, Again::Nobody, None), Step::GiveUp);
    let mut prompt = Attempts::new(none);
    let too_long = Failed { again: Again::Other, ..failed(Class::ContextTooLong, &prompt, 1) };
    assert_eq!(prompt.after(&too_long, &budget, 0), Step::GiveUp, "every endpoint says so");
}

/// What becomes of attempts that reach nobody, from the time of the first; the pauses pass.
fn unreached(attempts: &mut Attempts, targets: usize, to_gateway: bool) -> (Vec<usize>, u64) {
    let (budget, mut now_ms, mut waited) = (RetryBudget::default(), 5_000, Vec::new());
    loop {
        let refused =
            Failed { unsent: true, to_gateway, ..failed(Class::Connect, attempts, targets) };
        match attempts.after(&refused, &budget, now_ms) {
            Step::Try { .. } => {}
            Step::Wait { place, pause } => {
                waited.push(place);
                now_ms += u64::try_from(pause.as_millis()).unwrap();
            }
            Step::GiveUp => return (waited, now_ms - 5_000),
        }
    }
}

#[test]
fn who_reaches_nobody_waits_for_a_while_and_asks_all_in_turn() {
    let (alone, took_ms) = unreached(&mut Attempts::new(retries(3)), 1, false);
    assert_eq!(alone, [0; limits::UNREACHED_PAUSES_MS.len()]);
    assert!(took_ms <= limits::UNREACHED_PATIENCE_MS, "{took_ms}");
    let (both, _) = unreached(&mut Attempts::new(retries(3)), 2, false);
    assert_eq!(both, [0, 1, 0, 1, 0]);
}

#[test]
fn where_somebody_was_reached_only_a_gateway_is_waited_for() {
    let reached = || {
        let (mut attempts, budget) = (Attempts::new(retries(2)), RetryBudget::default());
        let overloaded = failed(Class::Overload, &attempts, 2);
        assert_eq!(place(attempts.after(&overloaded, &budget, 0)), Some(1));
        attempts
    };
    assert_eq!(unreached(&mut reached(), 2, false).0, [] as [usize; 0]);
    assert_eq!(unreached(&mut reached(), 2, true).0, [1; limits::UNREACHED_PAUSES_MS.len()]);
}

#[test]
fn nobody_waits_for_what_is_slow_to_refuse_or_took_the_request() {
    let (mut attempts, budget) = (Attempts::new(retries(1)), RetryBudget::default());
    let refused = Failed { unsent: true, ..failed(Class::Connect, &attempts, 1) };
    assert!(matches!(attempts.after(&refused, &budget, 0), Step::Wait { .. }));
    let late_ms = limits::UNREACHED_PATIENCE_MS;
    assert_eq!(attempts.after(&refused, &budget, late_ms), Step::GiveUp, "its time is over");
    let mut attempts = Attempts::new(retries(1));
    let broken = failed(Class::Connect, &attempts, 1);
    assert_eq!(attempts.after(&broken, &budget, 0), Step::GiveUp, "it may have been served");
}

#[test]
fn what_is_hopeless_is_neither_retried_nor_waited_for_but_others_beside_it_are() {
    let hopeless = |attempts: &Attempts, targets: usize| Failed {
        unsent: true,
        hopeless: true,
        again: Again::Nobody,
        ..failed(Class::Connect, attempts, targets)
    };
    let budget = RetryBudget::default();
    let mut alone = Attempts::new(retries(3));
    assert_eq!(alone.after(&hopeless(&alone, 1), &budget, 0), Step::GiveUp);
    let mut two = Attempts::new(retries(3));
    assert_eq!(place(two.after(&hopeless(&two, 2), &budget, 0)), Some(1), "the next, at once");
    assert_eq!(two.after(&hopeless(&two, 2), &budget, 0), Step::GiveUp);
    let mut mixed = Attempts::new(retries(1));
    let refused = Failed { unsent: true, ..failed(Class::Connect, &mixed, 2) };
    assert!(matches!(mixed.after(&refused, &budget, 0), Step::Wait { place: 1, .. }));
    let last = hopeless(&mixed, 2);
    assert!(matches!(mixed.after(&last, &budget, 0), Step::Wait { place: 0, .. }), "may come back");
}

#[test]
fn a_token_is_renewed_once_at_each_candidate() {
    let (mut attempts, budget) = (Attempts::new(retries(3)), RetryBudget::default());
    assert!(attempts.renew() && !attempts.renew());
    assert_eq!(attempts.made(), 1, "that counts as no attempt");
    let refused = failed(Class::Auth, &attempts, 2);
    assert_eq!(place(attempts.after(&refused, &budget, 0)), Some(1));
    assert!(attempts.renew());
}
