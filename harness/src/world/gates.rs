//! What others make, and nodes that wait for it.
//!
//! What lives here: a gate for kind's cluster and one for containerlab's lab; a node that is one of their containers is looked for
//! when its gate is open. What does not: opening them (`provision`).

use tokio::sync::watch;

/// Who makes a container that is not ours to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Maker {
    /// kind.
    Cluster,
    /// containerlab.
    Topology,
}

type Said = Option<Result<(), String>>;

/// The gates of a fabric.
#[derive(Debug, Default)]
pub(crate) struct Gates {
    cluster: watch::Sender<Said>,
    topology: watch::Sender<Said>,
}

impl Gates {
    fn of(&self, maker: Maker) -> &watch::Sender<Said> {
        match maker {
            Maker::Cluster => &self.cluster,
            Maker::Topology => &self.topology,
        }
    }

    /// What `maker` makes is there.
    pub(super) fn open(&self, maker: Maker) {
        self.of(maker).send_replace(Some(Ok(())));
    }

    /// It will never be there; what is there already stays.
    pub(super) fn close(&self, why: &str) {
        for gate in [&self.cluster, &self.topology] {
            gate.send_if_modified(|said| {
                let closes = said.is_none();
                if closes {
                    *said = Some(Err(why.to_owned()));
                }
                closes
            });
        }
    }

    /// Waits until what `maker` makes is there.
    pub(super) async fn passed(&self, maker: Maker) -> Result<(), String> {
        let mut gate = self.of(maker).subscribe();
        let said = gate.wait_for(Option::is_some).await.map_err(|_| "the fabric is ending".to_owned())?;
        said.clone().unwrap_or(Ok(()))
    }

    /// Whether nobody waits any more.
    pub(super) fn is_decided(&self, maker: Maker) -> bool {
        self.of(maker).borrow().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_gate_that_is_open_stays_open() {
        let gates = Gates::default();
        assert!(futures::poll!(Box::pin(gates.passed(Maker::Cluster))).is_pending());
        gates.open(Maker::Cluster);
        gates.close("the fabric is ending");
        assert_eq!(gates.passed(Maker::Cluster).await, Ok(()));
        assert_eq!(gates.passed(Maker::Topology).await, Err("the fabric is ending".to_owned()));
        assert!(gates.is_decided(Maker::Topology));
    }
}
