//! The appraisal, by typed sets.

mod each_alone;
mod properties;
mod scene;
mod sets;
mod table;
