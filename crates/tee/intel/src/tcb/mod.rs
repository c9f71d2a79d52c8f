//! TCB evaluation: which level a platform reaches, and what that means.
