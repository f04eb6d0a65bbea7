//! Any sequence of calls, syncs, losses, outages, kills and midnights: no account is overspent, and
//! in the end the hub knows every picodollar of the bill (I8).

use std::collections::BTreeMap;

use pointsman_core::budget::{Admission, Charge, Waiter};
use pointsman_core::ledger::document::{SyncAnswer, SyncRequest};
use pointsman_core::ledger::farewell;
use proptest::prelude::*;

use super::hub::Hub;
use super::world::{CENT, DAY, DAY_MS, Folder, NOON_MS, Sidecar, World, budget, table};

const LIMIT: u64 = 10 * CENT;

#[derive(Debug, Clone)]
enum Step {
    /// Sidecar, picodollars.
    Admit(usize, u64),
    /// Which open call, picodollars more.
    TopUp(usize, u64),
    /// Which open call, percent of the reservation, percent that is given up as unconfirmed.
    Settle(usize, u64, u64),
    /// Sidecar, and what becomes of its sync.
    Sync(usize, Fate),
    Pass(u64),
    Kill(usize),
    Restore,
}

#[derive(Debug, Clone, Copy)]
enum Fate {
    Answered,
    /// Answered twice, the request as well.
    Twice,
    RequestLost,
    AnswerLost,
    /// The answer of the sync before comes instead.
    Stale,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let fate = prop_oneof![
        4 => Just(Fate::Answered),
        1 => Just(Fate::Twice),
        1 => Just(Fate::RequestLost),
        1 => Just(Fate::AnswerLost),
        1 => Just(Fate::Stale),
    ];
    let elapsed = prop_oneof![
        8 => 0..60_000_u64,
        1 => Just(950_000_u64),
        1 => Just(DAY_MS.unsigned_abs() / 2),
    ];
    let step = prop_oneof![
        8 => (0..3_usize, 1..2 * CENT).prop_map(|(at, amount)| Step::Admit(at, amount)),
        2 => (0..64_usize, 1..CENT).prop_map(|(call, amount)| Step::TopUp(call, amount)),
        8 => (0..64_usize, 0..=100_u64, 0..=30_u64).prop_map(|(c, s, u)| Step::Settle(c, s, u)),
        6 => (0..3_usize, fate).prop_map(|(at, fate)| Step::Sync(at, fate)),
        2 => elapsed.prop_map(Step::Pass),
        1 => (0..3_usize).prop_map(Step::Kill),
        1 => Just(Step::Restore),
    ];
    proptest::collection::vec(step, 1..120)
}

struct Call {
    sidecar: usize,
    charge: Charge,
    window: i64,
}

struct Fleet {
    world: World,
    sidecars: Vec<(Sidecar, Folder)>,
    calls: Vec<Call>,
    /// By sidecar: who waits for its next sync, and for how much.
    waiters: Vec<(usize, u64, Waiter)>,
    stale: BTreeMap<usize, SyncAnswer>,
    /// By window: what calls cost that ended, and what given-up attempts may have.
    billed: BTreeMap<i64, u64>,
    /// By window: what calls that a kill cut off may have cost.
    cut: BTreeMap<i64, u64>,
    boots: usize,
}

impl Fleet {
    fn new() -> Self {
        let mut world = World::new(LIMIT);
        world.hub = Hub::new(NOON_MS, DAY_MS, &[(DAY, LIMIT)]);
        let mut fleet = Self {
            world,
            sidecars: Vec::new(),
            calls: Vec::new(),
            waiters: Vec::new(),
            stale: BTreeMap::new(),
            billed: BTreeMap::new(),
            cut: BTreeMap::new(),
            boots: 0,
        };
        for at in 0..3 {
            let sidecar = fleet.start(at, Folder::new());
            fleet.sidecars.push(sidecar);
        }
        fleet
    }

    fn start(&mut self, at: usize, folder: Folder) -> (Sidecar, Folder) {
        self.boots += 1;
        let boot = format!("boot-{}", self.boots);
        let one = Sidecar::start(&self.world.clock, &folder, &format!("s{at}"), &boot);
        one.book.configure(&table(&[budget(LIMIT)])).unwrap();
        (one, folder)
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Admit(at, amount) => self.admit(at, amount),
            Step::TopUp(call, amount) => {
                if let Some(call) = self.pick(call).and_then(|it| self.calls.get_mut(it)) {
                    let _refused = call.charge.top_up(amount);
                }
            }
            Step::Settle(call, spent, unconfirmed) => self.settle(call, spent, unconfirmed),
            Step::Sync(at, fate) => self.sync(at, fate),
            Step::Pass(elapsed_ms) => self.world.advance_ms(elapsed_ms),
            Step::Kill(at) => self.kill(at),
            Step::Restore => self.world.hub.incarnation += 1,
        }
    }

    fn pick(&self, call: usize) -> Option<usize> {
        (!self.calls.is_empty()).then(|| call % self.calls.len())
    }

    fn admit(&mut self, at: usize, amount: u64) {
        let window = self.world.hub.window();
        match self.sidecars[at].0.admit(amount) {
            Admission::Granted(charge) => self.calls.push(Call { sidecar: at, charge, window }),
            Admission::Wait(waiter) => self.waiters.push((at, amount, waiter)),
            Admission::Refused(_) => {}
        }
    }

    /// The next sync is over: who waited tries once more, then leaves or waits on.
    fn wake(&mut self, at: usize) {
        let (woken, kept) =
            std::mem::take(&mut self.waiters).into_iter().partition(|it| it.0 == at);
        self.waiters = kept;
        let woken: Vec<(usize, u64, Waiter)> = woken;
        for (at, amount, waiter) in woken {
            drop(waiter);
            self.admit(at, amount);
        }
    }

    fn settle(&mut self, call: usize, spent: u64, unconfirmed: u64) {
        let Some(at) = self.pick(call) else { return };
        let mut call = self.calls.swap_remove(at);
        let lost = call.charge.reserved() / 100 * unconfirmed;
        call.charge.unconfirmed(lost);
        let spent = call.charge.reserved() / 100 * spent;
        *self.billed.entry(call.window).or_default() += spent + lost;
        call.charge.settle(spent);
    }

    fn sync(&mut self, at: usize, fate: Fate) {
        let (one, _) = &mut self.sidecars[at];
        let request: SyncRequest = one.sync.request(false);
        if matches!(fate, Fate::RequestLost) {
            return one.sync.failed("lost");
        }
        let answer = self.world.hub.sync(&request);
        match fate {
            Fate::Answered | Fate::RequestLost => one.sync.answered(&answer).unwrap(),
            Fate::Twice => {
                let again = self.world.hub.sync(&request);
                one.sync.answered(&again).unwrap();
                assert!(one.sync.answered(&answer).is_err());
            }
            Fate::AnswerLost => one.sync.failed("lost"),
            Fate::Stale => {
                let stale = self.stale.get(&at).filter(|it| it.seq != answer.seq);
                assert!(stale.is_none_or(|it| one.sync.answered(it).is_err()));
                one.sync.failed("lost");
            }
        }
        self.stale.insert(at, answer);
        if matches!(fate, Fate::Answered | Fate::Twice) {
            self.say_farewells(at);
        }
        self.wake(at);
    }

    /// The process is gone with its calls; its journal is found by the next start.
    fn kill(&mut self, at: usize) {
        let folder = Folder::new();
        for entry in std::fs::read_dir(&self.sidecars[at].1.0).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, folder.0.join(path.file_name().unwrap())).unwrap();
        }
        let (gone, kept) =
            std::mem::take(&mut self.calls).into_iter().partition(|it: &Call| it.sidecar == at);
        self.calls = kept;
        for call in gone {
            *self.cut.entry(call.window).or_default() += call.charge.reserved();
        }
        self.waiters.retain(|it| it.0 != at);
        let started = self.start(at, folder);
        self.sidecars[at] = started;
        self.stale.remove(&at);
    }

    /// As the ledger's task does it: after this boot was answered, and not while calls spend what
    /// former boots left.
    fn say_farewells(&mut self, at: usize) {
        let (one, _) = &mut self.sidecars[at];
        if one.book.spends_former() {
            return;
        }
        for former in std::mem::take(&mut one.recovered) {
            assert!(former.intact);
            self.world.hub.sync(&farewell(&one.book.holder().sidecar, &former));
            former.discard();
        }
    }

    /// What providers may bill never exceeds a limit, whatever happened so far.
    fn check(&self) {
        for (window, billed) in &self.billed {
            let open: u64 = self
                .calls
                .iter()
                .filter(|it| it.window == *window)
                .map(|it| it.charge.reserved())
                .sum();
            let cut = self.cut.get(window).copied().unwrap_or(0);
            assert!(billed + cut + open <= LIMIT, "window {window}: {billed} + {cut} + {open}");
        }
    }

    /// All calls end, all is reported: the hub's books equal the bill.
    fn finish(mut self) {
        self.waiters.clear();
        while !self.calls.is_empty() {
            self.settle(0, 50, 0);
        }
        for at in 0..3 {
            self.sync(at, Fate::Answered);
            let (one, _) = &mut self.sidecars[at];
            let request = one.sync.request(true);
            self.world.hub.sync(&request);
        }
        let last = self.world.hub.window();
        for window in NOON_MS / DAY_MS..=last {
            let pot = (DAY.into(), window);
            let billed = self.billed.get(&window).copied().unwrap_or(0);
            let cut = self.cut.get(&window).copied().unwrap_or(0);
            let hub = &self.world.hub;
            assert_eq!(hub.used(&pot), billed + cut, "window {window}");
            assert_eq!((hub.leased(&pot), hub.overrun(&pot)), (0, 0), "window {window}");
            assert_eq!(hub.available(&pot), LIMIT - billed - cut, "nothing is stranded");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn i8_the_ledger_equals_the_bill_after_anything(steps in steps()) {
        let mut fleet = Fleet::new();
        for step in steps {
            fleet.apply(step);
            fleet.check();
        }
        fleet.finish();
    }
}
