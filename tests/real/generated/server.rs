//! A real Prometheus that is handed samples of any time and asked about them.

use crate::support::{Server, free_port, listens};
use crate::waiting::{SOON, eventually};
use opsroom::domain::Labels;
use opsroom::metrics::Sample;
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

pub(super) struct Prometheus {
    port: u16,
    _server: Server,
    _folder: TempDir,
}

/// What is said to a question: the data, or the kind of the error and its words.
pub(super) type Said = Result<Value, (String, String)>;

impl Prometheus {
    /// Starts one in a scratch folder; `config` is the file it reads.
    pub(super) fn start(program: &Path, folder: TempDir, config: &str) -> Self {
        let port = free_port();
        std::fs::write(folder.path().join("p.yml"), config).unwrap();
        let server = Server::start(
            Command::new(program)
                .arg(format!("--config.file={}", folder.path().join("p.yml").display()))
                .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
                .arg("--web.enable-remote-write-receiver")
                .arg(format!("--web.listen-address=127.0.0.1:{port}")),
        );
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(listens(port));
        let found = Self { port, _server: server, _folder: folder };
        eventually("Prometheus is ready", SOON, || found.get("/-/ready").0 == 200);
        found
    }

    fn send(&self, head: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let head = format!("{head}Host: x\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let at = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
        (status, answer.split_off(at + 4))
    }

    pub(super) fn get(&self, path: &str) -> (u16, Vec<u8>) {
        self.send(&format!("GET {path} HTTP/1.0\r\n"), b"")
    }

    /// Asks an API with these parameters.
    pub(super) fn ask(&self, path: &str, form: &[(&str, &str)]) -> Said {
        let mut body = String::new();
        for (name, value) in form {
            body.extend([name, "="]);
            for byte in value.bytes() {
                if byte.is_ascii_alphanumeric() {
                    body.push(char::from(byte));
                } else {
                    let _ = write!(body, "%{byte:02X}");
                }
            }
            body.push('&');
        }
        let head = format!(
            "POST /api/v1/{path} HTTP/1.0\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        );
        let (_, answer) = self.send(&head, body.as_bytes());
        let mut answer: Value = serde_json::from_slice(&answer).unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match answer["status"].as_str() {
            Some("success") => Ok(answer["data"].take()),
            _ => Err((text(&answer["errorType"]), text(&answer["error"]))),
        }
    }

    /// Hands over samples, oldest first: remote write 1.0, which is protobuf in
    /// snappy's block format, here of literals alone.
    pub(super) fn write(&self, series: &[(Labels, Vec<Sample>)]) {
        let mut moments: Vec<i64> =
            series.iter().flat_map(|(_, all)| all.iter().map(|one| one.at.millis())).collect();
        moments.sort_unstable();
        moments.dedup();
        for minute in moments.chunk_by(|a, b| a / 60_000 == b / 60_000) {
            let mut message = Vec::new();
            for (labels, samples) in series {
                let from = samples.partition_point(|one| one.at.millis() < minute[0]);
                let to = samples.partition_point(|one| one.at.millis() <= minute[minute.len() - 1]);
                if from == to {
                    continue;
                }
                let mut one = Vec::new();
                for (name, value) in labels.iter() {
                    let mut pair = Vec::new();
                    field(&mut pair, 1, name.as_bytes());
                    field(&mut pair, 2, value.as_bytes());
                    field(&mut one, 1, &pair);
                }
                for sample in &samples[from..to] {
                    let mut pair = vec![0x09];
                    pair.extend(sample.value.to_bits().to_le_bytes());
                    pair.push(0x10);
                    varint(&mut pair, sample.at.millis().cast_unsigned());
                    field(&mut one, 2, &pair);
                }
                field(&mut message, 1, &one);
            }
            let mut body = Vec::new();
            varint(&mut body, message.len() as u64);
            for part in message.chunks(1 << 16) {
                body.push(61 << 2);
                body.extend(u16::try_from(part.len() - 1).unwrap().to_le_bytes());
                body.extend(part);
            }
            let head = "POST /api/v1/write HTTP/1.0\r\nContent-Type: application/x-protobuf\r\n\
                        Content-Encoding: snappy\r\nX-Prometheus-Remote-Write-Version: 0.1.0\r\n";
            let (status, words) = self.send(head, &body);
            assert_eq!(status, 204, "{}", String::from_utf8_lossy(&words));
        }
    }
}

fn varint(into: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        into.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    into.push((value & 0x7f) as u8);
}

fn field(into: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    into.push((number << 3) | 2);
    varint(into, bytes.len() as u64);
    into.extend(bytes);
}
