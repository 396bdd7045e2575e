//! With what people show who they are.

use serde::{Deserialize, Serialize};

/// With what somebody showed who they are. The words are part of the log's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Factor {
    /// A passkey: a key in a device that checks its user first. Two factors in one.
    Passkey,
    /// A code of an authenticator app.
    App,
    /// A recovery code.
    RecoveryCode,
    /// A password.
    Password,
    /// The sign-in of the house's own identity provider.
    SingleSignOn,
    /// The word of the host site.
    HostSite,
    /// An invitation's link.
    Invitation,
    /// The page, when somebody opened an account on it and had nothing to show yet.
    Page,
}

impl Factor {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::Passkey,
        Self::App,
        Self::RecoveryCode,
        Self::Password,
        Self::SingleSignOn,
        Self::HostSite,
        Self::Invitation,
        Self::Page,
    ];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passkey => "passkey",
            Self::App => "app",
            Self::RecoveryCode => "recovery-code",
            Self::Password => "password",
            Self::SingleSignOn => "single-sign-on",
            Self::HostSite => "host-site",
            Self::Invitation => "invitation",
            Self::Page => "page",
        }
    }
}
