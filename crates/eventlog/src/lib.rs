//! Event logs of measured boot: TCG2 (TPM), CCEL (TDX and other confidential guests) and AAEL (the
//! Attestation Agent's), parsed and replayed. No I/O.
