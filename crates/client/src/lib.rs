//! The guest's RCAR client and the administrator's client.
