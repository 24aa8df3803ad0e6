//! The rules: each a function from what is asked to what it finds, one file per topic.

mod api;
mod attributes;
mod fields;
mod pools;
mod running;
mod timing;
mod values;

use super::{Asked, Finding};

/// What all rules find, in no order.
pub(super) fn all(asked: &Asked) -> Vec<Finding> {
    let topics =
        [api::find, attributes::find, fields::find, pools::find, running::find, timing::find, values::find];
    topics.iter().flat_map(|find| find(asked)).collect()
}
