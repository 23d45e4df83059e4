//! Where a search begins.

use roda::words::Time;

use super::world::State;

/// How many steps nodes may take to come together without any fault.
const STEPS_MAX: u32 = 20_000;
/// How long that may take, in microseconds of the model's clock.
const SETTLE_US: u64 = 60_000_000;

/// A state to begin with.
pub struct Start {
    pub state: State,
}

impl Start {
    /// Nodes that have just started.
    pub fn apart(count: u16) -> Start {
        let state = State::new(count, Time(1_000_000)).stopped();
        Start { state }
    }

    /// Nodes in one ring.
    pub fn together(count: u16) -> Start {
        let mut state = State::new(count, Time(1_000_000));
        settle(&mut state).expect("without a fault a ring is formed");
        Start {
            state: state.stopped(),
        }
    }

    /// Two nodes in one ring and a third in its own, which hear each other from now on.
    pub fn split() -> Start {
        let mut state = State::new(3, Time(1_000_000));
        state.cut = true;
        settle(&mut state).expect("without a fault two rings are formed");
        state.cut = false;
        Start {
            state: state.stopped(),
        }
    }
}

/// Without any fault, all that live come together in one ring and deliver what was said.
pub fn settle(state: &mut State) -> Result<(), String> {
    let until = state.now.after_us(SETTLE_US);
    for _ in 0..STEPS_MAX {
        if state.is_settled() {
            return Ok(());
        }
        if state.now > until {
            break;
        }
        state.go_on()?;
    }
    Err(format!(
        "progress: not settled in {STEPS_MAX} steps without any fault"
    ))
}
