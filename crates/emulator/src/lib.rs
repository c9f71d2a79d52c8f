//! Mock silicon: from a 32-byte seed a vendor PKI and real-format evidence.
