//! The trust anchors: Intel's pinned root, and an emulator's where a danger option admits them.
