//! A floating-point number that messages can compare and carry.

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A sample value. Compared by its bits, so that NaN equals NaN and a message
/// equals its copy; written as a number, or as the text `NaN`, `+Inf`, `-Inf`.
#[derive(Clone, Copy, Default)]
pub struct Num(pub f64);

impl PartialEq for Num {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Num {}

impl fmt::Debug for Num {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Num {
    /// As Prometheus writes values: `NaN`, `+Inf`, `-Inf`, else the shortest exact form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_nan() {
            f.pad("NaN")
        } else if self.0.is_infinite() {
            f.pad(if self.0 > 0.0 { "+Inf" } else { "-Inf" })
        } else {
            fmt::Display::fmt(&self.0, f)
        }
    }
}

impl Serialize for Num {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_finite() {
            serializer.serialize_f64(self.0)
        } else {
            serializer.collect_str(self)
        }
    }
}

impl<'de> Deserialize<'de> for Num {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumVisitor;
        impl Visitor<'_> for NumVisitor {
            type Value = Num;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or the text NaN, +Inf or -Inf")
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Num, E> {
                Ok(Num(value))
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Num, E> {
                Ok(Num(value as f64))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Num, E> {
                Ok(Num(value as f64))
            }
            fn visit_str<E: de::Error>(self, value: &str) -> Result<Num, E> {
                value.parse().map(Num).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(NumVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_by_bits_and_survive_json() {
        for value in [0.0, -0.0, 1.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let json = serde_json::to_string(&Num(value)).unwrap();
            assert_eq!(serde_json::from_str::<Num>(&json).unwrap(), Num(value), "{json}");
        }
        assert_ne!(Num(0.0), Num(-0.0));
    }
}
