//! AMD SEV-SNP evidence: parsing, verification, claims.
