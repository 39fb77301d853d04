use super::*;
use roost_ipc::BlockingChannel;
use roost_os::fdpass;

#[path = "../../tests/roles/linger.rs"]
mod linger;

/// A server that says [`ControlReply::Done`] to everything.
fn serve() -> (tempfile::TempDir, PathBuf, ControlSocket) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control");
    let (events, mut inbox) = mpsc::channel(8);
    // As `open` does, but for what newer kernels can forbid.
    let listener = local::listen(&path, MODE).unwrap();
    let socket = ControlSocket::serve(&path, listener, events).unwrap();
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            while let Some(Event::Control(asked)) = inbox.recv().await {
                answer(asked.connection, ControlReply::Done);
            }
        });
    });
    (dir, path, socket)
}

fn ask(path: &Path) -> Option<ControlReply> {
    let socket = local::connect(path).unwrap();
    let mut channel = BlockingChannel::<ControlRequest, ControlReply>::new(socket).unwrap();
    channel.send_single(&ControlRequest::Who).unwrap();
    channel.recv().unwrap().map(|(reply, _)| reply)
}

/// Octets of a packet that is a whole request.
fn whole() -> Vec<u8> {
    let (ours, theirs) = fdpass::seqpacket_pair().unwrap();
    let mut channel = BlockingChannel::<ControlRequest, ControlReply>::new(ours).unwrap();
    channel.send_single(&ControlRequest::Who).unwrap();
    let mut buffer = vec![0; 1000];
    let len = fdpass::recv(theirs, &mut buffer).unwrap().len;
    buffer.truncate(len);
    buffer
}

#[test]
fn nobody_waits_for_what_a_stranger_sends_along() {
    let (_dir, path, _socket) = serve();
    let send = |packets: &[&[u8]]| {
        let mut lingering = linger::Lingering::new();
        let socket = local::connect(&path).unwrap();
        let (last, first) = packets.split_last().unwrap();
        for packet in first {
            fdpass::send(&socket, packet, &[]).unwrap();
        }
        fdpass::send(&socket, last, &[lingering.fd()]).unwrap();
        lingering.leave();
        (lingering, socket)
    };
    let whole = whole();
    for packets in [&[&[1, 4][..]][..], &[&whole], &[&[7]], &[&whole, &[7]]] {
        let (lingering, socket) = send(packets);
        drop(socket);
        assert_eq!(ask(&path), Some(ControlReply::Done));
        assert!(lingering.was_unread(), "somebody has waited");
    }
    // More than are served at once.
    let mut lingering = linger::Lingering::new();
    let many = (0..200).map(|_| {
        let socket = local::connect(&path).unwrap();
        fdpass::send(&socket, &[1, 4], &[lingering.fd()]).unwrap();
        socket
    });
    let many: Vec<_> = many.collect();
    lingering.leave();
    drop(many);
    assert_eq!(ask(&path), Some(ControlReply::Done));
    assert!(lingering.was_unread(), "somebody has waited");
}

#[test]
fn a_request_is_one_packet() {
    let (_dir, path, _socket) = serve();
    let mut buffer = [0; 8];
    for packet in [&[1, 4][..], &[1], &[0], &[0, 99], &[2, 4]] {
        let socket = local::connect(&path).unwrap();
        fdpass::send(&socket, packet, &[]).unwrap();
        let received = fdpass::recv(&socket, &mut buffer);
        assert_eq!(received.unwrap().len, 0, "{packet:?}");
    }
    assert_eq!(ask(&path), Some(ControlReply::Done));
}

#[test]
fn all_of_a_long_answer_comes_and_the_descriptor_of_a_session() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control");
    let (events, mut inbox) = mpsc::channel(8);
    let _socket = ControlSocket::open(&path, events).unwrap();
    let (near, far) = fdpass::stream_pair().unwrap();
    let parts = || vec![ControlReply::Failed("x".repeat(10_000)); 200];
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let Some(Event::Control(asked)) = inbox.recv().await else {
                panic!("no request");
            };
            assert_eq!(asked.by, identity::current_user());
            assert!(asked.admin);
            answer_all(asked.connection, parts());
            let Some(Event::Control(asked)) = inbox.recv().await else {
                panic!("no request");
            };
            answer_with(asked.connection, ControlReply::Opened, far);
            assert!(inbox.recv().await.is_none());
        });
    });
    let ask = |request| {
        let socket = local::connect(&path).unwrap();
        let mut channel = BlockingChannel::<ControlRequest, ControlReply>::new(socket).unwrap();
        channel.send_single(&request).unwrap();
        channel
    };
    let mut channel = ask(ControlRequest::Who);
    for part in parts() {
        assert_eq!(channel.recv().unwrap().unwrap().0, part);
    }
    assert!(channel.recv().unwrap().is_none());
    let wish = roost_ipc::Wish {
        name: None,
        client: true,
    };
    let mut channel = ask(ControlRequest::Open(wish));
    let (reply, descriptors) = channel.recv().unwrap().unwrap();
    assert_eq!(reply, ControlReply::Opened);
    fdpass::send(&descriptors[0], b"hello", &[]).unwrap();
    assert_eq!(fdpass::recv(&near, &mut [0; 8]).unwrap().len, 5);
}
