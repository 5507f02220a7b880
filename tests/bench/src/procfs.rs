//! What the kernel says about processes: CPU time and memory of a process group, and of the machine.

use std::fs;

/// User and system seconds of every live process of a group.
pub(crate) fn group_cpu_s(group: u32) -> f64 {
    let ticks: u64 = members(group).iter().map(Stat::ticks).sum();
    seconds(ticks)
}

/// Resident memory of every live process of a group; pages that they share count once for each.
pub(crate) fn group_rss_mib(group: u32) -> f64 {
    let kib: u64 = members(group).iter().filter_map(|stat| resident_kib(stat.pid)).sum();
    kib as f64 / 1_024.0
}

/// This process's own user and system seconds.
pub(crate) fn own_cpu_s() -> f64 {
    Stat::of(std::process::id()).map_or(0.0, |stat| seconds(stat.ticks()))
}

/// The same, with those of all processes that it has waited for.
pub(crate) fn own_cpu_with_ended_s() -> f64 {
    Stat::of(std::process::id()).map_or(0.0, |stat| seconds(stat.ticks() + stat.field(16) + stat.field(17)))
}

/// Seconds that all cores of the machine were busy since it started.
pub(crate) fn machine_busy_s() -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let ticks: Vec<u64> = stat.split_whitespace().skip(1).take(7).filter_map(|tick| tick.parse().ok()).collect();
    // user, nice, system, (idle, waiting for disks,) interrupts and soft interrupts
    let idle: u64 = ticks.iter().skip(3).take(2).sum();
    seconds(ticks.iter().sum::<u64>() - idle)
}

struct Stat {
    pid: u32,
    /// Everything behind the command's name, which may itself hold spaces and parentheses.
    fields: Vec<String>,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, behind) = line.rsplit_once(')')?;
        Some(Self { pid, fields: behind.split_whitespace().map(str::to_owned).collect() })
    }

    /// A field by its number in proc(5), where the state is number 3.
    fn field(&self, number: usize) -> u64 {
        self.fields.get(number - 3).and_then(|field| field.parse().ok()).unwrap_or(0)
    }

    fn group(&self) -> u64 {
        self.field(5)
    }

    fn ticks(&self) -> u64 {
        self.field(14) + self.field(15)
    }
}

fn members(group: u32) -> Vec<Stat> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(Stat::of)
        .filter(|stat| stat.group() == u64::from(group))
        .collect()
}

fn resident_kib(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn seconds(ticks: u64) -> f64 {
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}
