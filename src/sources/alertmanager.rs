//! Alertmanager: its alerts, silences, receivers, and how it fares itself.

pub mod answer;
