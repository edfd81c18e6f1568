//! This host's numbers, read from /proc and named as the node exporter names them.

use super::exposition::Writer;
use crate::domain::Timestamp;
use std::fs;

/// Linux counts CPU time in hundredths of a second here, whatever the kernel's own tick.
const TICKS_PER_SECOND: f64 = 100.0;
/// The kernel's sector in /proc/diskstats, whatever the disk's own.
const SECTOR_BYTES: f64 = 512.0;
/// How many file systems are shown at most.
const MOST_FILESYSTEMS: usize = 20;

/// The whole page. What cannot be read is left out.
pub(super) fn page(now: Timestamp) -> String {
    let mut page = Writer::default();
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    cpu(&read("/proc/stat"), &mut page);
    memory(&read("/proc/meminfo"), &mut page);
    load(&read("/proc/loadavg"), &mut page);
    filesystems(&mounts(&read("/proc/self/mounts")), &mut page);
    disks(&read("/proc/diskstats"), &mut page);
    network(&read("/proc/net/dev"), &mut page);
    page.family("node_uname_info", "gauge", "Labeled system information.");
    let system = rustix::system::uname();
    let nodename = system.nodename().to_string_lossy();
    let release = system.release().to_string_lossy();
    page.sample("node_uname_info", &[("nodename", &nodename), ("release", &release)], 1.0);
    page.family("node_time_seconds", "gauge", "System time in seconds since epoch (1970).");
    page.sample("node_time_seconds", &[], now.seconds());
    page.finish()
}

fn number(word: Option<&&str>) -> Option<f64> {
    word?.parse().ok()
}

fn cpu(stat: &str, page: &mut Writer) {
    const MODES: [&str; 8] =
        ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];
    let name = "node_cpu_seconds_total";
    page.family(name, "counter", "Seconds the CPUs spent in each mode.");
    for line in stat.lines() {
        let mut words = line.split_whitespace();
        let Some(cpu) = words.next().and_then(|word| word.strip_prefix("cpu")) else { continue };
        if cpu.is_empty() {
            continue;
        }
        for (mode, ticks) in MODES.iter().zip(words) {
            if let Ok(ticks) = ticks.parse::<f64>() {
                page.sample(name, &[("cpu", cpu), ("mode", mode)], ticks / TICKS_PER_SECOND);
            }
        }
    }
    let boot = stat.lines().find_map(|line| line.strip_prefix("btime "));
    if let Some(boot) = boot.and_then(|boot| boot.trim().parse().ok()) {
        page.family("node_boot_time_seconds", "gauge", "Node boot time, in unixtime.");
        page.sample("node_boot_time_seconds", &[], boot);
    }
}

fn memory(meminfo: &str, page: &mut Writer) {
    const SHOWN: [&str; 7] =
        ["MemTotal", "MemFree", "MemAvailable", "Buffers", "Cached", "SwapTotal", "SwapFree"];
    for line in meminfo.lines() {
        let Some((field, rest)) = line.split_once(':') else { continue };
        let kilobytes = rest.split_whitespace().next().and_then(|word| word.parse::<f64>().ok());
        if let (true, Some(kilobytes)) = (SHOWN.contains(&field), kilobytes) {
            let name = format!("node_memory_{field}_bytes");
            page.family(&name, "gauge", &format!("Memory information field {field}_bytes."));
            page.sample(&name, &[], kilobytes * 1024.0);
        }
    }
}

fn load(loadavg: &str, page: &mut Writer) {
    for (name, word) in
        ["node_load1", "node_load5", "node_load15"].into_iter().zip(loadavg.split_whitespace())
    {
        if let Ok(load) = word.parse() {
            page.family(name, "gauge", "Load average.");
            page.sample(name, &[], load);
        }
    }
}

/// A mounted file system.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    device: String,
    point: String,
    kind: String,
}

/// File systems on disks, and whatever is mounted at the root; each device once.
fn mounts(text: &str) -> Vec<Mount> {
    let mut found: Vec<Mount> = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some(device), Some(point), Some(kind)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        let (device, point) = (unescaped(device), unescaped(point));
        let on_disk = device.starts_with("/dev/") && kind != "devtmpfs" && kind != "squashfs";
        if !(on_disk || point == "/") || found.iter().any(|mount| mount.device == device) {
            continue;
        }
        found.push(Mount { device, point, kind: kind.into() });
    }
    found.truncate(MOST_FILESYSTEMS);
    found
}

/// Blanks and backslashes in /proc/mounts are written in octal: `\040`.
fn unescaped(word: &str) -> String {
    word.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

fn filesystems(mounts: &[Mount], page: &mut Writer) {
    let sizes: Vec<_> = mounts
        .iter()
        .filter_map(|mount| Some((mount, rustix::fs::statvfs(mount.point.as_str()).ok()?)))
        .filter(|(_, size)| size.f_blocks > 0)
        .collect();
    for (name, help) in [
        ("node_filesystem_size_bytes", "Filesystem size in bytes."),
        ("node_filesystem_free_bytes", "Filesystem free space in bytes."),
        ("node_filesystem_avail_bytes", "Filesystem space available to non-root users in bytes."),
    ] {
        page.family(name, "gauge", help);
        for (mount, size) in &sizes {
            let blocks = match name {
                "node_filesystem_size_bytes" => size.f_blocks,
                "node_filesystem_free_bytes" => size.f_bfree,
                _ => size.f_bavail,
            };
            let labels = [
                ("device", mount.device.as_str()),
                ("fstype", mount.kind.as_str()),
                ("mountpoint", mount.point.as_str()),
            ];
            page.sample(name, &labels, blocks as f64 * size.f_frsize as f64);
        }
    }
}

/// Whole disks: what the node exporter shows too, without RAM disks, loops and partitions.
fn is_disk(name: &str) -> bool {
    let ends_in_digit = name.ends_with(|c: char| c.is_ascii_digit());
    if name.starts_with("nvme") || name.starts_with("mmcblk") {
        let after_letter_p = name.rsplit_once('p').map(|(_, rest)| rest);
        return after_letter_p.is_none_or(|rest| rest.parse::<u32>().is_err());
    }
    let partitioned = ["sd", "hd", "vd", "xvd"].iter().any(|kind| name.starts_with(kind));
    let unreal = ["loop", "ram", "zram", "fd"].iter().any(|kind| name.starts_with(kind));
    let partition = partitioned && ends_in_digit;
    !(unreal || partition)
}

fn disks(diskstats: &str, page: &mut Writer) {
    let rows: Vec<Vec<&str>> = diskstats
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|words| words.len() >= 13 && is_disk(words[2]))
        .collect();
    for (name, help, column, unit) in [
        ("node_disk_read_bytes_total", "Bytes read.", 5, SECTOR_BYTES),
        ("node_disk_written_bytes_total", "Bytes written.", 9, SECTOR_BYTES),
        ("node_disk_io_time_seconds_total", "Seconds spent doing I/Os.", 12, 0.001),
    ] {
        page.family(name, "counter", help);
        for words in &rows {
            if let Some(count) = number(words.get(column)) {
                page.sample(name, &[("device", words[2])], count * unit);
            }
        }
    }
}

fn network(dev: &str, page: &mut Writer) {
    let rows: Vec<(&str, Vec<&str>)> = dev
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, rest)| (name.trim(), rest.split_whitespace().collect()))
        .collect();
    for (name, help, column) in [
        ("node_network_receive_bytes_total", "Network device bytes received.", 0),
        ("node_network_transmit_bytes_total", "Network device bytes sent.", 8),
    ] {
        page.family(name, "counter", help);
        for (device, words) in &rows {
            if let Some(count) = number(words.get(column)) {
                page.sample(name, &[("device", device)], count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Writer)) -> String {
        let mut page = Writer::default();
        write(&mut page);
        page.finish()
    }

    fn has(text: &str, line: &str) {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }

    #[test]
    fn cpu_times_are_in_seconds_and_the_sum_over_all_is_left_out() {
        let stat = "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 150 2 30 4000 5 0 7 0 0 0\nbtime 1700000000\n";
        let text = written(|page| cpu(stat, page));
        has(&text, "node_cpu_seconds_total{cpu=\"0\",mode=\"user\"} 1.5");
        has(&text, "node_cpu_seconds_total{cpu=\"0\",mode=\"idle\"} 40");
        has(&text, "node_boot_time_seconds 1700000000");
        assert_eq!(text.matches("mode=").count(), 8);
    }

    #[test]
    fn memory_is_in_bytes_and_load_as_it_is() {
        let text = written(|page| {
            memory("MemTotal:       100 kB\nMemAvailable: 40 kB\nHugePages_Total: 3\n", page);
            load("0.50 0.25 0.10 1/200 4242\n", page);
        });
        has(&text, "node_memory_MemTotal_bytes 102400");
        has(&text, "node_memory_MemAvailable_bytes 40960");
        has(&text, "node_load5 0.25");
        assert!(!text.contains("Huge"));
    }

    #[test]
    fn each_device_is_mounted_once_and_unreal_file_systems_are_left_out() {
        let text = "proc /proc proc rw 0 0\noverlay / overlay rw 0 0\n\
                    /dev/sda1 /mnt/my\\040disk ext4 rw 0 0\n/dev/sda1 /etc/hosts ext4 rw 0 0\n\
                    tmpfs /dev/shm tmpfs rw 0 0\nhalf a line\n";
        let points: Vec<_> = mounts(text).into_iter().map(|mount| mount.point).collect();
        assert_eq!(points, ["/", "/mnt/my disk"]);
    }

    #[test]
    fn disks_are_whole_ones_and_network_counts_both_ways() {
        for (name, disk) in [
            ("sda", true),
            ("sda1", false),
            ("nvme0n1", true),
            ("nvme0n1p2", false),
            ("vda", true),
            ("dm-0", true),
            ("loop7", false),
            ("mmcblk0", true),
            ("mmcblk0p1", false),
        ] {
            assert_eq!(is_disk(name), disk, "{name}");
        }
        let text = written(|page| {
            disks(" 8 0 sda 1 2 10 4 5 6 20 8 9 1500 11 0 0\n 8 1 sda1 1 2 3\n", page);
            network("Inter-| Receive\n eth0: 7 1 0 0 0 0 0 0 9 1 0 0 0 0 0 0\n", page);
        });
        has(&text, "node_disk_read_bytes_total{device=\"sda\"} 5120");
        has(&text, "node_disk_io_time_seconds_total{device=\"sda\"} 1.5");
        has(&text, "node_network_receive_bytes_total{device=\"eth0\"} 7");
        has(&text, "node_network_transmit_bytes_total{device=\"eth0\"} 9");
    }

    #[test]
    fn this_host_has_the_numbers_that_the_presets_ask_for() {
        let text = page(Timestamp::from_millis(1_000));
        for name in [
            "node_cpu_seconds_total{",
            "node_memory_MemAvailable_bytes ",
            "node_filesystem_avail_bytes{",
            "node_network_receive_bytes_total{",
            "node_uname_info{",
        ] {
            assert!(text.lines().any(|line| line.starts_with(name)), "no {name}");
        }
    }
}
