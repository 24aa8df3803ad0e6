//! The endpoint through kubectl, where there is one on this machine.
