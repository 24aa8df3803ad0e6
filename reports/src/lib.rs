//! The record of one run and its faces.
