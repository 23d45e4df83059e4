//! What a doctor says: checks, and findings with cause, evidence and remedy.

/// Why nobody is visible, or something else is wrong. In the order in which they are told if there are several: what hides
/// everybody comes before what hides some, and that before what only troubles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The interface is switched off, has no carrier, or has no address.
    InterfaceDown,
    /// No way for multicast out of this machine.
    NoMulticastRoute,
    /// Another program has the group's port for itself.
    PortTaken,
    /// A firewall here keeps datagrams from leaving.
    FirewallOut,
    /// A firewall here drops what arrives.
    FirewallIn,
    /// No room for the files.
    DiskFull,
    /// The files cannot be written.
    DiskReadOnly,
    /// Others have another key.
    KeyDiffers,
    /// Others have a key, this node has none.
    KeyMissingHere,
    /// This node has a key, others have none.
    KeyMissingThere,
    /// Others speak another version of the protocol.
    VersionDiffers,
    /// Another node has the id.
    IdTaken,
    /// Multicast does not pass, unicast does.
    MulticastFiltered,
    /// Datagrams of the usual size do not pass, small ones do.
    MtuTooSmall,
    /// A firewall at another machine drops what arrives there.
    FirewallThere,
    /// Others are on another interface.
    WrongInterface,
    /// The network is one of containers on this machine.
    ContainerBridge,
    /// Clocks differ.
    ClockOff,
    /// All is well, and nobody else is there.
    Alone,
    /// All is well, and others are there.
    Well,
}

/// All causes, in order.
pub const CAUSES: [Cause; 20] = [
    Cause::InterfaceDown,
    Cause::NoMulticastRoute,
    Cause::PortTaken,
    Cause::FirewallOut,
    Cause::FirewallIn,
    Cause::DiskFull,
    Cause::DiskReadOnly,
    Cause::KeyDiffers,
    Cause::KeyMissingHere,
    Cause::KeyMissingThere,
    Cause::VersionDiffers,
    Cause::IdTaken,
    Cause::MulticastFiltered,
    Cause::MtuTooSmall,
    Cause::FirewallThere,
    Cause::WrongInterface,
    Cause::ContainerBridge,
    Cause::ClockOff,
    Cause::Alone,
    Cause::Well,
];

impl Cause {
    /// The cause as programs read it.
    pub fn code(self) -> &'static str {
        match self {
            Cause::InterfaceDown => "interface_down",
            Cause::NoMulticastRoute => "no_multicast_route",
            Cause::PortTaken => "port_taken",
            Cause::FirewallOut => "firewall_out",
            Cause::FirewallIn => "firewall_in",
            Cause::DiskFull => "disk_full",
            Cause::DiskReadOnly => "disk_read_only",
            Cause::KeyDiffers => "key_differs",
            Cause::KeyMissingHere => "key_missing_here",
            Cause::KeyMissingThere => "key_missing_there",
            Cause::VersionDiffers => "version_differs",
            Cause::IdTaken => "id_taken",
            Cause::MulticastFiltered => "multicast_filtered",
            Cause::MtuTooSmall => "mtu_too_small",
            Cause::FirewallThere => "firewall_there",
            Cause::WrongInterface => "wrong_interface",
            Cause::ContainerBridge => "container_bridge",
            Cause::ClockOff => "clock_off",
            Cause::Alone => "alone",
            Cause::Well => "well",
        }
    }

    /// The cause in words.
    pub fn words(self) -> &'static str {
        match self {
            Cause::InterfaceDown => "the network interface is down",
            Cause::NoMulticastRoute => "multicast has no way out of this machine",
            Cause::PortTaken => "the group's port is taken by a program that does not share it",
            Cause::FirewallOut => "a firewall on this machine keeps datagrams from leaving",
            Cause::FirewallIn => "a firewall on this machine drops what arrives",
            Cause::DiskFull => "the disk is full",
            Cause::DiskReadOnly => "the files of this node cannot be written",
            Cause::KeyDiffers => "others have another group key",
            Cause::KeyMissingHere => "others have a group key, and this node has none",
            Cause::KeyMissingThere => "this node has a group key, and others have none",
            Cause::VersionDiffers => "others speak another version of the protocol",
            Cause::IdTaken => "this id is taken by another node",
            Cause::MulticastFiltered => "multicast is filtered, unicast passes",
            Cause::MtuTooSmall => "datagrams of the usual size do not pass, small ones do",
            Cause::FirewallThere => "others are heard, and do not hear this machine: a firewall there",
            Cause::WrongInterface => "others are on another interface",
            Cause::ContainerBridge => "this is a network of containers, which ends at this machine",
            Cause::ClockOff => "the clocks are far apart",
            Cause::Alone => "nothing is wrong here, and nobody else answers",
            Cause::Well => "nothing is wrong, and others are here",
        }
    }

    /// Whether something is to be mended.
    pub fn is_trouble(self) -> bool {
        !matches!(self, Cause::Alone | Cause::Well)
    }
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing is wrong with it.
    Ok,
    /// Something is.
    Trouble,
    /// It could not be told.
    Unknown,
}

impl State {
    /// As programs read it.
    pub fn code(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Trouble => "trouble",
            State::Unknown => "unknown",
        }
    }

    /// As people read it.
    pub fn words(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Trouble => "trouble",
            State::Unknown => "could not tell",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What.
    pub what: &'static str,
    /// How it ended.
    pub state: State,
    /// What was seen, with the values.
    pub words: String,
}

/// Something that is so, why it is thought so, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub cause: Cause,
    /// What shows it, with the values.
    pub evidence: Vec<String>,
    /// What to do.
    pub remedy: String,
}

/// All that a doctor says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// All checks, in order.
    pub checks: Vec<Check>,
    /// The verdict, the likeliest cause.
    pub verdict: Finding,
    /// What else is wrong.
    pub also: Vec<Finding>,
}

/// A diagnosis in the making.
#[derive(Debug, Default)]
pub(super) struct Book {
    checks: Vec<Check>,
    findings: Vec<Finding>,
}

impl Book {
    /// A check is done.
    pub fn check(&mut self, what: &'static str, state: State, words: impl Into<String>) {
        let words = words.into();
        self.checks.push(Check { what, state, words });
    }

    /// Something is so; one finding for each cause.
    pub fn find(&mut self, cause: Cause, evidence: Vec<String>, remedy: impl Into<String>) {
        if !self.has(cause) {
            self.findings.push(Finding {
                cause,
                evidence,
                remedy: remedy.into(),
            });
        }
    }

    /// Whether this is so already.
    pub fn has(&self, cause: Cause) -> bool {
        self.findings.iter().any(|finding| finding.cause == cause)
    }

    /// Whether anything is wrong.
    pub fn has_trouble(&self) -> bool {
        self.findings.iter().any(|finding| finding.cause.is_trouble())
    }

    /// The diagnosis: the first finding in the order of causes is the verdict.
    pub fn close(mut self) -> Diagnosis {
        self.findings.sort_by_key(|finding| finding.cause);
        let mut findings = self.findings.into_iter();
        let verdict = findings.next().expect("the last rule always finds something");
        Diagnosis {
            checks: self.checks,
            verdict,
            also: findings.collect(),
        }
    }
}
