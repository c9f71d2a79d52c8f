//! Collateral: certificates, CRLs and TCB information from bundle, folder, cache and vendor service.
