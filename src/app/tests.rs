//! Whole screens, and what keys do to them.

mod hints;
mod house;
mod keys;
mod night;
mod screens;
