//! Streams near a Budget's end: those that are admitted are paid for to their last token.

use pointsman_core::budget::{Admission, Charge, RefusalCode};

use super::world::{CENT, World};

/// What a stream reserves first, and what it may come to cost.
const STEP: u64 = CENT / 60;
const WORST: u64 = CENT / 20;

/// One stream's admission, as `reserve` asks for it.
fn ask(world: &World) -> Admission {
    let accounts = world.one.accounts();
    let near = world.one.book.near_end(&accounts, WORST);
    world.one.book.admit_stream(&accounts, if near { WORST } else { STEP }, WORST)
}

/// So many streams at once; those that got in, and how many were refused as exhausted.
async fn ask_all(world: &mut World, count: usize) -> (Vec<Charge>, usize) {
    let (mut charges, mut waiters, mut refused) = (Vec::new(), Vec::new(), 0);
    for _ in 0..count {
        match ask(world) {
            Admission::Granted(charge) => charges.push(charge),
            Admission::Wait(waiter) => waiters.push(tokio::spawn(waiter.wait())),
            Admission::Refused(_) => refused += 1,
        }
    }
    tokio::task::yield_now().await;
    world.one.sync(&mut world.hub);
    for waiter in waiters {
        match waiter.await.unwrap() {
            Ok(charge) => charges.push(charge),
            Err(refusal) => {
                assert_eq!(refusal.code, RefusalCode::Exhausted);
                refused += 1;
            }
        }
    }
    (charges, refused)
}

/// Lets all of them run side by side to their worst case; how many were paid for to the end.
fn finish_all(world: &mut World, mut charges: Vec<Charge>) -> usize {
    let mut running = true;
    while std::mem::take(&mut running) {
        for charge in &mut charges {
            let step = STEP.min(WORST.saturating_sub(charge.reserved()));
            running |= step > 0 && charge.top_up(step);
        }
        world.one.sync(&mut world.hub);
    }
    let whole = charges.iter().filter(|it| it.reserved() >= WORST).count();
    charges.into_iter().for_each(|it| {
        let cost = it.reserved();
        it.settle(cost);
    });
    whole
}

#[tokio::test(start_paused = true)]
async fn fifty_streams_on_one_cent_do_not_starve_each_other() {
    let mut world = World::new(CENT);
    let (charges, refused) = ask_all(&mut world, 50).await;
    assert_eq!((charges.len(), refused), (20, 30), "floor(remaining / dearest)");
    assert_eq!(finish_all(&mut world, charges), 20);
    assert!(world.settled() <= CENT && world.hub.overrun(&world.pot()) == 0);
}

#[tokio::test(start_paused = true)]
async fn streams_that_were_admitted_earlier_finish_when_newcomers_take_the_rest() {
    let mut world = World::new(5 * CENT); // room for a hundred
    let (mut charges, _) = ask_all(&mut world, 30).await;
    assert!(charges.iter().all(|it| it.reserved() == STEP), "far from the end a part is enough");
    let (newcomers, refused) = ask_all(&mut world, 100).await;
    assert_eq!((charges.len(), newcomers.len(), refused), (30, 70, 30));
    charges.extend(newcomers);
    assert_eq!(finish_all(&mut world, charges), 100);
    assert!(world.settled() <= 5 * CENT && world.hub.overrun(&world.pot()) == 0);
}

#[test]
fn what_a_stream_did_not_need_serves_others() {
    let mut world = World::new(100 * CENT);
    let accounts = world.one.accounts();
    assert!(!world.one.book.near_end(&accounts, WORST), "a dollar is far from its end");
    for _ in 0..3_000 {
        let charge = match ask(&world) {
            Admission::Granted(charge) => charge,
            Admission::Wait(_) => {
                world.one.sync(&mut world.hub);
                continue;
            }
            Admission::Refused(refusal) => panic!("a promise outlived its stream: {refusal}"),
        };
        charge.settle(STEP / 10);
    }
}
