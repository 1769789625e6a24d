use super::*;

/// A candidate without a process, and the heir's end of the socket to it.
fn candidate() -> (Candidate, Sender, Receiver) {
    let pair = rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    );
    let (ours, theirs) = pair.unwrap();
    let (sender, receiver) = channel(ours).unwrap();
    let (heir, hears) = channel(theirs).unwrap();
    let process = Process(None);
    let candidate = Candidate {
        process,
        sender,
        receiver,
    };
    (candidate, heir, hears)
}

/// What a waiter that was inherited is told.
fn answer(waiter: u64) -> Message {
    let answer = serde_json::json!({"function": 1, "waiter": waiter, "answer": "QueueFull"});
    serde_json::from_value(serde_json::json!({"Answer": answer})).unwrap()
}

#[tokio::test]
async fn pools_that_answer_before_the_heir_serves_are_heard() {
    let (mut candidate, heir, _hears) = candidate();
    let claimed = |functions| Message::Claimed { functions };
    for message in [answer(7), claimed(vec![1, 2]), answer(8), claimed(vec![3])] {
        heir.send(&message, None).unwrap();
    }
    heir.send(&Message::Serving, None).unwrap();
    let entry = candidate.change(&Estate::default()).await.unwrap();
    assert_eq!(entry.claimed, HashSet::from([1, 2, 3]));
    let waiters = entry.answers.iter().map(|message| match message {
        Message::Answer { waiter, .. } => *waiter,
        other => panic!("{other:?} is no answer"),
    });
    assert_eq!(waiters.collect::<Vec<_>>(), [7, 8]);
}

#[tokio::test]
async fn what_is_said_out_of_turn_is_refused() {
    let (mut candidate, heir, _hears) = candidate();
    heir.send(&Message::Ready, None).unwrap();
    let error = candidate.change(&Estate::default()).await.unwrap_err();
    assert!(error.to_string().contains("out of turn"), "{error}");
}
