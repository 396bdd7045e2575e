//! How often somebody may be wrong.
//!
//! What can be guessed (passwords, codes) is counted, per factor and in a row. After ten failures in a row the account
//! waits half an hour (PCI DSS 8.3.4); a hundred failures in all are the end for what can be guessed (NIST SP 800-63B-4,
//! 3.2.2), until a factor's own success or a new secret starts its count anew. A passkey cannot be guessed: it is not
//! counted and signs in even then, so nobody is locked out by a stranger's tries. Limits per address are the rate
//! limiter's.

use chatward_message::{Factor, UnixMillis};
use serde::{Deserialize, Serialize};

/// Failed tries in all.
pub const TRIES_MAX: u16 = 100;
/// Failed tries in a row before a pause.
pub const IN_A_ROW_MAX: u16 = 10;
/// How long the pause is.
pub const PAUSE: u64 = 30 * 60_000;

/// Failed tries of one account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tries {
    password: u16,
    app: u16,
    recovery: u16,
    in_a_row: u16,
    paused_until: Option<UnixMillis>,
}

/// Whether another try is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is.
    Open,
    /// Not before then.
    Paused(UnixMillis),
    /// No more.
    UsedUp,
}

/// What a failed try brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Brought {
    Nothing,
    Pause,
    End,
}

impl Tries {
    /// Whether another try is allowed.
    pub fn standing(&self, now: UnixMillis) -> Standing {
        match self.paused_until {
            _ if self.in_all() >= TRIES_MAX => Standing::UsedUp,
            Some(until) if now < until => Standing::Paused(until),
            _ => Standing::Open,
        }
    }

    /// How many failed in all.
    pub fn in_all(&self) -> u16 {
        self.password.saturating_add(self.app).saturating_add(self.recovery)
    }

    /// Counts a failed try. Only where [`standing`](Self::standing) is open.
    pub(super) fn fail(&mut self, factor: Factor, now: UnixMillis) -> Brought {
        let Some(count) = self.count(factor) else { return Brought::Nothing };
        *count = count.saturating_add(1);
        self.in_a_row = self.in_a_row.saturating_add(1);
        if self.in_all() >= TRIES_MAX {
            return Brought::End;
        }
        if self.in_a_row >= IN_A_ROW_MAX {
            self.in_a_row = 0;
            self.paused_until = Some(UnixMillis(now.0.saturating_add(PAUSE)));
            return Brought::Pause;
        }
        Brought::Nothing
    }

    /// The factor was shown as part of a whole sign-in, or has a new secret: its failures no longer count.
    pub(super) fn forget(&mut self, factor: Factor) {
        if let Some(count) = self.count(factor) {
            *count = 0;
            self.in_a_row = 0;
        }
    }

    fn count(&mut self, factor: Factor) -> Option<&mut u16> {
        match factor {
            Factor::Password => Some(&mut self.password),
            Factor::App => Some(&mut self.app),
            Factor::RecoveryCode => Some(&mut self.recovery),
            Factor::Passkey | Factor::SingleSignOn | Factor::HostSite | Factor::Invitation | Factor::Page => {
                None
            }
        }
    }
}
