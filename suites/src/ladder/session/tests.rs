//! Tables over the rungs.
