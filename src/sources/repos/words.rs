//! What the errors of networks and file systems mean, whichever tool repeats them.

use crate::domain::PollFailure;

/// The failure that a text speaks of, where it is one that every tool has.
pub(in crate::sources) fn failure(text: &str) -> Option<PollFailure> {
    const WORDS: &[(PollFailure, &[&str])] = &[
        (
            PollFailure::Limited,
            &["too many requests", "slowdown", "slow down", "429 ", "requestlimitexceeded"],
        ),
        (
            PollFailure::Name,
            &[
                "no such host",
                "could not resolve hostname",
                "name or service not known",
                "temporary failure in name resolution",
                "unable to get address for",
                "hosthostnotfound",
            ],
        ),
        (PollFailure::Refused, &["connection refused"]),
        (
            PollFailure::Tls,
            &["x509:", "tls:", "certificate", "ssl routines", "host key verification failed"],
        ),
        (
            PollFailure::Denied,
            &[
                "permission denied",
                "access denied",
                "accessdenied",
                "signaturedoesnotmatch",
                "invalidaccesskeyid",
                "unauthorized",
                "forbidden",
                "401 ",
                "403 ",
                "authentication failed",
                "operation not permitted",
            ],
        ),
        (
            PollFailure::Timeout,
            &["i/o timeout", "deadline exceeded", "timed out", "tls handshake timeout"],
        ),
        (
            PollFailure::Network,
            &[
                "connection reset",
                "no route to host",
                "network is unreachable",
                "connection closed by remote host",
                "connection to remote host is broken",
                "broken pipe",
                "unexpected eof",
                "unable to start the sftp session",
                "error talking http",
                "stale file handle",
                "transport endpoint is not connected",
            ],
        ),
    ];
    let text = text.to_lowercase();
    let found = WORDS.iter().find(|(_, words)| words.iter().any(|word| text.contains(word)));
    found.map(|(failure, _)| *failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_networks_and_doors_are_told_apart() {
        for (text, expected) in [
            ("dial tcp 127.0.0.1:1: connect: connection refused", Some(PollFailure::Refused)),
            ("lookup s3.nowhere: no such host", Some(PollFailure::Name)),
            ("Stat: Access Denied.", Some(PollFailure::Denied)),
            ("unexpected HTTP response (401): 401 Unauthorized", Some(PollFailure::Denied)),
            ("tls: failed to verify certificate: x509: unknown authority", Some(PollFailure::Tls)),
            ("read tcp: i/o timeout", Some(PollFailure::Timeout)),
            ("client: 429 Too Many Requests", Some(PollFailure::Limited)),
            ("Connection closed by remote host.", Some(PollFailure::Network)),
            ("borg@db: Permission denied (publickey).", Some(PollFailure::Denied)),
            ("ciphertext verification failed", None),
        ] {
            assert_eq!(failure(text), expected, "{text}");
        }
    }
}
