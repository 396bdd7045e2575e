//! `[keys]`, checked.

use std::path::{Path, PathBuf};

use super::load::fault;
use super::raw::Raw;
use super::{Fault, FaultSort, Keys};

/// What is done for the keys; `folders`: data and keys.
pub(super) fn keys(raw: &Raw, folders: [&Path; 2], on_server: bool, faults: &mut Vec<Fault>) -> Keys {
    Keys { mirror: mirror(raw, folders, on_server, faults) }
}

fn mirror(raw: &Raw, folders: [&Path; 2], on_server: bool, faults: &mut Vec<Fault>) -> Option<PathBuf> {
    let mirror = raw.keys.mirror.as_ref()?;
    let mirror = match std::path::absolute(mirror) {
        Ok(mirror) => mirror,
        Err(error) => {
            faults.push(fault("keys.mirror", format!("not a folder that can be used: {error}")));
            return None;
        }
    };
    if on_server {
        faults.push(fault(
            "keys.mirror",
            "the keyring is on a server: mirror it there, with the server's own replication",
        ));
    }
    for folder in folders {
        if let Err(error) = chatward_store::apart(&mirror, folder) {
            faults.push(Fault { sort: FaultSort::Unsafe, ..fault("keys.mirror", error.to_string()) });
        }
    }
    Some(mirror)
}
