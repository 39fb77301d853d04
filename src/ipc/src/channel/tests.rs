//! Channels between two ends of this process.

use super::*;
use crate::message::*;
use crate::secret::Secret;
use proptest::prelude::*;
use roost_types::SessionId;
use std::fs::File;
use std::io::{Read, Write};
use std::time::Duration;

type Gate = BlockingChannel<GateToSupervisor, SupervisorToGate>;
type Supervisor = BlockingChannel<SupervisorToGate, GateToSupervisor>;

fn rejected(length: usize) -> GateToSupervisor {
    GateToSupervisor::SetupRejected("x".repeat(length))
}

/// A setup with a key of `length` octets.
fn auth_setup(names: usize) -> SupervisorToAuth {
    use crate::message::arbitrary::Any;
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let tree = AuthSetup::any().new_tree(&mut runner).unwrap();
    let mut setup = tree.current();
    setup.allow_users = vec!["n".repeat(1000); names];
    SupervisorToAuth::Setup(setup)
}

#[tokio::test]
async fn messages_and_descriptors_arrive_in_order() {
    let (mut gate, mut supervisor) = Channel::<GateToAuth, AuthToGate>::pair().unwrap();
    for n in 0..100 {
        let message = GateToAuth::Response(AuthResponse {
            session: SessionId(n),
            data: Secret::new(vec![7; usize::try_from(n).unwrap()]),
        });
        gate.send(&message, &[]).await.unwrap();
        let (got, fds) = supervisor.recv().await.unwrap().unwrap();
        assert_eq!(got, message);
        assert!(fds.is_empty());
    }
    drop(gate);
    assert!(supervisor.recv().await.unwrap().is_none());

    let (mut to_auth, mut auth) = Channel::<SupervisorToAuth, AuthToSupervisor>::pair().unwrap();
    let (ours, theirs) = fdpass::stream_pair().unwrap();
    to_auth
        .send(&SupervisorToAuth::GatePeer, &[theirs.as_fd()])
        .await
        .unwrap();
    let (_, mut fds) = auth.recv().await.unwrap().unwrap();
    File::from(fds.remove(0)).write_all(b"x").unwrap();
    let mut byte = [0];
    File::from(ours).read_exact(&mut byte).unwrap();
    assert_eq!(&byte, b"x");
}

#[tokio::test]
async fn packets_without_end_hold_up_nobody() {
    let (ours, theirs) = fdpass::seqpacket_pair().unwrap();
    let mut receiver = Receiver::<SupervisorToAuth>::new(theirs).unwrap();
    // All is there before anybody reads.
    for packet in std::iter::once([MORE, codec::SETUP]).chain([[MORE, 7]; 200]) {
        fdpass::send(&ours, &packet, &[]).unwrap();
    }
    fdpass::send(&ours, &[MORE], &[]).unwrap();
    drop(ours);
    let other = tokio::spawn(async {});
    let error = receiver.recv().await.unwrap_err();
    assert!(other.is_finished(), "it has had no turn");
    // One that adds nothing could be followed by any number.
    assert!(
        matches!(error, Error::Decode(DecodeError::Truncated)),
        "{error}"
    );
}

#[tokio::test]
async fn large_setups_are_cut_and_put_together_again() {
    let (supervisor, auth) = BlockingChannel::<SupervisorToAuth, AuthToSupervisor>::pair().unwrap();
    let (mut supervisor, mut auth) = (supervisor.into_async().unwrap(), auth.into_async().unwrap());
    let setup = auth_setup(3_000);
    let sending = async {
        supervisor.send(&setup, &[]).await.unwrap();
        supervisor
            .send(&SupervisorToAuth::Shutdown, &[])
            .await
            .unwrap();
    };
    let receiving = async {
        let (first, _) = auth.recv().await.unwrap().unwrap();
        let (second, _) = auth.recv().await.unwrap().unwrap();
        (first, second)
    };
    let ((), (first, second)) = tokio::join!(sending, receiving);
    assert_eq!(first, setup);
    assert_eq!(second, SupervisorToAuth::Shutdown);
}

#[tokio::test]
async fn waiting_can_be_given_up_between_packets() {
    let (socket, auth) = fdpass::seqpacket_pair().unwrap();
    let mut auth = Channel::<AuthToSupervisor, SupervisorToAuth>::new(auth).unwrap();
    let setup = auth_setup(100);
    let outgoing = Outgoing::new(&setup, 0).unwrap();
    let packets: Vec<_> = outgoing.packets().collect();
    assert!(packets.len() > 1);
    for packet in &packets {
        let early = tokio::time::timeout(Duration::from_millis(5), auth.recv()).await;
        assert!(early.is_err());
        fdpass::send(&socket, packet, &[]).unwrap();
    }
    assert_eq!(auth.recv().await.unwrap().unwrap().0, setup);
}

#[tokio::test]
async fn halves_work_in_tasks_of_their_own_and_wait_for_room() {
    let (gate, supervisor) = Channel::<GateToSupervisor, SupervisorToGate>::pair().unwrap();
    let (mut sender, _receiver) = gate.split();
    let (_sender, mut receiver) = supervisor.split();
    let count = 500;
    let task = tokio::spawn(async move {
        for _ in 0..count {
            sender.send(&rejected(10_000), &[]).await.unwrap();
        }
    });
    for _ in 0..count {
        let (message, _) = receiver.recv().await.unwrap().unwrap();
        assert_eq!(message, rejected(10_000));
    }
    task.await.unwrap();
}

#[test]
fn a_blocking_channel_goes_both_ways() {
    let (mut gate, mut supervisor): (Gate, Supervisor) = BlockingChannel::pair().unwrap();
    gate.send(&GateToSupervisor::Ready, &[]).unwrap();
    assert_eq!(
        supervisor.recv().unwrap().unwrap().0,
        GateToSupervisor::Ready
    );
    let done = SupervisorToGate::HandoverDone(SessionId(3));
    supervisor.send(&done, &[]).unwrap();
    assert_eq!(gate.recv().unwrap().unwrap().0, done);
    drop(supervisor);
    assert!(gate.recv().unwrap().is_none());
    assert!(matches!(
        gate.send(&GateToSupervisor::Ready, &[]),
        Err(Error::Io(_))
    ));
}

#[test]
fn what_is_too_long_is_not_sent() {
    let (mut gate, _supervisor): (Gate, Supervisor) = BlockingChannel::pair().unwrap();
    let error = gate.send(&rejected(codec::MAX_TEXT + 1), &[]).unwrap_err();
    assert!(matches!(error, Error::Encode(EncodeError::TooLong)));
    let leftover = GateToSupervisor::Handover(Handover {
        session: SessionId(1),
        tag: "a".into(),
        leftover: Bytes(vec![0; codec::MAX_MESSAGE]),
        endpoints: Endpoints {
            remote: "192.0.2.1:1".parse().unwrap(),
            local: "192.0.2.2:143".parse().unwrap(),
        },
        tls: None,
    });
    let (end, _other) = fdpass::stream_pair().unwrap();
    let error = gate.send(&leftover, &[end.as_fd()]).unwrap_err();
    assert!(matches!(error, Error::Encode(EncodeError::TooLong)));
}

#[test]
fn wrong_numbers_of_descriptors_are_errors_on_both_sides() {
    let (mut supervisor, _auth) =
        BlockingChannel::<SupervisorToAuth, AuthToSupervisor>::pair().unwrap();
    let error = supervisor
        .send(&SupervisorToAuth::GatePeer, &[])
        .unwrap_err();
    assert!(matches!(
        error,
        Error::Encode(EncodeError::Descriptors {
            expected: 1,
            got: 0
        })
    ));

    let (peer, own) = fdpass::seqpacket_pair().unwrap();
    let mut auth = BlockingChannel::<AuthToSupervisor, SupervisorToAuth>::new(own).unwrap();
    fdpass::send(&peer, &[LAST, 2], &[peer.as_fd()]).unwrap();
    let error = auth.recv().unwrap_err();
    assert!(matches!(
        error,
        Error::Decode(DecodeError::Descriptors {
            expected: 0,
            got: 1
        })
    ));
}

/// What a peer gone mad sends, packet by packet, until the channel gives up.
fn gives_up_after(packet: &[u8], most: usize) -> Option<Error> {
    let (peer, own) = fdpass::seqpacket_pair().unwrap();
    let mut auth = BlockingChannel::<AuthToSupervisor, SupervisorToAuth>::new(own).unwrap();
    for _ in 0..most {
        fdpass::send(&peer, packet, &[]).unwrap();
        match auth.incoming.read(&auth.socket) {
            Ok(Step::More) => {}
            Ok(_) => return None,
            Err(e) => return Some(e),
        }
    }
    None
}

#[test]
fn endless_messages_are_cut_off() {
    let too_long = |e| matches!(e, Some(Error::Decode(DecodeError::TooLong)));
    let mut packet = vec![codec::SETUP; PACKET];
    packet[0] = MORE;
    let allowed = codec::MAX_SETUP / (PACKET - 1);
    assert!(gives_up_after(&packet, allowed).is_none());
    assert!(too_long(gives_up_after(&packet, allowed + 1)));
    // Any message but a setup has a much smaller limit, and who sends no
    // setups cannot make it one.
    assert_eq!(
        codec::limit::<ControlRequest>(codec::SETUP),
        codec::MAX_MESSAGE
    );
    packet[1] = 1;
    assert!(too_long(gives_up_after(&packet, 2)));
    // A packet without a message is nothing to go on from.
    assert!(gives_up_after(&[MORE], 1).is_some());
    assert!(gives_up_after(&[LAST], 1).is_some());
    assert!(gives_up_after(&[2, 0], 1).is_some());
    // Larger than any packet.
    packet.push(0);
    assert!(matches!(gives_up_after(&packet, 1), Some(Error::Io(_))));
}

proptest! {
    #[test]
    fn any_packets_are_survived(packets in prop::collection::vec(
        (0u8..3, prop::collection::vec(any::<u8>(), 0..60)), 1..6)
    ) {
        let (peer, own) = fdpass::seqpacket_pair().unwrap();
        let mut auth = BlockingChannel::<AuthToSupervisor, SupervisorToAuth>::new(own).unwrap();
        for (flag, mut bytes) in packets {
            bytes.insert(0, flag);
            fdpass::send(&peer, &bytes, &[]).unwrap();
        }
        drop(peer);
        // It ends: by an error, or by the end of what was sent.
        while let Ok(Some(_)) = auth.recv() {}
    }
}
