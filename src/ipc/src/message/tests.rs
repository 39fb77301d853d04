//! Every message of every direction: there and back, cut short, and made of
//! any bytes.

use proptest::collection::vec;
use proptest::prelude::*;
use zeroize::Zeroizing;

use super::arbitrary::Any;
use super::*;
use crate::codec::{DecodeError, Message};
use crate::log::LogRecord;

fn encoded<T: Message>(message: &T) -> Vec<u8> {
    let mut bytes = Zeroizing::default();
    message.encode(&mut bytes).unwrap();
    bytes.to_vec()
}

fn there_and_back<T: Message + Any + PartialEq>(message: &T) {
    let bytes = encoded(message);
    assert_eq!(T::decode(&bytes).as_ref(), Ok(message));

    for cut in 0..bytes.len() {
        assert!(
            T::decode(&bytes[..cut]).is_err(),
            "cut at {cut}: {message:?}"
        );
    }
    let mut longer = bytes;
    longer.push(0);
    assert_eq!(T::decode(&longer), Err(DecodeError::Trailing));
}

/// A damaged message is an error, or another one that is in order.
fn survives<T: Message + std::fmt::Debug + PartialEq>(bytes: &[u8]) {
    if let Ok(message) = T::decode(bytes) {
        assert_eq!(T::decode(&encoded(&message)), Ok(message));
    }
}

macro_rules! for_each_direction {
    ($($name:ident: $type:ty;)*) => {$(
        mod $name {
            use super::*;
            proptest! {
                #[test]
                fn there_and_back(message in <$type>::any()) {
                    super::there_and_back(&message);
                }

                #[test]
                fn any_bytes(variant in 0u8..10, mut bytes in vec(any::<u8>(), 0..200)) {
                    super::survives::<$type>(&bytes);
                    bytes.insert(0, variant);
                    super::survives::<$type>(&bytes);
                }

                #[test]
                fn one_wrong_byte(message in <$type>::any(), at in any::<prop::sample::Index>(), byte: u8) {
                    let mut bytes = encoded(&message);
                    let at = at.index(bytes.len());
                    bytes[at] = byte;
                    super::survives::<$type>(&bytes);
                }
            }
        }
    )*};
}
for_each_direction! {
    supervisor_to_gate: SupervisorToGate;
    gate_to_supervisor: GateToSupervisor;
    gate_to_auth: GateToAuth;
    auth_to_gate: AuthToGate;
    supervisor_to_auth: SupervisorToAuth;
    auth_to_supervisor: AuthToSupervisor;
    supervisor_to_worker: SupervisorToWorker;
    worker_to_supervisor: WorkerToSupervisor;
    control_request: ControlRequest;
    control_reply: ControlReply;
    log_record: LogRecord;
}

#[test]
fn a_count_that_is_not_there_reserves_nothing() {
    // A setup that announces 2^32-1 listeners and then ends.
    let mut bytes = vec![0];
    bytes.extend_from_slice(&[1, 1, 0, 0]); // log level and style, no chroot, no credentials
    bytes.extend_from_slice(&[0, 0]); // no host, no version
    bytes.extend_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(SupervisorToGate::decode(&bytes), Err(DecodeError::TooLong));
}

#[test]
fn values_that_no_type_holds_are_errors() {
    assert_eq!(GateToAuth::decode(&[]), Err(DecodeError::Truncated));
    assert_eq!(GateToAuth::decode(&[99]), Err(DecodeError::Variant(99)));
    assert_eq!(
        GateToSupervisor::decode(&[2, 1, 0, 0, 0, 0xff]),
        Err(DecodeError::Text)
    );
    let mut late = vec![7];
    late.extend_from_slice(&1u64.to_le_bytes());
    late.extend_from_slice(&1_000_000_000u32.to_le_bytes());
    assert_eq!(SupervisorToGate::decode(&late), Err(DecodeError::Range));
}

#[test]
fn descriptors_go_with_the_messages_that_need_them() {
    proptest!(|(message in GateToSupervisor::any())| {
        let expected = usize::from(matches!(message, GateToSupervisor::Handover(_)));
        prop_assert_eq!(message.descriptors(), expected);
    });
    proptest!(|(message in SupervisorToGate::any())| {
        let expected = match &message {
            SupervisorToGate::Setup(setup) => setup.listeners.len(),
            SupervisorToGate::AuthPeer => 1,
            _ => 0,
        };
        prop_assert_eq!(message.descriptors(), expected);
    });
    proptest!(|(message in SupervisorToWorker::any())| {
        let expected = usize::from(matches!(
            message,
            SupervisorToWorker::Session(_)
                | SupervisorToWorker::Maintain(_)
                | SupervisorToWorker::ForeignOpened(ForeignOpened {
                    result: ForeignResult::Opened,
                    ..
                })
        ));
        prop_assert_eq!(message.descriptors(), expected);
    });
    assert_eq!(SupervisorToAuth::GatePeer.descriptors(), 1);
}

#[test]
fn secrets_are_not_shown() {
    let message = GateToAuth::Response(AuthResponse {
        session: roost_types::SessionId(1),
        data: b"hunter2".as_slice().into(),
    });
    assert!(!format!("{message:?}").contains("104"));
    assert!(format!("{message:?}").contains("Secret(..)"));
}
