//! Deliberate protocol bugs, each a mistake that is easily made, to show that the simulator finds them. Without the
//! feature `bugs` all are off and cost nothing. `docs/PROOF.md` says how soon each is found.

/// Makes the list of bugs: the enum, and all of them with what they are.
macro_rules! bugs {
    ($($(#[doc = $what:literal])+ $name:ident,)+) => {
        /// A bug that can be switched on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum Bug {
            $($(#[doc = $what])+ $name,)+
        }

        impl Bug {
            /// All bugs, in the order of their numbers, the first of which is 1.
            pub const ALL: &[Bug] = &[$(Bug::$name,)+];

            /// What it does.
            pub fn what(self) -> &'static str {
                match self {
                    $(Bug::$name => concat!($($what),+).trim_ascii(),)+
                }
            }
        }
    };
}

bugs! {
    /// Tokens and data of a ring that is over are not refused.
    NoFencing,
    /// A node that starts again begins to count its messages anew in the same incarnation.
    NumbersReused,
    /// The ring's epoch is not stored before it is used.
    EpochNotStored,
    /// A new ring is installed without exchanging what some have of the old one.
    RecoverySkipped,
    /// Requests for retransmission are dropped.
    NacksDropped,
    /// A token with an old hop number is used again.
    HopNotChecked,
    /// A token that is sent again gets a new hop number.
    ResentTokenAltered,
    /// A holder that slept over its token uses it all the same.
    StalenessIgnored,
    /// A line is stamped as soon as it is offered, whoever has the token.
    StampedWithoutToken,
    /// The highest number that a token tells of is not learned.
    HighNotLearned,
    /// A token that got lost is not noticed.
    TokenLossIgnored,
    /// The highest number received counts as received up to, gaps or not.
    ReceivedOverGap,
    /// What is received is held, synced or not.
    HeldBeforeSync,
    /// What the old ring delivered and the disk has not written yet counts as held in the new ring.
    HeldForgetsOldRing,
    /// A chunk is forgotten once it is delivered here.
    ForgotTooEarly,
    /// Delivery of an old ring ends at the first number that nobody has.
    StopsAtVoid,
    /// The new ring is told before the old one is delivered to its end.
    NewRingFirst,
    /// The old ring's buffer is dropped when a recovery is interrupted.
    OldBufferDropped,
    /// A new ring's numbers begin after the own highest one, not after everybody's.
    FirstAfterOwn,
    /// A new ring's numbers begin at 1.
    FirstIsOne,
    /// An epoch is used for a second proposal.
    EpochReused,
    /// A commit token is forwarded while the epoch is still being stored.
    ForwardedBeforeStored,
    /// A ring does not announce itself to others.
    BeaconForgotten,
    /// A long message is delivered without its last fragment.
    FragmentMissing,
    /// An own counter is used for two lines that are said at once.
    CounterReused,
    /// Outside the ring's order, what comes late is not marked as such.
    LateUnmarked,
    /// A line is acknowledged and offered before the outbox is synced.
    OutboxNotSynced,
    /// The outbox forgets a line when it is stamped.
    ForgotWhenStamped,
    /// The outbox forgets a line when it is delivered, written or not.
    ForgotWhenDelivered,
    /// The outbox of an earlier life is not read.
    OutboxNotRead,
    /// A line of an earlier life is offered again although somebody has it.
    OfferedThoughKnown,
    /// Who is asked about an old line says that it lacks it, whatever its replica holds.
    ReplicaNotAsked,
    /// A question about old lines is not repeated.
    InquiryNotRepeated,
    /// A line that somebody had, who is gone, is not offered again.
    VoidNotOffered,
    /// A tick is shown for what a member received, written or not.
    TicksEarly,
    /// A tick counts members that came from another ring.
    TicksOfStrangers,
    /// A new ring does not make its members catch up.
    CatchUpForgotten,
    /// Digests compare the number of records and not what they say.
    DigestCountsOnly,
    /// With a quorum, received counts as held, stored or not.
    QuorumOfReceived,
    /// With a quorum, a ring that is too small grants.
    GrantedBelowQuorum,
    /// With a quorum, the oldest of the members' rings is adopted.
    OldestAdopted,
    /// With a quorum, a ring is installed before what it adopted is stored.
    AdoptedNotStored,
    /// With a quorum, who lags enters a ring before it has caught up.
    LaggardCounted,
    /// With a quorum, a node does not store which ring it entered.
    EntryNotStored,
    /// Reconciling keeps a message at both of its positions.
    KeptAtBoth,
    /// Reconciling drops one of two contents under one id without a word.
    ConflictSilent,
    /// Reconciling sorts by numbers, whatever their rings.
    SortedByNumber,
    /// A start goes on with bytes that an earlier life wrote and did not sync.
    OpenedUnsynced,
    /// A new version of a file takes the old one's name before it is synced.
    RenamedBeforeSync,
    /// A file's new name is not synced.
    NameNotSynced,
    /// A sync that fails is taken for done.
    FailedSyncIgnored,
    /// A write that was done in part is taken for whole.
    ShortWriteBelieved,
    /// What a failed write left behind is not taken back.
    FailedWriteKept,
    /// What finds the disk full is taken for done.
    FullTakenForDone,
    /// The unfinished line at the end of a replica is not cut.
    TornTailKept,
    /// A replica is written anew without the records that were damaged meanwhile, and without a word.
    DamageRewritten,
    /// The line of a message that stands at a lower position too stays in the replica.
    GivenUpKept,
    /// The sums of a replica's lines are not checked.
    SumIgnored,
    /// A sealed datagram is decrypted whether its tag verifies or not.
    TagIgnored,
    /// The tag binds the header, and neither source nor destination.
    WayNotBound,
    /// A datagram that was seen before is taken once more.
    ReplayTaken,
    /// A start of a peer counts as fresh once something authentic of it was heard.
    HeardIsFresh,
}

#[cfg(feature = "bugs")]
static SWITCHED_ON: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

/// Switches one bug on, for the whole process.
#[cfg(feature = "bugs")]
pub fn switch_on(bug: Option<Bug>) {
    SWITCHED_ON.store(
        bug.map_or(0, |bug| bug as u32 + 1),
        std::sync::atomic::Ordering::Relaxed,
    );
}

/// Whether a bug is switched on.
#[cfg(feature = "bugs")]
pub fn on(bug: Bug) -> bool {
    SWITCHED_ON.load(std::sync::atomic::Ordering::Relaxed) == bug as u32 + 1
}

/// Whether a bug is switched on: never, in this build.
#[cfg(not(feature = "bugs"))]
pub const fn on(_bug: Bug) -> bool {
    false
}
