//! Deliberate protocol bugs, to show that the simulator finds them. Without the feature `bugs` all are off and
//! cost nothing.

/// A bug that can be switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Bug {
    /// Tokens and data of a ring that is over are not refused.
    NoFencing = 1,
    /// After a rollback the message counter starts again in the same incarnation.
    NumbersReused = 2,
    /// The ring's epoch is not stored before it is used.
    EpochNotStored = 3,
    /// A new ring is installed without exchanging what some have of the old one.
    RecoverySkipped = 4,
    /// Requests for retransmission are dropped.
    NacksDropped = 5,
}

#[cfg(feature = "bugs")]
static SWITCHED_ON: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

/// Switches one bug on, for the whole process.
#[cfg(feature = "bugs")]
pub fn switch_on(bug: Option<Bug>) {
    SWITCHED_ON.store(
        bug.map_or(0, |bug| bug as u32),
        std::sync::atomic::Ordering::Relaxed,
    );
}

/// Whether a bug is switched on.
#[cfg(feature = "bugs")]
pub fn on(bug: Bug) -> bool {
    SWITCHED_ON.load(std::sync::atomic::Ordering::Relaxed) == bug as u32
}

/// Whether a bug is switched on: never, in this build.
#[cfg(not(feature = "bugs"))]
pub const fn on(_bug: Bug) -> bool {
    false
}
