//! `collect` with `BRIDGE_PENDING_LOCATION`: what is answered is forgotten, and what never was is found.

mod store;

