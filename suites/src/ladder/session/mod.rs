//! Why a session is not up, or does not carry what it should: from what was seen of both its ends, the first rung that is
//! broken. Whichever end a check asks from, the answer is the same.

mod facts;
mod ground;
mod policies;
mod rungs;
mod speech;
mod wire;
mod words;

#[cfg(test)]
mod tests;

pub use facts::{
    AgentWords, Came, CiliumSeen, Dialed, End, Given, Passwords, Policy, RouterSeen, SessionFacts, Speaker,
};
pub use rungs::{climb, climb_link, lost};
pub use speech::unannounced;
