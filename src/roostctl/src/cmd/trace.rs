//! `roostctl trace`.

use clap::{Args, ValueEnum};
use roost_ipc::{ControlReply, ControlRequest};

use crate::args::Common;
use crate::table::{Cell, Table};
use crate::{Failure, exit, server};

const COLUMNS: &[&str] = &["account"];

#[derive(Args, Debug)]
pub struct Trace {
    /// The account
    #[arg(value_name = "USER", requires = "switch")]
    account: Option<String>,
    /// Whether its sessions are traced from now on
    #[arg(value_name = "on|off")]
    switch: Option<Switch>,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Switch {
    On,
    Off,
}

pub fn run(common: &Common, trace: &Trace) -> Result<u8, Failure> {
    let config = server::config(common)?;
    let socket = config.server.control_socket.as_deref();
    let request = match (&trace.account, trace.switch) {
        (Some(account), Some(switch)) => ControlRequest::Trace(roost_ipc::Trace {
            account: account.clone(),
            on: switch == Switch::On,
        }),
        _ => ControlRequest::ListTraced,
    };
    match server::must_ask(socket, &request)?.reply()? {
        ControlReply::Done => {}
        ControlReply::Traced(accounts) => list(common, accounts),
        ControlReply::Missing => {
            return Err(Failure::new(exit::NOINPUT, "that account is not traced"));
        }
        ControlReply::Failed(why) => return Err(Failure::new(exit::DATAERR, why)),
        other => return Err(server::unexpected(&other)),
    }
    Ok(exit::OK)
}

fn list(common: &Common, accounts: Vec<String>) {
    let mut table = Table::new(common.json, COLUMNS);
    for account in accounts {
        table.row(&account.clone(), &[Cell::Text(account)]);
    }
    table.end();
}
