//! How long things last, within the bounds that NIST SP 800-63B-4 (AAL2) and PCI DSS 4.0.1 set.

use std::time::Duration;

use super::secret::Random;
use chatward_message::UnixMillis;

/// How the house wants it. Made by [`Rules::new`], which holds the bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Customers' sessions.
    pub(super) customers: Lifetimes,
    /// Sessions of staff.
    pub(super) staff: Lifetimes,
    /// How long a second factor is fresh.
    pub(super) fresh: u64,
    /// Whether staff may have passwords.
    pub(super) passwords: bool,
    /// Whether there is an identity provider.
    pub(super) single_sign_on: bool,
}

/// How long a session lasts, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lifetimes {
    pub(super) idle: u64,
    pub(super) absolute: u64,
}

/// What may be set. Anything out of bounds is a fault of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Customers: without use. 5 to 60 minutes.
    pub customer_idle: Duration,
    /// Customers: at most. 1 to 24 hours.
    pub customer_absolute: Duration,
    /// Staff: without use. 1 to 15 minutes.
    pub staff_idle: Duration,
    /// Staff: at most. 1 to 12 hours.
    pub staff_absolute: Duration,
    /// How long a second factor is fresh. 1 to 10 minutes.
    pub fresh: Duration,
    /// Whether staff may have passwords.
    pub passwords: bool,
    /// Whether there is an identity provider.
    pub single_sign_on: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            customer_idle: minutes(30),
            customer_absolute: minutes(12 * 60),
            staff_idle: minutes(15),
            staff_absolute: minutes(8 * 60),
            fresh: minutes(10),
            passwords: false,
            single_sign_on: false,
        }
    }
}

const fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

/// A setting out of bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{setting} must be between {least} and {most} minutes")]
pub struct OutOfBounds {
    /// Which.
    pub setting: &'static str,
    /// At least.
    pub least: u64,
    /// At most.
    pub most: u64,
}

impl Rules {
    /// The rules of these settings.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`] for the first setting that is.
    pub fn new(settings: &Settings) -> Result<Self, OutOfBounds> {
        let within = |setting, value: Duration, least, most| {
            if value < minutes(least) || value > minutes(most) {
                return Err(OutOfBounds { setting, least, most });
            }
            Ok(u64::try_from(value.as_millis()).unwrap_or(u64::MAX))
        };
        Ok(Self {
            customers: Lifetimes {
                idle: within("customer_idle", settings.customer_idle, 5, 60)?,
                absolute: within("customer_absolute", settings.customer_absolute, 60, 24 * 60)?,
            },
            staff: Lifetimes {
                idle: within("staff_idle", settings.staff_idle, 1, 15)?,
                absolute: within("staff_absolute", settings.staff_absolute, 60, 12 * 60)?,
            },
            fresh: within("fresh", settings.fresh, 1, 10)?,
            passwords: settings.passwords,
            single_sign_on: settings.single_sign_on,
        })
    }

    /// Whether staff may have passwords.
    pub fn passwords(&self) -> bool {
        self.passwords
    }

    /// Whether there is an identity provider.
    pub fn single_sign_on(&self) -> bool {
        self.single_sign_on
    }

    pub(super) fn lifetimes(&self, staff: bool) -> Lifetimes {
        if staff { self.staff } else { self.customers }
    }
}

/// What every operation is told: the time, the rules, and where random numbers come from.
pub struct With<'a> {
    /// The time.
    pub now: UnixMillis,
    /// The rules.
    pub rules: &'a Rules,
    /// The source of random numbers.
    pub random: &'a mut dyn Random,
}

impl std::fmt::Debug for With<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("With").field("now", &self.now).field("rules", &self.rules).finish_non_exhaustive()
    }
}

/// This long after `now`.
pub(super) fn after(now: UnixMillis, millis: u64) -> UnixMillis {
    UnixMillis(now.0.saturating_add(millis))
}
