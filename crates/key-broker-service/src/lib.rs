//! The key broker service: RCAR, sessions, resources, resource policy, administration.
