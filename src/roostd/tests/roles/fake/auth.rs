//! Lets everybody in, under the uid of this process; `foreign` under another.
//! Everybody has mail to share but `nobody`, and is in the group `staff`; of
//! `silent` nothing is ever said.

use roost_ipc::{
    AuthMethod, AuthOutcome, AuthResult, AuthToGate, AuthToSupervisor, Channel, Claim, ClaimResult,
    Claimed, Found, GateToAuth, Grant, Lookup, NoSession, Owner, Reader, SupervisorToAuth,
};
use roost_os::identity::{Credentials, current_group, current_user};
use roost_types::SessionId;

type Gate = Channel<AuthToGate, GateToAuth>;

pub fn run() {
    super::serve(
        |mut supervisor: Channel<AuthToSupervisor, SupervisorToAuth>| async move {
            let mut gate = Some(Gate::new(super::inherited(5)).unwrap());
            loop {
                tokio::select! {
                    order = supervisor.recv() => match order.unwrap() {
                        Some((SupervisorToAuth::Setup(_), _)) => {
                            supervisor.send(&AuthToSupervisor::Ready, &[]).await.unwrap();
                        }
                        Some((SupervisorToAuth::GatePeer, mut fds)) => {
                            gate = Some(Gate::new(fds.remove(0)).unwrap());
                        }
                        Some((SupervisorToAuth::Lookup(lookup), _)) => {
                            if let Some(found) = look_up(&lookup) {
                                let found = AuthToSupervisor::Found(found);
                                supervisor.send(&found, &[]).await.unwrap();
                            }
                        }
                        Some((SupervisorToAuth::Claim(claim), _)) => {
                            if let Some(claimed) = decide(claim) {
                                let claimed = AuthToSupervisor::Claimed(claimed);
                                supervisor.send(&claimed, &[]).await.unwrap();
                            }
                        }
                        // Never answered.
                        Some((SupervisorToAuth::Try(_), _)) => {}
                        Some((SupervisorToAuth::Shutdown, _)) | None => return,
                    },
                    request = next(&mut gate) => match request {
                        Some(request) => {
                            let session = grant(&mut supervisor, request).await;
                            let outcome = AuthOutcome { session, result: AuthResult::Granted {} };
                            if let Some(gate) = &mut gate {
                                gate.send(&AuthToGate::Outcome(outcome), &[]).await.unwrap();
                            }
                        }
                        None => gate = None,
                    },
                }
            }
        },
    );
}

async fn next(gate: &mut Option<Gate>) -> Option<GateToAuth> {
    match gate {
        Some(gate) => gate.recv().await.unwrap().map(|(request, _)| request),
        None => std::future::pending().await,
    }
}

async fn grant(
    supervisor: &mut Channel<AuthToSupervisor, SupervisorToAuth>,
    request: GateToAuth,
) -> SessionId {
    let GateToAuth::Start(start) = request else {
        panic!("unexpected {request:?}");
    };
    let AuthMethod::Login { user, .. } = &start.method else {
        panic!("unexpected method");
    };
    let account = String::from_utf8(user.expose().to_vec()).unwrap();
    let grant = Grant {
        session: start.session,
        credentials: credentials(&account),
        account,
        home: "/".into(),
        maildir: None,
        quota: None,
        method: start.method.name().into(),
        reader: Reader::Owner,
    };
    supervisor
        .send(&AuthToSupervisor::Grant(grant), &[])
        .await
        .unwrap();
    start.session
}

fn credentials(account: &str) -> Credentials {
    let mut uid = current_user();
    if account == "foreign" {
        uid.0 += 1;
    }
    Credentials {
        uid,
        gid: current_group(),
        groups: vec![],
    }
}

fn decide(claim: Claim) -> Option<Claimed> {
    let account = claim.name?;
    let result = match account.as_str() {
        "silent" => return None,
        "nobody" => ClaimResult::Refused {
            reason: NoSession::NoSuchAccount,
        },
        _ => ClaimResult::Granted {
            grant: Grant {
                // The supervisor knows which it has asked for.
                session: SessionId(claim.session.0 + 1000),
                credentials: credentials(&account),
                account,
                home: "/".into(),
                maildir: None,
                quota: None,
                method: "PREAUTH".into(),
                reader: Reader::Owner,
            },
        },
    };
    Some(Claimed {
        session: claim.session,
        result,
    })
}

fn look_up(lookup: &Lookup) -> Option<Found> {
    let owner = match lookup.owner.as_deref() {
        Some("silent") => return None,
        Some("unknown") => Owner::Unknown {},
        Some("nobody" | "public") | None => Owner::Nobody {},
        Some(account) => Owner::Account {
            account: account.to_lowercase(),
            credentials: credentials(account),
            home: "/".into(),
            maildir: None,
            quota: None,
        },
    };
    Some(Found {
        request: lookup.request,
        owner,
        groups: vec!["staff".into()],
    })
}
