use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn bucket(number: u128) -> Bucket {
    Bucket {
        limit: 1,
        subject: Subject::Name(number),
    }
}

fn table(entries: usize) -> (RateTable, Instant) {
    let now = Instant::now();
    (RateTable::new(entries, now), now)
}

#[test]
fn a_burst_and_then_an_even_rate() {
    let (table, start) = table(1000);
    let rate = Rate::new(2, SECOND, 3);
    for left in [2, 1, 0] {
        let allowance = table.take(bucket(1), rate, start);
        assert_eq!(
            (allowance.allowed, allowance.remaining, allowance.limit),
            (true, left, 3)
        );
    }
    let refused = table.take(bucket(1), rate, start);
    assert!(!refused.allowed);
    assert_eq!(refused.remaining, 0);
    assert_eq!(refused.retry_after, SECOND / 2);
    assert_eq!(refused.reset, SECOND * 3 / 2);
    // Others have buckets of their own.
    assert!(table.take(bucket(2), rate, start).allowed);
    // To the nanosecond.
    let early = start + SECOND / 2 - Duration::from_nanos(2);
    assert!(!table.take(bucket(1), rate, early).allowed);
    assert!(table.take(bucket(1), rate, start + SECOND / 2).allowed);
    assert!(!table.take(bucket(1), rate, start + SECOND / 2).allowed);
    // Full again, and not fuller.
    for left in [2, 1, 0] {
        assert_eq!(
            table.take(bucket(1), rate, start + 60 * SECOND).remaining,
            left
        );
    }
    assert!(!table.take(bucket(1), rate, start + 60 * SECOND).allowed);
}

#[test]
fn a_look_takes_nothing_and_a_token_can_go_back() {
    let (table, start) = table(1000);
    let rate = Rate::new(1, SECOND, 1);
    assert!(table.peek(bucket(1), rate, start).allowed);
    assert!(table.take(bucket(1), rate, start).allowed);
    assert!(!table.peek(bucket(1), rate, start).allowed);
    table.give_back(bucket(1), rate);
    assert!(table.take(bucket(1), rate, start).allowed);
}

#[test]
fn extremes_do_not_overflow() {
    let (table, start) = table(1000);
    let day = 86_400 * SECOND;
    let huge = Rate::new(1, day, 1_000_000_000);
    assert!(table.take(bucket(1), huge, start).allowed);
    let tiny = Rate::new(1_000_000_000, Duration::from_millis(1), 1);
    assert!(table.take(bucket(2), tiny, start).allowed);
}

#[test]
fn the_table_is_bounded_and_full_buckets_go_first() {
    let (table, start) = table(SHARDS * 4);
    let rate = Rate::new(1, SECOND, 10);
    // These are full again soon.
    for number in 0..400 {
        table.take(bucket(number), rate, start);
    }
    let later = start + 2 * SECOND;
    // This one is not.
    for _ in 0..10 {
        assert!(table.take(bucket(9999), rate, later).allowed);
    }
    for number in 1000..1400 {
        table.take(bucket(number), rate, later);
    }
    let entries: usize = table.shards.iter().map(|shard| shard.lock().len()).sum();
    assert!(entries <= SHARDS * 4, "{entries}");
    // The emptiest bucket has outlived all that was fuller.
    assert!(!table.take(bucket(9999), rate, later).allowed);
}

#[test]
fn callers_of_ipv6_are_a_network() {
    let of = |text: &str| Subject::of(Some(text.parse().unwrap()));
    assert_eq!(of("2001:db8:0:1::1"), of("2001:db8:0:1:ffff::2"));
    assert_ne!(of("2001:db8:0:1::1"), of("2001:db8:0:2::1"));
    assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    assert_eq!(Subject::of(None), Subject::Local);
}

proptest! {
    /// The same as a bucket that is filled by a clock: `burst` tokens, one more every interval.
    #[test]
    fn is_a_token_bucket(
        interval in 1_u64..50,
        burst in 1_u32..6,
        steps in prop::collection::vec(0_u64..120, 1..200),
    ) {
        let rate = Rate::new(1, Duration::from_nanos(interval), burst);
        let (table, start) = table(1000);
        let (mut now, mut filled_at) = (1_u64, 1_u64);
        // In parts of a token, of which `interval` make one.
        let whole = interval * u64::from(burst);
        let mut level = whole;
        for step in steps {
            now += step;
            level = (level + (now - filled_at)).min(whole);
            filled_at = now;
            let allowance = table.take(bucket(1), rate, start + Duration::from_nanos(now));
            prop_assert_eq!(allowance.allowed, level >= interval);
            if level >= interval {
                level -= interval;
            } else {
                prop_assert_eq!(allowance.retry_after.as_nanos() as u64, interval - level);
            }
            prop_assert_eq!(u64::from(allowance.remaining), level / interval);
            prop_assert_eq!(allowance.reset.as_nanos() as u64, whole - level);
        }
    }
}
