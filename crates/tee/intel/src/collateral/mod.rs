//! Collateral: TCB info, QE identity, revocation lists, PCK certificates; how they are asked for and read.
