use super::*;

/// A number generator that needs no crate (Marsaglia's xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

fn take_all(share: &Arc<Share>) -> Vec<Held> {
    std::iter::from_fn(|| share.take().ok()).collect()
}

#[test]
fn one_alone_gets_most_and_the_next_one_a_share_of_the_rest() {
    let common = Common::new(1000, 1);
    // 200 that it is sure of, and four fifths of the other 800.
    let hog = common.share();
    let held = take_all(&hog);
    assert_eq!(held.len(), 200 + 640);
    assert_eq!(hog.take().unwrap_err(), Full::Share);
    drop(held);
    assert_eq!(take_all(&hog).len(), 840);
}

#[test]
fn each_is_sure_of_its_part_whatever_the_others_do() {
    let common = Common::new(1000, 4);
    let shares: Vec<_> = (0..4).map(|_| common.share()).collect();
    let held: Vec<_> = shares.iter().map(take_all).collect();
    let counts: Vec<_> = held.iter().map(Vec::len).collect();
    // 50 each, and of the common 800 each time four fifths of what is left.
    assert_eq!(counts, [50 + 640, 50 + 128, 50 + 26, 50 + 5]);
    assert!(counts.iter().sum::<usize>() <= 1000);
}

#[test]
fn little_is_not_divided() {
    for limit in 1..=4 {
        let common = Common::new(limit, 7);
        assert_eq!(take_all(&common.share()).len(), limit);
        let (one, other) = (common.share(), common.share());
        let _held: Vec<_> = (0..limit).map(|_| one.take().unwrap()).collect();
        assert_eq!(other.take().unwrap_err(), Full::All);
    }
}

/// Whatever was taken and given back before, and by whom.
#[test]
fn in_every_order_of_events_each_gets_what_it_is_sure_of() {
    for seed in 1..=300 {
        let mut random = Random(seed);
        let functions = 1 + random.below(8);
        let limit = 1 + random.below(400);
        let common = Common::new(limit, functions);
        let sure = limit / 5 / functions;
        let shares: Vec<_> = (0..functions).map(|_| common.share()).collect();
        let mut held: Vec<Vec<Held>> = shares.iter().map(|_| Vec::new()).collect();
        for _ in 0..1_000 {
            let who = random.below(functions);
            let busy = random.below(3) > 0;
            if !busy && !held[who].is_empty() {
                let place = random.below(held[who].len());
                held[who].swap_remove(place);
            } else {
                let before = held[who].len();
                let room = shares[who].has_room();
                let taken = shares[who].take();
                assert_eq!(room, taken.is_ok());
                assert!(taken.is_ok() || before >= sure, "seed {seed}");
                held[who].extend(taken.ok());
            }
            let total: usize = held.iter().map(Vec::len).sum();
            assert!(total <= limit, "seed {seed}");
            for (share, held) in shares.iter().zip(&held) {
                let own = share.sure.load(Ordering::Relaxed) + share.used.load(Ordering::Relaxed);
                assert_eq!(own, held.len());
            }
        }
        drop(held);
        assert_eq!(common.used.load(Ordering::Relaxed), 0);
        assert_eq!(common.held.load(Ordering::Relaxed), 0);
    }
}

#[test]
fn a_new_limit_counts_from_now_on() {
    let common = Common::new(100, 1);
    let share = common.share();
    let held = take_all(&share);
    assert_eq!(held.len(), 84);
    common.set(10, 2);
    assert!(!share.has_room());
    drop(held);
    assert_eq!((take_all(&share).len(), common.limit()), (1 + 7, 10));
}

#[test]
fn bytes_may_go_over_by_what_was_received() {
    let common = Common::new(100, 1);
    let share = common.share();
    let mut held = share.hold();
    held.grow(15);
    assert!(share.has_room());
    held.grow(90);
    assert!(!share.has_room());
    assert_eq!(held.count(), 105);
    drop(held);
    assert!(share.has_room());
}

#[test]
fn threads_leave_nothing_behind() {
    let common = Common::new(50, 2);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let share = common.share();
            scope.spawn(move || {
                for _ in 0..2_000 {
                    let held: Vec<_> = (0..40).filter_map(|_| share.take().ok()).collect();
                    assert!(held.len() >= 5);
                }
            });
        }
    });
    assert_eq!(common.used.load(Ordering::Relaxed), 0);
}
