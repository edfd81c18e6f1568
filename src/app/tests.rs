//! Whole screens, and what keys do to them.

mod backups;
mod checks;
mod completion;
mod explore;
mod hints;
mod house;
mod issues;
mod keys;
mod night;
mod runs;
mod screens;
