//! How many files and sockets this process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Sockets and files that are open beside those of the sources.
const OTHERS: u64 = 200;

/// Lets the process have a socket open for each source and some files, as far
/// as the system's hard limit goes; many systems begin at 1,024 in all.
pub fn make_room_for(sources: usize) {
    let wanted = u64::try_from(sources).unwrap_or(u64::MAX).saturating_mul(2) + OTHERS;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= wanted) {
        return;
    }
    let current = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum });
    if let Err(error) = raised {
        tracing::warn!(%error, wanted, "the limit of open files stays");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_as_far_as_allowed_and_never_lowered() {
        let before = getrlimit(Resource::Nofile).current;
        make_room_for(10);
        assert!(getrlimit(Resource::Nofile).current >= before);
        make_room_for(2_000);
        let now = getrlimit(Resource::Nofile);
        assert!(now.current.is_none_or(|current| current >= 4_200 || Some(current) == now.maximum));
    }
}
