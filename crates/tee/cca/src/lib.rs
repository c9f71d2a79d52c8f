//! Arm CCA evidence.
