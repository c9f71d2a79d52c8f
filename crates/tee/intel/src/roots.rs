//! What is bundled of Intel's root, and why in this form.
