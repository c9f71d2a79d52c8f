//! The reference value provider (RVPS): register, expire, list, and query a snapshot.
