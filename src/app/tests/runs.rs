//! Runbooks and runs as a person sees them, and what keys do to them.

mod house;
mod screens;
mod typing;
