//! Whole screens, and what keys do to them.

mod house;
mod keys;
mod screens;
