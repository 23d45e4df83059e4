//! The feed: the event stream for those who follow it from outside, such as the page.
//!
//! One thread owns the journal: the last events, so that who lost its connection goes on where it was. Events of the
//! moment (the token's way) and the others wait in queues of their own, so that a busy token never pushes out a
//! message; on reading they are merged by number.
//!
//! When full: the publisher hands its events over through a bounded channel whose other end never waits for anybody.
//! A follower that does not keep up is dropped: its subscription ends, and it comes back with the last number it saw.

mod journal;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Builder;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

use crate::host::events::Told;
use journal::Journal;

/// Events on their way to the feed's thread, which takes them as fast as they come.
const CHANNEL_MAX: usize = 1_024;
/// Live events that wait for one follower.
const FOLLOWER_MAX: usize = 1_024;
/// Followers at once: tabs of a browser.
const FOLLOWERS_MAX: usize = 32;

/// Called when the first follower has come, or the last one is gone.
pub type Changed = Arc<dyn Fn() + Send + Sync>;

/// What the feed's thread is to do.
enum Job {
    Publish(Told),
    Subscribe(Option<u64>, Sender<Subscription>),
}

/// The publisher's end, and that of who wants to subscribe; it can be cloned. The thread ends with the last of them.
#[derive(Clone)]
pub struct Feed {
    jobs: Sender<Job>,
    followers: Arc<Followers>,
}

/// How many follow, and who wants to know when that changes.
struct Followers {
    count: AtomicUsize,
    changed: Changed,
}

/// A follower's end: what it missed, then what happens.
pub struct Subscription {
    /// What it missed, in order.
    missed: VecDeque<Told>,
    live: Receiver<Told>,
    /// Counts it as long as it lives.
    _place: Place,
}

/// A place among the followers, given back when it is dropped.
struct Place(Arc<Followers>);

/// What a subscription has next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// An event.
    Told(Told),
    /// Nothing happened for as long as the follower wanted to wait.
    Nothing,
    /// The follower did not keep up, or the node has ended: subscribe again with the last number.
    Closed,
}

impl Feed {
    /// Starts the thread. `changed` is called from it, or from a follower's thread, and must not wait.
    pub fn start(changed: Changed) -> io::Result<Feed> {
        let (jobs, queue) = bounded(CHANNEL_MAX);
        let followers = Arc::new(Followers {
            count: AtomicUsize::new(0),
            changed,
        });
        let feed = Feed {
            jobs,
            followers: followers.clone(),
        };
        Builder::new()
            .name("feed".to_string())
            .spawn(move || serve(&queue, &followers))?;
        Ok(feed)
    }

    /// Tells all who follow, and remembers it for those who come back.
    pub fn publish(&self, told: Told) {
        // The thread outlives every sender, unless it died; then nobody follows.
        self.jobs.send(Job::Publish(told)).unwrap_or_default();
    }

    /// Follows from behind event `after` on; without a number, or if what lies between is forgotten, from what stands
    /// now. `None` if too many follow already, or the node has ended.
    pub fn subscribe(&self, after: Option<u64>) -> Option<Subscription> {
        let (answer, subscription) = bounded(1);
        self.jobs.send(Job::Subscribe(after, answer)).ok()?;
        subscription.recv().ok()
    }

    /// How many follow.
    pub fn followers(&self) -> usize {
        self.followers.count.load(Ordering::Relaxed)
    }
}

impl Subscription {
    /// The next event; waits for it at most so long.
    pub fn next(&mut self, at_most: Duration) -> Next {
        if let Some(told) = self.missed.pop_front() {
            return Next::Told(told);
        }
        match self.live.recv_timeout(at_most) {
            Ok(told) => Next::Told(told),
            Err(RecvTimeoutError::Timeout) => Next::Nothing,
            Err(RecvTimeoutError::Disconnected) => Next::Closed,
        }
    }
}

impl Place {
    /// Takes a place, if there is one.
    fn take(followers: &Arc<Followers>) -> Option<Place> {
        let free = |count: usize| (count < FOLLOWERS_MAX).then_some(count + 1);
        let before = followers
            .count
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, free)
            .ok()?;
        if before == 0 {
            (followers.changed)();
        }
        Some(Place(followers.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::Relaxed) == 1 {
            (self.0.changed)();
        }
    }
}

/// Keeps the journal and serves the followers until nobody can publish or subscribe any more.
fn serve(queue: &Receiver<Job>, followers: &Arc<Followers>) {
    let mut journal = Journal::default();
    let mut live: Vec<Sender<Told>> = Vec::new();
    for job in queue {
        match job {
            Job::Publish(told) => {
                // Who is gone, or does not keep up, is left out from now on: its end is closed with this one.
                live.retain(|follower| match follower.try_send(told.clone()) {
                    Ok(()) => true,
                    Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
                });
                journal.add(told);
            }
            Job::Subscribe(after, answer) => {
                let Some(place) = Place::take(followers) else {
                    continue;
                };
                let (follower, receiver) = bounded(FOLLOWER_MAX);
                let subscription = Subscription {
                    missed: journal.since(after),
                    live: receiver,
                    _place: place,
                };
                if answer.try_send(subscription).is_ok() {
                    live.push(follower);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
