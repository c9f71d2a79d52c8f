//! Veraison's challenge-response API, the client side.
