//! A standard queue beside a reference model: whatever is asked of it, in whatever order, and however the clock
//! jumps, no message is lost, none is handed out while it is hidden, and none stays after it was deleted.
//!
//! `PROPTEST_CASES=100000 cargo test -p localcloud --release --test suite queue::` runs it for longer.

use crate::support::model::*;
use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use localcloud::sqs::queue::{Queue, MAX_TIME_IN_FLIGHT};
use localcloud::sqs::store::{Counts, Poll, Receive, Refusal, Store};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    Send {
        delay: u64,
    },
    Receive {
        most: usize,
        timeout: u64,
        short: bool,
        max: Option<u32>,
        repeated: bool,
    },
    /// Deletes with one of the handles given so far, old ones included.
    Delete(prop::sample::Index),
    Change {
        handle: prop::sample::Index,
        timeout: u64,
    },
    Pass(u64),
    Purge,
    Take(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => prop_oneof![Just(0), 1..5_000u64].prop_map(|delay| Step::Send { delay }),
        6 => (1..=10usize, 0..20_000u64, any::<bool>(), prop::option::weighted(0.3, 1..4u32), prop::bool::weighted(0.1))
            .prop_map(|(most, timeout, short, max, repeated)| Step::Receive { most, timeout, short, max, repeated }),
        4 => any::<prop::sample::Index>().prop_map(Step::Delete),
        3 => (any::<prop::sample::Index>(), prop_oneof![Just(0), 1..30_000u64, Just(MAX_TIME_IN_FLIGHT)])
            .prop_map(|(handle, timeout)| Step::Change { handle, timeout }),
        4 => prop_oneof![0..2_000u64, 2_000..30_000u64, Just(RETENTION)].prop_map(Step::Pass),
        1 => Just(Step::Purge),
        1 => (1..20usize).prop_map(Step::Take),
    ];
    prop::collection::vec(step, 1..200)
}

/// One copy of a message in the model. Copies of a message repeat its id.
#[derive(Debug, Clone)]
struct Copy {
    id: String,
    sent_at: u64,
    /// Hidden until then.
    hidden_until: u64,
    in_flight: bool,
    receives: u32,
    received_at: u64,
    handle: Option<String>,
    /// Its place in the queue, known from the first receipt handle on: it tells copies apart.
    place: Option<u64>,
}

#[derive(Default)]
struct Model {
    now: u64,
    copies: Vec<Copy>,
    handles: Vec<String>,
    sent: u64,
}

impl Model {
    fn pass(&mut self) {
        for copy in &mut self.copies {
            if copy.hidden_until <= self.now {
                copy.in_flight = false;
            }
        }
        self.copies
            .retain(|copy| copy.sent_at + RETENTION > self.now);
    }

    fn counts(&self) -> Counts {
        let hidden = |copy: &&Copy| copy.hidden_until > self.now;
        let in_flight = self
            .copies
            .iter()
            .filter(hidden)
            .filter(|c| c.in_flight)
            .count();
        let delayed = self
            .copies
            .iter()
            .filter(hidden)
            .filter(|c| !c.in_flight)
            .count();
        Counts {
            visible: self.copies.len() - in_flight - delayed,
            in_flight,
            delayed,
        }
    }

    fn by_handle(&mut self, handle: &str) -> Option<usize> {
        self.copies
            .iter()
            .position(|copy| copy.handle.as_deref() == Some(handle))
    }

    /// The copy that this handle was given for, be it the latest or an older one.
    fn by_place(&mut self, handle: &str) -> Option<usize> {
        let here = place(handle);
        self.copies.iter().position(|copy| copy.place == here)
    }

    /// A visible copy of this message, received this often before, whose place fits.
    fn visible(
        &self,
        id: &str,
        receives: u32,
        fits: impl Fn(Option<u64>) -> bool,
    ) -> Option<usize> {
        let visible = |copy: &Copy| copy.hidden_until <= self.now && fits(copy.place);
        self.copies
            .iter()
            .position(|copy| copy.id == id && copy.receives == receives && visible(copy))
    }
}

/// The message's place in the queue, as its receipt handle carries it.
fn place(receipt_handle: &str) -> Option<u64> {
    let bytes = STANDARD.decode(receipt_handle).ok()?;
    let word = |at: usize| Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    Some(word(0)? ^ word(8)?)
}

/// Runs the steps; with `repeats` those that repeat deliveries, else those that give messages up or take them out,
/// because there only a receipt handle tells two copies of a message apart.
fn run(seed: u64, steps: Vec<Step>, repeats: bool) -> Result<(), TestCaseError> {
    let mut queue = Queue::new(seed);
    let mut model = Model {
        now: START,
        ..Model::default()
    };
    for step in steps {
        queue.pass(model.now, RETENTION);
        model.pass();
        let now = model.now;
        match step {
            Step::Send { delay } => {
                let id = format!("m{}", model.sent);
                model.sent += 1;
                queue.put(now, message(id.clone(), None, now), delay);
                model.copies.push(Copy {
                    id,
                    sent_at: now,
                    hidden_until: now + delay,
                    in_flight: false,
                    receives: 0,
                    received_at: 0,
                    handle: None,
                    place: None,
                });
            }
            Step::Receive {
                most,
                timeout,
                short,
                max,
                repeated,
            } => {
                let (max, repeated) = (max.filter(|_| !repeats), repeated && repeats);
                let receive = Receive {
                    poll: if short { Poll::Short } else { Poll::Long },
                    most,
                    visibility_timeout: timeout,
                    max_receive_count: max,
                };
                let visible_before = model.counts().visible;
                let received = queue
                    .receive(now, &receive, &mut || repeated)
                    .expect("far from the limit");
                prop_assert!(received.deliveries.len() <= most);
                for dead in &received.dead {
                    prop_assert!(Some(dead.receives) >= max, "given up too early");
                    let at = model.visible(&dead.id, dead.receives, |_| true);
                    prop_assert!(at.is_some(), "given up, but not visible: {}", dead.id);
                    model.copies.remove(at.expect("checked"));
                }
                for delivery in &received.deliveries {
                    let id = &delivery.message.id;
                    prop_assert!(
                        max.is_none_or(|max| delivery.message.receives <= max),
                        "received too often"
                    );
                    let (before, here) = (
                        delivery.message.receives - 1,
                        place(&delivery.receipt_handle),
                    );
                    let at = model
                        .visible(id, before, |place| place == here)
                        .or_else(|| model.visible(id, before, |place| place.is_none()));
                    prop_assert!(at.is_some(), "{id} was handed out while hidden or gone");
                    let copy = &mut model.copies[at.expect("checked")];
                    copy.receives += 1;
                    copy.received_at = now;
                    copy.in_flight = true;
                    copy.hidden_until = now + timeout;
                    copy.handle = Some(delivery.receipt_handle.clone());
                    copy.place = here;
                    prop_assert_eq!(copy.sent_at, delivery.message.sent_at);
                    if repeated {
                        let again = Copy {
                            hidden_until: now,
                            in_flight: false,
                            handle: None,
                            place: None,
                            ..copy.clone()
                        };
                        model.copies.push(again);
                    }
                    model.handles.push(delivery.receipt_handle.clone());
                }
                if !short && !repeated && max.is_none() {
                    prop_assert_eq!(
                        received.deliveries.len(),
                        most.min(visible_before),
                        "a long poll misses nothing"
                    );
                }
            }
            Step::Delete(index) => {
                if model.handles.is_empty() {
                    continue;
                }
                let handle = index.get(&model.handles).clone();
                prop_assert!(
                    queue.delete(&handle).is_ok(),
                    "a handle once given is never invalid"
                );
                if let Some(at) = model.by_handle(&handle) {
                    model.copies.remove(at);
                }
            }
            Step::Change { handle, timeout } => {
                if model.handles.is_empty() {
                    continue;
                }
                let handle = handle.get(&model.handles).clone();
                let expected = match model.by_place(&handle) {
                    None => Err(Refusal::Gone),
                    Some(at)
                        if now + timeout > model.copies[at].received_at + MAX_TIME_IN_FLIGHT =>
                    {
                        Err(Refusal::TooLong)
                    }
                    Some(at) => {
                        model.copies[at].hidden_until = now + timeout;
                        model.copies[at].in_flight = timeout > 0;
                        Ok(())
                    }
                };
                let changed = queue.change_visibility(now, &handle, timeout);
                prop_assert_eq!(changed.map(drop), expected);
            }
            Step::Pass(by) => model.now += by,
            Step::Purge => {
                queue.purge();
                model.copies.clear();
            }
            Step::Take(_) if repeats => {}
            Step::Take(most) => {
                let taken = queue.take(most);
                prop_assert_eq!(taken.len(), most.min(model.counts().visible));
                for message in taken {
                    let at = model.visible(&message.id, message.receives, |_| true);
                    prop_assert!(at.is_some(), "took what was not visible");
                    model.copies.remove(at.expect("checked"));
                }
            }
        }
        queue.pass(model.now, RETENTION);
        model.pass();
        prop_assert_eq!(queue.counts(), model.counts());
        prop_assert_eq!(queue.bytes(), model.copies.len() * 10);
    }
    drain(queue, model)
}

/// In the end everything that was neither deleted nor too old comes out.
fn drain(mut queue: Queue, mut model: Model) -> Result<(), TestCaseError> {
    let last_due = model.copies.iter().map(|copy| copy.hidden_until).max();
    model.now = model.now.max(last_due.unwrap_or(0));
    queue.pass(model.now, RETENTION);
    model.pass();
    let mut left: Vec<String> = model.copies.iter().map(|copy| copy.id.clone()).collect();
    let receive = Receive {
        poll: Poll::Long,
        most: 10,
        visibility_timeout: MAX_TIME_IN_FLIGHT,
        max_receive_count: None,
    };
    loop {
        let received = queue
            .receive(model.now, &receive, &mut || false)
            .expect("far from the limit");
        if received.deliveries.is_empty() {
            break;
        }
        for delivery in received.deliveries {
            let at = left.iter().position(|id| *id == delivery.message.id);
            prop_assert!(at.is_some(), "{} came out of nowhere", delivery.message.id);
            left.swap_remove(at.expect("checked"));
            prop_assert!(queue.delete(&delivery.receipt_handle).is_ok());
        }
    }
    prop_assert!(left.is_empty(), "lost: {left:?}");
    prop_assert_eq!(queue.counts(), Counts::default());
    Ok(())
}

#[test]
fn a_queue_does_what_its_model_does() {
    crate::support::unless_green(
        "a_queue_does_what_its_model_does",
        cases_of_a_queue_does_what_its_model_does,
    );
}

proptest! {
    #![proptest_config(cases(64))]

    fn cases_of_a_queue_does_what_its_model_does(seed in any::<u64>(), steps in steps(), repeats in any::<bool>()) {
        run(seed, steps, repeats)?;
    }

    #[test]
    fn the_same_seed_delivers_in_the_same_order(seed in any::<u64>(), messages in 1..60u64) {
        let order = |seed| {
            let mut queue = Queue::new(seed);
            for n in 0..messages {
                queue.put(START, message(n.to_string(), None, START), 0);
            }
            queue.take(60).iter().map(|message| message.id.clone()).collect::<Vec<_>>()
        };
        prop_assert_eq!(order(seed), order(seed));
    }
}

#[test]
fn a_short_poll_misses_and_a_long_poll_does_not() {
    let (mut short, mut long) = (0, 0);
    for seed in 0..200 {
        let mut queue = Queue::new(seed);
        queue.put(START, message("one".to_owned(), None, START), 0);
        let mut poll = |poll| {
            let receive = Receive {
                poll,
                most: 10,
                visibility_timeout: 0,
                max_receive_count: None,
            };
            let received = queue
                .receive(START, &receive, &mut || false)
                .expect("far from the limit");
            queue.pass(START, RETENTION);
            received.deliveries.len()
        };
        short += poll(Poll::Short);
        long += poll(Poll::Long);
    }
    assert_eq!(long, 200, "a long poll asks every host");
    assert!(
        (100..160).contains(&short),
        "a short poll asks five hosts of eight, it found {short} of 200"
    );
}

#[test]
fn order_is_best_effort() {
    let mut queue = Queue::new(1);
    for n in 0..100 {
        queue.put(START, message(n.to_string(), None, START), 0);
    }
    let order: Vec<u32> = queue
        .take(100)
        .iter()
        .filter_map(|m| m.id.parse().ok())
        .collect();
    let sorted: Vec<u32> = (0..100).collect();
    assert_ne!(order, sorted, "a standard queue promises no order");
    let mut all = order.clone();
    all.sort_unstable();
    assert_eq!(all, sorted, "but every message comes");
    let far = order
        .iter()
        .zip(0..)
        .map(|(got, at): (&u32, u32)| got.abs_diff(at))
        .max();
    assert!(far < Some(60), "and about in the order sent: {order:?}");
}

#[test]
fn too_many_in_flight_is_an_error() {
    crate::support::unless_green(
        "too_many_in_flight_is_an_error",
        too_many_messages_in_flight_is_an_error,
    );
}

fn too_many_messages_in_flight_is_an_error() {
    let mut queue = Queue::new(1);
    let one = message("m".to_owned(), None, START);
    for _ in 0..localcloud::sqs::queue::MAX_IN_FLIGHT + 1 {
        queue.put(START, one.clone(), 0);
    }
    let receive = Receive {
        poll: Poll::Long,
        most: 10,
        visibility_timeout: 1,
        max_receive_count: None,
    };
    while queue.counts().in_flight < localcloud::sqs::queue::MAX_IN_FLIGHT {
        assert!(queue.receive(START, &receive, &mut || false).is_ok());
    }
    assert!(queue.receive(START, &receive, &mut || false).is_err());
    queue.pass(START + 1, RETENTION);
    assert!(
        queue.receive(START + 1, &receive, &mut || false).is_ok(),
        "time helps"
    );
}
