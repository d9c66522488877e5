//! What arrives is what was there.
